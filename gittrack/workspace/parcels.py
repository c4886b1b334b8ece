"""Which artifacts travel: those that commits point to, those that their runs logged, and their large plots.

A push or pull of experiments without any artifact comes no further than this module, so it loads little.
"""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING

from gittrack.artifacts.pointer import MAX_POINTER_BYTES, SUFFIX
from gittrack.experiments import format as fmt
from gittrack.git.batch import read_many
from gittrack.git.refs import list_refs
from gittrack.storage.protocol import Parcel
from gittrack.workspace.pointers import parse_pointers

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from gittrack.git.repository import Repository
    from gittrack.workspace.pointers import Tracked

_RECORDS = f"{fmt.FOLDER}/{fmt.ARTIFACTS_FILE}"
_PLOTS = f"{fmt.FOLDER}/{fmt.PLOTS_FILE}"
_LISTS = frozenset({_RECORDS, _PLOTS})


def make_parcels(artifacts: Iterable[Tracked]) -> list[Parcel]:
    """Return artifacts as they travel, each content once.

    Args:
        artifacts: Artifacts with their pointers.
    """
    parcels = {pointer.digest: Parcel(pointer.digest, pointer.kind, pointer.size, path) for path, pointer in artifacts}
    return list(parcels.values())


def parcels_to_push(repository: Repository, remote: str, commits: Sequence[str]) -> list[Parcel]:
    """Return the artifacts that belong to commits: those in their trees, and in the history that the remote lacks.

    Args:
        repository: The repository.
        remote: The remote's name; what it has is known from the last fetch or push.
        commits: Their ids.
    """
    if not commits:
        return []
    known = dict.fromkeys(list_refs(repository, f"refs/remotes/{remote}").values())
    history = _list_blobs(repository, [*commits, *(f"^{commit}" for commit in known)])
    older = {oid: path for oid, path in history if path.endswith(SUFFIX)}
    return _read_parcels(repository, {**older, **_list_trees(repository, commits)})


def parcels_of_commits(repository: Repository, commits: Sequence[str]) -> list[Parcel]:
    """Return the artifacts that belong to commits by themselves, whatever their history has.

    Args:
        repository: The repository.
        commits: Their ids.
    """
    return _read_parcels(repository, _list_trees(repository, commits)) if commits else []


def _read_parcels(repository: Repository, blobs: dict[str, str]) -> list[Parcel]:
    """Read pointers and records through one process; what only looks like one is passed over."""
    contents = read_many(repository, list(blobs), max_bytes=fmt.MAX_FILE_BYTES)
    found = [
        (path, blob.data)
        for path, blob in zip(blobs.values(), contents, strict=True)
        if blob and blob.kind == "blob" and blob.data and (path in _LISTS or blob.size <= MAX_POINTER_BYTES)
    ]
    parcels: dict[str, Parcel] = _read_plots(data for path, data in found if path == _PLOTS)
    # What runs logged is in their records too: earlier versions, and artifacts from outside of the work tree.
    records = [data for path, data in found if path == _RECORDS]
    if records:
        from gittrack.experiments.lineage import parse_logged

        logged = parse_logged(records)
        parcels.update((one.digest, Parcel(one.digest, one.kind, one.size, one.path)) for one in logged)
    pointers = parse_pointers((path, data) for path, data in found if path not in _LISTS)
    parcels.update((parcel.digest, parcel) for parcel in make_parcels(pointers.tracked))
    return list(parcels.values())


def _list_trees(repository: Repository, commits: Sequence[str]) -> dict[str, str]:
    listing = _list_blobs(repository, commits, "--no-walk=unsorted")
    return {oid: path for oid, path in listing if path.endswith(SUFFIX) or path in _LISTS}


def _read_plots(records: Iterable[bytes]) -> dict[str, Parcel]:
    """Return the plots that are too large for git; a list that is damaged names none."""
    parcels: dict[str, Parcel] = {}
    for data in records:
        with suppress(fmt.FormatError):
            for plot in fmt.parse_plots(data):
                if plot.digest is not None:
                    path = f"{fmt.FOLDER}/{fmt.PLOTS_FOLDER}/{plot.file}"
                    parcels[plot.digest] = Parcel(plot.digest, "file", plot.size, path)
    return parcels


def _list_blobs(repository: Repository, lines: Iterable[str], *mode: str) -> Iterator[tuple[str, str]]:
    """Yield the id and path of every object of commits, each object once."""
    arguments = ("rev-list", *mode, "--objects", "--missing=allow-any", "--stdin")
    listing = repository.git.run(*arguments, input="".join(f"{line}\n" for line in lines).encode()).stdout
    # `rev-list` knows no -z; it cuts a path at its first line break, and such a name is no pointer's anyway.
    for line in os.fsdecode(listing).split("\n"):
        oid, _, path = line.partition(" ")
        yield oid, path
