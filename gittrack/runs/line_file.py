"""A file that only grows, line by line, and keeps in memory what the disk refuses."""

from __future__ import annotations

import contextlib
import errno
import os
from collections import deque
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from pathlib import Path


class Line(NamedTuple):
    """A line that waits for the disk.

    Attributes:
        data: Its bytes with the line feed.
        n_points: How many points of metrics are lost when it is dropped; 0 for a line that must be kept.
    """

    data: bytes
    n_points: int


class LineFile:
    """An append-only file of one writer; the caller holds the lock.

    A line that was not written whole is cut off again before the next attempt, so that the file holds every line once
    and whole, also when a signal handler raises, or writes itself, in the middle of `write_pending`.

    Args:
        path: The file, which must not exist.

    Raises:
        OSError: It exists or cannot be created.
    """

    def __init__(self, path: Path) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | getattr(os, "O_BINARY", 0)
        self._fd = os.open(path, flags, 0o666)
        self._pending: deque[Line] = deque()
        self._size = 0
        self._is_torn = False
        self.pending_bytes = 0

    def append(self, data: bytes, n_points: int = 0) -> None:
        """Queue a line.

        Args:
            data: The line with its line feed.
            n_points: How many points it holds; 0 for a line that must never be dropped.
        """
        self._pending.append(Line(data, n_points))
        self.pending_bytes += len(data)

    def write_pending(self) -> None:
        """Hand every queued line to the kernel.

        Raises:
            OSError: The disk refuses; what it did not take stays queued.
        """
        while self._pending:
            line = self._pending[0]
            if self._is_torn:
                os.ftruncate(self._fd, self._size)
            self._is_torn = True
            n_written = os.write(self._fd, line.data)
            if n_written < len(line.data):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            # A handler of a signal may have run, and written the same line, when the last call returned. It cannot run
            # between these statements: Python looks for signals where calls begin and end.
            if self._pending and self._pending[0] is line:
                self._size += n_written
                self.pending_bytes -= n_written
                self._is_torn = False
                self._pending.popleft()

    def drop_oldest(self, max_bytes: int) -> int:
        """Forget the oldest points until what is queued fits into a limit.

        Args:
            max_bytes: How many bytes may stay queued.

        Returns:
            How many points were dropped.
        """
        n_dropped = 0
        kept: deque[Line] = deque()
        for line in self._pending:
            if line.n_points and self.pending_bytes > max_bytes:
                n_dropped += line.n_points
                self.pending_bytes -= len(line.data)
            else:
                kept.append(line)
        self._pending = kept
        return n_dropped

    def close(self, *, sync: bool = True) -> None:
        """Close the file; closing twice does nothing.

        Args:
            sync: Whether to bring what was written to the disk itself first.
        """
        if self._fd < 0:
            return
        with contextlib.suppress(OSError):
            if self._is_torn:
                os.ftruncate(self._fd, self._size)
            if sync:
                os.fsync(self._fd)
        self.abandon()

    def abandon(self) -> None:
        """Close the file and forget what is queued: it belongs to another process now."""
        fd, self._fd = self._fd, -1
        self._pending.clear()
        self.pending_bytes = 0
        if fd >= 0:
            with contextlib.suppress(OSError):
                os.close(fd)
