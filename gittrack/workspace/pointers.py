"""Find the pointers of a work tree or a commit, and write them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

from gittrack.artifacts.placing import put_bytes
from gittrack.artifacts.pointer import (
    MAX_POINTER_BYTES,
    SUFFIX,
    InvalidPointerError,
    parse_pointer,
    pointer_path,
    render_pointer,
)
from gittrack.git.batch import read_many
from gittrack.git.work_tree import read_file
from gittrack.paths import InvalidPathError, check_repository_path

if TYPE_CHECKING:
    from collections.abc import Iterable

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
    return parse_pointers((name, data) for name, data in found if data is not None)


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
    return parse_pointers((path, data) for path, data in found if data is not None)


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


def write_pointer(repository: Repository, path: str, pointer: Pointer) -> None:
    """Write the pointer to an artifact, durably, in place of the one that is there.

    Args:
        repository: A repository with a work tree.
        path: Where the artifact belongs.
        pointer: What it says.

    Raises:
        InTheWayError: A link stands on the way to it.
        InvalidPointerError: It would be too large.
    """
    write_text_file(repository, pointer_path(path), render_pointer(pointer._replace(path=path)))


def write_text_file(repository: Repository, path: str, data: bytes) -> None:
    """Write a small file of the work tree, durably and at once, in place of the one that is there.

    Args:
        repository: A repository with a work tree.
        path: The file, relative to its top.
        data: Its content.

    Raises:
        InTheWayError: A link stands on the way to it.
        OSError: The disk is full or broken; the file is as it was.
    """
    put_bytes(repository.require_work_tree(), repository.scratch_root, path, data)


def parse_pointers(files: Iterable[tuple[str, bytes]]) -> Pointers:
    """Return the pointers among files that are named like one.

    Args:
        files: Their paths and contents; those of an experiment's own folder are passed over.
    """
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
