"""What the repository is at this moment: HEAD, branch, dirt, an operation in progress, who the user is."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from gittrack.git.refs import read_ref

if TYPE_CHECKING:
    from gittrack.git.repository import Repository

_OPERATIONS = (
    ("rebase-merge", "rebase"),
    ("rebase-apply", "rebase"),
    ("MERGE_HEAD", "merge"),
    ("CHERRY_PICK_HEAD", "cherry-pick"),
    ("REVERT_HEAD", "revert"),
    ("BISECT_LOG", "bisect"),
)
_IDENTITY = re.compile(r"(?P<name>.*?) ?<(?P<email>[^>]*)>")


class Head(NamedTuple):
    """Where HEAD is.

    Attributes:
        sha: The commit that HEAD names; None on an unborn branch.
        branch: The branch's short name; None when HEAD is detached.
        operation: ``rebase``, ``merge``, ``cherry-pick``, ``revert`` or ``bisect`` while one is in progress.
    """

    sha: str | None
    branch: str | None
    operation: str | None


class Identity(NamedTuple):
    """The user as git knows them."""

    name: str
    email: str

    def __str__(self) -> str:
        return f"{self.name} <{self.email}>"


def read_head(repository: Repository) -> Head:
    """Read HEAD of this work tree, without a process where refs are files.

    Args:
        repository: The repository.
    """
    operation = next((word for name, word in _OPERATIONS if (repository.git_dir / name).exists()), None)
    if repository.ref_format == "files":
        text = (repository.git_dir / "HEAD").read_text(encoding="utf-8", errors="surrogateescape").strip()
        if not text.startswith("ref:"):
            return Head(text, None, operation)
        ref = text[4:].strip()
        return Head(read_ref(repository, ref), ref.removeprefix("refs/heads/"), operation)
    git = repository.git
    sha = git.run("rev-parse", "--verify", "--quiet", "HEAD^{commit}", check=False).stdout.decode().strip()
    ref = git.run("symbolic-ref", "--quiet", "HEAD", check=False).stdout.decode("utf-8", "surrogateescape").strip()
    return Head(sha or None, ref.removeprefix("refs/heads/") or None, operation)


def is_dirty(repository: Repository) -> bool:
    """Return whether tracked files differ from HEAD or untracked, not ignored files exist.

    Args:
        repository: A repository with a work tree.
    """
    return bool(repository.git.run("status", "--porcelain", "-z", "--ignore-submodules=none").stdout)


def read_identity(repository: Repository) -> Identity:
    """Return the committer as git would write it; a neutral one where the user set none.

    Args:
        repository: The repository, whose settings and environment decide.
    """
    completed = repository.git.run("var", "GIT_COMMITTER_IDENT", check=False)
    match = _IDENTITY.match(completed.stdout.decode("utf-8", "replace"))
    if completed.returncode or not match or not match["email"]:
        return Identity("gittrack", "gittrack@localhost")
    return Identity(_clean(match["name"]) or "unknown", _clean(match["email"]))


def _clean(text: str) -> str:
    return "".join(char for char in text if char not in "<>\n\0")
