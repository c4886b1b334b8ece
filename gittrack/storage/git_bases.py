"""Directories that both sides have: what they share with another one does not travel.

git leaves out what is reachable from commits that the other side has. The commits of artifacts are deterministic, so
those of directories that the remote holds are built again here, from manifests of the cache and remembered ids, without
a single blob.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from gittrack.artifacts.cache import ObjectCorruptError, ObjectMissingError
from gittrack.artifacts.manifest import MAX_MANIFEST_BYTES, InvalidManifestError, parse_manifest
from gittrack.storage.git_content import compute_oid
from gittrack.storage.git_layout import MANIFEST_PATH, TreeBuilder, object_path, write_commit

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

    from gittrack.artifacts.cache import Cache
    from gittrack.artifacts.digest import Digest
    from gittrack.artifacts.manifest import FileEntry
    from gittrack.storage.git_layout import Oid
    from gittrack.storage.git_place import Place

_N_BASES = 10
_MAX_HASHED_BYTES = 1 << 30  # to find out ids; above it, sending again is no worse
_START = b'{"digest":"b3:'


class Base(NamedTuple):
    """A directory that the remote holds.

    Attributes:
        digest: Of its manifest.
        files: Its files.
        oids: The git object of each file, and of the manifest.
    """

    digest: Digest
    files: list[FileEntry]
    oids: dict[Digest, Oid]

    def write(self, add: Callable[[str, bytes], str]) -> str:
        """Write its trees and its commit, and return the commit's id."""
        return write_commit(add, write_directory(add, self.digest, self.files, self.oids), self.digest)


def find_bases(place: Place, cache: Cache, wanted: Collection[Digest] | None = None) -> list[Base]:
    """Return a few directories that the remote holds and whose trees can be built here.

    Args:
        place: The remote.
        cache: Where manifests are.
        wanted: The files that are to be sent, of which bases should have as many as possible; None for the newest
            directories that are whole in the cache, since nothing is known of what is to be fetched.
    """
    candidates: list[tuple[float, Digest, list[FileEntry]]] = []
    for digest in place.list_present():
        files = _read_manifest(cache, digest)
        if files is None:
            continue
        if wanted is None:
            candidates.append((cache.path(digest).stat().st_mtime, digest, files))
        elif n_shared := sum(entry.digest in wanted for entry in files):
            candidates.append((n_shared, digest, files))
    bases: list[Base] = []
    for _, digest, files in sorted(candidates, reverse=True)[:_N_BASES]:
        needed = {entry.digest for entry in files} | {digest}
        if wanted is None and cache.find_missing(needed):
            continue
        oids = _find_oids(place, cache, needed)
        if oids is not None:
            bases.append(Base(digest, files, oids))
    return bases


def _find_oids(place: Place, cache: Cache, digests: Collection[Digest]) -> dict[Digest, Oid] | None:
    """Return the git objects of a directory's objects; None when some are neither known nor in the cache."""
    oids = place.oids.find(digests)
    unknown = [digest for digest in digests if digest not in oids]
    sizes = [cache.find_size(digest) for digest in unknown]
    if any(size is None for size in sizes) or sum(size or 0 for size in sizes) > _MAX_HASHED_BYTES:
        return None
    try:
        new = {digest: compute_oid(cache, digest, place.repository.object_format) for digest in unknown}
    except (OSError, ObjectMissingError, ObjectCorruptError):
        return None
    place.oids.note(new)
    return {**oids, **new}


def write_directory(
    add: Callable[[str, bytes], str], digest: Digest, files: Iterable[FileEntry], oids: dict[Digest, Oid]
) -> str:
    """Write the trees of a directory and return the id of the whole.

    Args:
        add: Writes an object of a kind and returns its id.
        digest: Of its manifest.
        files: Its files.
        oids: The git object of each file, and of the manifest.
    """
    builder = TreeBuilder()
    builder.add(MANIFEST_PATH, oids[digest])
    for entry in files:
        builder.add(object_path(entry.digest), oids[entry.digest])
    return builder.write(add)


def _read_manifest(cache: Cache, digest: Digest) -> list[FileEntry] | None:
    """Return the files of a directory; None for an object that is no manifest, or not here."""
    try:
        with cache.path(digest).open("rb") as file:
            if file.read(len(_START)) != _START:
                return None
        return parse_manifest(cache.read(digest, MAX_MANIFEST_BYTES))
    except (OSError, ObjectMissingError, ObjectCorruptError, InvalidManifestError):
        return None
