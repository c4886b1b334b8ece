"""Alerts: what a script wants somebody to know at once, recorded and sent to the user's own command or address.

Both are named in git's settings, ``gittrack.alert.command`` and ``gittrack.alert.url``, which no clone and no commit
brings along. They are asked for, run and reached in a thread; a failure is a warning.
"""

from __future__ import annotations

import json
import shlex
import subprocess
import threading
import time
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, NamedTuple

from gittrack.errors import GittrackError, UsageError
from gittrack.secrets import mask_secrets
from gittrack.values import InvalidValueError, clean_text
from gittrack.warn import warn

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from gittrack.git.repository import Repository

LEVELS = ("info", "warning", "error")
COMMAND_KEY, URL_KEY = "gittrack.alert.command", "gittrack.alert.url"
_VARIABLES = ("title", "text", "level", "run")
_MAX_VARIABLE_LENGTH = 4000
_COMMAND_TIMEOUT_S = 30.0
_REQUEST_TIMEOUT_S = 10.0
_PAUSES_S = (1.0, 4.0)  # before a second and a third try of an address
_LAST_WAIT_S = 15.0  # how long the end of a run waits for what is still to be sent
_TRY_AGAIN = frozenset({408, 425, 429, 500, 502, 503, 504})


class AlertFailedError(GittrackError):
    """An alert could not be sent."""


class Alert(NamedTuple):
    """One alert.

    Attributes:
        title: What it is about, in a few words.
        text: All else.
        level: ``info``, ``warning`` or ``error``.
        time: When, UTC epoch seconds.
        step: The run's step; None when the script has none.
    """

    title: str
    text: str
    level: str
    time: float
    step: int | None

    def plain(self) -> dict[str, Any]:
        """Return it as plain data; what says nothing is left out."""
        return {key: value for key, value in self._asdict().items() if value not in {None, ""}}


def parse_alert(title: Any, text: Any, level: Any, step: int | None) -> Alert:
    """Return an alert, checked, with what looks like a secret masked.

    Args:
        title: A text that is not empty.
        text: A text.
        level: One of `LEVELS`.
        step: The run's step.

    Raises:
        UsageError: The level is another word.
        InvalidValueError: Title or text is none.
    """
    for name, value in (("title", title), ("text", text)):
        if not isinstance(value, str):
            raise InvalidValueError(f"the {name} of an alert must be a string, not {type(value).__name__}")
    if not title.strip():
        raise InvalidValueError("an alert needs a title")
    if level not in LEVELS:
        raise UsageError(f"an alert cannot have the level {level!r:.100}", hint=f"use {', '.join(LEVELS)}")
    return Alert(mask_secrets(clean_text(title)), mask_secrets(clean_text(text)), level, time.time(), step)


class Destination(NamedTuple):
    """Where alerts go.

    Attributes:
        command: Words of a command; empty for none. It is run without a shell and gets the alert as JSON on standard
            input, and in variables.
        url: Where to post the same JSON; empty for none.
        environ: The environment of the command.
        directory: The folder it runs in.
    """

    command: tuple[str, ...]
    url: str
    environ: Mapping[str, str]
    directory: Path


def read_destination(repository: Repository, environ: Mapping[str, str], directory: Path) -> Destination:
    """Return where the user's settings send alerts.

    Args:
        repository: The repository.
        environ: The environment of the command.
        directory: The folder it runs in.

    Raises:
        AlertFailedError: A setting has a form that cannot be used.
    """
    from gittrack.git.settings import read_setting

    url = read_setting(repository, URL_KEY) or ""
    if url and not url.lower().startswith(("https://", "http://")):
        raise AlertFailedError(f"{URL_KEY} is not a web address")  # which is not shown: it may be a secret
    try:
        words = shlex.split(read_setting(repository, COMMAND_KEY) or "")
    except ValueError as error:
        raise AlertFailedError(f"{COMMAND_KEY} cannot be split into words: {error}") from error
    return Destination(tuple(words), url, environ, directory)


def send(destination: Destination, document: Mapping[str, Any]) -> None:
    """Run the command and post to the address.

    Args:
        destination: Where to.
        document: The alert, and which run it is of.

    Raises:
        AlertFailedError: One of them failed; the other one was tried all the same.
    """
    problems = []
    for is_wanted, deliver in ((destination.command, _run), (destination.url, _post)):
        if is_wanted:
            try:
                deliver(destination, document)
            except AlertFailedError as error:
                problems.append(error.message)
    if problems:
        raise AlertFailedError("; ".join(problems))


def _run(destination: Destination, document: Mapping[str, Any]) -> None:
    told = {f"GITTRACK_ALERT_{key.upper()}": _variable(document.get(key, "")) for key in _VARIABLES}
    try:
        done = subprocess.run(
            destination.command,
            input=json.dumps(document).encode(),
            env={**destination.environ, **told},
            cwd=destination.directory,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            timeout=_COMMAND_TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise AlertFailedError(f"{COMMAND_KEY} took longer than {_COMMAND_TIMEOUT_S:.0f} s") from None
    except OSError as error:
        raise AlertFailedError(f"{COMMAND_KEY} cannot be run: {error.strerror or error}") from error
    if done.returncode:
        said = mask_secrets(done.stderr.decode("utf-8", "replace").strip())[-200:]
        raise AlertFailedError(f"{COMMAND_KEY} ended with {done.returncode}{f': {said}' if said else ''}")


def _variable(value: object) -> str:
    return str(value).replace("\0", "")[:_MAX_VARIABLE_LENGTH]


def _post(destination: Destination, document: Mapping[str, Any]) -> None:
    from urllib.parse import urlsplit

    import requests

    host = urlsplit(destination.url).hostname or "?"
    problem = ""
    for pause_s in (0.0, *_PAUSES_S):
        time.sleep(pause_s)
        try:
            # A redirect is not followed: the data is for the address that the user named.
            answer = requests.post(
                destination.url, json=dict(document), timeout=_REQUEST_TIMEOUT_S, allow_redirects=False
            )
        except requests.RequestException as error:  # its text may hold the address, which may be a secret
            problem = type(error).__name__
            continue
        if answer.ok and not answer.is_redirect:
            return
        problem = f"it answered {answer.status_code}"
        if answer.status_code not in _TRY_AGAIN:
            break
    raise AlertFailedError(f"{URL_KEY} at {host} cannot be reached: {problem}")


class AlertSender:
    """Sends the alerts of one run, one after the other, in a thread.

    Args:
        find: Returns the destination; asked once, in the thread.
        about: Returns which run it is, as plain data.
    """

    def __init__(self, find: Callable[[], Destination], about: Callable[[], Mapping[str, Any]]) -> None:
        self._find = find
        self._about = about
        self._alerts: SimpleQueue[Alert | None] = SimpleQueue()
        self._told: set[str] = set()
        self._thread: threading.Thread | None = None

    def put(self, alert: Alert) -> None:
        """Take an alert, and return at once."""
        self._alerts.put(alert)
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="gittrack-alerts", daemon=True)
            try:
                self._thread.start()
            except RuntimeError:  # no thread is to be had: the system's limit, or the interpreter is ending
                self._report("no thread can be started")

    def close(self) -> None:
        """Wait for what is still to be sent, for some seconds."""
        self._alerts.put(None)
        if self._thread is not None and self._thread.is_alive():
            self._thread.join(_LAST_WAIT_S)
            if self._thread.is_alive():
                self._report("the run ended first")

    def _work(self) -> None:
        destination: Destination | None = None
        while (alert := self._alerts.get()) is not None:
            try:
                destination = destination or self._find()
                send(destination, {**self._about(), **alert.plain(), "text": alert.text or alert.title})
            except GittrackError as error:
                self._report(error.message)
            except Exception as error:  # noqa: BLE001  no fault of ours may reach the training
                self._report(type(error).__name__)

    def _report(self, reason: str) -> None:
        if reason not in self._told:
            self._told.add(reason)
            warn("an alert was recorded, but not sent: %s", reason)
