"""What an artifact in the work tree is now: its digest, without reading what has not changed."""

from __future__ import annotations

import contextlib
import os
import stat
from typing import TYPE_CHECKING, NamedTuple

from gittrack.artifacts.digest import hash_bytes, hash_stream
from gittrack.artifacts.manifest import FileEntry, render_manifest
from gittrack.artifacts.placing import open_folder
from gittrack.artifacts.stat_cache import now_ns
from gittrack.artifacts.walk import FOLDER_FLAGS, UntrackableError, linked_object, walk_files

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from gittrack.artifacts.cache import Cache
    from gittrack.artifacts.digest import Digest
    from gittrack.artifacts.pointer import Kind
    from gittrack.artifacts.walk import FoundFile
    from gittrack.workspace.workspace import Workspace

    Hash = Callable[[str, int], tuple[Digest, os.stat_result]]

_OPEN = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class Contents(NamedTuple):
    """A file or folder as it is.

    Attributes:
        kind: ``file`` or ``dir``.
        digest: Of the file's content, or of the folder's manifest.
        size: In bytes, all files together.
        files: A folder's files, sorted by path; empty for a file.
        is_executable: Of a file, whether it may be run.
        manifest: Of a folder, its manifest.
    """

    kind: Kind
    digest: Digest
    size: int
    files: tuple[FileEntry, ...] = ()
    is_executable: bool = False
    manifest: bytes = b""

    @property
    def n_files(self) -> int:
        """How many files there are."""
        return 1 if self.kind == "file" else len(self.files)


def read_contents(workspace: Workspace, path: str, take: Hash | None = None) -> Contents | None:
    """Return what stands at a path; None when nothing does.

    Args:
        workspace: The workspace.
        path: Relative to its top folder, checked.
        take: What reads a file that is not known: it gets the file's name and the descriptor of its folder, and returns
            its digest and what it was. By default it is only hashed.

    Raises:
        InTheWayError: A link stands on the way.
        UntrackableError: It is neither file nor folder, or a folder that cannot be tracked.
        ContentChangedError: A file changes while it is read.
        OSError: It cannot be read.
    """
    folder, _, name = path.rpartition("/")
    with contextlib.ExitStack() as stack:
        try:
            above = stack.enter_context(open_folder(workspace.root, folder))
            info = os.stat(name, dir_fd=above, follow_symlinks=False)
        except FileNotFoundError:
            return None
        if stat.S_ISDIR(info.st_mode):
            return _read_folder(workspace, name, above, take or hash_file)
        if stat.S_ISLNK(info.st_mode):
            return _read_link(workspace.cache, path, os.readlink(name, dir_fd=above))
        if not stat.S_ISREG(info.st_mode):
            raise UntrackableError(f"'{path}' is neither a file nor a folder", hint="move it elsewhere")
        digest, info = known_or(workspace, name, above, info, take or hash_file)
        return Contents("file", digest, info.st_size, is_executable=bool(info.st_mode & stat.S_IXUSR))


def hash_file(name: str, folder_fd: int) -> tuple[Digest, os.stat_result]:
    """Return the digest of a file, and what it was before it was read.

    Args:
        name: The file.
        folder_fd: Its folder, open.

    Raises:
        OSError: It cannot be read.
    """
    descriptor = os.open(name, _OPEN, dir_fd=folder_fd)
    try:
        info = os.fstat(descriptor)
        if not stat.S_ISREG(info.st_mode):
            raise UntrackableError(f"'{name}' is not a file any more", hint="wait until nothing changes it")
        return hash_stream(descriptor), info
    finally:
        os.close(descriptor)


def known_or(
    workspace: Workspace, name: str, folder_fd: int, info: os.stat_result, take: Hash
) -> tuple[Digest, os.stat_result]:
    """Return the digest of a file: the one that is known while the file is unchanged, else what `take` finds.

    Args:
        workspace: The workspace.
        name: The file.
        folder_fd: Its folder, open.
        info: What it is.
        take: See `read_contents`.
    """
    known = workspace.stats.look_up(info)
    if known is not None and (take is hash_file or _is_held(workspace.cache, known, info.st_size)):
        return known, info
    checked_ns = now_ns()
    digest, info = take(name, folder_fd)
    workspace.stats.note(info, digest, checked_ns)
    return digest, info


def _is_held(cache: Cache, digest: Digest, size: int) -> bool:
    """Return whether the cache has an object, and will keep it while a pointer to it is made."""
    return cache.find_size(digest) == size and cache.freshen(digest)


def _read_folder(workspace: Workspace, name: str, above: int, take: Hash) -> Contents:
    descriptor = os.open(name, FOLDER_FLAGS, dir_fd=above)
    try:
        files = tuple(sorted(_read_files(workspace, descriptor, take)))
    finally:
        os.close(descriptor)
    manifest = render_manifest(files)
    size = sum(entry.size for entry in files)
    return Contents("dir", hash_bytes(manifest), size, files, manifest=manifest)


def _read_files(workspace: Workspace, folder_fd: int, take: Hash) -> Iterator[FileEntry]:
    for found in walk_files(folder_fd, workspace.cache, workspace.stats.load):
        if found.digest is not None:
            yield FileEntry(found.path, found.digest, found.info.st_size, found.is_executable)
            continue
        with _place(found, folder_fd) as (name, place):
            digest, info = known_or(workspace, name, place, found.info, take)
        yield FileEntry(found.path, digest, info.st_size, bool(info.st_mode & stat.S_IXUSR))


@contextlib.contextmanager
def _place(found: FoundFile, root_fd: int) -> Iterator[tuple[str, int]]:
    """Give the name and the folder of a file; of a link to another file of the folder, that file's."""
    if found.link_path is None:
        yield found.name, found.folder_fd
        return
    *folders, name = found.link_path.split("/")
    descriptor = os.dup(root_fd)
    try:
        for folder in folders:
            below = os.open(folder, FOLDER_FLAGS, dir_fd=descriptor)
            os.close(descriptor)
            descriptor = below
        yield name, descriptor
    finally:
        os.close(descriptor)


def _read_link(cache: Cache, path: str, target: str) -> Contents:
    """Return the contents of a link into the cache."""
    digest = linked_object(cache, target)
    size = None if digest is None else cache.find_size(digest)
    if digest is None or size is None:
        raise UntrackableError(f"'{path}' is a link", hint="name what it leads to, or replace the link by a copy")
    return Contents("file", digest, size)
