"""Send artifacts to a git remote: into a pack, through a repository of their own, under a ref each."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, NamedTuple

from gittrack.artifacts.manifest import MAX_MANIFEST_BYTES, parse_manifest
from gittrack.git.objects import object_id
from gittrack.git.pack import PackWriter
from gittrack.git.process import GitError
from gittrack.git.transfer import Access, push_refs
from gittrack.git.transfer_repository import transfer_repository
from gittrack.storage.git_bases import find_bases, write_directory
from gittrack.storage.git_content import object_oid, read_chunks
from gittrack.storage.git_layout import (
    BLOB_BYTES,
    FILE_PATH,
    MANIFEST_PATH,
    Oid,
    TreeBuilder,
    chunk_path,
    object_path,
    write_commit,
    write_object_tree,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from gittrack.artifacts.cache import Cache
    from gittrack.artifacts.digest import Digest
    from gittrack.artifacts.manifest import FileEntry
    from gittrack.git.transfer_repository import TransferRepository
    from gittrack.storage.git_bases import Base
    from gittrack.storage.git_place import Place
    from gittrack.storage.protocol import Parcel, Progress

_OUT = "refs/out"
_SPLIT_ABOVE_BYTES = 64 << 20  # a smaller object lies in one part, for only larger ones are continued after a cut
_SENDING = re.compile(r"Writing objects: +(\d+)%")
_PACKING_SHARE = 0.4  # of the progress; the rest is git's


class _Item(NamedTuple):
    """One object of an artifact on its way: where its tree has it."""

    digest: Digest
    path: str
    size: int


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
    batch: list[_Outgoing] = []
    n_bytes = 0
    for parcel in parcels:
        outgoing = _prepare(place, parcel, cache)
        progress.on_total(outgoing.n_bytes)
        if outgoing.n_bytes > place.part_bytes:
            _Sender(place, cache, progress).send_in_parts(outgoing)
            continue
        if n_bytes + outgoing.n_bytes > place.part_bytes and batch:
            _Sender(place, cache, progress).send(batch)
            batch, n_bytes = [], 0
        batch.append(outgoing)
        n_bytes += outgoing.n_bytes
    if batch:
        _Sender(place, cache, progress).send(batch)


class _Outgoing(NamedTuple):
    """An artifact that is to be sent.

    Attributes:
        parcel: The artifact.
        files: A directory's files.
        items: The objects that travel, each once; the others are in a base.
        bases: Directories that the remote holds.
        oids: The git objects of what is in a base.
    """

    parcel: Parcel
    files: list[FileEntry]
    items: list[_Item]
    bases: list[Base]
    oids: dict[Digest, Oid]

    @property
    def n_bytes(self) -> int:
        """How many bytes travel."""
        return sum(item.size for item in self.items)


def _prepare(place: Place, parcel: Parcel, cache: Cache) -> _Outgoing:
    if parcel.kind == "file":
        size = os.stat(cache.path(parcel.digest)).st_size  # noqa: PTH116  what it has, not what a pointer says
        return _Outgoing(parcel, [], [_Item(parcel.digest, FILE_PATH, size)], [], {})
    manifest = cache.read(parcel.digest, MAX_MANIFEST_BYTES)
    files = parse_manifest(manifest)
    wanted = {entry.digest for entry in files}
    bases = find_bases(place, cache, wanted)
    shared = {entry.digest for base in bases for entry in base.files} & wanted
    oids = {digest: oid for base in bases for digest, oid in base.oids.items() if digest in shared}
    items = {
        entry.digest: _Item(entry.digest, object_path(entry.digest), entry.size)
        for entry in files
        if entry.digest not in shared
    }
    first = _Item(parcel.digest, MANIFEST_PATH, len(manifest))
    return _Outgoing(parcel, files, [first, *items.values()], bases, oids)


class _Blob(NamedTuple):
    """A blob of an artifact: its path, its content, and whether a part may begin with it."""

    path: str
    data: bytes
    may_begin: bool


class _Blobs:
    """The blobs of an artifact, read part by part."""

    def __init__(self, source: Iterator[_Blob], part_bytes: int) -> None:
        self._source = source
        self._part_bytes = part_bytes
        self._next = next(source, None)

    @property
    def are_left(self) -> bool:
        """Whether there is another part."""
        return self._next is not None

    def read_part(self) -> Iterator[_Blob]:
        """Yield the blobs of the next part."""
        n_bytes = 0
        while (blob := self._next) is not None:
            if n_bytes and blob.may_begin and n_bytes + len(blob.data) > self._part_bytes:
                return
            n_bytes += len(blob.data)
            self._next = next(self._source, None)
            yield blob


class _Sender:
    """Sends one batch, or one artifact in parts."""

    def __init__(self, place: Place, cache: Cache, progress: Progress) -> None:
        self._place = place
        self._cache = cache
        self._progress = progress
        self._told = 0.0

    def send(self, batch: Sequence[_Outgoing]) -> None:
        """Send artifacts in one push."""
        new: dict[Digest, Oid] = {}
        with transfer_repository(self._place.repository, self._place.remote) as transfer:
            with self._pack(transfer) as pack:
                refs = self._write_bases(pack, batch)
                commits = {}
                for outgoing in batch:
                    for item in outgoing.items:
                        if item.digest not in new:
                            new[item.digest] = self._write_object(pack, item)
                    commits[outgoing.parcel.digest] = self._write_artifact(pack, outgoing, new)
                pack.finish()
            n_bytes = sum(outgoing.n_bytes for outgoing in batch)
            self._push(transfer, refs, {str(digest): oid for digest, oid in commits.items()}, n_bytes)
        self._place.note_sent(commits, new)

    def send_in_parts(self, outgoing: _Outgoing) -> None:
        """Send one large artifact by several pushes; a push that was cut is continued at its part."""
        new: dict[Digest, Oid] = {}
        kept: list[tuple[str, bytes]] = []  # trees and commits of the parts, which tell git what the remote has
        refs: dict[str, str] = {}
        with transfer_repository(self._place.repository, self._place.remote) as transfer:
            blobs = _Blobs(self._read_all(outgoing, new), self._place.part_bytes)
            number = 0
            while blobs.are_left:
                number += 1
                with self._pack(transfer) as pack:
                    for kind, data in kept:
                        pack.add(kind, data)
                    refs |= self._write_bases(pack, [outgoing])

                    def add(kind: str, data: bytes, pack: PackWriter = pack) -> str:
                        kept.append((kind, data))
                        return pack.add(kind, data)

                    name = f"{outgoing.parcel.digest}.{number:04}"
                    n_bytes, oid = self._write_part(pack, blobs.read_part(), add, outgoing.parcel.digest)
                    path = pack.finish()
                if self._place.listing().get(self._place.ref(name)) != oid:
                    self._push(transfer, refs, {name: oid}, n_bytes)
                else:
                    self._tell(n_bytes * (1 - _PACKING_SHARE))
                refs[f"refs/part/{name}"] = oid
                if path is not None:  # its blobs are there now
                    path.unlink()
                    path.with_suffix(".idx").unlink()
            with self._pack(transfer) as pack:
                for kind, data in kept:
                    pack.add(kind, data)
                refs |= self._write_bases(pack, [outgoing])
                commit = self._write_artifact(pack, outgoing, new)
                pack.finish()
            self._push(transfer, refs, {str(outgoing.parcel.digest): commit}, 0)
        self._place.note_sent({outgoing.parcel.digest: commit}, new)

    def _read_all(self, outgoing: _Outgoing, new: dict[Digest, Oid]) -> Iterator[_Blob]:
        """Yield every blob of an artifact, and note the git object of each of its objects."""
        form = self._place.repository.object_format
        for item in outgoing.items:
            ids = []
            for number, data in enumerate(read_chunks(self._cache, item.digest, item.size)):
                ids.append(object_id(form, b"blob", data))
                path = item.path if item.size <= BLOB_BYTES else chunk_path(item.path, number)
                yield _Blob(path, data, number == 0 or item.size > _SPLIT_ABOVE_BYTES)
            new[item.digest] = object_oid(form, item.size, ids)

    def _write_part(
        self, pack: PackWriter, part: Iterator[_Blob], add: Callable[[str, bytes], str], digest: Digest
    ) -> tuple[int, str]:
        builder = TreeBuilder()
        n_bytes = 0
        for blob in part:
            builder.add(blob.path, Oid(pack.add("blob", blob.data), is_tree=False))
            n_bytes += len(blob.data)
            self._tell(len(blob.data) * _PACKING_SHARE)
        return n_bytes, write_commit(add, builder.write(add), digest)

    def _pack(self, transfer: TransferRepository) -> PackWriter:
        return PackWriter(transfer.pack_folder, self._place.repository.object_format)

    def _write_bases(self, pack: PackWriter, batch: Sequence[_Outgoing]) -> dict[str, str]:
        """Write the trees of the directories that the remote holds, and return their refs."""
        refs = {}
        for base in {base.digest: base for outgoing in batch for base in outgoing.bases}.values():
            commit = base.write(pack.add)
            refs[f"refs/base/{base.digest}"] = commit
        return refs

    def _write_object(self, pack: PackWriter, item: _Item) -> Oid:
        ids = []
        for data in read_chunks(self._cache, item.digest, item.size):
            ids.append(pack.add("blob", data))
            self._tell(len(data) * _PACKING_SHARE)
        if item.size <= BLOB_BYTES:
            return Oid(ids[0], is_tree=False)
        return Oid(write_object_tree(pack.add, ids), is_tree=True)

    def _write_artifact(self, pack: PackWriter, outgoing: _Outgoing, new: dict[Digest, Oid]) -> str:
        digest = outgoing.parcel.digest
        if outgoing.parcel.kind == "file":
            builder = TreeBuilder()
            builder.add(FILE_PATH, new[digest])
            tree = builder.write(pack.add)
        else:
            tree = write_directory(pack.add, digest, outgoing.files, {**outgoing.oids, **new})
        return write_commit(pack.add, tree, digest)

    def _push(self, transfer: TransferRepository, refs: dict[str, str], out: dict[str, str], n_bytes: int) -> None:
        """Push commits under their names; those that somebody else sent meanwhile are the same."""
        place = self._place
        transfer.write_refs({**refs, **{f"{_OUT}/{name}": oid for name, oid in out.items()}})
        stale = {
            place.ref(name): place.listing()[place.ref(name)] for name in out if place.ref(name) in place.listing()
        }
        force = "+" if stale else ""  # parts of another cut, which nothing refers to yet
        told = 0.0

        def on_progress(piece: str) -> None:
            nonlocal told
            if match := _SENDING.search(piece):
                share = int(match[1]) / 100 * n_bytes * (1 - _PACKING_SHARE)
                self._tell(share - told)
                told = share

        access = Access(place.access.may_prompt, on_progress)
        try:
            refspec = f"{force}{_OUT}/*:{place.namespace}/*"
            result = push_refs(transfer, place.remote, [refspec], leases=stale, thin=False, access=access)
        except GitError as error:
            raise place.unreachable(error) from error
        self._tell(n_bytes * (1 - _PACKING_SHARE) - told)
        rejected = [ref for ref in result.refs if ref.status == "rejected"]
        if rejected:
            place.forget_listing()
            missing = [ref for ref in rejected if ref.ref not in place.listing()]
            if missing:
                raise place.refused(missing, result.remarks)
        place.note_pushed(out)

    def _tell(self, n_bytes: float) -> None:
        self._told += n_bytes
        whole = int(self._told)
        if whole:
            self._told -= whole
            self._progress.on_bytes(whole)
