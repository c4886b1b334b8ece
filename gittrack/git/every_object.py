"""Read the small texts of all history: whatever a ref, a reflog, an index or a linked worktree holds on to."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from gittrack.errors import GittrackError
from gittrack.git.batch import read_many

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gittrack.git.repository import Repository

_N_AT_ONCE = 10_000
_N_WORDS = 3


class WorktreeAwayError(GittrackError):
    """A linked worktree cannot be looked into."""


class _Blob(NamedTuple):
    oid: str
    size: int


def iterate_blobs(repository: Repository, max_bytes: int) -> Iterator[bytes]:
    """Yield the content of every blob up to a size that anything holds on to, each once.

    That is all refs (those of experiments, remotes, the trash and the stash too), the HEAD and the index of each linked
    worktree, and all reflogs. What a partial clone left out is passed over.

    Args:
        repository: The repository.
        max_bytes: Larger ones are passed over.

    Raises:
        GitError: git cannot read the history, because it is damaged.
    """
    oids: list[str] = []
    for blob in _list_blobs(repository):
        if blob.size <= max_bytes:
            oids.append(blob.oid)
        if len(oids) >= _N_AT_ONCE:
            yield from _read(repository, oids, max_bytes)
            oids = []
    yield from _read(repository, oids, max_bytes)


def list_worktrees(repository: Repository) -> list[Path]:
    """Return the top folders of all worktrees that are there, the main one first.

    Args:
        repository: The repository.

    Raises:
        WorktreeAwayError: One that is locked, as on a disk that is away, is not there.
    """
    folders = [] if repository.work_tree is None else [repository.work_tree]
    listing = os.fsdecode(repository.git.run("worktree", "list", "--porcelain").stdout)
    for entry in listing.split("\n\n"):
        lines = entry.splitlines()
        if not lines or "bare" in lines:
            continue
        folder = Path(lines[0].removeprefix("worktree "))
        if folder.is_dir():
            folders.append(folder)
        elif any(line.startswith("locked") for line in lines):
            raise WorktreeAwayError(
                f"the worktree '{folder}' is locked and not there",
                hint="bring its disk back, or 'git worktree unlock' it",
            )
    return list(dict.fromkeys(folders))


def list_files_named(repository: Repository, folder: Path, suffix: str) -> list[Path]:
    """Return the files of a worktree whose names end with a suffix: tracked or not, ignored ones too.

    Args:
        repository: The repository of that worktree.
        folder: Its top folder.
        suffix: How the names end.
    """
    env = {"GIT_LITERAL_PATHSPECS": "0"}
    names = repository.git.run(
        "ls-files", "-z", "--cached", "--others", "--deduplicate", "--", f"*{suffix}", env=env
    ).stdout
    return [folder / name for name in os.fsdecode(names).split("\0")[:-1]]


def _list_blobs(repository: Repository) -> Iterator[_Blob]:
    """Yield id and size of every blob: `rev-list` names the objects, `cat-file` says what they are."""
    listing = repository.git.run(
        "rev-list",
        "--objects",
        "--no-object-names",
        "--all",
        "--reflog",
        "--indexed-objects",
        "--missing=allow-promisor",
    ).stdout
    process = repository.git.popen(
        "cat-file", "--batch-check=%(objecttype) %(objectname) %(objectsize)", "--buffer", stdin=subprocess.PIPE
    )
    answer, _ = process.communicate(listing)
    for line in answer.splitlines():
        words = line.split()
        if len(words) == _N_WORDS and words[0] == b"blob":
            yield _Blob(words[1].decode(), int(words[2]))


def _read(repository: Repository, oids: list[str], max_bytes: int) -> Iterator[bytes]:
    for found in read_many(repository, oids, max_bytes=max_bytes):
        if found is not None and found.data is not None:
            yield found.data
