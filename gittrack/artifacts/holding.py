"""Hold on to a file or folder as it is at this moment, at next to no cost, so that it can be read later.

Whoever logs an artifact must not wait for gigabytes to be copied, but means the content of now. Of each file the first
way that works: a small one is read into memory, one on a disk that can share blocks is cloned (a reflink), any other
one is kept open. An open file stays what it is when its name is given to another file or removed; only a change in
place can reach it, and its size and times tell that. Of a folder with very many files the rest is only noted.
"""

from __future__ import annotations

import contextlib
import os
import stat
import time
from typing import TYPE_CHECKING, NamedTuple

from gittrack.artifacts.copying import ContentChangedError, clone_file, read_exactly
from gittrack.artifacts.digest import hash_stream
from gittrack.errors import GittrackError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from gittrack.artifacts.cache import Cache
    from gittrack.artifacts.digest import Digest
    from gittrack.artifacts.pointer import Kind
    from gittrack.artifacts.walk import FoundFile

_SMALL_BYTES = 1 << 20
_MAX_BYTES_AT_ONCE = 8 << 20  # what is read while the caller waits takes at most some milliseconds
_MAX_FILES_AT_ONCE = 64
_OPEN = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | os.O_CLOEXEC
_OPEN_NEW = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
_POLL_INTERVAL_S = 0.01
_MAX_RACY_S = 2.5  # of a file system that counts whole seconds


class NotHeldError(GittrackError):
    """A path leads to neither a file nor a folder."""


class HeldFile(NamedTuple):
    """A file that is held.

    Attributes:
        path: Relative to the folder; empty for a file by itself.
        name: Where it was, absolute.
        info: What it was.
        data: Its content, where that is in memory.
        clone: A file that shares its blocks, where there is one.
        descriptor: The file itself, where it is kept open.
        digest: Of its content, where that is known: it is a link to an object of the cache.
    """

    path: str
    name: str
    info: os.stat_result
    data: bytes | None = None
    clone: Path | None = None
    descriptor: int | None = None
    digest: Digest | None = None

    @property
    def is_executable(self) -> bool:
        """Whether its owner may run it."""
        return bool(self.info.st_mode & stat.S_IXUSR)


class Room:
    """How much may be held at the same time: taken by one thread, given back by another.

    Args:
        n_bytes: Of memory.
        n_descriptors: How many files may be kept open.
    """

    def __init__(self, n_bytes: int = 64 << 20, n_descriptors: int = 256) -> None:
        self._limits = (n_bytes, n_descriptors)
        # Each number has one thread that changes it, so that no lock is needed: this is used in signal handlers too.
        self._taken = [0, 0]
        self._returned = [0, 0]

    def take(self, n_bytes: int, n_descriptors: int) -> bool:
        """Take some of it; return False when it is not to be had."""
        wanted = (n_bytes, n_descriptors)
        free = [limit - t + r for limit, t, r in zip(self._limits, self._taken, self._returned, strict=True)]
        if any(amount > left for amount, left in zip(wanted, free, strict=True)):
            return False
        self._taken = [t + amount for t, amount in zip(self._taken, wanted, strict=True)]
        return True

    def give_back(self, n_bytes: int, n_descriptors: int) -> None:
        """Give back what was taken."""
        self._returned = [r + n for r, n in zip(self._returned, (n_bytes, n_descriptors), strict=True)]


class Holding:
    """A file or folder that is held; close it when it was read.

    Args:
        path: Where it was, absolute.
        kind: ``file`` or ``dir``.
        files: Its files.
        room: Where they were taken from.
    """

    def __init__(self, path: str, kind: Kind, files: list[HeldFile], room: Room) -> None:
        self.path = path
        self.kind: Kind = kind
        self.files = files
        self._room = room

    def close(self) -> None:
        """Let go of everything."""
        files, self.files = self.files, []
        for held in files:
            if held.clone is not None:
                held.clone.unlink(missing_ok=True)
            if held.descriptor is not None:
                os.close(held.descriptor)
            self._room.give_back(len(held.data or b""), int(held.descriptor is not None))


class Holder:
    """Holds files and folders.

    Args:
        room: How much may be held.
        clones: A folder for files that share blocks; made when one is needed.
        cache: The cache that links in a folder may lead to.
    """

    def __init__(self, room: Room, clones: Path, cache: Cache) -> None:
        self._room = room
        self._clones = clones
        self._cache = cache
        self._number = 0
        self._without_clones: set[int] = set()  # devices that cannot share blocks

    def hold(self, path: str) -> Holding:
        """Hold a file or a folder; a link to one counts as what it leads to.

        Args:
            path: Absolute.

        Raises:
            FileNotFoundError: There is nothing.
            NotHeldError: It is neither a file nor a folder.
            UntrackableError: It is a folder that cannot be tracked.
            OSError: It cannot be read.
        """
        descriptor = os.open(path, _OPEN)
        try:
            info = os.fstat(descriptor)
            if stat.S_ISREG(info.st_mode):
                files = [self._keep("", path, info, os.dup(descriptor), [1, info.st_size])]
                return Holding(path, "file", files, self._room)
            if not stat.S_ISDIR(info.st_mode):
                raise NotHeldError(f"'{path}' is neither a file nor a folder")
            return self._hold_folder(path, descriptor)
        finally:
            os.close(descriptor)

    def _hold_folder(self, path: str, descriptor: int) -> Holding:
        from gittrack.artifacts.walk import walk_files  # here: most artifacts are files

        holding = Holding(path, "dir", [], self._room)
        left = [_MAX_FILES_AT_ONCE, _MAX_BYTES_AT_ONCE]
        try:
            for found in walk_files(descriptor, self._cache):
                holding.files.append(self._hold_found(path, found, left))
        except BaseException:
            holding.close()
            raise
        return holding

    def _hold_found(self, root: str, found: FoundFile, left: list[int]) -> HeldFile:
        name = f"{root}/{found.path}"
        if found.digest is not None:
            return HeldFile(found.path, name, found.info, digest=found.digest)
        if left[0] <= 0:
            return HeldFile(found.path, name, found.info)
        left[0] -= 1
        if found.link_path is None:
            descriptor = os.open(found.name, _OPEN | os.O_NOFOLLOW, dir_fd=found.folder_fd)
        else:
            descriptor = os.open(f"{root}/{found.link_path}", _OPEN | os.O_NOFOLLOW)
        return self._keep(found.path, name, os.fstat(descriptor), descriptor, left)

    def _keep(self, path: str, name: str, info: os.stat_result, descriptor: int, left: list[int]) -> HeldFile:
        """Hold an open file in the first way that works; what is of no use any more is closed."""
        held = HeldFile(path, name, info, descriptor=descriptor)
        keeps_descriptor = False
        try:
            if info.st_size <= min(_SMALL_BYTES, left[1]) and self._room.take(info.st_size, 0):
                left[1] -= info.st_size
                return self._read(held, descriptor)
            clone = self._clone(info, descriptor)
            if clone is not None:
                return held._replace(descriptor=None, clone=clone)
            keeps_descriptor = self._room.take(0, 1)
            return held if keeps_descriptor else held._replace(descriptor=None)
        finally:
            if not keeps_descriptor:
                os.close(descriptor)

    def _read(self, held: HeldFile, descriptor: int) -> HeldFile:
        """Read a small file; one that changes at this very moment is left for later."""
        with contextlib.suppress(ContentChangedError):
            data = read_exactly(descriptor, held.info.st_size)
            if is_unchanged(held.info, os.fstat(descriptor)):
                return held._replace(descriptor=None, data=data)
        self._room.give_back(held.info.st_size, 0)
        return held._replace(descriptor=None)

    def _clone(self, info: os.stat_result, descriptor: int) -> Path | None:
        if info.st_dev in self._without_clones:
            return None
        self._number += 1
        clone = self._clones / str(self._number)
        target = -1
        try:
            self._clones.mkdir(exist_ok=True)
            target = os.open(clone, _OPEN_NEW, 0o600)
            if clone_file(descriptor, target):
                return clone
        except OSError:  # full, say; the file is kept open instead, and what is wrong with the disk comes out later
            pass
        finally:
            if target >= 0:
                os.close(target)
        with contextlib.suppress(OSError):
            clone.unlink(missing_ok=True)
        self._without_clones.add(info.st_dev)
        return None


def read_open(held: HeldFile, take: Callable[[int], Digest]) -> Digest:
    """Read a held file that is open, or only noted, as it was when it was held.

    Args:
        held: The file.
        take: Reads an open file from its start and returns the digest of its content.

    Raises:
        ContentChangedError: It was changed since, or is another file.
        FileNotFoundError: It is gone.
        OSError: It cannot be read.
    """
    descriptor = held.descriptor
    is_ours = descriptor is None
    if descriptor is None:
        descriptor = os.open(held.name, _OPEN)
    try:
        await_settled(held.info)
        before = os.fstat(descriptor)
        is_same_file = (before.st_dev, before.st_ino) == (held.info.st_dev, held.info.st_ino)
        if not is_same_file or not is_unchanged(held.info, before):
            raise ContentChangedError(f"'{held.name}' was changed")
        digest = take(descriptor)
        after = os.fstat(descriptor)
        if not is_unchanged(held.info, after):
            raise ContentChangedError(f"'{held.name}' was changed while it was read")
        # A new name or mode changes that time too, and so does a program that sets the old times after it wrote.
        if after.st_ctime_ns != held.info.st_ctime_ns:
            os.lseek(descriptor, 0, os.SEEK_SET)
            if hash_stream(descriptor) != digest:
                raise ContentChangedError(f"'{held.name}' was changed while it was read")
        return digest
    finally:
        if is_ours:
            os.close(descriptor)


def await_settled(info: os.stat_result) -> None:
    """Wait until a change of a file would show in its times: they are the same for all changes of some milliseconds.

    Args:
        info: What the file was.
    """
    from gittrack.artifacts.stat_cache import is_racy  # here: its database takes time to import, and nobody waits now

    deadline = time.monotonic() + _MAX_RACY_S
    while is_racy(info, time.time_ns()) and time.monotonic() < deadline:
        time.sleep(_POLL_INTERVAL_S)


def is_unchanged(before: os.stat_result, after: os.stat_result) -> bool:
    """Return whether a file has the size and the time of its last change that it had."""
    return (before.st_size, before.st_mtime_ns) == (after.st_size, after.st_mtime_ns)
