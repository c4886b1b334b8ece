"""Copy a file as cheaply as the disk allows, and hash it on the way."""

from __future__ import annotations

import errno
import mmap
import os
import sys
import threading
from queue import SimpleQueue
from typing import TYPE_CHECKING

from gittrack.artifacts.digest import MAX_THREADS, Digest, hash_bytes, read_pieces
from gittrack.errors import GittrackError

if TYPE_CHECKING:
    from collections.abc import Callable

_SMALL_BYTES = 1 << 20
_PIECE_BYTES = 32 << 20  # a multiple of the page size, for pieces are mapped
_FICLONE = 0x40049409  # linux/fs.h; Python has no name for it
_NO_REFLINK = {errno.EOPNOTSUPP, errno.ENOTTY, errno.EXDEV, errno.EINVAL, errno.EPERM, errno.ENOSYS, errno.EBADF}
_NO_KERNEL_COPY = {errno.EXDEV, errno.ENOSYS, errno.EINVAL, errno.EOPNOTSUPP, errno.EBADF, errno.EPERM}


class ContentChangedError(GittrackError):
    """A file changed while it was read."""


def clone_file(source: int, target: int) -> bool:
    """Let an empty file share the blocks of another one (a reflink), where the file system can.

    Args:
        source: The file to share, open for reading.
        target: The empty file, open for writing.

    Returns:
        Whether it does now.

    Raises:
        OSError: The disk failed.
    """
    if sys.platform != "linux":
        return False
    import fcntl

    try:
        fcntl.ioctl(target, _FICLONE, source)
    except OSError as error:
        if error.errno in _NO_REFLINK:
            return False
        raise
    return True


def copy_hashed(source: int, target: int, size: int, on_bytes: Callable[[int], object] | None = None) -> Digest:
    """Copy a file into an empty one and return the digest of what was written.

    What is hashed is the copy, so the digest is right whatever happens to the source meanwhile. The copy is hashed by a
    thread of its own behind the one that writes, for both take about as long.

    Args:
        source: The file to copy, open for reading at its start.
        target: The empty file, open for reading and writing.
        size: How many bytes to copy.
        on_bytes: Called with the number of bytes of each piece that was copied.

    Raises:
        ContentChangedError: The source has fewer bytes now.
        OSError: The disk is full or broken.
    """
    if size <= _SMALL_BYTES:
        data = read_exactly(source, size)
        write_all(target, data)
        if on_bytes is not None:
            on_bytes(size)
        return hash_bytes(data)
    hasher = _TrailingHasher(target)
    try:
        n_copied = 0
        while n_copied < size:
            n_bytes = _copy_piece(source, target, min(_PIECE_BYTES, size - n_copied))
            if n_bytes == 0:
                raise ContentChangedError("the file became shorter while it was read")
            n_copied += n_bytes
            hasher.extend(n_copied)
            if on_bytes is not None:
                on_bytes(n_bytes)
    finally:
        digest = hasher.finish()
    return digest


def read_exactly(descriptor: int, size: int) -> bytes:
    """Return the next bytes of a file.

    Raises:
        ContentChangedError: It has fewer.
        OSError: It cannot be read.
    """
    data = os.read(descriptor, size)
    while len(data) < size:
        more = os.read(descriptor, size - len(data))
        if not more:
            raise ContentChangedError("the file became shorter while it was read")
        data += more
    return data


def write_all(descriptor: int, data: bytes | memoryview) -> None:
    """Write bytes to the last one.

    Raises:
        OSError: The disk is full or broken.
    """
    n_written = os.write(descriptor, data)
    if n_written < len(data):
        rest = memoryview(data)[n_written:]
        while rest:
            rest = rest[os.write(descriptor, rest) :]


def _copy_piece(source: int, target: int, n_bytes: int) -> int:
    """Copy at most so many bytes inside the kernel where it can, and return how many there were."""
    copied = 0
    if hasattr(os, "copy_file_range"):
        try:
            while copied < n_bytes:
                n_more = os.copy_file_range(source, target, n_bytes - copied)
                if n_more == 0:
                    break
                copied += n_more
        except OSError as error:
            if error.errno not in _NO_KERNEL_COPY or copied:
                raise
        if copied:
            return copied
    for piece in read_pieces(source, min(_SMALL_BYTES, n_bytes - copied)):
        write_all(target, piece)
        copied += len(piece)
        if copied >= n_bytes:
            break
    return copied


class _TrailingHasher:
    """Hash a file behind the one who writes it, by mapping what is there already."""

    def __init__(self, descriptor: int) -> None:
        from blake3 import blake3

        self._descriptor = descriptor
        self._hasher = blake3(max_threads=min(MAX_THREADS, os.cpu_count() or 1))
        self._ends: SimpleQueue[int | None] = SimpleQueue()
        self._n_hashed = 0
        self._error: BaseException | None = None
        self._thread: threading.Thread | None = threading.Thread(target=self._work, daemon=True)
        try:
            self._thread.start()
        except RuntimeError:  # no thread is to be had: the system's limit, or the interpreter is ending
            self._thread = None

    def extend(self, end: int) -> None:
        """Say how many bytes are there now."""
        self._ends.put(end)

    def finish(self) -> Digest:
        """Wait for the last byte and return the digest.

        Raises:
            OSError: The file could not be mapped.
        """
        self._ends.put(None)
        if self._thread is None:
            self._work()
        else:
            self._thread.join()
        if self._error is not None:
            raise self._error
        return Digest(self._hasher.hexdigest())

    def _work(self) -> None:
        try:
            while (end := self._ends.get()) is not None:
                self._hash_to(end)
        except BaseException as error:  # noqa: BLE001  it is raised where the digest is asked for
            self._error = error

    def _hash_to(self, end: int) -> None:
        while self._n_hashed < end:
            start = self._n_hashed - self._n_hashed % mmap.ALLOCATIONGRANULARITY
            stop = min(end, start + _PIECE_BYTES)
            with mmap.mmap(self._descriptor, stop - start, prot=mmap.PROT_READ, offset=start) as mapped:
                view = memoryview(mapped)
                try:
                    self._hasher.update(view[self._n_hashed - start :])
                finally:
                    view.release()
            self._n_hashed = stop
