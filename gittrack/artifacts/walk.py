"""List the files of a folder without following a link out of it."""

from __future__ import annotations

import itertools
import os
import re
import stat
import sys
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from gittrack.artifacts.digest import Digest, is_digest
from gittrack.artifacts.manifest import MAX_DEPTH
from gittrack.errors import GittrackError
from gittrack.scratch import new_folder_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from gittrack.artifacts.cache import Cache

_N_AT_ONCE = 5000
FOLDER_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class UntrackableError(GittrackError):
    """A folder holds something that cannot be an artifact's file."""


_LEFTOVER = re.compile(r"\.gittrack-([^~/]+~[0-9]+~[0-9a-f]{12})")


def temporary_name() -> str:
    """Return a name for what is written in the folder of its target, as `is_leftover` knows it."""
    return f".gittrack-{new_folder_name()}"


def is_leftover(name: str) -> bool:
    """Return whether a name is one of `temporary_name`: a file being written, or what a kill left of one.

    Example:
        >>> is_leftover(temporary_name()), is_leftover(".gittrack-notes")
        (True, False)
    """
    return name.startswith(".gittrack-") and _LEFTOVER.fullmatch(name) is not None


class FoundFile(NamedTuple):
    """A regular file below a folder, valid until the next one is asked for.

    Attributes:
        path: Relative to the folder, ``/`` between components.
        folder_fd: The folder that holds the file, open.
        name: The file in that folder.
        info: What it is.
        link_path: Set for a link to another file of the folder: that file's path relative to the folder.
        digest: Set for a link to an object of the cache: that object.
    """

    path: str
    folder_fd: int
    name: str
    info: os.stat_result
    link_path: str | None = None
    digest: Digest | None = None

    @property
    def is_executable(self) -> bool:
        """Whether its owner may run it."""
        return bool(self.info.st_mode & stat.S_IXUSR)


def walk_files(
    folder_fd: int, cache: Cache, on_folder: Callable[[int, Sequence[int]], object] | None = None
) -> Iterator[FoundFile]:
    """Yield the regular files below a folder, in no particular order; empty folders are passed over.

    A link to a regular file of the same folder counts as that file (training writes ``last.ckpt`` so), and a link to an
    object of the cache as that object. Every other link is an error, for what it leads to is not the folder's.

    Args:
        folder_fd: The folder, open; it stays open.
        cache: The cache that links may lead to.
        on_folder: Called with the device of a folder and the inodes of the next entries in it, before their files.

    Raises:
        UntrackableError: There is a link out of the folder or to a folder, a pipe, a socket or a device, a name that is
            not UTF-8, a git repository, or more than 100 levels.
        OSError: A folder cannot be read.
    """
    yield from _walk(_Root(folder_fd, cache, on_folder), "", os.dup(folder_fd), 0)


class _Root:
    """The folder that is walked, and where links may lead to."""

    def __init__(self, descriptor: int, cache: Cache, on_folder: Callable[[int, Sequence[int]], object] | None) -> None:
        self.descriptor = descriptor
        self.cache = cache
        self.on_folder = on_folder

    @cached_property
    def path(self) -> str:
        return real_path(self.descriptor)


def real_path(descriptor: int) -> str:
    """Return where an open folder is, links resolved."""
    if sys.platform == "darwin":
        import fcntl

        return os.fsdecode(fcntl.fcntl(descriptor, fcntl.F_GETPATH, bytes(1024)).rstrip(b"\0"))
    return os.path.realpath(f"/proc/self/fd/{descriptor}")


def _walk(root: _Root, prefix: str, descriptor: int, depth: int) -> Iterator[FoundFile]:
    """Yield what is below an open folder, and close it."""
    try:
        if depth > MAX_DEPTH:
            raise UntrackableError(f"'{prefix}' has more than {MAX_DEPTH} folders above it")
        below: list[str] = []
        with os.scandir(descriptor) as scan:
            # Some at a time: a folder may have a million files.
            while entries := list(itertools.islice(scan, _N_AT_ONCE)):
                if root.on_folder is not None:
                    root.on_folder(os.fstat(descriptor).st_dev, [entry.inode() for entry in entries])
                yield from _files_of(root, prefix, descriptor, entries, below)
        for name in below:
            yield from _walk(root, f"{prefix}{name}/", os.open(name, FOLDER_FLAGS, dir_fd=descriptor), depth + 1)
    finally:
        os.close(descriptor)


def _files_of(
    root: _Root, prefix: str, descriptor: int, entries: Sequence[os.DirEntry[str]], below: list[str]
) -> Iterator[FoundFile]:
    """Yield the files among some entries of a folder, and collect its folders."""
    for entry in entries:
        path = prefix + entry.name
        if entry.name[0] == "." and is_leftover(entry.name):
            continue
        if entry.name[0] == "." and entry.name.casefold() == ".git":
            raise UntrackableError(
                f"'{prefix.removesuffix('/') or '.'}' is a git repository of its own",
                hint="track what is inside from within that repository, or move its '.git' away",
            )
        if entry.is_dir(follow_symlinks=False):
            below.append(entry.name)
        elif entry.is_file(follow_symlinks=False):
            yield FoundFile(_checked(path), descriptor, entry.name, entry.stat(follow_symlinks=False))
        elif entry.is_symlink():
            yield _follow(root, path, descriptor, entry.name)
        else:
            raise UntrackableError(f"'{path}' is neither a file nor a folder", hint="move it elsewhere")


def _checked(path: str) -> str:
    if path.isascii():
        return path
    try:
        path.encode()
    except UnicodeEncodeError as error:
        raise UntrackableError(f"the name {os.fsencode(path)!r} is not UTF-8", hint="rename it") from error
    return path


def _follow(root: _Root, path: str, descriptor: int, name: str) -> FoundFile:
    """Return the file that a link means, if it is one of the folder's own or an object of the cache."""
    digest = linked_object(root.cache, os.readlink(name, dir_fd=descriptor))
    target = os.path.realpath(f"{root.path}/{path}")
    if digest is not None or target.startswith(root.path + os.sep):
        try:
            info = os.stat(name, dir_fd=descriptor)
        except OSError:
            info = None
        if info is not None and stat.S_ISREG(info.st_mode):
            link_path = None if digest is not None else os.path.relpath(target, root.path)
            return FoundFile(_checked(path), descriptor, name, info, link_path, digest)
    raise UntrackableError(
        f"'{path}' is a link that does not lead to a file of the same folder",
        hint="replace it by what it leads to, as with 'cp -L'",
    )


def linked_object(cache: Cache, target: str) -> Digest | None:
    """Return the object of the cache that a link leads to; None when it leads elsewhere.

    Args:
        cache: The cache.
        target: What the link says.
    """
    folder, _, name = target.rpartition("/")
    digest = Digest(folder[-2:] + name)
    return digest if is_digest(digest) and target == str(cache.path(digest)) else None
