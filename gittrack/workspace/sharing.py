"""Move artifacts between the cache and a storage, and nothing twice."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from gittrack.artifacts.pointer import pointer_path
from gittrack.scratch import sweep_scratch
from gittrack.storage.memory import FILE_NAME, Memory
from gittrack.storage.protocol import SILENT
from gittrack.workspace.compare import is_whole

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gittrack.artifacts.cache import Cache
    from gittrack.git.repository import Repository
    from gittrack.storage.protocol import Parcel, Progress, Storage

_N_EXPLAINED = 20  # each costs a walk through the history


class Lacking(NamedTuple):
    """An artifact that is neither here nor on the storage.

    Attributes:
        parcel: The artifact.
        last_seen: Where and by whom its pointer was last changed; None when nothing is known.
    """

    parcel: Parcel
    last_seen: str | None


class Sent(NamedTuple):
    """What a push of artifacts did.

    Attributes:
        sent: Those that the storage did not hold.
        n_present: How many it held already.
        lacking: Those that could not be sent, because the cache does not have them either.
    """

    sent: list[Parcel]
    n_present: int
    lacking: list[Lacking]


class Fetched(NamedTuple):
    """What a pull of artifacts did.

    Attributes:
        fetched: Those that the cache did not have.
        n_present: How many it had already.
        lacking: Those that the storage does not hold either.
    """

    fetched: list[Parcel]
    n_present: int
    lacking: list[Lacking]


def send_artifacts(
    cache: Cache,
    repository: Repository,
    storage: Storage,
    parcels: Sequence[Parcel],
    *,
    key: str,
    dry_run: bool = False,
    progress: Progress = SILENT,
) -> Sent:
    """Send artifacts that a storage does not hold.

    Args:
        cache: The cache.
        repository: The repository, whose history tells where an artifact was last seen.
        storage: Where to.
        parcels: Which ones.
        key: Under which name the clone remembers what the storage holds.
        dry_run: Whether to ask the storage but send nothing.
        progress: Whom to tell.

    Raises:
        ObjectCorruptError: An object of the cache is damaged, and was not sent.
        StorageError: The storage cannot be reached, or refuses; what had arrived stays.
    """
    _sweep(cache, repository)
    if not parcels:
        return Sent([], 0, [])
    absent = storage.find_absent(parcels)
    memory = Memory(repository.state_dir / FILE_NAME)
    memory.note_held(key, {parcel.digest for parcel in set(parcels).difference(absent)}, {one.digest for one in absent})
    whole = [parcel for parcel in absent if _is_whole(cache, parcel)]
    if whole and not dry_run:
        storage.send(whole, cache, progress)
        memory.note_held(key, [parcel.digest for parcel in whole])
    lacking = _explain(repository, [parcel for parcel in absent if parcel not in set(whole)])
    return Sent(whole, len(parcels) - len(absent), lacking)


def fetch_artifacts(
    cache: Cache,
    repository: Repository,
    storage: Storage,
    parcels: Sequence[Parcel],
    *,
    key: str,
    progress: Progress = SILENT,
) -> Fetched:
    """Bring artifacts into the cache that it does not have.

    Args:
        cache: The cache.
        repository: The repository, whose history tells where an artifact was last seen.
        storage: Where from.
        parcels: Which ones.
        key: Under which name the clone remembers what the storage holds.
        progress: Whom to tell.

    Raises:
        StorageError: The storage cannot be reached, refuses, or served other bytes; what had arrived whole stays.
        OSError: The disk is full; the same.
    """
    _sweep(cache, repository)
    wanted = [parcel for parcel in parcels if not _is_whole(cache, parcel)]
    absent = set(storage.fetch(wanted, cache, progress)) if wanted else set()
    fetched = [parcel for parcel in wanted if parcel not in absent]
    memory = Memory(repository.state_dir / FILE_NAME)
    memory.note_held(key, [parcel.digest for parcel in fetched], [parcel.digest for parcel in absent])
    return Fetched(fetched, len(parcels) - len(wanted), _explain(repository, sorted(absent)))


def _sweep(cache: Cache, repository: Repository) -> None:
    """Remove what killed transfers left, perhaps gigabytes, also where nothing has to travel now."""
    sweep_scratch(repository.scratch_root)
    sweep_scratch(cache.scratch_root)


def _is_whole(cache: Cache, parcel: Parcel) -> bool:
    return is_whole(cache, parcel.digest, parcel.kind)


def _explain(repository: Repository, parcels: Sequence[Parcel]) -> list[Lacking]:
    explained = [Lacking(parcel, _last_seen(repository, parcel.path)) for parcel in parcels[:_N_EXPLAINED]]
    return explained + [Lacking(parcel, None) for parcel in parcels[_N_EXPLAINED:]]


def _last_seen(repository: Repository, path: str) -> str | None:
    """Return who last changed the pointer to an artifact, in any branch or experiment."""
    arguments = ("log", "-1", "--all", "--no-show-signature", "--format=%h by %an on %as", "--", pointer_path(path))
    completed = repository.git.run(*arguments, check=False)
    text = completed.stdout.decode("utf-8", "replace").strip()
    return f"its pointer is from {text}" if text and not completed.returncode else None
