"""Copy a file as cheaply as the disk allows, and hash it on the way."""

from __future__ import annotations

import errno
import os
import sys
import threading
from queue import SimpleQueue
from typing import TYPE_CHECKING

from gittrack.artifacts.digest import Digest, hash_bytes
from gittrack.errors import GittrackError

if TYPE_CHECKING:
    from collections.abc import Callable

_SMALL_BYTES = 1 << 20
_PIECE_BYTES = 1 << 20
_N_BUFFERS = 4
_FICLONE = 0x40049409  # linux/fs.h; Python has no name for it
_NO_REFLINK = {errno.EOPNOTSUPP, errno.ENOTTY, errno.EXDEV, errno.EINVAL, errno.EPERM, errno.ENOSYS, errno.EBADF}


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

    What is hashed are the bytes that are written, so the digest is right whatever happens to the source meanwhile. Each
    piece is hashed by a second thread while it is written: memory is read once, and with a free core the hash costs no
    time (measured: a copy in the kernel with a hash of the mapped result takes half as long again).

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
    hasher = _BesideHasher()
    n_copied = 0
    try:
        while n_copied < size:
            buffer = hasher.free_buffer()
            n_bytes = os.readv(source, [buffer[: size - n_copied]])
            if n_bytes == 0:
                raise ContentChangedError("the file became shorter while it was read")
            hasher.take(buffer, n_bytes)
            write_all(target, buffer[:n_bytes])
            n_copied += n_bytes
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


class _BesideHasher:
    """Hash pieces in a thread of its own, while the caller writes the same ones."""

    def __init__(self) -> None:
        from blake3 import blake3

        self._hasher = blake3()
        self._free: SimpleQueue[memoryview] = SimpleQueue()
        self._full: SimpleQueue[tuple[memoryview, int] | None] = SimpleQueue()
        for _ in range(_N_BUFFERS):
            self._free.put(memoryview(bytearray(_PIECE_BYTES)))
        self._thread: threading.Thread | None = threading.Thread(target=self._work, daemon=True)
        try:
            self._thread.start()
        except RuntimeError:  # no thread is to be had: the system's limit, or the interpreter is ending
            self._thread = None

    def free_buffer(self) -> memoryview:
        """Wait for a buffer that has been hashed."""
        return self._free.get()

    def take(self, buffer: memoryview, n_bytes: int) -> None:
        """Hash the first bytes of a buffer; it must not be changed until it is free again."""
        if self._thread is None:
            self._hasher.update(buffer[:n_bytes])
            self._free.put(buffer)
        else:
            self._full.put((buffer, n_bytes))

    def finish(self) -> Digest:
        """Wait for the last piece and return the digest."""
        self._full.put(None)
        if self._thread is not None:
            self._thread.join()
        return Digest(self._hasher.hexdigest())

    def _work(self) -> None:
        while (item := self._full.get()) is not None:
            buffer, n_bytes = item
            self._hasher.update(buffer[:n_bytes])
            self._free.put(buffer)
