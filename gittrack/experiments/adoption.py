"""Make the experiments of a remote one's own: create, advance, merge; lose nothing of either side.

What was fetched lies beside the local experiments until it was checked. A published name keeps its meaning: when two
different experiments of one name meet, the one on the remote has the name, and the local one gets a second.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from gittrack.errors import GittrackError
from gittrack.experiments.names import MAX_NAME_LENGTH, NAMESPACE, TRASH_NAMESPACE, ExperimentRef
from gittrack.git.ancestry import read_ancestry
from gittrack.git.packed_refs import create_refs
from gittrack.git.refs import RefChangedError, RefUpdate, list_refs, transaction

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from gittrack.experiments.route import Route
    from gittrack.git.ancestry import Ancestry
    from gittrack.git.repository import Repository

_CHANGED = "it changed here meanwhile; the next pull sees to it"


class Renamed(NamedTuple):
    """Two experiments that had one name.

    Attributes:
        experiment: The name, now that of the experiment on the remote.
        kept: The name that the local one has from now on.
        reason: Why they could not be merged.
    """

    experiment: ExperimentRef
    kept: ExperimentRef
    reason: str


class Refused(NamedTuple):
    """Something on the remote that was left there.

    Attributes:
        name: How it is called.
        reason: Why.
        missing: The id of the object that a partial clone left out, when that is why.
    """

    name: str
    reason: str
    missing: str | None = None


class Adoption(NamedTuple):
    """What became of the experiments of a remote.

    Attributes:
        created: Those that were not here.
        advanced: Those that the remote had continued.
        merged: Those that both sides had continued.
        renamed: Those that are different experiments of one name.
        refused: Those that stay on the remote alone.
    """

    created: list[ExperimentRef]
    advanced: list[ExperimentRef]
    merged: list[ExperimentRef]
    renamed: list[Renamed]
    refused: list[Refused]


class _Arrival(NamedTuple):
    experiment: ExperimentRef
    theirs: str
    ours: str | None


def adopt(
    repository: Repository,
    route: Route,
    *,
    seen: Mapping[str, str],
    only: Collection[ExperimentRef] | None = None,
    may_rename: bool = True,
) -> Adoption:
    """Take up what was last seen on a remote; takes no network.

    Args:
        repository: The repository.
        route: The way to the remote.
        seen: The tracking refs of the remote, with their commits.
        only: The experiments in question; all by default.
        may_rename: Whether a local experiment may give up its name to another one that is published; else both stay
            where they are.

    Raises:
        GittrackError: git or the disk refused a change; what was taken up until then stays.
    """
    from gittrack.experiments.arrived import check_commits

    result = Adoption([], [], [], [], [])
    arrivals = _list_arrivals(repository, route, seen, only, result)
    checked = check_commits(repository, [arrival.theirs for arrival in arrivals]) if arrivals else {}
    sound = []
    for arrival in arrivals:
        problem, _, missing = checked[arrival.theirs]
        if problem is None:
            sound.append(arrival)
        else:
            result.refused.append(Refused(_label(route, arrival.experiment), problem, missing))
    new = [arrival for arrival in sound if arrival.ours is None]
    _create(repository, route, new, result)
    _update(
        repository, route, [arrival for arrival in sound if arrival.ours is not None], result, may_rename=may_rename
    )
    return result


def join(first: Adoption, second: Adoption) -> Adoption:
    """Return what two adoptions did, where the second one tried again what the first had refused."""
    return Adoption(
        created=first.created + second.created,
        advanced=first.advanced + second.advanced,
        merged=first.merged + second.merged,
        renamed=first.renamed + second.renamed,
        refused=second.refused,
    )


def _list_arrivals(
    repository: Repository,
    route: Route,
    seen: Mapping[str, str],
    only: Collection[ExperimentRef] | None,
    result: Adoption,
) -> list[_Arrival]:
    """Return what differs from the local experiments; what was removed here, and has not changed since, does not."""
    local = list_refs(repository, NAMESPACE)
    removed = {(*ref.rsplit("/", 2)[1:], oid) for ref, oid in list_refs(repository, TRASH_NAMESPACE).items()}
    arrivals = []
    for ref, oid in seen.items():
        experiment = route.parse_tracking(ref)
        if experiment is None:
            if only is None:
                result.refused.append(Refused(ref, "its name is not that of an experiment"))
            continue
        ours = local.get(experiment.ref)
        is_wanted = only is None or experiment in only
        was_removed = ours is None and only is None and (experiment.baseline, experiment.name, oid) in removed
        if is_wanted and ours != oid and not was_removed:
            arrivals.append(_Arrival(experiment, oid, ours))
    return arrivals


def _create(repository: Repository, route: Route, arrivals: list[_Arrival], result: Adoption) -> None:
    if not arrivals:
        return
    folded = {ref.casefold(): ref for ref in list_refs(repository, NAMESPACE)}
    wanted = {}
    for arrival in arrivals:
        ref = arrival.experiment.ref
        other = folded.setdefault(ref.casefold(), ref)
        if other == ref:
            wanted[ref] = arrival
        else:
            reason = f"its name differs from '{other.rpartition('/')[2]}' only in case"
            result.refused.append(Refused(_label(route, arrival.experiment), reason))
    present = create_refs(repository, {ref: arrival.theirs for ref, arrival in wanted.items()}, namespace=NAMESPACE)
    result.created.extend(arrival.experiment for ref, arrival in wanted.items() if ref not in present)


def _update(
    repository: Repository, route: Route, arrivals: list[_Arrival], result: Adoption, *, may_rename: bool
) -> None:
    tips = [oid for arrival in arrivals for oid in (arrival.theirs, arrival.ours) if oid]
    ancestry = read_ancestry(repository, tips, {arrival.experiment.baseline for arrival in arrivals})
    behind = [arrival for arrival in arrivals if ancestry.contains(arrival.theirs, arrival.ours or "")]
    result.advanced.extend(_advance(repository, behind))
    for arrival in arrivals:
        if arrival not in behind and not ancestry.contains(arrival.ours or "", arrival.theirs):
            _reconcile(repository, route, arrival, ancestry, result, may_rename=may_rename)


def _advance(repository: Repository, arrivals: list[_Arrival]) -> Iterable[ExperimentRef]:
    """Move refs to what continues them, all at once; one by one where somebody moves some of them meanwhile."""
    updates = [RefUpdate(arrival.experiment.ref, arrival.theirs, arrival.ours) for arrival in arrivals]
    try:
        transaction(repository, updates)
        return [arrival.experiment for arrival in arrivals]
    except RefChangedError:
        if len(arrivals) == 1:
            return []  # whoever moved it has it; the next time sees to the rest
    return [experiment for arrival in arrivals for experiment in _advance(repository, [arrival])]


def _reconcile(
    repository: Repository, route: Route, arrival: _Arrival, ancestry: Ancestry, result: Adoption, *, may_rename: bool
) -> None:
    """Merge two sides that both went on; where that cannot be, keep both."""
    from gittrack.experiments.arrived import check_commits
    from gittrack.experiments.merge import merge_commits

    experiment, theirs, ours = arrival.experiment, arrival.theirs, arrival.ours or ""
    try:
        base = ancestry.merge_base(ours, theirs)
        if base is None:
            reason = "they were recorded independently"
        else:
            merged = merge_commits(repository, base, ours, theirs)
            transaction(repository, [RefUpdate(experiment.ref, merged, ours)])
            result.merged.append(experiment)
            return
    except RefChangedError:
        result.refused.append(Refused(_label(route, experiment), _CHANGED))
        return
    except GittrackError as error:
        reason = error.message
    if not may_rename:
        result.refused.append(Refused(_label(route, experiment), reason))
    elif check_commits(repository, [ours])[ours].status == "running":
        result.refused.append(Refused(_label(route, experiment), f"{reason}, and the local one is still running"))
    else:
        kept = _second_name(repository, route, experiment)
        try:
            transaction(repository, [RefUpdate(kept.ref, ours, None), RefUpdate(experiment.ref, theirs, ours)])
        except RefChangedError:
            result.refused.append(Refused(_label(route, experiment), _CHANGED))
        else:
            result.renamed.append(Renamed(experiment, kept, reason))


def _second_name(repository: Repository, route: Route, experiment: ExperimentRef) -> ExperimentRef:
    """Return the first of ``<name>-2``, ``<name>-3``, … that neither side uses."""
    folder = f"/{experiment.baseline}"
    taken = {
        ref.rpartition("/")[2].casefold()
        for namespace in (NAMESPACE, route.tracking)
        for ref in list_refs(repository, namespace + folder)
    }
    number = 2
    while True:
        suffix = f"-{number}"
        name = experiment.name[: MAX_NAME_LENGTH - len(suffix)] + suffix
        if name.casefold() not in taken:
            return ExperimentRef(experiment.baseline, name)
        number += 1


def _label(route: Route, experiment: ExperimentRef) -> str:
    return f"{route.remote}/{experiment.name}"
