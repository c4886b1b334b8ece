"""What a place must be able to do with single objects, so that whole artifacts can be kept there."""

from __future__ import annotations

import contextlib
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from gittrack.artifacts.cache import Cache
    from gittrack.artifacts.digest import Digest
    from gittrack.artifacts.intake import Intake


class StoredObject(NamedTuple):
    """An object of a storage: the content of a file, or a manifest.

    Attributes:
        digest: Of its content.
        size: In bytes; None for a manifest whose size nobody told.
    """

    digest: Digest
    size: int | None = None


class Backend(ABC):
    """A place of single objects.

    Objects are sent and received by several threads at once; the other calls come one after the other.
    """

    @property
    @abstractmethod
    def label(self) -> str:
        """What people call it, without credentials."""

    @abstractmethod
    def find_present(self, objects: Sequence[StoredObject], n_jobs: int) -> set[Digest]:
        """Return those that are here, whole.

        Args:
            objects: What to look for.
            n_jobs: How many requests may run at once.

        Raises:
            StorageError: The place cannot be reached, or refuses.
        """

    @abstractmethod
    def send(self, item: StoredObject, path: Path, on_bytes: Callable[[int], object]) -> None:
        """Put an object here, once it is known to be what its name says.

        Args:
            item: The object.
            path: Where its content is.
            on_bytes: Called with the bytes that have travelled, piece by piece; negative when some travel again.

        Raises:
            ObjectCorruptError: Its content is another.
            StorageError: The place cannot be reached, or refuses.
        """

    @abstractmethod
    def receive(self, item: StoredObject, intake: Intake, on_bytes: Callable[[int], object]) -> bool:
        """Take an object from here into a batch.

        Args:
            item: The object.
            intake: The batch, which checks it.
            on_bytes: As for `send`.

        Returns:
            Whether it is here.

        Raises:
            StorageError: The place cannot be reached, refuses, or served other bytes.
            OSError: The disk is full.
        """

    def sending(
        self, objects: Sequence[StoredObject], cache: Cache, n_jobs: int
    ) -> contextlib.AbstractContextManager[object]:
        """Return a context to send a batch in; at its end, an untimely one too, what was sent is durable.

        Args:
            objects: The batch.
            cache: Where their content is.
            n_jobs: How many threads may work at once.
        """
        del objects, cache, n_jobs
        return contextlib.nullcontext()

    def begin_receiving(self, objects: Sequence[StoredObject], n_jobs: int) -> None:  # noqa: B027  few need a warning
        """Prepare to receive a batch.

        Args:
            objects: The batch.
            n_jobs: How many threads may work at once.
        """

    def confirm_sent(self, objects: Sequence[StoredObject]) -> None:  # noqa: B027  the same
        """Note that a transfer is complete.

        Args:
            objects: All that was sent.
        """
