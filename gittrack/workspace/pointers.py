"""Find the pointers of a work tree or a commit, and write them."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING, NamedTuple

from gittrack.artifacts.pointer import (
    MAX_POINTER_BYTES,
    SUFFIX,
    InvalidPointerError,
    parse_pointer,
    pointer_path,
    render_pointer,
)
from gittrack.artifacts.restore import open_folder
from gittrack.artifacts.walk import temporary_name
from gittrack.git.batch import read_many
from gittrack.git.work_tree import read_file
from gittrack.paths import InvalidPathError, check_repository_path

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from gittrack.artifacts.pointer import (
        Pointer,
    )
    from gittrack.git.repository import Repository

_RESERVED = ".gittrack"  # the folder of an experiment's own files


class Tracked(NamedTuple):
    """An artifact and its pointer.

    Attributes:
        path: Where the artifact belongs: beside its pointer. That counts, not the path that the pointer names, so that
            a pointer can be moved by hand.
        pointer: What its pointer says.
    """

    path: str
    pointer: Pointer


class BadPointer(NamedTuple):
    """A file that is named like a pointer and is none.

    Attributes:
        path: The file.
        reason: What is wrong with it.
    """

    path: str
    reason: str


class Pointers(NamedTuple):
    """The pointers of a work tree or a commit.

    Attributes:
        tracked: The artifacts, sorted by path.
        bad: Files that only look like pointers.
    """

    tracked: list[Tracked]
    bad: list[BadPointer]


def list_workspace_pointers(repository: Repository) -> Pointers:
    """Return the pointers of the work tree, committed or not, except those that git ignores.

    Args:
        repository: A repository with a work tree.
    """
    root = repository.require_work_tree()
    env = {"GIT_LITERAL_PATHSPECS": "0"}
    arguments = ("ls-files", "-z", "--cached", "--others", "--exclude-standard", "--deduplicate", "--", f"*{SUFFIX}")
    names = os.fsdecode(repository.git.run(*arguments, env=env).stdout).split("\0")[:-1]
    found = ((name, read_file(root, name, MAX_POINTER_BYTES)) for name in dict.fromkeys(names))
    return _parse_all((name, data) for name, data in found if data is not None)


def list_commit_pointers(repository: Repository, commit: str) -> Pointers:
    """Return the pointers in a commit, or in any tree.

    Args:
        repository: The repository.
        commit: Its id.
    """
    listing = repository.git.run("ls-tree", "-r", "-z", "--full-tree", "--end-of-options", commit).stdout
    entries = [entry.partition("\t") for entry in os.fsdecode(listing).split("\0") if entry.endswith(SUFFIX)]
    blobs = {path: head.split()[2] for head, _, path in entries if head.startswith("100")}
    objects = read_many(repository, list(blobs.values()), max_bytes=MAX_POINTER_BYTES)
    found = ((path, blob.data if blob else None) for path, blob in zip(blobs, objects, strict=True))
    return _parse_all((path, data) for path, data in found if data is not None)


def list_pointers_of_commits(repository: Repository, commits: Sequence[str]) -> list[Tracked]:
    """Return the different pointers of many commits, through two processes; what only looks like one is passed over.

    Args:
        repository: The repository.
        commits: Their ids.
    """
    if not commits:
        return []
    arguments = ("rev-list", "--no-walk=unsorted", "--objects", "--missing=allow-any", "--stdin")
    # `rev-list` knows no -z; it cuts a path at its first line break, and such a name is no pointer's anyway.
    listing = repository.git.run(*arguments, input="".join(f"{commit}\n" for commit in commits).encode()).stdout
    lines = (line.partition(" ") for line in os.fsdecode(listing).split("\n") if line.endswith(SUFFIX))
    blobs = {oid: path for oid, _, path in lines}
    objects = read_many(repository, list(blobs), max_bytes=MAX_POINTER_BYTES)
    pairs = zip(blobs.values(), objects, strict=True)
    return _parse_all((path, blob.data) for path, blob in pairs if blob and blob.kind == "blob" and blob.data).tracked


def read_workspace_pointer(repository: Repository, path: str) -> Pointer | None:
    """Return the pointer to an artifact in the work tree; None when there is none.

    Args:
        repository: A repository with a work tree.
        path: Where the artifact belongs.

    Raises:
        InvalidPointerError: The file is no pointer.
    """
    data = read_file(repository.require_work_tree(), pointer_path(path), MAX_POINTER_BYTES)
    return None if data is None else parse_pointer(data)


def write_pointer(root: Path, path: str, pointer: Pointer) -> None:
    """Write the pointer to an artifact, durably, in place of the one that is there.

    Args:
        root: The top folder.
        path: Where the artifact belongs.
        pointer: What it says.

    Raises:
        InTheWayError: A link stands on the way to it.
        InvalidPointerError: It would be too large.
    """
    write_text_file(root, pointer_path(path), render_pointer(pointer._replace(path=path)))


def write_text_file(root: Path, path: str, data: bytes) -> None:
    """Write a small file of the work tree, durably and at once, in place of the one that is there.

    Args:
        root: The top folder.
        path: The file, relative to it.
        data: Its content.

    Raises:
        InTheWayError: A link stands on the way to it.
        OSError: The disk is full or broken; the file is as it was.
    """
    folder, _, name = check_repository_path(path).rpartition("/")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    with open_folder(root, folder, create=True) as descriptor:
        temporary = temporary_name()
        try:
            with os.fdopen(os.open(temporary, flags, 0o666, dir_fd=descriptor), "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, name, src_dir_fd=descriptor, dst_dir_fd=descriptor)
        except BaseException:
            _unlink(temporary, descriptor)
            raise
        os.fsync(descriptor)


def _unlink(name: str, folder: int) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(name, dir_fd=folder)


def _parse_all(files: Iterable[tuple[str, bytes]]) -> Pointers:
    pointers = Pointers([], [])
    for name, data in files:
        path = name.removesuffix(SUFFIX)
        if name.startswith(f"{_RESERVED}/"):
            continue
        try:
            pointers.tracked.append(Tracked(check_repository_path(path), parse_pointer(data)))
        except (InvalidPathError, InvalidPointerError) as error:
            pointers.bad.append(BadPointer(name, error.message))
    pointers.tracked.sort(key=lambda tracked: tracked.path)
    return pointers
