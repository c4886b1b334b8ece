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


def real_folder(root: Path, relative: str) -> Path | None:
    """Return a folder below another one; None when there is none, or a link on the way.

    Args:
        root: The folder that somebody named, perhaps through links.
        relative: Where the other one is, ``/`` between components.
    """
    place = root
    for part in relative.split("/"):
        place /= part
        try:
            if not stat.S_ISDIR(place.lstat().st_mode):
                return None
        except (OSError, ValueError):
            return None
    return place


def walk(root: Path, relative: str) -> Iterator[tuple[str, str]]:
    """Yield the regular files below a folder: the path relative to it, ``/`` between components, and the whole path.

    Args:
        root: The folder that somebody named.
        relative: The folder below it; a link on the way is not followed.
    """
    start = real_folder(root, relative)
    if start is not None:
        yield from _walk(str(start), "", 0)


def _walk(path: str, prefix: str, depth: int) -> Iterator[tuple[str, str]]:
    for entry in list_folder(path):
        if entry.is_dir(follow_symlinks=False):
            if depth < MAX_DEPTH:
                yield from _walk(entry.path, f"{prefix}{entry.name}/", depth + 1)
        elif entry.is_file(follow_symlinks=False):
            yield prefix + entry.name, entry.path
