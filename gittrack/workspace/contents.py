"""What an artifact in the work tree is now: its digest, without reading what has not changed."""

from __future__ import annotations

import contextlib
import os
import stat
from typing import TYPE_CHECKING, NamedTuple, Protocol

from gittrack.artifacts.digest import hash_bytes, hash_stream
from gittrack.artifacts.manifest import FileEntry, render_manifest
from gittrack.artifacts.placing import open_folder
from gittrack.artifacts.stat_cache import now_ns
from gittrack.artifacts.walk import FOLDER_FLAGS, FoundFile, UntrackableError, linked_object, walk_files

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from typing_extensions import Self

    from gittrack.artifacts.cache import Cache
    from gittrack.artifacts.digest import Digest
    from gittrack.artifacts.pointer import Kind
    from gittrack.workspace.workspace import Workspace

    Hashed = tuple[Digest, os.stat_result]

    class Taking(Protocol):
        """Files that are being read."""

        def finish(self) -> Sequence[Hashed]:
            """Wait for them, and return what they are."""

        def __enter__(self) -> Self: ...

        def __exit__(self, *_: object) -> None:
            """End what is not finished."""


_N_FILES_AT_ONCE = 4000
_N_FOLDERS_AT_ONCE = 200  # each needs a descriptor
_OPEN = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class Taker(NamedTuple):
    """What reads files that are not known.

    Attributes:
        one: Gets a file's name and the descriptor of its folder; returns its digest and what it was.
        many: Begins to read many files, and returns what finishes that.
        is_into_cache: Whether it puts them into the cache.
    """

    one: Callable[[str, int], Hashed]
    many: Callable[[Sequence[FoundFile]], Taking]
    is_into_cache: bool


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


def read_contents(workspace: Workspace, path: str, take: Taker | None = None) -> Contents | None:
    """Return what stands at a path; None when nothing does.

    Args:
        workspace: The workspace.
        path: Relative to its top folder, checked.
        take: What reads files that are not known. By default they are only hashed.

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
            return _read_folder(workspace, name, above, take or HASHING)
        if stat.S_ISLNK(info.st_mode):
            return _read_link(workspace.cache, path, os.readlink(name, dir_fd=above))
        if not stat.S_ISREG(info.st_mode):
            raise UntrackableError(f"'{path}' is neither a file nor a folder", hint="move it elsewhere")
        digest, info = known_or(workspace, name, above, info, take or HASHING)
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


class _Hashing:
    """Files that are only hashed."""

    def __init__(self, files: Sequence[FoundFile]) -> None:
        self._files = files

    def finish(self) -> list[Hashed]:
        return [hash_file(found.name, found.folder_fd) for found in self._files]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass


HASHING = Taker(one=hash_file, many=_Hashing, is_into_cache=False)


def known_or(
    workspace: Workspace, name: str, folder_fd: int, info: os.stat_result, take: Taker
) -> tuple[Digest, os.stat_result]:
    """Return the digest of a file: the one that is known while the file is unchanged, else what is found by reading.

    Args:
        workspace: The workspace.
        name: The file.
        folder_fd: Its folder, open.
        info: What it is.
        take: What reads it.
    """
    known = find_known(workspace, info, take)
    if known is not None:
        return known, info
    checked_ns = now_ns()
    digest, info = take.one(name, folder_fd)
    workspace.stats.note(info, digest, checked_ns)
    return digest, info


def find_known(workspace: Workspace, info: os.stat_result, take: Taker) -> Digest | None:
    """Return the digest of an unchanged file, and, where it is to be taken, only if the cache has and keeps it."""
    known = workspace.stats.look_up(info)
    if known is None or (take.is_into_cache and not _is_held(workspace.cache, known, info.st_size)):
        return None
    return known


def _is_held(cache: Cache, digest: Digest, size: int) -> bool:
    """Return whether the cache has an object, and will keep it while a pointer to it is made."""
    return cache.find_size(digest) == size and cache.freshen(digest)


def _read_folder(workspace: Workspace, name: str, above: int, take: Taker) -> Contents:
    descriptor = os.open(name, FOLDER_FLAGS, dir_fd=above)
    try:
        files = tuple(sorted(_read_files(workspace, descriptor, take)))
    finally:
        os.close(descriptor)
    manifest = render_manifest(files)
    size = sum(entry.size for entry in files)
    return Contents("dir", hash_bytes(manifest), size, files, manifest=manifest)


def _read_files(workspace: Workspace, folder_fd: int, take: Taker) -> Iterator[FileEntry]:
    with contextlib.closing(_Batch(workspace, take)) as batch:
        for found in walk_files(folder_fd, workspace.cache, workspace.stats.load):
            if found.digest is not None:
                yield FileEntry(found.path, found.digest, found.info.st_size, found.is_executable)
            elif found.link_path is not None:
                with _place(found.link_path, folder_fd) as (name, place):
                    digest, info = known_or(workspace, name, place, found.info, take)
                yield make_entry(found.path, digest, info)
            elif (known := find_known(workspace, found.info, take)) is not None:
                yield make_entry(found.path, known, found.info)
            else:
                yield from batch.add(found)
        yield from batch.finish()


def make_entry(path: str, digest: Digest, info: os.stat_result) -> FileEntry:
    """Return the line of a manifest for a file."""
    return FileEntry(path, digest, info.st_size, bool(info.st_mode & stat.S_IXUSR))


class _Batch:
    """Files of some folders that are read together, while those of the next folders are looked up."""

    def __init__(self, workspace: Workspace, take: Taker) -> None:
        self._workspace = workspace
        self._take = take
        self._files: list[FoundFile] = []
        self._folder = ""
        self._under_way: list[FoundFile] = []
        self._checked_ns = 0
        self._taking: Taking | None = None
        # Each file's folder is open until the file is read.
        self._open = contextlib.ExitStack()
        self._open_under_way = contextlib.ExitStack()
        self._n_folders = 0
        self._descriptor = -1

    def add(self, found: FoundFile) -> Iterator[FileEntry]:
        """Add a file; where there are enough, begin to read them, and yield those that were under way."""
        folder = found.path[: -len(found.name)]
        if folder != self._folder or not self._files:
            self._folder = folder
            self._n_folders += 1
            self._descriptor = os.dup(found.folder_fd)
            self._open.callback(os.close, self._descriptor)
        self._files.append(FoundFile(found.path, self._descriptor, found.name, found.info))
        if len(self._files) >= _N_FILES_AT_ONCE or self._n_folders >= _N_FOLDERS_AT_ONCE:
            yield from self._begin()

    def finish(self) -> Iterator[FileEntry]:
        """Read what is left, and yield it."""
        yield from self._begin()
        yield from self._end()

    def close(self) -> None:
        """Forget the files."""
        if self._taking is not None:
            self._taking.__exit__()
        self._open.close()
        self._open_under_way.close()

    def _begin(self) -> Iterator[FileEntry]:
        # Finished before the next begins, so that what the next finds in the cache's batch is all that there is; what
        # was found is looked at while the next are read.
        done, hashed, checked_ns = self._under_way, self._finish_taking(), self._checked_ns
        self._under_way, self._open_under_way = self._files, self._open
        self._files, self._open, self._n_folders = [], contextlib.ExitStack(), 0
        self._checked_ns = now_ns()
        self._taking = self._take.many(self._under_way) if self._under_way else None
        yield from self._entries(done, hashed, checked_ns)

    def _end(self) -> Iterator[FileEntry]:
        yield from self._entries(self._under_way, self._finish_taking(), self._checked_ns)
        self._under_way = []

    def _finish_taking(self) -> Sequence[Hashed]:
        if self._taking is None:
            return ()
        with self._taking as taking:
            hashed = taking.finish()
        self._taking = None
        self._open_under_way.close()
        return hashed

    def _entries(self, files: Sequence[FoundFile], hashed: Sequence[Hashed], checked_ns: int) -> Iterator[FileEntry]:
        for found, (digest, info) in zip(files, hashed, strict=True):
            self._workspace.stats.note(info, digest, checked_ns)
            yield make_entry(found.path, digest, info)


@contextlib.contextmanager
def _place(link_path: str, root_fd: int) -> Iterator[tuple[str, int]]:
    """Give the name and the folder of the file that a link leads to."""
    *folders, name = link_path.split("/")
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
