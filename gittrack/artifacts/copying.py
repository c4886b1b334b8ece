"""Copy a file as cheaply as the disk allows, and hash it on the way."""

from __future__ import annotations

import errno
import os
import sys
import threading
from functools import partial
from queue import SimpleQueue
from typing import TYPE_CHECKING

from gittrack.artifacts.digest import Digest, hash_bytes
from gittrack.errors import GittrackError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from blake3 import blake3
    from typing_extensions import Self

_SMALL_BYTES = 1 << 20
_PIECE_BYTES = 1 << 20
_N_BUFFERS = 4
_SHORTER = "the file became shorter while it was read"
_FICLONE = 0x40049409  # linux/fs.h; Python has no name for it
_NO_REFLINK = {errno.EOPNOTSUPP, errno.ENOTTY, errno.EXDEV, errno.EINVAL, errno.EPERM, errno.ENOSYS, errno.EBADF}
_KERNEL_PIECE_BYTES = 4 << 20
_NO_KERNEL_COPY = _NO_REFLINK | {errno.ETXTBSY}


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

    What is hashed are the bytes that are written, so the digest is right whatever happens to the source meanwhile. A
    second thread hashes each piece while the next one is copied, so with a free core the hash costs no time. The kernel
    copies where it can, and the pages of the new file are hashed where they are: no byte passes through this process
    (measured for 2 GiB beside `cp`: 1.08 times as long; through a buffer 1.24 times).

    Args:
        source: The file to copy, open for reading at its start.
        target: The empty file, open for reading and writing; nobody else changes it.
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
    with _BesideHasher() as hasher:
        copy = _copy_by_kernel(source, target, size, hasher) or _copy_by_buffer(source, target, size, hasher)
        for n_bytes in copy:
            if on_bytes is not None:
                on_bytes(n_bytes)
        return hasher.digest()


def _copy_by_kernel(source: int, target: int, size: int, hasher: _BesideHasher) -> Iterator[int] | None:
    """Copy without reading, and yield the size of each piece; None where the system cannot."""
    if not hasattr(os, "copy_file_range"):  # Linux alone has it
        return None
    try:
        n_first = os.copy_file_range(source, target, min(_KERNEL_PIECE_BYTES, size))
    except OSError as error:
        if error.errno in _NO_KERNEL_COPY:
            return None
        raise
    if n_first == 0:  # shorter now, or a file system whose files are made up as they are read
        return None
    return _copy_on(source, target, n_first, size, hasher)


def _copy_on(source: int, target: int, n_first: int, size: int, hasher: _BesideHasher) -> Iterator[int]:
    n_hashed, n_copied, n_new = 0, n_first, n_first
    while True:
        # A mapping begins at a page, so only whole pieces, and the last one, are handed over.
        n_whole = n_copied if n_copied == size else n_copied // _KERNEL_PIECE_BYTES * _KERNEL_PIECE_BYTES
        if n_whole > n_hashed:
            hasher.take(partial(_hash_range, target, n_hashed, n_whole - n_hashed))
            n_hashed = n_whole
        yield n_new
        if n_copied == size:
            return
        n_new = os.copy_file_range(source, target, min(_KERNEL_PIECE_BYTES, size - n_copied))
        if n_new == 0:
            raise ContentChangedError(_SHORTER)
        n_copied += n_new


def _hash_range(descriptor: int, start: int, n_bytes: int, hasher: blake3) -> None:
    """Hash a range of a file that begins at a page, without a copy where its file system can map it."""
    import mmap

    try:
        mapped = mmap.mmap(descriptor, n_bytes, access=mmap.ACCESS_READ, offset=start)
    except OSError:
        while n_bytes and (data := os.pread(descriptor, min(n_bytes, _PIECE_BYTES), start)):
            hasher.update(data)
            start += len(data)
            n_bytes -= len(data)
        return
    with mapped:
        hasher.update(mapped)


def _copy_by_buffer(source: int, target: int, size: int, hasher: _BesideHasher) -> Iterator[int]:
    """Copy through buffers of this process, and yield the size of each piece."""
    free: SimpleQueue[memoryview] = SimpleQueue()
    for _ in range(_N_BUFFERS):
        free.put(memoryview(bytearray(_PIECE_BYTES)))

    def hash_buffer(buffer: memoryview, n_bytes: int, into: blake3) -> None:
        into.update(buffer[:n_bytes])
        free.put(buffer)

    n_copied = 0
    while n_copied < size:
        buffer = free.get()
        n_bytes = os.readv(source, [buffer[: size - n_copied]])
        if n_bytes == 0:
            raise ContentChangedError(_SHORTER)
        hasher.take(partial(hash_buffer, buffer, n_bytes))
        write_all(target, buffer[:n_bytes])
        n_copied += n_bytes
        yield n_bytes


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
            raise ContentChangedError(_SHORTER)
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


class _BesideHasher:
    """Hash pieces in order, in a thread of its own; leave the ``with`` block to wait for it."""

    def __init__(self) -> None:
        from blake3 import blake3

        self._hasher = blake3()
        self._pieces: SimpleQueue[Callable[[blake3], None] | None] = SimpleQueue()
        self._error: BaseException | None = None
        self._thread: threading.Thread | None = threading.Thread(target=self._work, daemon=True)
        try:
            self._thread.start()
        except RuntimeError:  # no thread is to be had: the system's limit, or the interpreter is ending
            self._thread = None

    def take(self, piece: Callable[[blake3], None]) -> None:
        """Hash a piece, which updates the hasher that it is given."""
        if self._thread is None:
            piece(self._hasher)
        else:
            self._pieces.put(piece)

    def digest(self) -> Digest:
        """Wait for the last piece and return the digest.

        Raises:
            OSError: A piece could not be read.
        """
        self._finish()
        if self._error is not None:
            raise self._error
        return Digest(self._hasher.hexdigest())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._finish()

    def _finish(self) -> None:
        if self._thread is not None:
            self._pieces.put(None)
            self._thread.join()

    def _work(self) -> None:
        while (piece := self._pieces.get()) is not None:
            try:
                piece(self._hasher)
            except Exception as error:  # noqa: BLE001  raised where the digest is asked for
                self._error = error
