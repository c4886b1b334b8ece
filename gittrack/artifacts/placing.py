"""Bring files into a work tree: the one place that writes there.

The way to a file is walked folder by folder with open descriptors, and no link on it is followed, so nothing outside
the root can be reached, whatever happens to the folders meanwhile. A file is written elsewhere first and comes into
place whole.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import time
from typing import TYPE_CHECKING, NamedTuple

from gittrack.artifacts.walk import FOLDER_FLAGS, is_leftover, temporary_name
from gittrack.errors import GittrackError
from gittrack.paths import check_repository_path
from gittrack.scratch import is_abandoned_name, scratch_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

OPEN_NEW = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_NOT_A_FOLDER = {errno.ELOOP, errno.ENOTDIR, errno.EMLINK}


class InTheWayError(GittrackError):
    """Something stands where a file or one of its folders must be."""


class Placed(NamedTuple):
    """A file that came into place.

    Attributes:
        info: What it is now; None for a link.
        moment_ns: When it did, UTC nanoseconds.
    """

    info: os.stat_result | None
    moment_ns: int


class Staging:
    """Where files are written before they come into place: a folder that nobody else uses.

    Args:
        folder: The folder, on the same disk as the work tree; elsewhere files are written beside their place.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._swept: set[tuple[int, int]] = set()

    @contextlib.contextmanager
    def beside(self, target: int) -> Iterator[int]:
        """Give an empty folder to write in, on the disk of the target: in the staging folder, or in the target."""
        self._folder.mkdir(parents=True, exist_ok=True)
        self._sweep(target)
        if self._folder.stat().st_dev == os.fstat(target).st_dev:
            with scratch_folder(self._folder) as folder, opened(os.open(folder, FOLDER_FLAGS)) as descriptor:
                yield descriptor
            return
        name = temporary_name()
        os.mkdir(name, 0o700, dir_fd=target)
        try:
            with opened(os.open(name, FOLDER_FLAGS, dir_fd=target)) as descriptor:
                yield descriptor
        finally:
            remove_tree(name, target)

    def _sweep(self, target: int) -> None:
        """Remove what a killed process left in a folder; each is looked at once, for it may have many files."""
        place = os.fstat(target)
        if (place.st_dev, place.st_ino) in self._swept:
            return
        self._swept.add((place.st_dev, place.st_ino))
        for name in os.listdir(target):
            if is_leftover(name):
                with contextlib.suppress(FileNotFoundError):
                    mtime_s = os.stat(name, dir_fd=target, follow_symlinks=False).st_mtime
                    if is_abandoned_name(name.partition("-")[2], mtime_s):
                        remove_tree(name, target)


def put_file(root: Path, staging: Staging, path: str, fill: Callable[[int], bool]) -> Placed:
    """Write a file elsewhere and bring it into place whole, in place of the one that is there.

    Args:
        root: The top folder; nothing outside is written.
        staging: Where the file is written first.
        path: Relative to the root.
        fill: Makes a file ``new`` in the open folder that it gets; returns whether it is a regular file.

    Raises:
        InvalidPathError: The path is not one inside the root.
        InTheWayError: A link or a file stands where a folder must be, or a folder where the file must be.
        OSError: The disk is full or broken; nothing was changed.
    """
    check_repository_path(path)
    folder, _, name = path.rpartition("/")
    with open_folder(root, folder, create=True) as target, staging.beside(target) as beside:
        is_file = fill(beside)
        moment_ns = time.time_ns()
        try:
            os.rename("new", name, src_dir_fd=beside, dst_dir_fd=target)
        except (IsADirectoryError, NotADirectoryError) as error:
            raise InTheWayError(f"a folder stands at '{path}'", hint="move it away") from error
        # Asked for now, because the rename changed its times.
        return Placed(os.stat(name, dir_fd=target, follow_symlinks=False) if is_file else None, moment_ns)


def put_bytes(root: Path, staging: Path, path: str, data: bytes) -> None:
    """Write a small file durably; see `put_file`.

    Args:
        root: The top folder.
        staging: Where the file is written first.
        path: Relative to the root.
        data: Its content.

    Raises:
        GittrackError: See `put_file`.
        OSError: The same.
    """

    def fill(folder_fd: int) -> bool:
        with os.fdopen(os.open("new", OPEN_NEW, 0o666, dir_fd=folder_fd), "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        return True

    put_file(root, Staging(staging), path, fill)
    with open_folder(root, path.rpartition("/")[0]) as folder:
        os.fsync(folder)


@contextlib.contextmanager
def open_folder(root: Path, path: str, *, create: bool = False) -> Iterator[int]:
    """Give a descriptor of a folder below a root, reached without following a link.

    Args:
        root: The top folder, which may be reached through links.
        path: Relative to it, checked; empty for the root.
        create: Whether missing folders are made.

    Raises:
        InTheWayError: A link or a file stands on the way.
        FileNotFoundError: A folder is missing and is not to be made.
    """
    descriptor = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for name in path.split("/") if path else ():
            try:
                below = _enter(descriptor, name, create=create)
            except OSError as error:
                if error.errno in _NOT_A_FOLDER:
                    raise InTheWayError(
                        f"'{name}' on the way to '{path}' is a link or a file, not a folder", hint="move it away"
                    ) from error
                raise
            os.close(descriptor)
            descriptor = below
        yield descriptor
    finally:
        os.close(descriptor)


def _enter(descriptor: int, name: str, *, create: bool) -> int:
    if create:
        with contextlib.suppress(FileExistsError):
            os.mkdir(name, dir_fd=descriptor)
    return os.open(name, FOLDER_FLAGS, dir_fd=descriptor)


def make_folders(folder: int, path: str) -> int:
    """Make folders below one of our own and return the last one, open."""
    descriptor = os.dup(folder)
    for name in path.split("/") if path else ():
        below = _enter(descriptor, name, create=True)
        os.close(descriptor)
        descriptor = below
    return descriptor


@contextlib.contextmanager
def opened(descriptor: int) -> Iterator[int]:
    """Give an open descriptor, and close it at the end.

    Args:
        descriptor: The descriptor.
    """
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def remove_tree(name: str, folder: int) -> None:
    """Remove a file or folder with all that is in it, as far as it can be; no link is followed.

    Args:
        name: The file or folder.
        folder: Its folder, open.
    """
    with contextlib.suppress(OSError):
        os.unlink(name, dir_fd=folder)
        return
    with contextlib.suppress(OSError), opened(os.open(name, FOLDER_FLAGS, dir_fd=folder)) as inside:
        os.fchmod(inside, stat.S_IRWXU)  # else what is in a read-only folder could not be removed
        for entry in os.listdir(inside):  # noqa: PTH208  pathlib knows no open folders
            remove_tree(entry, inside)
        os.rmdir(name, dir_fd=folder)
