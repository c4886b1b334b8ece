"""The git remote as a storage: artifacts travel as git objects, with the same credentials as the code.

They pass through a repository that is there for one transfer, so nothing of them enters the user's own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gittrack.artifacts.cache import ObjectMissingError
from gittrack.git.transfer import QUIET
from gittrack.storage.git_place import Place
from gittrack.storage.protocol import SILENT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gittrack.artifacts.cache import Cache
    from gittrack.git.repository import Repository
    from gittrack.git.transfer import Access
    from gittrack.storage.protocol import Parcel, Progress

PART_BYTES = 256 << 20


class GitStorage:
    """Artifacts on a git remote, each under a ref of its own.

    Args:
        repository: The user's repository.
        remote: The remote's name, or an address.
        access: How git may talk to the person.
        part_bytes: How much content of a large artifact one push has; larger ones go in parts.
    """

    def __init__(
        self, repository: Repository, remote: str, *, access: Access = QUIET, part_bytes: int = PART_BYTES
    ) -> None:
        self._place = Place(repository, remote, access, part_bytes)

    @property
    def label(self) -> str:
        """The remote's name."""
        return self._place.label

    def find_absent(self, parcels: Sequence[Parcel]) -> list[Parcel]:
        """Return those that the remote does not hold, by one listing of refs.

        Raises:
            StorageError: The remote cannot be reached.
        """
        present = self._place.list_present()
        return [parcel for parcel in parcels if parcel.digest not in present]

    def send(self, parcels: Sequence[Parcel], cache: Cache, progress: Progress = SILENT) -> None:
        """Send artifacts that the remote does not hold; see `Storage.send`."""
        absent = self.find_absent(list({parcel.digest: parcel for parcel in parcels}.values()))
        missing = cache.find_missing(parcel.digest for parcel in absent)
        if missing:
            raise ObjectMissingError(f"the object {missing[0][:12]} is not in the cache", hint="run 'gittrack pull'")
        from gittrack.storage.git_send import send_parcels

        send_parcels(self._place, absent, cache, progress)

    def fetch(self, parcels: Sequence[Parcel], cache: Cache, progress: Progress = SILENT) -> list[Parcel]:
        """Bring artifacts into the cache; see `Storage.fetch`."""
        absent = set(self.find_absent(parcels))
        there = list({parcel.digest: parcel for parcel in parcels if parcel not in absent}.values())
        if there:
            from gittrack.storage.git_fetch import fetch_parcels

            fetch_parcels(self._place, there, cache, progress)
        return [parcel for parcel in parcels if parcel in absent]
