"""Read the files of a store that may come from anywhere: no link is followed, no pipe opened, no size trusted."""

from __future__ import annotations

import contextlib
import os
import stat
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_OPEN = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
MAX_DEPTH = 20
MAX_ENTRIES = 1_000_000


def read_file(path: Path | str, max_bytes: int) -> bytes | None:
    """Return the content of a regular file; None when there is none, it is a link, or it cannot be read.

    Args:
        path: The file.
        max_bytes: The largest content; of a larger file the beginning is returned.
    """
    try:
        descriptor = os.open(path, _OPEN)
    except OSError:
        return None
    try:
        info = os.fstat(descriptor)
        if not stat.S_ISREG(info.st_mode):
            return None
        pieces, n_left = [], min(info.st_size, max_bytes)
        while n_left > 0 and (piece := os.read(descriptor, n_left)):
            pieces.append(piece)
            n_left -= len(piece)
        return b"".join(pieces)
    except OSError:
        return None
    finally:
        os.close(descriptor)


def list_folder(path: Path | str) -> list[os.DirEntry[str]]:
    """Return the entries of a folder by name; none when there is no such folder."""
    with contextlib.suppress(OSError), os.scandir(path) as entries:
        return sorted(entries, key=lambda entry: entry.name)
    return []


def walk(path: Path | str, prefix: str = "", depth: int = 0) -> Iterator[tuple[str, str]]:
    """Yield the regular files below a folder: the path relative to it, ``/`` between components, and the whole path.

    Args:
        path: The folder.
        prefix: What stands before the relative paths.
        depth: How deep the folder is; what is deeper than `MAX_DEPTH` is passed over.
    """
    for entry in list_folder(path):
        if entry.is_dir(follow_symlinks=False):
            if depth < MAX_DEPTH:
                yield from walk(entry.path, f"{prefix}{entry.name}/", depth + 1)
        elif entry.is_file(follow_symlinks=False):
            yield prefix + entry.name, entry.path
