"""What artifacts there are, what folders hold, and whether their content is at hand."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

from gittrack.artifacts.cache import corrupt
from gittrack.artifacts.digest import hash_bytes, hash_stream, read_pieces
from gittrack.workspace.compare import is_whole, read_files
from gittrack.workspace.revisions import NotTrackedError, find_around

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from gittrack.artifacts.cache import Cache
    from gittrack.artifacts.digest import Digest
    from gittrack.artifacts.manifest import FileEntry
    from gittrack.workspace.pointers import Tracked

_SMALL_BYTES = 32 << 20


class Listed(NamedTuple):
    """An artifact in a list.

    Attributes:
        tracked: The artifact.
        is_cached: Whether the cache has all of its content.
    """

    tracked: Tracked
    is_cached: bool


class ListedFile(NamedTuple):
    """A file of a folder, in a list.

    Attributes:
        entry: The file; its path is relative to the folder.
        is_cached: Whether the cache has its content.
    """

    entry: FileEntry
    is_cached: bool


def list_artifacts(cache: Cache, artifacts: Iterable[Tracked]) -> list[Listed]:
    """Return artifacts with whether their content is at hand.

    Args:
        cache: The cache.
        artifacts: Which ones.
    """
    return [Listed(one, is_whole(cache, one.pointer.digest, one.pointer.kind)) for one in artifacts]


def list_files(cache: Cache, tracked: Tracked, below: str = "") -> list[ListedFile]:
    """Return the files of a folder.

    Args:
        cache: The cache.
        tracked: The folder.
        below: A folder in it, relative to it; empty for all.

    Raises:
        NotTrackedError: There is nothing at that place.
        ObjectMissingError: The cache does not have the list of files.
        ObjectCorruptError: The list is damaged.
        InvalidManifestError: The list is none, or a hostile one.
    """
    files = read_files(cache, tracked.pointer.digest)
    if below:
        files = [entry for entry in files if entry.path == below or entry.path.startswith(f"{below}/")]
        if not files:
            raise NotTrackedError(
                f"'{tracked.path}' has no file '{below}'", hint=f"gittrack ls '{tracked.path}' lists its files"
            )
    missing = set(cache.find_missing(entry.digest for entry in files))
    return [ListedFile(entry, entry.digest not in missing) for entry in files]


def find_content(cache: Cache, artifacts: Sequence[Tracked], path: str) -> Digest:
    """Return the object that holds the content of an artifact, or of a file in one.

    Args:
        cache: The cache.
        artifacts: Where to look.
        path: Relative to the top folder.

    Raises:
        NotTrackedError: There is no such artifact or file, or it is a folder.
        ObjectMissingError: The cache does not have the list of a folder's files.
        ObjectCorruptError: That list is damaged.
        InvalidManifestError: It is no list, or a hostile one.
    """
    found = find_around(artifacts, path)
    if found is None:
        raise NotTrackedError(f"'{path}' is no artifact, nor in one", hint="gittrack ls lists them")
    tracked, inside = found
    if tracked.pointer.kind == "file":
        if inside:
            raise NotTrackedError(f"'{tracked.path}' is a file", hint=f"gittrack cat '{tracked.path}'")
        return tracked.pointer.digest
    entry = next((entry for entry in read_files(cache, tracked.pointer.digest) if entry.path == inside), None)
    if entry is None:
        what = f"'{path}' is a folder" if not inside else f"'{tracked.path}' has no file '{inside}'"
        raise NotTrackedError(what, hint=f"gittrack ls '{tracked.path}' lists its files")
    return entry.digest


def write_content(cache: Cache, digest: Digest, write: Callable[[memoryview], object]) -> None:
    """Give the content of an object piece by piece, after it was hashed as a whole.

    Args:
        cache: The cache.
        digest: The object.
        write: Takes the pieces, each valid until it returns.

    Raises:
        ObjectMissingError: The cache does not have it.
        ObjectCorruptError: Its content is another; nothing was given, unless the file changed in between.
    """
    descriptor = cache.open(digest)
    try:
        if os.fstat(descriptor).st_size <= _SMALL_BYTES:
            with os.fdopen(descriptor, "rb", closefd=False) as file:
                data = file.read()
            if hash_bytes(data) != digest:
                raise corrupt(digest)
            write(memoryview(data))
            return
        if hash_stream(descriptor) != digest:
            raise corrupt(digest)
        os.lseek(descriptor, 0, os.SEEK_SET)
        _write_again(descriptor, digest, write)
    finally:
        os.close(descriptor)


def _write_again(descriptor: int, digest: Digest, write: Callable[[memoryview], object]) -> None:
    """Give an open object's content, hashed once more: what is given must be what was checked."""
    from blake3 import blake3

    hasher = blake3()
    for piece in read_pieces(descriptor):
        hasher.update(piece)
        write(piece)
    if hasher.hexdigest() != digest:
        raise corrupt(digest)
