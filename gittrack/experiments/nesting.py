"""Experiments that ran within others: which one is whose parent, and the order in which children follow theirs.

An experiment names its parent by the id of a run, which may be gone, or recorded by anyone: ids may be there twice,
and parents may go round in a circle. Every experiment gets exactly one place all the same.
"""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from gittrack.experiments.names import ExperimentRef


class Nested(NamedTuple):
    """What one experiment says of its runs.

    Attributes:
        experiment: Its identity.
        runs: The ids of the runs that wrote it, as far as they are known.
        parent_run: The id of the run within which it ran; None for one of its own.
    """

    experiment: ExperimentRef
    runs: Collection[str]
    parent_run: str | None


def find_parents(members: Sequence[Nested]) -> dict[ExperimentRef, ExperimentRef]:
    """Return the parent of each experiment that has one among the others.

    Where several have the parent's run, as a local experiment and its counterpart of a remote have, that of the same
    baseline counts before others, and then that of the same remote.

    Args:
        members: All experiments.
    """
    wanted = {member.parent_run for member in members if member.parent_run is not None}
    holders: dict[tuple[str | None, ...], ExperimentRef] = {}
    for member in members if wanted else ():
        for run in wanted.intersection(member.runs):
            for key in _keys(run, member.experiment):
                holders.setdefault(key, member.experiment)
    parents: dict[ExperimentRef, ExperimentRef] = {}
    for member in members if holders else ():
        if member.parent_run is not None and member.parent_run not in member.runs:
            found = (holders.get(key) for key in _keys(member.parent_run, member.experiment))
            parent = next((one for one in found if one is not None), None)
            if parent is not None:
                parents[member.experiment] = parent
    return parents


def nest(
    experiments: Sequence[ExperimentRef], parents: Mapping[ExperimentRef, ExperimentRef]
) -> Iterator[tuple[ExperimentRef, int]]:
    """Yield each experiment with its depth, children after their parent and otherwise in the order given.

    One whose parent is not among them has depth 0. Of those that are each other's parents, which come last, one has.

    Args:
        experiments: The experiments of one baseline.
        parents: The parent of each experiment that has one.
    """
    own = set(experiments)
    children: dict[ExperimentRef, list[ExperimentRef]] = {}
    tops = []
    for experiment in experiments:
        parent = parents.get(experiment)
        if parent in own and parent is not None:
            children.setdefault(parent, []).append(experiment)
        else:
            tops.append(experiment)
    placed: set[ExperimentRef] = set()
    circles = (_on_circle(one, parents) for one in experiments if one not in placed)
    for top in chain(tops, circles):
        pending = [(top, 0)]
        while pending:
            experiment, depth = pending.pop()
            if experiment not in placed:
                placed.add(experiment)
                yield experiment, depth
                pending += [(child, depth + 1) for child in reversed(children.get(experiment, ()))]


def _keys(run: str, experiment: ExperimentRef) -> Iterable[tuple[str | None, ...]]:
    """Return the keys of a run for an experiment, the closest first."""
    baseline, remote = experiment.baseline, experiment.remote or ""
    return (run, baseline, remote), (run, baseline, None), (run, None, remote), (run, None, None)


def _on_circle(experiment: ExperimentRef, parents: Mapping[ExperimentRef, ExperimentRef]) -> ExperimentRef:
    """Return the first experiment that is met twice on the way up."""
    seen = set()
    while experiment not in seen:
        seen.add(experiment)
        experiment = parents[experiment]
    return experiment
