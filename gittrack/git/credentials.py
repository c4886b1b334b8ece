"""Ask git for the user's credentials (``git credential``), so that there is one place where people keep them."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from gittrack.git.transfer import QUIET

if TYPE_CHECKING:
    from gittrack.git.repository import Repository
    from gittrack.git.transfer import Access


class Credentials:
    """The credentials that git's helpers know, or that the person types.

    Args:
        repository: The repository, whose settings name the helpers.
        access: Whether git may ask on the terminal.
    """

    def __init__(self, repository: Repository, access: Access = QUIET) -> None:
        self._repository = repository
        self._access = access
        self._lock = threading.Lock()
        self._answers: dict[str, bytes] = {}

    def fill(self, url: str) -> tuple[str, str] | None:
        """Return user and password for a URL; None when nobody knows them.

        Args:
            url: ``http`` or ``https``, without a user.
        """
        question = _question(url)
        if question is None:
            return None
        with self._lock:
            done = self._run("fill", question)
        fields = _parse(done) if done is not None else {}
        if not fields.get("password"):
            return None
        self._answers[url] = done or b""
        return fields.get("username", ""), fields["password"]

    def approve(self, url: str) -> None:
        """Let the helpers keep what `fill` returned for a URL, because it was right."""
        self._tell("approve", url)

    def reject(self, url: str) -> None:
        """Let the helpers forget what `fill` returned for a URL, because it was wrong."""
        self._tell("reject", url)

    def _tell(self, verb: str, url: str) -> None:
        with self._lock:
            answer = self._answers.pop(url, None)
            if answer is not None:
                self._run(verb, answer + b"\n")

    def _run(self, verb: str, text: bytes) -> bytes | None:
        env = {"GIT_TERMINAL_PROMPT": "1"} if self._access.may_prompt else None
        done = self._repository.git.run("credential", verb, input=text, check=False, env=env)
        return None if done.returncode else done.stdout


def _question(url: str) -> bytes | None:
    parts = urlsplit(url)
    if not url.isprintable() or parts.scheme not in {"http", "https"} or not parts.netloc or "@" in parts.netloc:
        return None
    return f"protocol={parts.scheme}\nhost={parts.netloc}\npath={parts.path.lstrip('/')}\n\n".encode()


def _parse(answer: bytes) -> dict[str, str]:
    lines = answer.decode("utf-8", "surrogateescape").split("\n")
    return {key: value for key, _, value in (line.partition("=") for line in lines) if key}
