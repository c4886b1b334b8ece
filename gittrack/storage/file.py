"""A folder as storage, on a disk of this machine or of the network: laid out as a cache.

Copies share their blocks where the file system can do that; elsewhere a file is hashed while it is copied, so each byte
is read once.
"""

from __future__ import annotations

import contextlib
import os
import stat
from typing import TYPE_CHECKING

from gittrack.artifacts.cache import Cache, ObjectMissingError, corrupt
from gittrack.artifacts.intake import Intake, WrongContentError
from gittrack.artifacts.manifest import MAX_MANIFEST_BYTES
from gittrack.scratch import sweep_scratch
from gittrack.storage.backend import Backend
from gittrack.storage.protocol import StorageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from gittrack.artifacts.digest import Digest
    from gittrack.storage.backend import StoredObject

_OPEN = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | os.O_CLOEXEC


class FileBackend(Backend):
    """A folder of objects.

    Args:
        root: The folder; made when something is sent.
    """

    def __init__(self, root: Path) -> None:
        self._cache = Cache(root)
        self._intake: Intake | None = None

    @property
    def label(self) -> str:
        """The folder's URL."""
        return f"file://{self._cache.root}"

    def find_present(self, objects: Sequence[StoredObject], n_jobs: int) -> set[Digest]:
        """Return those that are here with their size; see `Backend.find_present`."""
        del n_jobs
        try:
            sizes = {item: self._cache.find_size(item.digest) for item in objects}
        except OSError as error:
            raise self._unreadable(error) from error
        return {item.digest for item, size in sizes.items() if size is not None and item.size in (None, size)}

    @contextlib.contextmanager
    def sending(self, objects: Sequence[StoredObject], cache: Cache, n_jobs: int) -> Iterator[None]:
        """Make a place for a batch, and publish it at the end; what dead processes left is swept."""
        del objects, cache, n_jobs
        try:
            sweep_scratch(self._cache.scratch_root)
            self._intake = Intake(self._cache)
        except OSError as error:
            raise self._unwritable(error) from error
        try:
            yield
        except BaseException:
            with contextlib.suppress(OSError):
                self._intake.publish()
            raise
        else:
            self._publish(self._intake)
        finally:
            self._intake.close()
            self._intake = None

    def send(self, item: StoredObject, path: Path, on_bytes: Callable[[int], object]) -> None:
        """Copy an object here and check the copy; see `Backend.send`."""
        if self._intake is None:
            raise RuntimeError("not in the context of sending()")
        try:
            source = os.open(path, _OPEN)
        except FileNotFoundError as error:
            raise ObjectMissingError(f"the object {item.digest[:12]} is not in the cache") from error
        try:
            size = os.fstat(source).st_size
            if item.size not in (None, size):
                raise corrupt(item.digest)
            self._intake.add_object(source, size, item.digest, on_bytes)
        except WrongContentError as error:
            raise corrupt(item.digest) from error
        except OSError as error:
            raise self._unwritable(error) from error
        finally:
            os.close(source)

    def receive(self, item: StoredObject, intake: Intake, on_bytes: Callable[[int], object]) -> bool:
        """Copy an object from here and check the copy; see `Backend.receive`."""
        try:
            source = os.open(self._cache.path(item.digest), _OPEN)
        except FileNotFoundError:
            return False
        except OSError as error:
            raise self._unreadable(error) from error
        try:
            info = os.fstat(source)
            size = info.st_size if item.size is None else item.size
            if (
                not stat.S_ISREG(info.st_mode)
                or size != info.st_size
                or (item.size is None and size > MAX_MANIFEST_BYTES)
            ):
                raise self._damaged(item.digest)
            intake.add_object(source, size, item.digest, on_bytes)
        except WrongContentError as error:
            raise self._damaged(item.digest) from error
        finally:
            os.close(source)
        return True

    def _publish(self, intake: Intake) -> None:
        try:
            intake.publish()
        except OSError as error:
            raise self._unwritable(error) from error

    def _damaged(self, digest: Digest) -> StorageError:
        path = self._cache.path(digest)
        return StorageError(
            f"the object '{path}' is damaged", hint="remove it, and push it again from a clone that has it"
        )

    def _unreadable(self, error: OSError) -> StorageError:
        return StorageError(f"the storage '{self._cache.root}' cannot be read: {_reason(error)}")

    def _unwritable(self, error: OSError) -> StorageError:
        return StorageError(
            f"the storage '{self._cache.root}' cannot be written: {_reason(error)}",
            hint="see that the folder is mounted, has room and may be written by you",
        )


def _reason(error: OSError) -> str:
    return f"{error.strerror or error}{f' ({error.filename})' if isinstance(error.filename, str) else ''}"
