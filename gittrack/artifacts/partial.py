"""What has arrived of a large object, kept for the process that continues after a cut.

One folder per object below the cache's ``tmp``, so that what nobody continues is swept with all else there after a day.
A lock on the file keeps two processes from writing it at once; it dies with its process.
"""

from __future__ import annotations

import contextlib
import os
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from typing_extensions import Self

    from gittrack.artifacts.digest import Digest

_NAME = "content"
_OPEN = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | os.O_CLOEXEC
_KEEP_ALIVE_S = 3600.0


class Partial:
    """A file that holds the first bytes of an object.

    Attributes:
        descriptor: The file, open for reading and writing, and locked; whoever claimed it closes it.

    Args:
        folder: Where it is.
        descriptor: The file.
    """

    def __init__(self, folder: Path, descriptor: int) -> None:
        self._folder = folder
        self.descriptor = descriptor
        self._renewed = time.monotonic()

    @classmethod
    def claim(cls, root: Path, digest: Digest) -> Self | None:
        """Open what there is of an object, or begin it; None when another process is at it.

        Args:
            root: The folder of scratch folders.
            digest: The object.

        Raises:
            OSError: The disk is full or broken.
        """
        try:
            import fcntl
        except ImportError:  # no such locks on Windows: every process begins anew there
            return None
        folder = root / f"partial~{digest}"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.utime(folder)
        try:
            descriptor = os.open(folder / _NAME, _OPEN, 0o600)
        except FileNotFoundError:  # just finished by another process
            return None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            is_ours = os.path.samestat(os.fstat(descriptor), (folder / _NAME).stat())
        except (BlockingIOError, FileNotFoundError):
            is_ours = False
        if is_ours:
            return cls(folder, descriptor)
        os.close(descriptor)
        return None

    def keep_alive(self) -> None:
        """Let a transfer of more than a day not count as given up."""
        now = time.monotonic()
        if now - self._renewed > _KEEP_ALIVE_S:
            self._renewed = now
            os.utime(self._folder)

    def move(self, name: str, folder_fd: int, mode: int) -> None:
        """Give the file, which is whole now, another name.

        Args:
            name: The new name.
            folder_fd: The folder that it is relative to, on the same file system.
            mode: Its new permissions.

        Raises:
            OSError: The file is gone.
        """
        os.fchmod(self.descriptor, mode)
        os.rename(self._folder / _NAME, name, dst_dir_fd=folder_fd)
        with contextlib.suppress(OSError):
            self._folder.rmdir()
