"""Whole artifacts in a place of single objects: files first, then the manifest that needs them.

What is there of an artifact can so be told from one object. A transfer goes in batches, each durable before the next
one begins, so a cut loses little, and nothing has to be cleaned up.
"""

from __future__ import annotations

import contextlib
from functools import partial
from typing import TYPE_CHECKING

from gittrack.artifacts.cache import ObjectCorruptError, ObjectMissingError
from gittrack.artifacts.intake import Intake
from gittrack.artifacts.manifest import MAX_MANIFEST_BYTES, InvalidManifestError, parse_manifest
from gittrack.storage.backend import StoredObject
from gittrack.storage.parallel import Stop, run_parallel
from gittrack.storage.protocol import SILENT, StorageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from gittrack.artifacts.cache import Cache
    from gittrack.artifacts.digest import Digest
    from gittrack.storage.backend import Backend
    from gittrack.storage.protocol import Parcel, Progress

DEFAULT_JOBS = 4
_BATCH_OBJECTS = 1000
_BATCH_BYTES = 256 << 20


class ObjectwiseStorage:
    """A storage made of a place for single objects; see `gittrack.storage.protocol.Storage`.

    Args:
        backend: The place.
        n_jobs: How many objects travel at once.
    """

    def __init__(self, backend: Backend, n_jobs: int = DEFAULT_JOBS) -> None:
        self.backend = backend
        self._n_jobs = max(1, n_jobs)

    @property
    def label(self) -> str:
        """What people call it, without credentials."""
        return self.backend.label

    def find_absent(self, parcels: Sequence[Parcel]) -> list[Parcel]:
        """Return those that the storage does not hold; see `Storage.find_absent`."""
        present = self._find_present(_head(parcel) for parcel in parcels)
        return [parcel for parcel in parcels if parcel.digest not in present]

    def send(self, parcels: Sequence[Parcel], cache: Cache, progress: Progress = SILENT) -> None:
        """Send artifacts that the storage does not hold; see `Storage.send`."""
        absent = self.find_absent(parcels)
        manifests = [_head(parcel) for parcel in absent if parcel.kind == "dir"]
        files = [_head(parcel) for parcel in absent if parcel.kind == "file"]
        inner = [file for manifest in manifests for file in _read_manifest(cache, manifest.digest)]
        # A manifest may be somebody's file as well; as a file it would be sent too early.
        waiting = {manifest.digest for manifest in manifests}
        wanted = [item for item in _unique([*files, *inner]) if item.digest not in waiting]
        known = self._find_present(inner) if inner else set()
        batches = [_drop(wanted, known), _unique(manifests)]
        for item in [*batches[0], *batches[1]]:
            if cache.find_size(item.digest) is None:
                raise _not_in_cache(item.digest, absent)
        progress.on_total(sum(item.size or 0 for item in batches[0]))
        for batch in batches:
            self._send_all(batch, cache, progress)
        self.backend.confirm_sent([*batches[0], *batches[1]])

    def fetch(self, parcels: Sequence[Parcel], cache: Cache, progress: Progress = SILENT) -> list[Parcel]:
        """Bring artifacts into the cache; see `Storage.fetch`."""
        heads = _unique(_head(parcel) for parcel in parcels if parcel.kind == "dir")
        self._receive_all([head for head in heads if not _has_manifest(cache, head.digest)], cache, progress)
        contents = {
            head.digest: _read_fetched_manifest(cache, head.digest, self.label)
            for head in heads
            if cache.find_size(head.digest) is not None
        }
        files = [_head(parcel) for parcel in parcels if parcel.kind == "file"]
        wanted = _unique([*files, *(file for inner in contents.values() for file in inner)])
        missing = [item for item in wanted if cache.find_size(item.digest) != item.size]
        progress.on_total(sum(item.size or 0 for item in missing))
        absent = self._receive_all(missing, cache, progress)
        return [parcel for parcel in parcels if _is_incomplete(parcel, contents, absent)]

    def _find_present(self, objects: Iterable[StoredObject]) -> set[Digest]:
        items = _unique(objects)
        return self.backend.find_present(items, self._n_jobs) if items else set()

    def _send_all(self, objects: Sequence[StoredObject], cache: Cache, progress: Progress) -> None:
        for batch in _batches(objects, self._n_jobs):
            counter = _Counter(progress)
            with self.backend.sending(batch, cache, self._n_jobs):
                run_parallel(partial(self._send_one, cache, counter), batch, self._n_jobs, counter.stop)

    def _send_one(self, cache: Cache, counter: _Counter, item: StoredObject) -> None:
        self.backend.send(item, cache.path(item.digest), counter.on_bytes(item))

    def _receive_all(self, objects: Sequence[StoredObject], cache: Cache, progress: Progress) -> set[Digest]:
        """Bring objects into the cache, batch by batch; return those that are not there."""
        absent: set[Digest] = set()
        for batch in _batches(objects, self._n_jobs):
            counter = _Counter(progress)
            self.backend.begin_receiving(batch, self._n_jobs)
            with _published(Intake(cache)) as intake:
                found = run_parallel(partial(self._receive_one, intake, counter), batch, self._n_jobs, counter.stop)
            absent.update(item.digest for item, is_there in zip(batch, found, strict=True) if not is_there)
        return absent

    def _receive_one(self, intake: Intake, counter: _Counter, item: StoredObject) -> bool:
        return self.backend.receive(item, intake, counter.on_bytes(item))


class _Counter:
    """Counts what travels in a batch, and passes on that it is to end."""

    def __init__(self, progress: Progress) -> None:
        self.stop = Stop()
        self._progress = progress

    def on_bytes(self, item: StoredObject) -> Callable[[int], object]:
        """Return what to call for the bytes of an object; manifests were not announced, so they do not count."""
        return self._check if item.size is None else self._count

    def _count(self, n_bytes: int) -> None:
        self.stop.check()
        if n_bytes:
            self._progress.on_bytes(n_bytes)

    def _check(self, n_bytes: int) -> None:
        del n_bytes
        self.stop.check()


@contextlib.contextmanager
def _published(intake: Intake) -> Iterator[Intake]:
    """Publish a batch at its end, and what there is of it when it is cut."""
    with contextlib.closing(intake):
        try:
            yield intake
        except BaseException:
            with contextlib.suppress(OSError):
                intake.publish()
            raise
        intake.publish()


def _head(parcel: Parcel) -> StoredObject:
    """Return the object that stands for an artifact."""
    return StoredObject(parcel.digest, parcel.size if parcel.kind == "file" else None)


def _unique(objects: Iterable[StoredObject]) -> list[StoredObject]:
    return list({item.digest: item for item in objects}.values())


def _drop(objects: Iterable[StoredObject], known: set[Digest]) -> list[StoredObject]:
    return [item for item in objects if item.digest not in known]


def _batches(objects: Sequence[StoredObject], n_jobs: int) -> Iterator[list[StoredObject]]:
    """Yield objects in batches that are worth a sync, the large ones first."""
    batch: list[StoredObject] = []
    n_bytes = 0
    for item in sorted(objects, key=lambda item: -(item.size or 0)):
        batch.append(item)
        n_bytes += item.size or 0
        if len(batch) >= _BATCH_OBJECTS or (n_bytes >= _BATCH_BYTES and len(batch) >= n_jobs):
            yield batch
            batch, n_bytes = [], 0
    if batch:
        yield batch


def _read_manifest(cache: Cache, digest: Digest) -> list[StoredObject]:
    """Return the files of a directory from its manifest in the cache."""
    return [StoredObject(entry.digest, entry.size) for entry in parse_manifest(cache.read(digest, MAX_MANIFEST_BYTES))]


def _has_manifest(cache: Cache, digest: Digest) -> bool:
    """Return whether a manifest is in the cache; one that is damaged is moved out of the way of its successor."""
    try:
        cache.read(digest, MAX_MANIFEST_BYTES)
    except ObjectMissingError:
        return False
    except ObjectCorruptError:
        cache.set_aside(digest)
        return False
    return True


def _read_fetched_manifest(cache: Cache, digest: Digest, label: str) -> list[StoredObject]:
    try:
        return _unique(_read_manifest(cache, digest))
    except InvalidManifestError as error:
        raise StorageError(
            f"the directory {digest[:12]} from {label} cannot be used: {error.message}", hint=error.hint
        ) from error


def _is_incomplete(parcel: Parcel, contents: dict[Digest, list[StoredObject]], absent: set[Digest]) -> bool:
    if parcel.kind == "file":
        return parcel.digest in absent
    if parcel.digest not in contents:
        return True
    return bool(absent) and any(item.digest in absent for item in contents[parcel.digest])


def _not_in_cache(digest: Digest, parcels: Iterable[Parcel]) -> ObjectMissingError:
    path = next((parcel.path for parcel in parcels if parcel.digest == digest), None)
    what = f"'{path}'" if path else f"a file of a directory, {digest[:12]},"
    return ObjectMissingError(
        f"{what} cannot be sent, because it is not in the cache", hint="run 'gittrack pull' to fetch it first"
    )
