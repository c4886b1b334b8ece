"""What every storage can do, and what travels: whole artifacts, each checked on arrival."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

from gittrack.errors import GittrackError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from gittrack.artifacts.cache import Cache
    from gittrack.artifacts.digest import Digest
    from gittrack.artifacts.pointer import Kind


class StorageError(GittrackError):
    """A storage cannot be reached, refuses, or answers nonsense."""


class Parcel(NamedTuple):
    """An artifact that travels.

    Attributes:
        digest: Of the file's content, or of the directory's manifest.
        kind: ``file`` or ``dir``.
        size: In bytes, all files of a directory together, without the manifest.
        path: What people call it, for messages.
    """

    digest: Digest
    kind: Kind
    size: int
    path: str


class Progress(NamedTuple):
    """Whom a transfer tells how far it is; both may be called from any thread.

    Attributes:
        on_total: Takes bytes that will have to travel, each time more are known.
        on_bytes: Takes bytes that have travelled.
    """

    on_total: Callable[[int], object] = lambda _: None
    on_bytes: Callable[[int], object] = lambda _: None


SILENT = Progress()


class Storage(Protocol):
    """A place that holds artifacts for several clones.

    What it holds is complete: a directory is there only when its manifest and all its files are, because files are sent
    before their manifest and nothing is ever changed. An interrupted transfer leaves whole objects, and the next one
    sends or fetches the rest.
    """

    @property
    def label(self) -> str:
        """What people call it, without credentials, such as ``origin`` or ``s3://bucket/prefix``."""

    def find_absent(self, parcels: Sequence[Parcel]) -> list[Parcel]:
        """Return those that the storage does not hold, by one listing or a few.

        Raises:
            StorageError: It cannot be reached, or refuses.
        """

    def send(self, parcels: Sequence[Parcel], cache: Cache, progress: Progress = SILENT) -> None:
        """Send artifacts that the storage does not hold, from the cache; what it has is not sent again.

        Args:
            parcels: What to send.
            cache: Where their objects are.
            progress: Whom to tell.

        Raises:
            ObjectMissingError: The cache lacks an object; nothing that needs it is visible there.
            ObjectCorruptError: An object of the cache is damaged, and was not sent.
            StorageError: It cannot be reached, or refuses.
        """

    def fetch(self, parcels: Sequence[Parcel], cache: Cache, progress: Progress = SILENT) -> list[Parcel]:
        """Bring artifacts into the cache, every byte checked; what the cache has is not fetched again.

        Args:
            parcels: What to fetch.
            cache: Where to.
            progress: Whom to tell.

        Returns:
            Those that the storage does not hold; all others are in the cache now.

        Raises:
            StorageError: It cannot be reached, refuses, or served other bytes; whole objects that had arrived stay.
            OSError: The disk is full; the same.
        """
