"""Read single files of the work tree, without following a link out of it."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

MAX_FILE_BYTES = 4 << 20  # of a declared file; a larger one is data, not params


def read_file(root: Path, path: str, max_bytes: int = MAX_FILE_BYTES) -> bytes | None:
    """Return the content of a regular file of the work tree.

    Args:
        root: The top of the work tree.
        path: A checked path relative to it.
        max_bytes: The largest content to return.

    Returns:
        The content; None when the file is absent, no regular file, too large, or it or one of its folders is a link.
    """
    try:
        descriptor = _open_below(root, path)
    except OSError:
        return None
    try:
        info = os.fstat(descriptor)
        if not stat.S_ISREG(info.st_mode) or info.st_size > max_bytes:
            return None
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            return file.read()
    finally:
        os.close(descriptor)


def _open_below(root: Path, path: str) -> int:
    """Open a file folder by folder, so that none can become a link between a check and its use."""
    if os.open not in os.supports_dir_fd:  # Windows
        real = Path(os.path.realpath(root))  # unlike `resolve`, it does not raise for a loop
        if Path(os.path.realpath(root / path)) != real / path:
            raise OSError(errno.ELOOP, "behind a link", path)
        return os.open(root / path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    *folders, name = path.split("/")
    place = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for folder in folders:
            above, place = place, os.open(folder, flags | os.O_DIRECTORY, dir_fd=place)
            os.close(above)
        return os.open(name, flags, dir_fd=place)
    finally:
        os.close(place)


def find_behind_links(root: Path, paths: Iterable[str]) -> list[str]:
    """Return the paths whose folder has become a link: their files are gone, and git refuses to look there.

    Args:
        root: The top of the work tree.
        paths: Paths relative to it.
    """
    known = {"": False}

    def is_linked(folder: str) -> bool:
        if folder not in known:
            known[folder] = is_linked(folder.rpartition("/")[0]) or (root / folder).is_symlink()
        return known[folder]

    return [path for path in paths if is_linked(path.rpartition("/")[0])]
