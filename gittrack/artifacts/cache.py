"""The cache: content by its digest, each object a read-only file that appears whole or not at all.

``b3/<2 hex>/<62 hex>`` holds the objects, ``tmp/`` what is being written, ``corrupt/`` objects that were set aside. The
mode of an object says nothing about its content: whoever restores it hashes it.
"""

from __future__ import annotations

import contextlib
import os
import time
from typing import TYPE_CHECKING

from gittrack.artifacts.digest import Digest, hash_bytes, hash_mapped, is_digest
from gittrack.errors import GittrackError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

# An object that is added again counts as new for the grace period of `gc`; once a day is often enough.
_FRESHEN_AFTER_S = 24 * 3600
_N_FOLDERS = 256


class ObjectMissingError(GittrackError):
    """The cache has no such object."""


class ObjectCorruptError(GittrackError):
    """An object's content is not what its name says."""


class Cache:
    """A content-addressed store in a folder, perhaps shared by several repositories and people.

    Args:
        root: The folder; made when something is written.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.objects = root / "b3"
        self._prefix = f"{self.objects}/"  # thousands of paths are made quicker from texts
        self.scratch_root = root / "tmp"

    def path(self, digest: Digest) -> Path:
        """Return where an object is, or would be."""
        return self.objects / digest[:2] / digest[2:]

    def find_size(self, digest: Digest) -> int | None:
        """Return an object's size in bytes; None when it is not here."""
        try:
            return os.lstat(f"{self._prefix}{digest[:2]}/{digest[2:]}").st_size
        except FileNotFoundError:
            return None

    def find_missing(self, digests: Iterable[Digest]) -> list[Digest]:
        """Return those that are not here, each once."""
        wanted = dict.fromkeys(digests)
        if len(wanted) <= _N_FOLDERS:
            return [digest for digest in wanted if self.find_size(digest) is None]
        present = set(self.list_digests())  # 256 folders are read sooner than thousands of files are asked for
        return [digest for digest in wanted if digest not in present]

    def list_digests(self) -> Iterator[Digest]:
        """Yield every object."""
        with contextlib.suppress(FileNotFoundError), os.scandir(self.objects) as folders:
            for folder in folders:
                with contextlib.suppress(NotADirectoryError, FileNotFoundError):
                    for name in os.listdir(folder.path):  # noqa: PTH208  names are all that is needed
                        if is_digest(folder.name + name):
                            yield Digest(folder.name + name)

    def open(self, digest: Digest) -> int:
        """Open an object for reading and return the descriptor; its content is not checked.

        Raises:
            ObjectMissingError: It is not here.
        """
        try:
            return os.open(f"{self._prefix}{digest[:2]}/{digest[2:]}", os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except FileNotFoundError as error:
            raise _missing(digest) from error

    def read(self, digest: Digest, max_bytes: int) -> bytes:
        """Return an object's content, checked.

        Args:
            digest: The object.
            max_bytes: The largest content to return.

        Raises:
            ObjectMissingError: It is not here.
            ObjectCorruptError: Its content is another, or larger than allowed.
        """
        descriptor = self.open(digest)
        with os.fdopen(descriptor, "rb") as file:  # as much memory as there are bytes, not as many as are allowed
            data = file.read(min(os.fstat(descriptor).st_size, max_bytes) + 1)
        if len(data) > max_bytes:
            raise ObjectCorruptError(f"the object {digest[:12]} is larger than {max_bytes:,} bytes")
        if hash_bytes(data) != digest:
            raise corrupt(digest)
        return data

    def is_intact(self, digest: Digest) -> bool:
        """Hash an object and return whether its content is what its name says.

        Raises:
            ObjectMissingError: It is not here.
        """
        size = self.find_size(digest)
        if size is None:
            raise _missing(digest)
        return hash_mapped(str(self.path(digest)), size) == digest

    def set_aside(self, digest: Digest) -> Path | None:
        """Move a corrupt object out of the way, so that it is fetched or added again; return where it is now."""
        folder = self.root / "corrupt"
        folder.mkdir(exist_ok=True)
        target = folder / f"{digest}.{time.time_ns()}"
        try:
            self.path(digest).rename(target)
        except FileNotFoundError:
            return None
        return target

    def remove(self, digest: Digest) -> None:
        """Remove an object; does nothing when it is not here."""
        self.path(digest).unlink(missing_ok=True)

    def freshen(self, digest: Digest) -> bool:
        """Let an object count as just added, for `gc` keeps what is new; return whether it is there.

        It must be asked, for `gc` may take an old object away just before it is found to be here already.
        """
        path = self.path(digest)
        try:
            if time.time() - path.stat().st_mtime > _FRESHEN_AFTER_S:
                os.utime(path)
        except FileNotFoundError:
            return False
        except OSError:  # in a shared cache it may be another person's; then it is theirs to keep
            return True
        return True


def corrupt(digest: Digest) -> ObjectCorruptError:
    """Return the error for an object whose content is not what its name says."""
    return ObjectCorruptError(
        f"the object {digest[:12]} in the cache is corrupt", hint="run 'gittrack verify --repair' to fetch it again"
    )


def _missing(digest: Digest) -> ObjectMissingError:
    return ObjectMissingError(f"the object {digest[:12]} is not in the cache", hint="run 'gittrack pull'")
