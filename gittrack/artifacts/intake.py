"""Take content into the cache: many files with one sync, and nothing visible before it is durable.

Everything is written below the cache's ``tmp``, synced, then renamed into place, and the folders are synced too. Small
files of a batch share one sync of the file system; large ones are synced one by one, so that a batch never waits for
what other programs wrote. Small files are written as ``<2 hex>/<62 hex>`` there already, so that all of a folder that
the cache does not have yet come into place by one rename.
"""

from __future__ import annotations

import contextlib
import errno
import itertools
import os
import shutil
import stat
from typing import TYPE_CHECKING, NamedTuple

from gittrack.artifacts.copying import ContentChangedError, clone_file, copy_hashed, read_exactly, write_all
from gittrack.artifacts.digest import hash_bytes, hash_mapped, read_pieces
from gittrack.artifacts.partial import Partial
from gittrack.artifacts.spreading import MIN_ITEMS
from gittrack.artifacts.syncing import sync_file, sync_file_system, sync_folder
from gittrack.errors import GittrackError
from gittrack.scratch import new_folder_name, sweep_scratch

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path
    from types import TracebackType

    from typing_extensions import Self

    from gittrack.artifacts.cache import Cache
    from gittrack.artifacts.digest import Digest
    from gittrack.artifacts.taking import Taking
    from gittrack.artifacts.walk import FoundFile

_SMALL_BYTES = 1 << 20
_MAX_SINGLE_SYNCS = 16  # above it, one sync of the file system is quicker
_MAX_ASKED = 100  # files; with more, the cache is listed once instead of asked for each
_N_TRIES = 3
RESUME_ABOVE_BYTES = 64 << 20  # what has arrived of a larger object is kept for the next process
_OPEN_SOURCE = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | os.O_CLOEXEC
_OPEN_NEW = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0) | os.O_CLOEXEC
_READ_ONLY = 0o444
_NO_PLACE = {errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR, errno.ENOENT}


class NotAFileError(GittrackError):
    """A path is no regular file."""


class Taken(NamedTuple):
    """A file that was taken into the cache.

    Attributes:
        digest: Of its content.
        info: What it was when it was read.
    """

    digest: Digest
    info: os.stat_result


class Staged(NamedTuple):
    """What a fork did with a file.

    Attributes:
        digest: Of its content.
        name: The file in the folder of the batch; empty when there was nothing to write.
        is_unsynced: Whether that is still to be brought to the disk.
    """

    digest: Digest
    name: str
    is_unsynced: bool


class Intake:
    """A batch of content on its way into the cache; leave the ``with`` block, or call `publish`, to make it visible.

    Several threads may add and receive at once; one of them publishes when the others have finished.

    Args:
        cache: Where to.

    Attributes:
        cache: Where to.
        n_new_bytes: How many bytes the cache did not have.
    """

    def __init__(self, cache: Cache) -> None:
        self.cache = cache
        sweep_scratch(cache.scratch_root)
        self._folder = cache.scratch_root / new_folder_name()
        self._folder.mkdir(parents=True, mode=0o700)
        self._folder_fd = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        self.n_new_bytes = 0
        self._numbers = itertools.count(1)  # one step is one bytecode, so threads never get the same number
        self._pending: dict[Digest, str] = {}  # the file's name in the folder
        self._unsynced: list[str] = []
        self._prefix = "n"  # of names that no other process of this batch makes, and no folder of small files has
        self._is_tidy = True  # whether the folders of small files hold nothing but what is pending
        self._n_asked = 0
        self._present: set[Digest] | None = None

    def add_file(
        self, name: str, folder_fd: int | None = None, on_bytes: Callable[[int], object] | None = None
    ) -> Taken:
        """Copy a file, or let the copy share its blocks, and hash the copy.

        Args:
            name: The file; a link is refused.
            folder_fd: The folder that the name is relative to.
            on_bytes: Called with the number of bytes of each piece that was copied.

        Raises:
            NotAFileError: It is a folder, a link, a pipe or a device.
            ContentChangedError: It changes while it is read, again and again.
            OSError: It cannot be read, or the disk is full.
        """
        source = os.open(name, _OPEN_SOURCE, dir_fd=folder_fd)
        try:
            return self.add_open_file(source, name, on_bytes)
        finally:
            os.close(source)

    def add_open_file(self, source: int, name: str, on_bytes: Callable[[int], object] | None = None) -> Taken:
        """Copy an open file; see `add_file`.

        Args:
            source: The file, open for reading at its start.
            name: What people call it, for messages.
            on_bytes: Called with the number of bytes of each piece that was copied.
        """
        for number in range(_N_TRIES):
            info = os.fstat(source)
            if not stat.S_ISREG(info.st_mode):
                raise NotAFileError(f"'{name}' is not a regular file")
            if number:
                os.lseek(source, 0, os.SEEK_SET)
            digest = self._take(source, info.st_size, on_bytes)
            if digest is not None and _is_same(info, os.fstat(source)):
                return Taken(digest, info)
        raise ContentChangedError(f"'{name}' changes while it is read", hint="wait until nothing writes it")

    def add_many(self, files: Sequence[FoundFile], on_bytes: Callable[[int], object] | None = None) -> Taking:
        """Begin to copy and hash many files, in several processes where that is quicker; see `add_file`.

        Args:
            files: The files; their folders are open, and stay open until the work is done.
            on_bytes: Called with the number of bytes of each file.
        """
        from gittrack.artifacts.taking import Taking

        if len(files) >= MIN_ITEMS:
            self._list_present()
        return Taking(self, files, f"{self._new_name()}-", on_bytes)

    def stage_in_fork(self, file: FoundFile, prefix: str) -> Staged | None:
        """Take a file in a fork, which shares the folder of the batch but nothing else.

        Args:
            file: The file.
            prefix: What the names begin with that this fork makes; no other process of the batch uses it.

        Returns:
            What `accept` needs to know; None when the file changed since it was listed.
        """
        self._prefix = prefix
        n_before = len(self._pending)
        taken = self.add_file(file.name, file.folder_fd)
        if not _is_same(taken.info, file.info):
            return None
        name = self._pending[taken.digest] if len(self._pending) > n_before else ""
        return Staged(taken.digest, name, is_unsynced=name in self._unsynced[-1:])

    def accept(self, staged: Staged, size: int) -> None:
        """Count what a fork wrote as pending; not twice, where two processes wrote the same.

        Args:
            staged: What the fork did.
            size: The file's size in bytes.
        """
        if not staged.name:
            return
        if staged.digest in self._pending:
            if staged.name != self._pending[staged.digest]:
                self._drop(staged.name)
            return
        self._pending[staged.digest] = staged.name
        self.n_new_bytes += size
        if staged.is_unsynced:
            self._unsynced.append(staged.name)

    def note_leftovers(self) -> None:
        """Know that a fork which ended early may have left half a file among those of the batch."""
        self._is_tidy = False

    def add_object(
        self, source: int, size: int, digest: Digest, on_bytes: Callable[[int], object] | None = None
    ) -> None:
        """Copy an object of another store, or let the copy share its blocks, and check the copy.

        Args:
            source: The object, open for reading at its start.
            size: How many bytes it must have.
            digest: What it must be.
            on_bytes: Called with the number of bytes of each piece that was copied.

        Raises:
            WrongContentError: It has fewer bytes, or others.
            OSError: It cannot be read, or the disk is full.
        """
        if self._take(source, size, on_bytes, digest) is None:
            raise WrongContentError(f"fewer than the {size:,} bytes of the object {digest[:12]} are there")

    def add_as_it_is(self, descriptor: int) -> Digest:
        """Copy a file that is open already, and hash the copy; whether it changes meanwhile is for the caller to see.

        Args:
            descriptor: The file, open for reading.

        Raises:
            ContentChangedError: It became shorter while it was read.
            OSError: It cannot be read, or the disk is full.
        """
        os.lseek(descriptor, 0, os.SEEK_SET)
        digest = self._take(descriptor, os.fstat(descriptor).st_size, None)
        if digest is None:
            raise ContentChangedError("the file became shorter while it was read")
        return digest

    def add_bytes(self, data: bytes) -> Digest:
        """Take content that is in memory."""
        digest = hash_bytes(data)
        if self._needs(digest, len(data)):
            self._write_new(digest, data)
        return digest

    def receive(self, digest: Digest, size: int, *, is_exact: bool = True) -> Incoming:
        """Return a file to write the bytes of an object to that comes from elsewhere; it is checked at its end.

        Args:
            digest: What it must be.
            size: How many bytes it must have.
            is_exact: False when it may have fewer, as a manifest, whose size nobody told.
        """
        return Incoming(self, digest, size, is_exact=is_exact)

    def publish(self) -> None:
        """Make everything durable, then visible; a kill before leaves nothing, a kill within some objects, all whole.

        Raises:
            OSError: The disk is full or broken.
        """
        if not self._pending:
            return
        if len(self._unsynced) > _MAX_SINGLE_SYNCS:
            sync_file_system(self._folder_fd)
        else:
            for name in self._unsynced:
                sync_file(name, self._folder_fd)
        self._unsynced.clear()
        folders = self._rename_all()
        if len(folders) > _MAX_SINGLE_SYNCS:
            sync_file_system(self._folder_fd)
        else:
            for folder in folders:
                sync_folder(folder)

    def close(self) -> None:
        """Forget what was not published."""
        if self._folder_fd >= 0:
            os.close(self._folder_fd)
            self._folder_fd = -1
            shutil.rmtree(self._folder, ignore_errors=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self.publish()
        finally:
            self.close()

    def _take(
        self, source: int, size: int, on_bytes: Callable[[int], object] | None, expected: Digest | None = None
    ) -> Digest | None:
        """Copy an open file; None when it became shorter meanwhile."""
        try:
            if size > _SMALL_BYTES:
                return self._take_large(source, size, on_bytes, expected)
            data = read_exactly(source, size)
        except ContentChangedError:
            return None
        digest = hash_bytes(data)
        _check_expected(digest, expected)
        if self._needs(digest, size):
            self._write_new(digest, data)
        if on_bytes is not None:
            on_bytes(size)
        return digest

    def _take_large(
        self, source: int, size: int, on_bytes: Callable[[int], object] | None, expected: Digest | None
    ) -> Digest:
        name = self._new_name()
        target = os.open(name, _OPEN_NEW, _READ_ONLY, dir_fd=self._folder_fd)
        try:
            if clone_file(source, target):
                size = os.fstat(target).st_size
                digest = hash_mapped(str(self._folder / name), size)
                if on_bytes is not None:
                    on_bytes(size)
            else:
                digest = copy_hashed(source, target, size, on_bytes)
            _check_expected(digest, expected)
            if self._needs(digest, size):
                os.fsync(target)
                self._pending[digest] = name
                return digest
        except BaseException:
            self._drop(name)
            raise
        finally:
            os.close(target)
        self._drop(name)
        return digest

    def _open_small(self, digest: Digest) -> tuple[str, int]:
        """Make the file of a small object, open for writing, under the name that it will have, if that is free."""
        name = f"{digest[:2]}/{digest[2:]}"
        try:
            return name, os.open(name, _OPEN_NEW, _READ_ONLY, dir_fd=self._folder_fd)
        except FileNotFoundError:
            with contextlib.suppress(FileExistsError):
                os.mkdir(digest[:2], dir_fd=self._folder_fd)
            return self._open_small(digest)
        except FileExistsError:  # another thread or process writes the same, or ended within it
            name = self._new_name()
            return name, os.open(name, _OPEN_NEW, _READ_ONLY, dir_fd=self._folder_fd)

    def _write_new(self, digest: Digest, data: bytes) -> None:
        name, target = self._open_small(digest)
        try:
            write_all(target, data)
        except BaseException:
            self._drop(name)
            raise
        finally:
            os.close(target)
        self._pending[digest] = name
        self._unsynced.append(name)

    def _needs(self, digest: Digest, size: int) -> bool:
        """Return whether content is new; what the cache has is freshened, and replaced where its size is wrong."""
        if digest in self._pending:
            return False
        self._n_asked += 1
        if self._n_asked == _MAX_ASKED:
            self._list_present()
        is_listed = self._present is None or digest in self._present
        if is_listed and self.cache.find_size(digest) == size and self.cache.freshen(digest):
            return False
        self.n_new_bytes += size
        return True

    def _list_present(self) -> None:
        if self._present is None:
            self._present = set(self.cache.list_digests())

    def _rename_all(self) -> list[Path]:
        """Give each object its name; return the folders that changed."""
        objects = self.cache.objects
        objects.mkdir(parents=True, exist_ok=True)
        by_prefix: dict[str, list[Digest]] = {}
        for digest in self._pending:
            by_prefix.setdefault(digest[:2], []).append(digest)
        for prefix, digests in by_prefix.items():
            rest = digests
            if self._is_tidy and self._rename_folder(prefix):
                rest = [digest for digest in digests if not self._pending[digest].startswith(f"{prefix}/")]
            elif rest:
                with contextlib.suppress(FileExistsError):
                    (objects / prefix).mkdir()
            for digest in rest:
                os.rename(self._pending[digest], f"{objects}/{prefix}/{digest[2:]}", src_dir_fd=self._folder_fd)
        self._pending.clear()
        return [*(objects / prefix for prefix in by_prefix), objects]

    def _rename_folder(self, prefix: str) -> bool:
        """Give all small objects of a folder their names at once; False where the cache has that folder already."""
        try:
            os.rename(prefix, f"{self.cache.objects}/{prefix}", src_dir_fd=self._folder_fd)
        except OSError as error:
            if error.errno in _NO_PLACE:
                return False
            raise
        return True

    def _new_name(self) -> str:
        return f"{self._prefix}{next(self._numbers)}"

    def _drop(self, name: str) -> None:
        try:
            os.unlink(name, dir_fd=self._folder_fd)
        except OSError:
            self._is_tidy = False


class Incoming:
    """The bytes of an object that comes from elsewhere, on their way into a batch.

    What has arrived of a large one outlives this process, and is where the next one continues.

    Args:
        intake: The batch.
        digest: What it must be.
        size: How many bytes it must have.
        is_exact: False when it may have fewer.
    """

    def __init__(self, intake: Intake, digest: Digest, size: int, *, is_exact: bool = True) -> None:
        self._intake = intake
        self._digest = digest
        self._size = size
        self._is_exact = is_exact
        self._name = intake._new_name()  # noqa: SLF001  a part of the batch
        self._partial = None
        if is_exact and size > RESUME_ABOVE_BYTES:
            self._partial = Partial.claim(intake.cache.scratch_root, digest)
        if self._partial is None:
            self._fd = os.open(self._name, _OPEN_NEW, _READ_ONLY, dir_fd=intake._folder_fd)  # noqa: SLF001  the same
        else:
            self._fd = self._partial.descriptor
        self._n_bytes = 0
        self.restart(keep=self._partial is not None)
        self.n_resumed = self._n_bytes

    @property
    def n_bytes(self) -> int:
        """How many bytes are there; the next ones to write follow them."""
        return self._n_bytes

    def restart(self, *, keep: bool = False) -> None:
        """Forget what was written.

        Args:
            keep: Whether to count what is in the file as written instead.
        """
        from blake3 import blake3

        self._hasher = blake3()
        self._n_bytes = self.n_resumed = 0
        os.lseek(self._fd, 0, os.SEEK_SET)
        if keep and os.fstat(self._fd).st_size <= self._size:
            for piece in read_pieces(self._fd):
                self._hasher.update(piece)
                self._n_bytes += len(piece)
        else:
            os.ftruncate(self._fd, 0)

    def write(self, data: bytes | memoryview) -> None:
        """Take the next bytes.

        Raises:
            WrongContentError: There are more than the object has.
            OSError: The disk is full.
        """
        if self._n_bytes + len(data) > self._size:
            raise WrongContentError(f"more than the {self._size:,} bytes of the object {self._digest[:12]} arrived")
        try:
            write_all(self._fd, data)
        except OSError:
            os.ftruncate(self._fd, 0)  # a full disk is not kept full by what nobody may come back for
            raise
        self._hasher.update(data)
        self._n_bytes += len(data)
        if self._partial is not None:
            self._partial.keep_alive()

    def finish(self) -> None:
        """Check the object and let it be published with the batch.

        Raises:
            WrongContentError: Bytes are missing, or they are others.
        """
        if self._is_exact and self._n_bytes != self._size:
            raise WrongContentError(
                f"{self._n_bytes:,} of the {self._size:,} bytes of the object {self._digest[:12]} arrived"
            )
        if self._hasher.hexdigest() != self._digest:
            if self._partial is not None:
                os.ftruncate(self._fd, 0)  # not where anybody should continue
            raise WrongContentError(f"other bytes arrived than those of the object {self._digest[:12]}")
        intake = self._intake
        if self._partial is not None:
            self._partial.move(self._name, intake._folder_fd, _READ_ONLY)  # noqa: SLF001  a part of the batch
        if self._n_bytes > _SMALL_BYTES:
            os.fsync(self._fd)
        else:
            intake._unsynced.append(self._name)  # noqa: SLF001  the same
        intake._pending[self._digest] = self._name  # noqa: SLF001  the same
        os.close(self._fd)
        self._fd = -1

    def close(self) -> None:
        """Drop what was written, unless it was finished; what has arrived of a large object stays for a day."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
            if self._partial is None:
                self._intake._drop(self._name)  # noqa: SLF001  a part of the batch

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class WrongContentError(GittrackError):
    """What arrived is not what was asked for; nothing of it was kept."""


def _check_expected(digest: Digest, expected: Digest | None) -> None:
    if expected is not None and digest != expected:
        raise WrongContentError(f"other bytes are there than those of the object {expected[:12]}")


def _is_same(before: os.stat_result, after: os.stat_result) -> bool:
    return (before.st_size, before.st_mtime_ns, before.st_ctime_ns) == (
        after.st_size,
        after.st_mtime_ns,
        after.st_ctime_ns,
    )
