"""Take what is held (see `gittrack.artifacts.holding`) into the cache, or only hash it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from gittrack.artifacts.digest import hash_bytes, hash_mapped, hash_stream
from gittrack.artifacts.holding import read_open
from gittrack.artifacts.intake import Intake
from gittrack.artifacts.manifest import FileEntry, render_manifest
from gittrack.artifacts.stat_cache import now_ns
from gittrack.workspace.contents import Contents

if TYPE_CHECKING:
    from gittrack.artifacts.cache import Cache
    from gittrack.artifacts.digest import Digest
    from gittrack.artifacts.holding import HeldFile, Holding
    from gittrack.artifacts.stat_cache import StatCache


def store_held(holding: Holding, cache: Cache, stats: StatCache | None) -> Contents:
    """Take a held file or folder into the cache; durable when this returns.

    Args:
        holding: What is held.
        cache: The cache.
        stats: What is known of unchanged files.

    Raises:
        ContentChangedError: A file was changed since it was held.
        InvalidManifestError: Names in a folder cannot stand beside each other on every system.
        OSError: A file is gone or cannot be read, or the disk is full.
    """
    with Intake(cache) as intake:
        reader = _Storing(cache, stats, intake)
        contents = _contents(holding, reader)
        if contents.kind == "dir":
            intake.add_bytes(render_manifest(contents.files))
    return contents


def hash_held(holding: Holding, cache: Cache, stats: StatCache | None) -> Contents:
    """Return what a held file or folder is, without keeping it.

    Args:
        holding: What is held.
        cache: The cache, which is not written.
        stats: What is known of unchanged files.

    Raises:
        ContentChangedError: A file was changed since it was held.
        InvalidManifestError: Names in a folder cannot stand beside each other on every system.
        OSError: A file is gone or cannot be read.
    """
    return _contents(holding, _Reading(cache, stats))


def _contents(holding: Holding, reader: _Reading) -> Contents:
    files = [FileEntry(held.path, reader.read(held), held.info.st_size, held.is_executable) for held in holding.files]
    if holding.kind == "file":
        (file,) = files
        return Contents("file", file.digest, file.size, is_executable=file.is_executable)
    files.sort()
    return Contents("dir", hash_bytes(render_manifest(files)), sum(file.size for file in files), tuple(files))


class _Reading:
    """Reads held files; what is known of unchanged ones need not be read.

    Args:
        cache: The cache.
        stats: What is known of unchanged files.
    """

    def __init__(self, cache: Cache, stats: StatCache | None) -> None:
        self._cache = cache
        self._stats = stats

    def read(self, held: HeldFile) -> Digest:
        """Return the digest of a file."""
        if held.digest is not None:
            return held.digest
        known = None if self._stats is None else self._stats.look_up(held.info)
        if known is not None and self._is_enough(known, held.info.st_size) and _is_still(held):
            return known
        if held.data is not None:
            return self._take_bytes(held.data)
        if held.clone is not None:
            return self._take_clone(str(held.clone))
        checked_ns = now_ns()
        digest = read_open(held, self._take_open)
        if self._stats is not None:
            self._stats.note(held.info, digest, checked_ns)
        return digest

    def _is_enough(self, _known: Digest, _size: int) -> bool:
        """Return whether it is enough to know the digest."""
        return True

    def _take_bytes(self, data: bytes) -> Digest:
        return hash_bytes(data)

    def _take_clone(self, name: str) -> Digest:
        return hash_mapped(name, os.lstat(name).st_size)

    def _take_open(self, descriptor: int) -> Digest:
        os.lseek(descriptor, 0, os.SEEK_SET)
        return hash_stream(descriptor)


class _Storing(_Reading):
    """Reads held files into the cache.

    Args:
        cache: The cache.
        stats: What is known of unchanged files.
        intake: The batch.
    """

    def __init__(self, cache: Cache, stats: StatCache | None, intake: Intake) -> None:
        super().__init__(cache, stats)
        self._intake = intake

    def _is_enough(self, known: Digest, size: int) -> bool:
        return self._cache.find_size(known) == size

    def _take_bytes(self, data: bytes) -> Digest:
        return self._intake.add_bytes(data)

    def _take_clone(self, name: str) -> Digest:
        return self._intake.add_file(name).digest

    def _take_open(self, descriptor: int) -> Digest:
        return self._intake.add_as_it_is(descriptor)


def _is_still(held: HeldFile) -> bool:
    """Return whether a file that is only noted, by its name, is there and unchanged; one that is held in full is."""
    if held.data is not None or held.clone is not None or held.descriptor is not None:
        return True
    try:
        info = os.lstat(held.name)
    except OSError:
        return False
    return (info.st_ino, info.st_size, info.st_ctime_ns) == (
        held.info.st_ino,
        held.info.st_size,
        held.info.st_ctime_ns,
    )
