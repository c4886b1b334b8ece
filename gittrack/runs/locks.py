"""A lock that lives exactly as long as the process that holds it."""

from __future__ import annotations

import os
import sys
import time
import weakref
from typing import TYPE_CHECKING

from gittrack.errors import GittrackError

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

    from typing_extensions import Self

_POLL_INTERVAL_S = 0.02

_locks: weakref.WeakSet[FileLock] = weakref.WeakSet()


class LockedError(GittrackError):
    """Another process, or another object of this one, holds the lock."""


class FileLock:
    """Hold a file; the system lets go of it when the process dies, however it dies.

    Children get nothing of it: a forked one closes its copy at once, and a program that is started does not inherit it,
    so that a worker that outlives a dead run does not keep it alive. Readers of the file are not held up. The file
    itself stays; do not delete it while anyone may wait for it.

    Args:
        path: The file to hold; created when missing.

    Example:
        >>> import pathlib, tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = pathlib.Path(folder, "lock")
        ...     with FileLock(path):
        ...         is_locked(path)
        ...     is_locked(path)
        True
        False
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._fd = -1

    @property
    def is_held(self) -> bool:
        """Whether this object holds the file."""
        return self._fd >= 0

    def try_acquire(self) -> bool:
        """Take the lock if it is free.

        Returns:
            Whether this object holds it now.

        Raises:
            OSError: The file cannot be opened.
        """
        if self.is_held:
            return True
        fd = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o666)  # closed on exec, as all descriptors of Python
        try:
            is_ours = _lock(fd)
        except BaseException:
            os.close(fd)
            raise
        if not is_ours:
            os.close(fd)
            return False
        self._fd = fd
        _locks.add(self)
        return True

    def acquire(self, timeout_s: float | None = None) -> None:
        """Take the lock; wait for it as long as it takes.

        Args:
            timeout_s: Seconds to wait at most; 0 does not wait, None waits for ever.

        Raises:
            LockedError: It was not free in time.
            OSError: The file cannot be opened.
        """
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        while not self.try_acquire():
            if deadline is not None and time.monotonic() >= deadline:
                raise LockedError(f"another process holds '{self.path}'", hint="wait for it to end")
            time.sleep(_POLL_INTERVAL_S)

    def release(self) -> None:
        """Let go of the file; does nothing when it is not held."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            _unlock(fd)
            os.close(fd)
        _locks.discard(self)

    def __enter__(self) -> Self:
        self.acquire()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()

    def _leave_to_parent(self) -> None:
        """Close this process's copy; to unlock it would unlock the parent's, for both are one open file."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)


def is_locked(path: Path) -> bool:
    """Return whether a living process holds a file.

    Args:
        path: The file; one that does not exist is not held.

    Raises:
        OSError: The file cannot be opened.
    """
    try:
        fd = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return False
    try:
        return not _lock(fd, shared=True)
    finally:
        os.close(fd)


if sys.platform == "win32":
    import msvcrt

    def _lock(fd: int, *, shared: bool = False) -> bool:  # noqa: ARG001  msvcrt has exclusive locks only
        try:
            msvcrt.locking(fd, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

    def _unlock(fd: int) -> None:
        os.lseek(fd, 0, os.SEEK_SET)
        msvcrt.locking(fd, msvcrt.LK_UNLCK, 1)

else:
    import fcntl

    def _lock(fd: int, *, shared: bool = False) -> bool:
        try:
            fcntl.flock(fd, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def _unlock(fd: int) -> None:
        fcntl.flock(fd, fcntl.LOCK_UN)


def _after_fork() -> None:
    for lock in list(_locks):
        lock._leave_to_parent()  # noqa: SLF001  the hook is a part of the class that cannot be a method
    _locks.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
