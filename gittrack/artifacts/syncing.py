"""Bring files to the disk: one, a folder, or all of a file system at once."""

from __future__ import annotations

import contextlib
import errno
import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_CANNOT_SYNC = {errno.EINVAL, errno.ENOTSUP, errno.ENOTTY, errno.EROFS}  # file systems without it; restic does the same


def sync_file(name: str, folder_fd: int | None = None) -> None:
    """Bring a file's content to the disk.

    Args:
        name: The file.
        folder_fd: The folder that the name is relative to.

    Raises:
        OSError: The disk is full or broken.
    """
    descriptor = os.open(name, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | os.O_CLOEXEC, dir_fd=folder_fd)
    try:
        _sync(descriptor)
    finally:
        os.close(descriptor)


def sync_folder(folder: Path) -> None:
    """Bring the names in a folder to the disk, so that renamed files stay renamed.

    Raises:
        OSError: The disk is full or broken.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        _sync(descriptor)
    finally:
        os.close(descriptor)


def sync_file_system(descriptor: int) -> None:
    """Bring everything on a file system to its disk: quicker than thousands of files one by one.

    Args:
        descriptor: Any open file or folder on it.

    Raises:
        OSError: The disk is full or broken.
    """
    if sys.platform == "linux":
        import ctypes

        libc = ctypes.CDLL(None, use_errno=True)  # Python has no syncfs(2)
        if libc.syncfs(descriptor) == 0:
            return
        code = ctypes.get_errno()
        if code not in {errno.ENOSYS, *_CANNOT_SYNC}:
            raise OSError(code, os.strerror(code))
    os.sync()


def _sync(descriptor: int) -> None:
    try:
        os.fsync(descriptor)
    except OSError as error:
        with contextlib.suppress(OSError):
            if error.errno in _CANNOT_SYNC:
                return
        raise
