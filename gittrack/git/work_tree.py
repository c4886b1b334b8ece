"""Read single files of the work tree, without following a link out of it."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

MAX_FILE_BYTES = 4 << 20  # of a declared file; a larger one is data, not params


def read_file(root: Path, path: str, max_bytes: int = MAX_FILE_BYTES) -> bytes | None:
    """Return the content of a regular file of the work tree; None when it is absent, a link, or too large.

    Args:
        root: The top of the work tree.
        path: A checked path relative to it.
        max_bytes: The largest content to return.
    """
    try:
        descriptor = os.open(root / path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    with os.fdopen(descriptor, "rb") as file:
        info = os.fstat(descriptor)
        if not stat.S_ISREG(info.st_mode) or info.st_size > max_bytes:
            return None
        return file.read()


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
