"""Fetch artifacts from a git remote: through a repository of their own into the cache, every byte checked.

Where the remote is a folder of this machine nothing is fetched: that repository reads the remote's objects.

Trees from a remote are never listed: what must be there is looked up by its path, so a hostile tree of any size is
not walked.
"""

from __future__ import annotations

import contextlib
import itertools
from typing import TYPE_CHECKING, NamedTuple

from gittrack.artifacts.digest import hash_bytes
from gittrack.artifacts.intake import RESUME_ABOVE_BYTES, Intake, WrongContentError
from gittrack.artifacts.manifest import MAX_MANIFEST_BYTES, InvalidManifestError, parse_manifest
from gittrack.git.batch import read_many
from gittrack.git.process import GitError
from gittrack.git.transfer import Access, fetch_refs
from gittrack.git.transfer_repository import transfer_repository
from gittrack.storage.git_layout import (
    CHUNK_BYTES,
    FILE_PATH,
    FROM_PATH,
    MANIFEST_PATH,
    chunk_bytes,
    chunk_path,
    chunk_paths,
    chunk_size,
    object_path,
    parse_from,
)
from gittrack.storage.protocol import StorageError
from gittrack.storage.side_by_side import entered_ahead
from gittrack.storage.telling import Teller

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from gittrack.artifacts.cache import Cache
    from gittrack.artifacts.digest import Digest
    from gittrack.git.batch import GitObject
    from gittrack.git.transfer_repository import TransferRepository
    from gittrack.storage.git_place import Place
    from gittrack.storage.protocol import Parcel, Progress

_IN = "refs/in"
_RECEIVING_SHARE = 0.6  # of the progress; the rest is reading what arrived
_MAX_FROM_BYTES = 1 << 20
_N_AT_ONCE = 1000  # artifacts in one connection
_N_ORIGINS_AT_ONCE = 50
_N_LOOKED_AHEAD = 64  # chunks that are asked for at once


class _Item(NamedTuple):
    """One object that is wanted, where a commit has it."""

    digest: Digest
    place: str
    size: int


def fetch_parcels(place: Place, parcels: Sequence[Parcel], cache: Cache, progress: Progress) -> None:
    """Bring artifacts that the remote holds into the cache.

    Args:
        place: The remote.
        parcels: Which ones.
        cache: Where to.
        progress: Whom to tell.

    Raises:
        StorageError: The remote cannot be reached, or served something else.
        OSError: The disk is full.
    """
    fetcher = _Fetcher(place, cache, progress)
    batch: list[Parcel] = []
    n_bytes = 0
    for parcel in parcels:
        progress.on_total(parcel.size)
        if batch and (n_bytes + parcel.size > place.batch_bytes or len(batch) >= _N_AT_ONCE):
            fetcher.fetch(batch)
            batch, n_bytes = [], 0
        batch.append(parcel)
        n_bytes += parcel.size
    if batch:
        fetcher.fetch(batch)


class _Fetcher:
    """Fetches batches of artifacts, and where their objects lie otherwise."""

    def __init__(self, place: Place, cache: Cache, progress: Progress) -> None:
        self._place = place
        self._cache = cache
        self._teller = Teller(progress)
        self._reading_share = 1 - _RECEIVING_SHARE if place.objects is None else 1.0

    def fetch(self, batch: Sequence[Parcel]) -> None:
        """Fetch artifacts in one connection, then what they have elsewhere.

        Raises:
            StorageError: The remote cannot be reached, is damaged, or served something else.
        """
        try:
            self._fetch(batch)
        except GitError as error:
            raise self._place.unreadable(error) from error

    def _fetch(self, batch: Sequence[Parcel]) -> None:
        origins: dict[Parcel, list[str]] = {}
        n_bytes = sum(parcel.size for parcel in batch)
        with self._received([parcel.digest for parcel in batch], n_bytes) as transfer:
            commits = {parcel: self._place.listing()[self._place.ref(parcel.digest)] for parcel in batch}
            files = [
                _Item(parcel.digest, f"{commit}:{FILE_PATH}", parcel.size)
                for parcel, commit in commits.items()
                if parcel.kind == "file"
            ]
            self._take(transfer, files, self._place.label)
            for parcel, commit in commits.items():
                if parcel.kind == "dir":
                    self._import_directory(transfer, commit, parcel)
            lacking = [parcel for parcel in batch if not self._is_here(parcel)]
            named = self._read_origins(transfer, [commits[parcel] for parcel in lacking])
            origins.update(zip(lacking, named, strict=True))
        for parcel, names in origins.items():
            self._fetch_elsewhere(parcel, names)

    def _fetch_elsewhere(self, parcel: Parcel, names: Sequence[str]) -> None:
        """Fetch the parts of an artifact one by one, and other artifacts that hold its files, until it is whole."""
        self._place.memory.note_origins(parcel.digest, names)
        queue, seen = list(names), {*names, str(parcel.digest)}
        while queue and not self._is_here(parcel):
            parts = list(itertools.takewhile(_is_part, queue))
            groups = [[name] for name in parts] or [[name for name in queue if not _is_part(name)][:_N_ORIGINS_AT_ONCE]]
            chosen = {name for group in groups for name in group}
            queue = [name for name in queue if name not in chosen]
            held = [present for group in groups if (present := [name for name in group if self._is_held(name)])]
            n_at_once = self._place.n_at_once if self._place.objects is None else 1
            ahead = n_at_once if n_at_once > 1 else 0
            received = entered_ahead((self._received(present, 0) for present in held), ahead)
            with contextlib.closing(received):
                for present, transfer in zip(held, received, strict=True):
                    commits = [self._place.listing()[self._place.ref(name)] for name in present]
                    for commit in commits:
                        self._import(transfer, commit, parcel)
                    for further in self._read_origins(transfer, commits):
                        queue += [name for name in further if name not in seen]
                        seen.update(further)
                    if self._is_here(parcel):
                        return
        if not self._is_here(parcel):
            raise StorageError(
                f"'{parcel.path}' on {self._place.label} is not whole",
                hint="where it still is, remove its ref on the remote and push again",
            )

    def _is_held(self, name: str) -> bool:
        return self._place.ref(name) in self._place.listing()

    def _import(self, transfer: TransferRepository, commit: str, parcel: Parcel) -> None:
        if parcel.kind == "dir":
            self._import_directory(transfer, commit, parcel)
        else:
            item = _Item(parcel.digest, f"{commit}:{FILE_PATH}", parcel.size)
            self._take(transfer, [item], f"'{parcel.path}' on {self._place.label}")

    def _import_directory(self, transfer: TransferRepository, commit: str, parcel: Parcel) -> None:
        """Bring what a commit has of a directory into the cache: its manifest, then files."""
        what = f"'{parcel.path}' on {self._place.label}"
        if self._cache.find_size(parcel.digest) is None and not self._take_manifest(
            transfer, commit, parcel.digest, what
        ):
            return
        items = [
            _Item(digest, f"{commit}:{object_path(digest)}", size)
            for digest, size in sorted(self._missing_files(parcel).items())
        ]
        self._take(transfer, items, what)

    def _is_here(self, parcel: Parcel) -> bool:
        if self._cache.find_size(parcel.digest) is None:
            return False
        return parcel.kind == "file" or not self._missing_files(parcel)

    def _missing_files(self, parcel: Parcel) -> dict[Digest, int]:
        """Return the files of a directory that the cache lacks, with their sizes; its manifest is there."""
        try:
            files = parse_manifest(self._cache.read(parcel.digest, MAX_MANIFEST_BYTES))
        except InvalidManifestError as error:
            raise StorageError(f"'{parcel.path}' on {self._place.label}: {error.message}") from error
        sizes = {entry.digest: entry.size for entry in files}
        return {digest: sizes[digest] for digest in self._cache.find_missing(sizes)}

    @contextlib.contextmanager
    def _received(self, names: Sequence[str], n_bytes: float) -> Iterator[TransferRepository]:
        """Give a repository with what the remote has under some names."""
        if self._place.objects is not None:
            with transfer_repository(self._place.repository, self._place.remote) as transfer:
                transfer.read_also(self._place.objects)
                yield transfer
            return
        on_progress, finish = self._teller.follow("Receiving objects", n_bytes * _RECEIVING_SHARE)
        access = Access(self._place.access.may_prompt, on_progress)
        refspecs = [f"+{self._place.ref(name)}:{_IN}/{name}" for name in names]
        with transfer_repository(self._place.repository, self._place.remote) as transfer:
            try:
                fetch_refs(transfer, self._place.remote, refspecs, access=access)
            except GitError as error:
                raise self._place.unreachable(error) from error
            finish()
            yield transfer

    def _read_origins(self, transfer: TransferRepository, commits: Sequence[str]) -> Iterator[list[str]]:
        for blob in read_many(transfer, [f"{commit}:{FROM_PATH}" for commit in commits], max_bytes=_MAX_FROM_BYTES):
            yield parse_from(blob.data) if blob is not None and blob.kind == "blob" and blob.data is not None else []

    def _take_manifest(self, transfer: TransferRepository, commit: str, digest: Digest, what: str) -> bool:
        """Take the manifest of a directory, and return whether the commit has it."""
        data = b"".join(self._read_manifest(transfer, f"{commit}:{MANIFEST_PATH}", what))
        if not data and digest != hash_bytes(b""):
            return False
        if hash_bytes(data) != digest:
            raise StorageError(f"{what} has another manifest than its name says; nothing of it was kept")
        with Intake(self._cache) as intake:
            intake.add_bytes(data)
        return True

    def _read_manifest(self, transfer: TransferRepository, place: str, what: str) -> Iterator[bytes]:
        """Yield the pieces of a manifest, whose size nobody told: one blob, or chunks until there are no more."""
        first = next(read_many(transfer, [place], max_bytes=CHUNK_BYTES))
        if first is not None and first.kind == "blob" and first.data is not None:
            yield first.data
            return
        n_bytes = number = 0
        while True:
            places = [chunk_path(place, one) for one in range(number, number + _N_LOOKED_AHEAD)]
            for blob in read_many(transfer, places, max_bytes=CHUNK_BYTES):
                if blob is None:
                    return
                n_bytes += blob.size
                if blob.data is None or n_bytes > MAX_MANIFEST_BYTES:
                    raise StorageError(f"{what} has a manifest that is too large")
                yield blob.data
            number += _N_LOOKED_AHEAD

    def _take(self, transfer: TransferRepository, items: Sequence[_Item], what: str) -> None:
        """Take the objects that a repository has; a part may begin or end within a large one."""
        wanted = [item for item in items if self._cache.find_size(item.digest) is None]
        try:
            with Intake(self._cache) as intake:
                self._take_small(transfer, intake, [item for item in wanted if item.size <= RESUME_ABOVE_BYTES])
                for item in wanted:
                    if item.size > RESUME_ABOVE_BYTES:
                        self._take_large(transfer, intake, item)
        except WrongContentError as error:
            raise StorageError(f"{what}: {error.message}; nothing of that was kept") from error

    def _take_small(self, transfer: TransferRepository, intake: Intake, items: Sequence[_Item]) -> None:
        places = [chunk_paths(item.place, item.size) for item in items]
        blobs = read_many(transfer, [place for some in places for place in some], max_bytes=CHUNK_BYTES)
        for item, some in zip(items, places, strict=True):
            found = [next(blobs) for _ in some]
            if found[0] is None:
                continue
            pieces = [_checked(blob, chunk_size(item.size, number)) for number, blob in enumerate(found)]
            data = pieces[0] if len(pieces) == 1 else b"".join(pieces)
            if hash_bytes(data) != item.digest:
                raise WrongContentError(f"other bytes arrived than those of the object {item.digest[:12]}")
            intake.add_bytes(data)
            self._teller.tell(len(data) * self._reading_share)

    def _take_large(self, transfer: TransferRepository, intake: Intake, item: _Item) -> None:
        """Take the next chunks of an object that a commit has; the last one finishes it."""
        with intake.receive(item.digest, item.size) as incoming:
            number, n_skipped = divmod(incoming.n_bytes, chunk_bytes(item.size))
            places = chunk_paths(item.place, item.size)[number:]
            blobs = read_many(transfer, places, max_bytes=CHUNK_BYTES)
            for index, blob in enumerate(blobs):
                if blob is None:
                    break
                data = _checked(blob, chunk_size(item.size, number + index))
                incoming.write(memoryview(data)[n_skipped:])
                n_skipped = 0
                self._teller.tell(len(data) * self._reading_share)
            if incoming.n_bytes == item.size:  # what lies in parts goes on in the next one
                incoming.finish()


def _is_part(name: str) -> bool:
    return "." in name


def _checked(blob: GitObject | None, size: int) -> bytes:
    """Return the content of a blob of the size that it must have."""
    if blob is None or blob.kind != "blob" or blob.data is None or len(blob.data) != size:
        raise WrongContentError("a piece of another size arrived, or none")
    return blob.data
