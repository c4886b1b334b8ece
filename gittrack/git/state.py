"""What the repository is at this moment: HEAD, branch, dirt, an operation in progress, who the user is."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from gittrack.git.refs import read_ref
from gittrack.git.variables import read_variables

if TYPE_CHECKING:
    from collections.abc import Mapping

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
    # Two of the operations are told by refs, which are files only where all refs are.
    asked = {"HEAD^{commit}": None, "CHERRY_PICK_HEAD": "cherry-pick", "REVERT_HEAD": "revert"}
    answers = git.run("cat-file", "--batch-check=%(objectname)", input="\n".join([*asked, ""]).encode())
    oids = dict(zip(asked, answers.stdout.decode().splitlines(), strict=True))
    found = [word for name, word in asked.items() if not oids[name].endswith(" missing")]
    sha = None if oids["HEAD^{commit}"].endswith(" missing") else oids["HEAD^{commit}"]
    operation = operation or next(filter(None, found), None)
    ref = git.run("symbolic-ref", "--quiet", "HEAD", check=False).stdout.decode("utf-8", "surrogateescape").strip()
    return Head(sha, ref.removeprefix("refs/heads/") or None, operation)


def is_dirty(repository: Repository) -> bool:
    """Return whether tracked files differ from HEAD or untracked, not ignored files exist.

    Args:
        repository: A repository with a work tree.
    """
    return bool(repository.git.run("status", "--porcelain", "-z", "--ignore-submodules=none").stdout)


def read_identity(repository: Repository, variables: Mapping[str, str] | None = None) -> Identity:
    """Return the committer as git would write it; a neutral one where the user set none.

    Args:
        repository: The repository, whose settings and environment decide.
        variables: What `read_variables` gave, when it was asked already.
    """
    settings = read_variables(repository) if variables is None else variables
    text = settings.get("GIT_COMMITTER_IDENT", "").encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    match = _IDENTITY.match(text)
    # Where git cannot make out a domain it refuses to commit and lists "user@host.(none)".
    if not match or not match["email"] or match["email"].endswith(".(none)"):
        return Identity("gittrack", "gittrack@localhost")
    return Identity(_clean(match["name"]) or "unknown", _clean(match["email"]))


def _clean(text: str) -> str:
    return "".join(char for char in text if char not in "<>\n\0")
