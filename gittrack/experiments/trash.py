"""The trash: experiments that were removed, and how they come back or go for good."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from gittrack.errors import UsageError
from gittrack.experiments.names import TRASH_NAMESPACE, parse_ref
from gittrack.experiments.store import ExperimentMissingError, Tip
from gittrack.git.refs import RefUpdate, list_refs, transaction

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from gittrack.experiments.names import ExperimentRef
    from gittrack.git.repository import Repository

_MAX_LISTED = 10


class Trashed(NamedTuple):
    """An experiment in the trash.

    Attributes:
        ref: Its ref there.
        tip: What it was: its identity and its commit.
        removed: When it was removed, UTC epoch seconds.
    """

    ref: str
    tip: Tip
    removed: int


def list_trash(repository: Repository) -> list[Trashed]:
    """Return what is in the trash, removed last first; refs of another form are passed over.

    Args:
        repository: The repository.
    """
    found = []
    for ref, commit in list_refs(repository, TRASH_NAMESPACE).items():
        seconds, _, rest = ref.removeprefix(f"{TRASH_NAMESPACE}/").partition("/")
        experiment = parse_ref(f"refs/gittrack/exps/{rest}")
        if experiment is not None and seconds.isascii() and seconds.isdigit():
            found.append(Trashed(ref, Tip(experiment, commit), int(seconds)))
    return sorted(found, key=lambda one: (-one.removed, one.ref))


def find_trashed(repository: Repository, names: Sequence[str]) -> list[Trashed]:
    """Return the experiments in the trash that were removed last under some names.

    Args:
        repository: The repository.
        names: Names, or ``name@<beginning of the baseline's id>``.

    Raises:
        ExperimentMissingError: None of a name is in the trash.
        UsageError: Several of a name are, under different baselines.
    """
    trash = list_trash(repository)
    return list(dict.fromkeys(_find(trash, name) for name in names))


def restore_experiments(repository: Repository, trashed: Sequence[Trashed]) -> None:
    """Take experiments out of the trash, all or none.

    Args:
        repository: The repository.
        trashed: The experiments.

    Raises:
        RefExistsError: There is an experiment of one of the names again.
        RefChangedError: Somebody else took one out meanwhile.
    """
    updates = []
    for one in trashed:
        updates += [RefUpdate(one.tip.experiment.ref, one.tip.commit, None), RefUpdate(one.ref, None, one.tip.commit)]
    transaction(repository, updates)


def discard_trash(repository: Repository, trashed: Sequence[Trashed]) -> int | None:
    """Remove experiments from the trash for good: nothing holds their objects any more, and git removes those in time.

    Args:
        repository: The repository.
        trashed: The experiments.

    Returns:
        The bytes on disk that nothing else uses; None when git cannot tell, as in a partial clone.

    Raises:
        RefChangedError: One of them was taken out meanwhile; nothing was changed.
    """
    transaction(repository, [RefUpdate(one.ref, None, one.tip.commit) for one in trashed])
    return measure_loose_ends(repository, [one.tip.commit for one in trashed])


def measure_loose_ends(repository: Repository, commits: Sequence[str], *, besides: Collection[str] = ()) -> int | None:
    """Return the bytes on disk of all that some commits hold and no ref does.

    Args:
        repository: The repository.
        commits: The commits.
        besides: Refs that do not count.
    """
    listing = repository.git.text("for-each-ref", "--format=%(objectname) %(refname)")
    kept = dict.fromkeys(
        oid for oid, _, ref in (line.partition(" ") for line in listing.split("\n")) if ref not in besides
    )
    lines = "".join([*(f"{oid}\n" for oid in commits), *(f"^{oid}\n" for oid in kept)])
    completed = repository.git.run(
        *("rev-list", "--objects", "--disk-usage", "--stdin"),
        input=lines.encode(),
        env={"GIT_NO_LAZY_FETCH": "1"},
        check=False,
    )
    return None if completed.returncode else int(completed.stdout)


def _find(trash: Sequence[Trashed], text: str) -> Trashed:
    name, _, baseline = text.partition("@")
    found: dict[ExperimentRef, Trashed] = {}
    for one in trash:
        if one.tip.experiment.name == name and one.tip.experiment.baseline.startswith(baseline.lower()):
            found.setdefault(one.tip.experiment, one)
    if not found:
        names = dict.fromkeys(one.tip.experiment.name for one in trash)
        listed = ", ".join(list(names)[:_MAX_LISTED])
        hint = f"last removed: {listed}" if listed else "the trash is empty; 'gittrack gc' empties it after 14 days"
        raise ExperimentMissingError(f"no experiment {text!r} in the trash", hint=hint)
    if len(found) > 1:
        listed = ", ".join(f"{one.name}@{one.baseline[:8]}" for one in found)
        raise UsageError(f"several removed experiments are called {text!r}", hint=f"choose one of: {listed}")
    return next(iter(found.values()))
