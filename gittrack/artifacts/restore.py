"""Restore objects of the cache in a work tree, every byte hashed on its way."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import struct
import time
from typing import TYPE_CHECKING, Literal, NamedTuple

from gittrack.artifacts.cache import ObjectMissingError, corrupt
from gittrack.artifacts.copying import ContentChangedError, clone_file, copy_hashed
from gittrack.artifacts.digest import hash_mapped
from gittrack.artifacts.manifest import InvalidManifestError
from gittrack.artifacts.placing import (
    OPEN_NEW,
    InTheWayError,
    Staging,
    make_folders,
    open_folder,
    opened,
    put_file,
    remove_tree,
)
from gittrack.artifacts.spreading import Spread
from gittrack.artifacts.walk import FOLDER_FLAGS
from gittrack.errors import GittrackError
from gittrack.paths import check_repository_path

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from gittrack.artifacts.cache import Cache
    from gittrack.artifacts.digest import Digest
    from gittrack.artifacts.manifest import FileEntry

LinkType = Literal["reflink", "copy", "hardlink", "symlink"]
LINK_TYPES: tuple[LinkType, ...] = ("reflink", "copy", "hardlink", "symlink")
DEFAULT_LINKS: tuple[LinkType, ...] = ("reflink", "copy")
_RECORD = struct.Struct("<IQQQqq")  # of a file that a fork wrote
_NS_PER_S = 1_000_000_000


class Restored(NamedTuple):
    """A file that was written.

    Attributes:
        path: Relative to the root.
        digest: Of its content.
        info: What it is now; None for a link.
        placed_ns: When nobody else could have changed it yet: just before it came into place, UTC nanoseconds.
    """

    path: str
    digest: Digest
    info: os.stat_result | None
    placed_ns: int = 0


class _Below:
    """The folder below one of our own that was last written to, open.

    Args:
        root: The folder of our own, open.
    """

    def __init__(self, root: int) -> None:
        self._root = root
        self._path = ""
        self._descriptor = os.dup(root)

    def enter(self, path: str) -> tuple[int, str]:
        """Return the folder of a file, made where it is not there, and the file's name in it."""
        above, _, name = path.rpartition("/")
        if above != self._path:
            self.close()
            self._descriptor = make_folders(self._root, above)
            self._path = above
        return self._descriptor, name

    def remove(self, path: str) -> None:
        """Remove what a fork left of a file."""
        descriptor, name = self.enter(path)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(name, dir_fd=descriptor)

    def close(self) -> None:
        """Close the folder."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor, self._path = -1, ""


class Restorer:
    """Write objects of a cache below a root.

    Args:
        cache: Where the objects are.
        root: The top folder; nothing outside is written.
        staging: A folder that nobody else uses, on the same disk, where files are written first.
        links: How a file may share its bytes with the cache, the first that works: ``reflink`` (shares until one side
            is changed), ``copy``, ``hardlink`` or ``symlink`` (shares for good: to change the file changes the cache).
        on_bytes: Called with the bytes of each piece that was written.
        kept_folder: A folder below the root that stays when it becomes empty, for a person is in it.
    """

    def __init__(
        self,
        cache: Cache,
        root: Path,
        staging: Path,
        links: Sequence[LinkType] = DEFAULT_LINKS,
        on_bytes: Callable[[int], object] | None = None,
        kept_folder: str = "",
    ) -> None:
        self._kept_folder = kept_folder
        self.cache = cache
        self.root = root
        self._staging = Staging(staging)
        self._links = tuple(links)
        self._on_bytes = on_bytes
        self._can_clone = "reflink" in links  # until the disk says no

    def write_file(self, path: str, digest: Digest, *, is_executable: bool = False) -> Restored:
        """Write one file, in place of the one that is there.

        Args:
            path: Relative to the root.
            digest: The object.
            is_executable: Whether it may be run.

        Raises:
            InvalidPathError: The path is not one inside the root.
            InTheWayError: A link or a file stands where a folder must be, or a folder where the file must be.
            ObjectMissingError: The cache does not have it.
            ObjectCorruptError: Its content is not what its name says; nothing was changed.
            OSError: The disk is full or broken; nothing was changed.
        """

        def fill(folder_fd: int) -> bool:
            return self._write(folder_fd, digest, is_executable=is_executable) is not None

        placed = put_file(self.root, self._staging, path, fill)
        return Restored(path, digest, placed.info, placed.moment_ns)

    def write_new_folder(self, path: str, files: Sequence[FileEntry]) -> list[Restored]:
        """Write a folder that does not exist, all of it or nothing.

        Args:
            path: Relative to the root.
            files: What it holds: a checked manifest.

        Raises:
            InvalidPathError: The path is not one inside the root.
            InTheWayError: Something is there.
            ObjectMissingError: The cache lacks an object.
            ObjectCorruptError: An object's content is not what its name says.
            InvalidManifestError: An object has another size than the manifest says.
            OSError: The disk is full or broken.
        """
        check_repository_path(path)
        above, _, name = path.rpartition("/")
        with open_folder(self.root, above, create=True) as target, self._staging.beside(target) as staging:
            os.mkdir("new", dir_fd=staging)
            with opened(os.open("new", FOLDER_FLAGS, dir_fd=staging)) as new:
                restored = self._write_files(new, files)
            placed_ns = time.time_ns()
            try:
                os.rename("new", name, src_dir_fd=staging, dst_dir_fd=target)
            except OSError as error:
                if error.errno in {errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR, errno.ELOOP}:
                    raise InTheWayError(f"something stands at '{path}'", hint="move it away") from error
                raise
        return [entry._replace(path=f"{path}/{entry.path}", placed_ns=placed_ns) for entry in restored]

    def remove_file(self, path: str) -> None:
        """Remove a file, and the folders that it leaves empty.

        Args:
            path: Relative to the root; does nothing when it is not there.

        Raises:
            InvalidPathError: The path is not one inside the root.
            InTheWayError: A link stands on the way to it.
        """
        check_repository_path(path)
        folder, _, name = path.rpartition("/")
        try:
            with open_folder(self.root, folder) as target:
                os.unlink(name, dir_fd=target)
        except FileNotFoundError:
            return
        self.remove_empty_folder(folder)

    def remove(self, path: str) -> None:
        """Remove a file or folder with all that is in it, at once, and the folders that it leaves empty.

        Args:
            path: Relative to the root; does nothing when it is not there.

        Raises:
            InvalidPathError: The path is not one inside the root.
            InTheWayError: A link stands on the way to it.
            OSError: It cannot be removed.
        """
        check_repository_path(path)
        folder, _, name = path.rpartition("/")
        with contextlib.suppress(FileNotFoundError):
            with open_folder(self.root, folder) as target, self._staging.beside(target) as staging:
                os.rename(name, "old", src_dir_fd=target, dst_dir_fd=staging)
                remove_tree("old", staging)
            self.remove_empty_folder(folder)

    def remove_empty_folder(self, folder: str) -> None:
        """Remove a folder if it is empty, and so on upwards, but never the root.

        Args:
            folder: Relative to the root; empty for the root, which stays.

        Raises:
            InTheWayError: A link stands on the way to it.
            FileNotFoundError: It is not there.
        """
        while folder and folder != self._kept_folder:
            above, _, name = folder.rpartition("/")
            with open_folder(self.root, above) as target:
                try:
                    os.rmdir(name, dir_fd=target)
                except OSError:
                    return
            folder = above

    def _write_files(self, folder: int, files: Sequence[FileEntry]) -> list[Restored]:
        """Write files below an open folder of our own, with the folders that they need; many in several processes."""
        written: dict[int, Restored] = {}
        with contextlib.closing(_Below(folder)) as below:

            def write(item: int) -> None:
                with contextlib.suppress(FileExistsError):  # a fork is at it, or ended within it
                    written[item] = self._write_below(below, files[item])

            def write_in_fork(_: int, item: int) -> bytes | None:
                self._on_bytes = None  # in the fork's own copy
                info = self._write_below(below, files[item]).info
                return None if info is None else _pack_info(info)

            may_fork = self._links[0] in DEFAULT_LINKS
            with Spread(len(files), _RECORD.size, write_in_fork, may_fork=may_fork) as spread:
                spread.finish(write)
                for item, entry in enumerate(files):
                    if item in written:
                        continue
                    record = spread.record(item)
                    if record is None:
                        below.remove(entry.path)
                        written[item] = self._write_below(below, entry)
                    else:
                        written[item] = Restored(entry.path, entry.digest, _unpack_info(record))
                        if self._on_bytes is not None:
                            self._on_bytes(entry.size)
        return [written[item] for item in range(len(files))]

    def _write_below(self, below: _Below, entry: FileEntry) -> Restored:
        descriptor, name = below.enter(entry.path)
        info = self._write(descriptor, entry.digest, name, is_executable=entry.is_executable)
        size = self.cache.find_size(entry.digest) if info is None else info.st_size
        if size != entry.size:  # the folder would never be as its manifest says
            raise InvalidManifestError(f"the list of files has a wrong size for '{entry.path}'")
        return Restored(entry.path, entry.digest, info)

    def _write(
        self, folder: int, digest: Digest, name: str = "new", *, is_executable: bool = False
    ) -> os.stat_result | None:
        """Write an object into an open folder, by the first way that works; None when it is a link."""
        for link in (*self._links, "copy") if is_executable else self._links:
            if is_executable and link in {"hardlink", "symlink"}:
                continue  # an object cannot be run, and who shares its bytes shares its mode
            if link == "symlink":
                self._check(digest)
                os.symlink(self.cache.path(digest), name, dir_fd=folder)
                return None
            if link == "hardlink":
                self._check(digest)
                with contextlib.suppress(OSError):
                    os.link(self.cache.path(digest), name, dst_dir_fd=folder, follow_symlinks=False)
                    return os.stat(name, dir_fd=folder, follow_symlinks=False)
            elif (
                link == "copy" or "copy" not in self._links
            ):  # a copy shares blocks where it can, if that is wanted too
                may_copy = link == "copy"
                info = self._copy(folder, digest, name, is_executable=is_executable, may_copy=may_copy)
                if info is not None:
                    return info
        raise GittrackError(
            f"the disk knows none of the ways to share bytes with the cache: {', '.join(self._links)}",
            hint="add 'copy' to the git setting gittrack.link",
        )

    def _copy(
        self, folder: int, digest: Digest, name: str, *, is_executable: bool, may_copy: bool
    ) -> os.stat_result | None:
        """Write a copy of an object, or one that shares its blocks; None where only a copy would do."""
        source = self.cache.open(digest)
        try:
            size = os.fstat(source).st_size
            target = os.open(name, OPEN_NEW, 0o777 if is_executable else 0o666, dir_fd=folder)
            try:
                found = self._fill(source, target, size, may_copy=may_copy)
                if found == digest:
                    return os.fstat(target)
                os.unlink(name, dir_fd=folder)
                if found is None:
                    return None
                raise corrupt(digest)
            finally:
                os.close(target)
        finally:
            os.close(source)

    def _fill(self, source: int, target: int, size: int, *, may_copy: bool) -> Digest | None:
        """Fill a new file and return the digest of what is in it; None where only a copy would do."""
        if self._can_clone and size:
            self._can_clone = clone_file(source, target)
            if self._can_clone:
                if self._on_bytes is not None:
                    self._on_bytes(size)
                return hash_mapped(f"/proc/self/fd/{target}", size)
        if not may_copy and size:
            return None
        try:
            return copy_hashed(source, target, size, self._on_bytes)
        except ContentChangedError as error:  # an object never changes; a cut one is corrupt
            raise ObjectMissingError("an object of the cache became shorter while it was read") from error

    def _check(self, digest: Digest) -> None:
        if not self.cache.is_intact(digest):
            raise corrupt(digest)


def _pack_info(info: os.stat_result) -> bytes:
    return _RECORD.pack(info.st_mode, info.st_ino, info.st_dev, info.st_size, info.st_mtime_ns, info.st_ctime_ns)


def _unpack_info(record: bytes) -> os.stat_result:
    """Return what a fork found of a file that it wrote: mode, inode, device, size and the times of its change."""
    mode, inode, device, size, mtime_ns, ctime_ns = _RECORD.unpack(record)
    seconds = mtime_ns // _NS_PER_S, ctime_ns // _NS_PER_S
    nanoseconds = {"st_mtime_ns": mtime_ns, "st_ctime_ns": ctime_ns}
    return os.stat_result((mode, inode, device, 1, 0, 0, size, seconds[0], *seconds), nanoseconds)


def is_regular(info: os.stat_result) -> bool:
    """Return whether a file is a regular one, neither link nor folder nor device."""
    return stat.S_ISREG(info.st_mode)
