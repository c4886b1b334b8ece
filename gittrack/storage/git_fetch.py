"""Fetch artifacts from a git remote: through a repository of their own into the cache, every byte checked."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from gittrack.artifacts.digest import hash_bytes
from gittrack.artifacts.intake import RESUME_ABOVE_BYTES, Intake, WrongContentError
from gittrack.artifacts.manifest import MAX_MANIFEST_BYTES, InvalidManifestError, parse_manifest
from gittrack.git.batch import read_many
from gittrack.git.pack import PackWriter
from gittrack.git.process import GitError
from gittrack.git.transfer import Access, fetch_refs
from gittrack.git.transfer_repository import transfer_repository
from gittrack.storage.git_bases import find_bases
from gittrack.storage.git_content import object_oid
from gittrack.storage.git_layout import (
    BLOB_BYTES,
    CHUNK_BYTES,
    FILE_PATH,
    MANIFEST_PATH,
    OBJECTS_PATH,
    chunk_bytes,
    chunk_path,
    chunk_paths,
    chunk_size,
    object_path,
    parse_listing,
)
from gittrack.storage.protocol import StorageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from gittrack.artifacts.cache import Cache
    from gittrack.artifacts.digest import Digest
    from gittrack.git.transfer_repository import TransferRepository
    from gittrack.storage.git_layout import Oid
    from gittrack.storage.git_place import Place
    from gittrack.storage.protocol import Parcel, Progress

_IN = "refs/in"
_RECEIVING = re.compile(r"Receiving objects: +(\d+)%")
_RECEIVING_SHARE = 0.6  # of the progress; the rest is reading what arrived
_LINE_BYTES = 200  # of a listing, for one entry
_N_AT_ONCE = 1000  # artifacts in one connection


class _Item(NamedTuple):
    """One object that is wanted: where its tree has it."""

    digest: Digest
    path: str
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
        if place.list_parts(parcel.digest):
            fetcher.fetch_parts(parcel)
            continue
        if batch and (n_bytes + parcel.size > place.part_bytes or len(batch) >= _N_AT_ONCE):
            fetcher.fetch(batch)
            batch, n_bytes = [], 0
        batch.append(parcel)
        n_bytes += parcel.size
    if batch:
        fetcher.fetch(batch)


class _Fetcher:
    """Fetches batches, and artifacts in parts."""

    def __init__(self, place: Place, cache: Cache, progress: Progress) -> None:
        self._place = place
        self._cache = cache
        self._progress = progress
        self._rest = 0.0

    def fetch(self, batch: Sequence[Parcel]) -> None:
        """Fetch artifacts in one connection."""
        names = {str(parcel.digest): parcel for parcel in batch}
        n_bytes = sum(parcel.size for parcel in batch)
        with transfer_repository(self._place.repository, self._place.remote) as transfer:
            if any(parcel.kind == "dir" for parcel in batch):
                self._offer_bases(transfer)
            self._receive(transfer, list(names), n_bytes)
            for name, parcel in names.items():
                self._import(transfer, self._place.listing()[self._place.ref(name)], parcel)

    def fetch_parts(self, parcel: Parcel) -> None:
        """Fetch one large artifact part by part; what is whole after a cut is not fetched again."""
        parts = self._place.list_parts(parcel.digest)
        for ref in parts:
            if self._is_here(parcel):
                return
            name = ref[len(self._place.namespace) + 1 :]
            with transfer_repository(self._place.repository, self._place.remote) as transfer:
                self._receive(transfer, [name], parcel.size / len(parts))
                self._import(transfer, self._place.listing()[ref], parcel, is_part=True)
        if not self._is_here(parcel):  # what lies in directories that the remote had before
            with transfer_repository(self._place.repository, self._place.remote) as transfer:
                self._receive(transfer, [str(parcel.digest)], 0)
                self._import(transfer, self._place.listing()[self._place.ref(parcel.digest)], parcel)

    def _is_here(self, parcel: Parcel) -> bool:
        if self._cache.find_size(parcel.digest) is None:
            return False
        return parcel.kind == "file" or not self._missing_files(parcel)

    def _missing_files(self, parcel: Parcel) -> list[_Item]:
        """Return the files of a directory that the cache lacks; its manifest is there."""
        try:
            files = parse_manifest(self._cache.read(parcel.digest, MAX_MANIFEST_BYTES))
        except InvalidManifestError as error:
            raise StorageError(f"'{parcel.path}' on {self._place.remote}: {error.message}") from error
        sizes = {entry.digest: entry.size for entry in files}
        missing = self._cache.find_missing(sizes)
        return [_Item(digest, object_path(digest), sizes[digest]) for digest in sorted(missing)]

    def _offer_bases(self, transfer: TransferRepository) -> None:
        """Tell git which directories are here, so that what they share does not travel."""
        bases = find_bases(self._place, self._cache)
        listing = self._place.listing()
        with PackWriter(transfer.pack_folder, self._place.repository.object_format) as pack:
            commits = {base.digest: base.write(pack.add) for base in bases}
            pack.finish()
        same = {digest: oid for digest, oid in commits.items() if listing.get(self._place.ref(digest)) == oid}
        transfer.write_refs({f"refs/base/{digest}": oid for digest, oid in same.items()})

    def _receive(self, transfer: TransferRepository, names: Sequence[str], n_bytes: float) -> None:
        told = 0.0

        def on_progress(piece: str) -> None:
            nonlocal told
            if match := _RECEIVING.search(piece):
                share = int(match[1]) / 100 * n_bytes * _RECEIVING_SHARE
                self._tell(share - told)
                told = share

        access = Access(self._place.access.may_prompt, on_progress)
        refspecs = [f"+{self._place.ref(name)}:{_IN}/{name}" for name in names]
        try:
            fetch_refs(transfer, self._place.remote, refspecs, access=access)
        except GitError as error:
            raise self._place.unreachable(error) from error
        self._tell(n_bytes * _RECEIVING_SHARE - told)

    def _import(self, transfer: TransferRepository, commit: str, parcel: Parcel, *, is_part: bool = False) -> None:
        """Bring what arrived of an artifact into the cache: a directory's manifest, then files."""
        what = f"'{parcel.path}' on {self._place.remote}"
        if parcel.kind == "file":
            size = parcel.size
            if self._cache.find_size(parcel.digest) is None:
                listing = _list_tree(transfer, commit, FILE_PATH, len(chunk_paths(FILE_PATH, size)), what)
                self._take(transfer, [_Item(parcel.digest, FILE_PATH, size)], listing, what, is_part=is_part)
            return
        if self._cache.find_size(parcel.digest) is None:
            self._take_manifest(transfer, commit, parcel.digest, what)
        items = self._missing_files(parcel)
        if items:
            n_blobs = sum(len(chunk_paths("", item.size)) for item in items) + self._n_known(parcel)
            listing = _list_tree(transfer, commit, OBJECTS_PATH, n_blobs, what)
            self._take(transfer, items, listing, what, is_part=is_part)

    def _n_known(self, parcel: Parcel) -> int:
        """Return how many blobs a directory may have beside those that are missing."""
        files = parse_manifest(self._cache.read(parcel.digest, MAX_MANIFEST_BYTES))
        return sum(len(chunk_paths("", entry.size)) for entry in files)

    def _take_manifest(self, transfer: TransferRepository, commit: str, digest: Digest, what: str) -> None:
        n_most = MAX_MANIFEST_BYTES // CHUNK_BYTES + 1
        listing = _list_tree(transfer, commit, MANIFEST_PATH, n_most, what)
        n_bytes = 0
        pieces = []
        for blob in read_many(transfer, [listing[path] for path in sorted(listing)], max_bytes=CHUNK_BYTES):
            n_bytes += blob.size if blob else 0
            if blob is None or blob.data is None or n_bytes > MAX_MANIFEST_BYTES:
                raise StorageError(f"{what} has a manifest that is too large or damaged")
            pieces.append(blob.data)
        data = b"".join(pieces)
        if hash_bytes(data) != digest:
            raise StorageError(f"{what} has another manifest than its name says; nothing of it was kept")
        with Intake(self._cache) as intake:
            intake.add_bytes(data)

    def _take(
        self,
        transfer: TransferRepository,
        items: Sequence[_Item],
        listing: dict[str, str],
        what: str,
        *,
        is_part: bool,
    ) -> None:
        """Read objects from what arrived; a part has some of them, and may begin or end within a large one."""
        try:
            with Intake(self._cache) as intake:
                for item in items:
                    if item.size > RESUME_ABOVE_BYTES:
                        self._take_large(transfer, intake, item, listing, is_part=is_part)
                small = [item for item in items if item.size <= RESUME_ABOVE_BYTES]
                if is_part:
                    small = [item for item in small if chunk_paths(item.path, item.size)[0] in listing]
                self._take_small(transfer, intake, small, listing)
        except WrongContentError as error:
            raise StorageError(f"{what}: {error.message}; nothing of it was kept") from error
        except KeyError as error:
            raise StorageError(f"{what} lacks {error.args[0]!r}") from error

    def _take_small(
        self, transfer: TransferRepository, intake: Intake, items: Sequence[_Item], listing: dict[str, str]
    ) -> None:
        paths = [chunk_paths(item.path, item.size) for item in items]
        oids = [listing[path] for some in paths for path in some]
        blobs = self._read(transfer, oids, [_sizes(item) for item in items])
        noted: dict[Digest, Oid] = {}
        form = self._place.repository.object_format
        for item, some in zip(items, paths, strict=True):
            if item.size <= BLOB_BYTES:
                data = next(blobs)
                if hash_bytes(data) != item.digest:
                    raise WrongContentError(f"other bytes arrived than those of the object {item.digest[:12]}")
                intake.add_bytes(data)
            else:
                with intake.receive(item.digest, item.size) as incoming:
                    for _ in some:
                        incoming.write(next(blobs))
                    incoming.finish()
            noted[item.digest] = object_oid(form, item.size, [listing[path] for path in some])
        self._place.oids.note(noted)

    def _take_large(
        self, transfer: TransferRepository, intake: Intake, item: _Item, listing: dict[str, str], *, is_part: bool
    ) -> None:
        each = chunk_bytes(item.size)
        with intake.receive(item.digest, item.size) as incoming:
            number, n_skipped = divmod(incoming.n_bytes, each)
            n_chunks = len(chunk_paths("", item.size))
            paths = [chunk_path(item.path, one) for one in range(number, n_chunks)]
            if is_part:
                paths = _run_of(paths, listing)
            sizes = [[chunk_size(item.size, number + index) for index in range(len(paths))]]
            for data in self._read(transfer, [listing[path] for path in paths], sizes):
                incoming.write(memoryview(data)[n_skipped:])
                n_skipped = 0
            if incoming.n_bytes == item.size or not is_part:
                incoming.finish()

    def _read(
        self, transfer: TransferRepository, oids: Sequence[str], sizes: Sequence[Sequence[int]]
    ) -> Iterator[bytes]:
        """Yield the contents of blobs, each of the size that it must have."""
        expected = [size for some in sizes for size in some]
        blobs = read_many(transfer, oids, max_bytes=CHUNK_BYTES)
        for blob, size in zip(blobs, expected, strict=True):
            if blob is None or blob.kind != "blob" or blob.data is None or len(blob.data) != size:
                raise WrongContentError("a piece of another size arrived, or none")
            self._tell(size * (1 - _RECEIVING_SHARE))
            yield blob.data

    def _tell(self, n_bytes: float) -> None:
        self._rest += n_bytes
        whole = int(self._rest)
        if whole:
            self._rest -= whole
            self._progress.on_bytes(whole)


def _sizes(item: _Item) -> list[int]:
    return [chunk_size(item.size, number) for number in range(len(chunk_paths("", item.size)))]


def _run_of(paths: Sequence[str], listing: dict[str, str]) -> list[str]:
    """Return the paths up to the first that is not there."""
    present = []
    for path in paths:
        if path not in listing:
            break
        present.append(path)
    return present


def _list_tree(transfer: TransferRepository, commit: str, path: str, n_most: int, what: str) -> dict[str, str]:
    """Return the blobs below a path of a commit; a tree with more than it can have is hostile, and not read on.

    Raises:
        StorageError: It has more, or something other than plain files.
    """
    limit = (n_most + 1) * _LINE_BYTES
    process = transfer.git.popen("ls-tree", "-r", "-z", "--full-tree", "--end-of-options", commit, path)
    try:
        if process.stdout is None:  # pragma: no cover  it is a pipe
            raise RuntimeError("no pipe")
        listing = process.stdout.read(limit + 1)
    finally:
        if process.stdout is not None:
            process.stdout.close()
        process.kill()
        process.wait()
    if len(listing) > limit:
        raise StorageError(f"{what} has more objects than it can have")
    return parse_listing(listing, what)
