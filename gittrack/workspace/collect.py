"""Remove objects of the cache that nothing refers to.

What is kept is found by reading too much, not too little: a digest counts as used when any text in the whole history
mentions it, under whatever name, in a pointer, a description of an experiment or a note. A list of files that is used
keeps its files.
"""

from __future__ import annotations

import contextlib
import os
import re
from typing import TYPE_CHECKING, NamedTuple

from gittrack.artifacts.cache import ObjectCorruptError, ObjectMissingError
from gittrack.artifacts.digest import PREFIX, Digest
from gittrack.artifacts.manifest import InvalidManifestError
from gittrack.artifacts.pointer import SUFFIX
from gittrack.errors import GittrackError
from gittrack.git.every_object import iterate_blobs, list_files_named, list_worktrees
from gittrack.git.process import clean_environment
from gittrack.git.repository import Repository
from gittrack.scratch import scratch_folder, sweep_scratch
from gittrack.workspace.compare import read_files

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from gittrack.artifacts.cache import Cache

_MAX_TEXT_BYTES = 16 << 20  # a pointer has 1 KiB; a list of artifacts of an experiment may be long
_DIGESTS = re.compile(rb"b3:([0-9a-f]{64})")
_DIGEST_BYTES = 67
_PIECE_BYTES = 1 << 20
_MANIFEST_START = b'{"digest":"' + PREFIX.encode()


class DamagedListError(GittrackError):
    """The list of a folder's files is corrupt, so nobody can tell which objects it needs."""


class Swept(NamedTuple):
    """What was removed from a cache, or would be.

    Attributes:
        n_objects: How many objects.
        n_bytes: How many bytes they had.
        n_kept: How many objects stay because something refers to them.
        n_young: How many stay only because they are too new.
        n_leftovers: How many corrupt objects that had been set aside, and folders of killed processes.
    """

    n_objects: int
    n_bytes: int
    n_kept: int
    n_young: int
    n_leftovers: int


def sweep_cache(repository: Repository, cache: Cache, *, before_s: float, dry_run: bool = False) -> Swept:
    """Remove the objects of a cache that nothing in a repository refers to.

    Args:
        repository: The repository; its cache must belong to it alone, for nobody knows what others refer to.
        cache: The cache.
        before_s: UTC epoch seconds; objects that were added, or added again, later stay.
        dry_run: Whether to change nothing.

    Raises:
        DamagedListError: The list of a folder's files is corrupt; nothing was removed.
        WorktreeAwayError: A linked worktree is away; nothing was removed.
        GitError: The history cannot be read; nothing was removed.
    """
    used = find_used(repository, cache)
    n_kept = n_young = n_objects = n_bytes = 0
    with _grave(cache, dry_run=dry_run) as grave:
        for digest in list(cache.list_digests()):
            if digest in used:
                n_kept += 1
                continue
            size = _bury(cache, digest, before_s, grave)
            n_young += size is None
            n_objects += size is not None
            n_bytes += size or 0
    n_leftovers = _sweep_corrupt(cache, before_s, dry_run=dry_run)
    if not dry_run:
        n_leftovers += sweep_scratch(cache.scratch_root)
    return Swept(n_objects, n_bytes, n_kept, n_young, n_leftovers)


def find_used(repository: Repository, cache: Cache) -> set[Digest]:
    """Return every object that something refers to.

    That is what all refs, reflogs, indexes, linked worktrees and runs of a repository mention, and the files of every
    list of files among it.

    Args:
        repository: The repository.
        cache: The cache.

    Raises:
        DamagedListError: See `sweep_cache`.
        WorktreeAwayError: The same.
        GitError: The same.
    """
    used: set[Digest] = set()
    for data in iterate_blobs(repository, _MAX_TEXT_BYTES):
        used.update(_mentioned(data))
    for path in _files_outside_history(repository):
        used.update(_mentioned_in_file(path))
    for digest in list(used):
        used.update(_listed_files(cache, digest))
    return used


def _files_outside_history(repository: Repository) -> Iterator[Path]:
    """Yield pointers in worktrees, committed or not, and all that runs have written down."""
    environ = clean_environment(repository.environ)  # GIT_DIR would mean this repository in each of them
    for folder in list_worktrees(repository):
        worktree = repository if folder == repository.work_tree else Repository.discover(folder, environ)
        yield from list_files_named(worktree, folder, SUFFIX)
    for parent, _, names in os.walk(repository.state_dir / "runs"):
        yield from (_path(parent, name) for name in names)


def _path(parent: str, name: str) -> Path:
    from pathlib import Path

    return Path(parent, name)


def _mentioned(data: bytes) -> Iterator[Digest]:
    return (Digest(match.decode()) for match in _DIGESTS.findall(data))


def _mentioned_in_file(path: Path) -> Iterator[Digest]:
    """Yield the digests in a file of any size; one that is gone meanwhile mentions nothing."""
    with contextlib.suppress(FileNotFoundError, IsADirectoryError, NotADirectoryError):
        if not path.is_file():
            return
        rest = b""
        with path.open("rb") as file:
            while piece := file.read(_PIECE_BYTES):
                yield from _mentioned(rest + piece)
                rest = piece[-_DIGEST_BYTES:]


def _listed_files(cache: Cache, digest: Digest) -> Iterable[Digest]:
    """Return the files of a list; nothing for another object, or one that is not here."""
    try:
        descriptor = cache.open(digest)
    except ObjectMissingError:
        if any((cache.root / "corrupt").glob(f"{digest}.*")):
            raise _damaged(digest) from None
        return ()
    with os.fdopen(descriptor, "rb") as file:
        is_list = file.read(len(_MANIFEST_START)) == _MANIFEST_START
    if not is_list:
        return ()
    try:
        return [entry.digest for entry in read_files(cache, digest)]
    except InvalidManifestError:
        return ()  # it begins like one, and is a file
    except (ObjectMissingError, ObjectCorruptError) as error:
        raise _damaged(digest) from error


def _damaged(digest: Digest) -> DamagedListError:
    return DamagedListError(
        f"the object {digest[:12]} is corrupt, so its files, if it is a folder's, cannot be told from garbage",
        hint="run 'gittrack verify --all --repair' first",
    )


@contextlib.contextmanager
def _grave(cache: Cache, *, dry_run: bool) -> Iterator[Path | None]:
    """Give a folder on the disk of the cache where objects are looked at a last time; all in it is removed."""
    if dry_run:
        yield None
        return
    with scratch_folder(cache.scratch_root) as folder:
        yield folder


def _bury(cache: Cache, digest: Digest, before_s: float, grave: Path | None) -> int | None:
    """Remove an object and return its size; None when it stays, because it was added, or added again, lately.

    It is taken out of the cache before its age is asked for the last time: who adds it again now either finds it absent
    and writes it anew, or had made it young before, and it is put back.
    """
    path = cache.path(digest)
    try:
        info = path.lstat()
        if info.st_mtime > before_s:
            return None
        if grave is None:
            return info.st_size
        buried = grave / digest
        path.rename(buried)
        if buried.lstat().st_mtime > before_s:
            with contextlib.suppress(FileExistsError):  # somebody has written it anew already
                os.link(buried, path)
            return None
        buried.unlink()
    except FileNotFoundError:
        return None
    return info.st_size


def _sweep_corrupt(cache: Cache, before_s: float, *, dry_run: bool) -> int:
    n_removed = 0
    with contextlib.suppress(FileNotFoundError):
        for path in (cache.root / "corrupt").iterdir():
            if path.lstat().st_ctime <= before_s:
                n_removed += 1
                if not dry_run:
                    path.unlink(missing_ok=True)
    return n_removed
