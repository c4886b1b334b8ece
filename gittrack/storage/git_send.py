"""Send artifacts to a git remote: into a pack, through a repository of their own, under a ref each."""

from __future__ import annotations

from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from gittrack.artifacts.cache import ObjectCorruptError, ObjectMissingError
from gittrack.artifacts.manifest import MAX_MANIFEST_BYTES, InvalidManifestError, parse_manifest
from gittrack.git.pack import PackWriter
from gittrack.git.process import GitError
from gittrack.git.transfer import Access, push_refs
from gittrack.git.transfer_repository import transfer_repository
from gittrack.storage.git_content import read_chunks
from gittrack.storage.git_layout import (
    BLOB_BYTES,
    FILE_PATH,
    FROM_PATH,
    MANIFEST_PATH,
    TreeBuilder,
    chunk_path,
    object_path,
    render_from,
    write_commit,
)
from gittrack.storage.side_by_side import SideBySide
from gittrack.storage.telling import Teller

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence
    from contextlib import AbstractContextManager

    from gittrack.artifacts.cache import Cache
    from gittrack.artifacts.digest import Digest
    from gittrack.artifacts.manifest import FileEntry
    from gittrack.git.transfer_repository import TransferRepository
    from gittrack.storage.git_place import Place
    from gittrack.storage.protocol import Parcel, Progress

_OUT = "refs/out"
_N_BASES = 10
_MANIFEST_START = b'{"digest":"b3:'
_SPLIT_ABOVE_BYTES = 64 << 20  # a smaller object lies in one part, for only larger ones are continued after a cut
_PACKING_SHARE = 0.4  # of the progress; the rest is git's


class _Item(NamedTuple):
    """One object on its way: where the artifact's tree has it."""

    digest: Digest
    path: str
    size: int


class _Outgoing(NamedTuple):
    """An artifact that is to be sent.

    Attributes:
        parcel: The artifact.
        items: The objects that travel, each once.
        origins: Other artifacts that hold the rest.
    """

    parcel: Parcel
    items: list[_Item]
    origins: list[str]

    @property
    def n_bytes(self) -> int:
        """How many bytes travel."""
        return sum(item.size for item in self.items)


class _Blob(NamedTuple):
    """A blob of an artifact: its path, its content, and whether a part may begin with it."""

    path: str
    data: bytes
    may_begin: bool


def send_parcels(place: Place, parcels: Sequence[Parcel], cache: Cache, progress: Progress) -> None:
    """Send artifacts that the remote does not hold.

    Args:
        place: The remote.
        parcels: Which ones.
        cache: Where their objects are.
        progress: Whom to tell.

    Raises:
        ObjectMissingError: The cache lacks an object.
        ObjectCorruptError: An object of the cache is damaged; what it belongs to was not sent.
        StorageError: The remote cannot be reached, or refuses.
    """
    sender = _Sender(place, cache, progress)
    bases = _Bases(place, cache)
    batch: list[_Outgoing] = []
    n_bytes = 0
    for parcel in parcels:
        outgoing = _prepare(place, parcel, cache, bases)
        progress.on_total(outgoing.n_bytes)
        if outgoing.n_bytes > place.part_bytes:
            sender.send_in_parts(outgoing)
            continue
        if batch and n_bytes + outgoing.n_bytes > place.batch_bytes:
            sender.send(batch)
            batch, n_bytes = [], 0
        batch.append(outgoing)
        n_bytes += outgoing.n_bytes
    if batch:
        sender.send(batch)


def _prepare(place: Place, parcel: Parcel, cache: Cache, bases: _Bases) -> _Outgoing:
    if parcel.kind == "file":
        size = cache.path(parcel.digest).stat().st_size  # what it has, not what a pointer says
        return _Outgoing(parcel, [_Item(parcel.digest, FILE_PATH, size)], [])
    manifest = cache.read(parcel.digest, MAX_MANIFEST_BYTES)
    files = parse_manifest(manifest)
    chosen = bases.choose({entry.digest for entry in files})
    shared = {entry.digest for _, others in chosen for entry in others}
    items = {
        entry.digest: _Item(entry.digest, object_path(entry.digest), entry.size)
        for entry in files
        if entry.digest not in shared
    }
    known = (name for base, _ in chosen for name in (*place.memory.find_origins(base), str(base)))
    first = _Item(parcel.digest, MANIFEST_PATH, len(manifest))
    return _Outgoing(parcel, [first, *items.values()], list(dict.fromkeys(known)))


class _Bases:
    """The directories that the remote holds and that are known here."""

    def __init__(self, place: Place, cache: Cache) -> None:
        self._place = place
        self._cache = cache
        self._directories: list[tuple[Digest, list[FileEntry]]] | None = None

    def choose(self, wanted: Collection[Digest]) -> list[tuple[Digest, list[FileEntry]]]:
        """Return a few that have many of the wanted files, the best first."""
        if self._directories is None:
            found = ((digest, self._read(digest)) for digest in self._place.list_present())
            self._directories = [(digest, files) for digest, files in found if files]
        left, chosen = set(wanted), []
        for _ in range(_N_BASES):
            scores = [sum(entry.digest in left for entry in files) for _, files in self._directories]
            best = max(range(len(scores)), key=scores.__getitem__, default=None)
            if best is None or not scores[best]:
                break
            chosen.append(self._directories[best])
            left.difference_update(entry.digest for entry in self._directories[best][1])
        return chosen

    def _read(self, digest: Digest) -> list[FileEntry]:
        """Return the files of a directory; none of what is no directory, or not in the cache."""
        try:
            with self._cache.path(digest).open("rb") as file:
                if file.read(len(_MANIFEST_START)) != _MANIFEST_START:
                    return []
            return parse_manifest(self._cache.read(digest, MAX_MANIFEST_BYTES))
        except (OSError, ObjectMissingError, ObjectCorruptError, InvalidManifestError):
            return []


class _Sender:
    """Sends batches, and large artifacts in parts."""

    def __init__(self, place: Place, cache: Cache, progress: Progress) -> None:
        self._place = place
        self._cache = cache
        self._teller = Teller(progress)

    def send(self, batch: Sequence[_Outgoing]) -> None:
        """Send artifacts in one push."""
        commits: dict[str, str] = {}
        with self._transfer() as transfer:
            with self._pack(transfer) as pack:
                for outgoing in batch:
                    blobs = self._read(outgoing)
                    commits[outgoing.parcel.digest] = self._write(pack, outgoing, blobs, outgoing.origins)[0]
                pack.finish()
            self._push(transfer, commits, sum(outgoing.n_bytes for outgoing in batch))
        for outgoing in batch:
            self._place.memory.note_origins(outgoing.parcel.digest, outgoing.origins)

    def send_in_parts(self, outgoing: _Outgoing) -> None:
        """Send one large artifact by several pushes; what was cut is continued at its part."""
        parts = _Parts(self._read(outgoing), self._place.part_bytes)
        names: list[str] = []
        self._place.listing()  # asked once, before there are threads
        with SideBySide[None](self._place.n_at_once) as pushes:
            while parts.are_left:
                names.append(f"{outgoing.parcel.digest}.{len(names) + 1:04}")
                with ExitStack() as stack:
                    transfer = stack.enter_context(self._transfer())
                    with self._pack(transfer) as pack:
                        commit, n_bytes = self._write(pack, outgoing, parts.read(), [])
                        pack.finish()
                    push = partial(self._push_part, stack.pop_all(), transfer, names[-1], commit, n_bytes)
                pushes.start(push)
        with self._transfer() as transfer:
            with self._pack(transfer) as pack:
                commit = self._write(pack, outgoing, iter(()), [*names, *outgoing.origins])[0]
                pack.finish()
            self._push(transfer, {outgoing.parcel.digest: commit}, 0)
        self._place.memory.note_origins(outgoing.parcel.digest, [*names, *outgoing.origins])

    def _push_part(self, stack: ExitStack, transfer: TransferRepository, name: str, commit: str, n_bytes: int) -> None:
        """Push a part, unless a former try did, and remove the repository that it is in."""
        with stack:
            if self._place.listing().get(self._place.ref(name)) == commit:
                self._teller.tell(n_bytes * (1 - _PACKING_SHARE))
            else:
                self._push(transfer, {name: commit}, n_bytes)

    def _transfer(self) -> AbstractContextManager[TransferRepository]:
        return transfer_repository(self._place.repository, self._place.remote)

    def _read(self, outgoing: _Outgoing) -> Iterator[_Blob]:
        """Yield every blob of what travels of an artifact."""
        for item in outgoing.items:
            for number, data in enumerate(read_chunks(self._cache, item.digest, item.size)):
                path = item.path if item.size <= BLOB_BYTES else chunk_path(item.path, number)
                yield _Blob(path, data, number == 0 or item.size > _SPLIT_ABOVE_BYTES)

    def _write(
        self, pack: PackWriter, outgoing: _Outgoing, blobs: Iterator[_Blob], origins: Sequence[str]
    ) -> tuple[str, int]:
        """Write blobs with their trees and a commit; return its id, and how many bytes there were."""
        builder = TreeBuilder()
        n_bytes = 0
        for blob in blobs:
            builder.add(blob.path, pack.add("blob", blob.data))
            n_bytes += len(blob.data)
            self._teller.tell(len(blob.data) * _PACKING_SHARE)
        if origins:
            builder.add(FROM_PATH, pack.add("blob", render_from(origins)))
        return write_commit(pack.add, builder.write(pack.add), outgoing.parcel.digest), n_bytes

    def _pack(self, transfer: TransferRepository) -> PackWriter:
        return PackWriter(transfer.pack_folder, self._place.repository.object_format, is_for_one_push=True)

    def _push(self, transfer: TransferRepository, commits: dict[str, str], n_bytes: int) -> None:
        """Push commits under their names; what somebody else sent meanwhile is as good."""
        place = self._place
        transfer.write_refs({f"{_OUT}/{name}": oid for name, oid in commits.items()})
        listing = place.listing()
        # Parts of an upload that was cut otherwise; nothing refers to them yet.
        stale = {place.ref(name): listing[place.ref(name)] for name in commits if place.ref(name) in listing}
        refspec = f"{'+' if stale else ''}{_OUT}/*:{place.namespace}/*"
        on_progress, finish = self._teller.follow("Writing objects", n_bytes * (1 - _PACKING_SHARE))
        access = Access(place.access.may_prompt, on_progress)
        try:
            result = push_refs(transfer, place.remote, [refspec], leases=stale, thin=False, access=access)
        except GitError as error:
            raise place.unreachable(error) from error
        finish()
        rejected = [ref for ref in result.refs if ref.status == "rejected"]
        if rejected:
            place.forget_listing()
            missing = [ref for ref in rejected if ref.ref not in place.listing()]
            if missing:
                raise place.refused(missing, result.remarks)
        place.note_pushed(commits)


class _Parts:
    """The blobs of an artifact, read part by part."""

    def __init__(self, source: Iterator[_Blob], part_bytes: int) -> None:
        self._source = source
        self._part_bytes = part_bytes
        self._next = next(source, None)

    @property
    def are_left(self) -> bool:
        """Whether there is another part."""
        return self._next is not None

    def read(self) -> Iterator[_Blob]:
        """Yield the blobs of the next part."""
        n_bytes = 0
        while (blob := self._next) is not None:
            if n_bytes and blob.may_begin and n_bytes + len(blob.data) > self._part_bytes:
                return
            n_bytes += len(blob.data)
            self._next = next(self._source, None)
            yield blob
