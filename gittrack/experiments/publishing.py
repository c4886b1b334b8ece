"""Send experiments to a git remote, and remove them there.

One connection for any number of experiments. Nothing is ever overwritten: git sends only what continues what the
remote has, and the remote takes it only if it has not changed since. What somebody else continued meanwhile is
fetched, merged and sent again.
"""

from __future__ import annotations

import random
import time
from typing import TYPE_CHECKING, NamedTuple

from gittrack.errors import DivergedError, GittrackError
from gittrack.experiments.names import NAMESPACE, parse_ref
from gittrack.experiments.route import Route, find_route
from gittrack.git.packed_refs import create_refs
from gittrack.git.refs import RefChangedError, RefUpdate, list_refs, transaction
from gittrack.git.tracking import NAMESPACE_SETTING
from gittrack.git.transfer import QUIET, Push, fetch_refs, list_remote_refs, push_refs

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from gittrack.experiments.adoption import Renamed
    from gittrack.experiments.names import ExperimentRef
    from gittrack.git.repository import Repository
    from gittrack.git.transfer import Access, PushedRef

MAX_TRIES = 5
# git compares each lease, and each ref named on the command line, with every ref of the push: a thousand of either make
# a push three times slower (measured), a hundred cannot be noticed. Above it a pattern names them all, and git's
# own checks protect what is created: the remote takes a new ref only if there still is none.
MAX_NAMED = 100
_FIRST_WAIT_S = 0.05
_random = random.SystemRandom()
# What git says when somebody else was faster; everything else is a refusal.
_RACES = (
    "[rejected]",
    "cannot lock ref",
    "failed to lock",
    "failed to update ref",
    "incorrect old value",
    "reference already exists",
)


class RemoteRefusedError(GittrackError):
    """The remote does not accept experiments."""


class Selection(NamedTuple):
    """Which local experiments are meant.

    Attributes:
        experiments: Those named; None for all.
        baselines: Those of some baselines; None for all.
    """

    experiments: frozenset[ExperimentRef] | None = None
    baselines: frozenset[str] | None = None

    def holds(self, experiment: ExperimentRef) -> bool:
        """Return whether an experiment is meant."""
        is_named = self.experiments is None or experiment in self.experiments
        return is_named and (self.baselines is None or experiment.baseline in self.baselines)


ALL = Selection()


class Sent(NamedTuple):
    """What a push did.

    Attributes:
        created: Experiments that the remote did not have.
        moved: Experiments that were continued here.
        n_same: How many the remote had already.
        merged: Experiments that both sides had continued.
        renamed: Different experiments of one name.
    """

    created: list[ExperimentRef]
    moved: list[ExperimentRef]
    n_same: int
    merged: list[ExperimentRef]
    renamed: list[Renamed]


def push(
    repository: Repository,
    remote: str,
    selection: Selection = ALL,
    *,
    dry_run: bool = False,
    may_rename: bool = True,
    access: Access = QUIET,
) -> Sent:
    """Send experiments to a remote, in one connection unless somebody else changed the same ones meanwhile.

    Args:
        repository: The repository.
        remote: The remote's name.
        selection: Which experiments; all by default.
        dry_run: Whether to ask the remote but send nothing.
        may_rename: Whether a local experiment may give up its name to a published one of the same name.
        access: How git may talk to the person.

    Raises:
        GitError: The transfer failed; the next push sends what is missing.
        RemoteRefusedError: The remote does not accept experiments, or not these.
        DivergedError: Some experiments could not be reconciled with those of the remote; all others were sent.
    """
    route = find_route(repository, remote)
    sent = Sent([], [], 0, [], [])
    for attempt in range(MAX_TRIES):
        if attempt:
            time.sleep(_random.uniform(0, _FIRST_WAIT_S * 2**attempt))
        tips = _select(repository, selection)
        result = _send(repository, route, selection, tips, dry_run=dry_run, access=access)
        sent = _count(route, sent, result)
        if not dry_run:
            _note_published(repository, route, tips, result)
        clashes = _find_clashes(route, result)
        if not clashes:
            return sent
        if dry_run:
            raise _diverged(remote, _explain(clashes, "the remote has another version"))
        from gittrack.experiments.adoption import adopt

        fetch_refs(repository, remote, [route.fetch_refspec], access=access)
        seen = list_refs(repository, route.tracking)
        outcome = adopt(repository, route, seen=seen, only=clashes, may_rename=may_rename)
        sent.merged.extend(outcome.merged)
        sent.renamed.extend(outcome.renamed)
        if outcome.refused:
            raise _diverged(remote, [f"{entry.name}: {entry.reason}" for entry in outcome.refused])
        selection = _widen(selection, outcome.renamed)
    raise _diverged(remote, _explain(clashes, "others keep changing it"))


def list_unshared(repository: Repository, remote: str, selection: Selection = ALL) -> list[ExperimentRef]:
    """Return the experiments that differ from what was last seen on a remote; takes no network.

    Args:
        repository: The repository.
        remote: The remote's name.
        selection: Which experiments; all by default.
    """
    route = find_route(repository, remote)
    seen = list_refs(repository, route.tracking)
    return [name for name, oid in _select(repository, selection).items() if seen.get(route.tracking_ref(name)) != oid]


def remove_remote(
    repository: Repository, remote: str, experiments: Iterable[ExperimentRef], *, access: Access = QUIET
) -> list[ExperimentRef]:
    """Remove experiments from a remote, in one push; local ones stay.

    Only what was last seen there is removed: an experiment that somebody continued since stays.

    Args:
        repository: The repository.
        remote: The remote's name.
        experiments: Those to remove; the remote need not have them.
        access: How git may talk to the person.

    Returns:
        Those that the remote had, and has no longer.

    Raises:
        GitError: The transfer failed.
        RemoteRefusedError: The remote does not let experiments be removed.
        DivergedError: Somebody continued one of them since the last fetch.
    """
    route = find_route(repository, remote)
    published = {route.published_ref(experiment): experiment for experiment in experiments}
    present = list_remote_refs(repository, remote, list(published), access=access) if published else {}
    if not present:
        return []
    seen = list_refs(repository, route.tracking)
    leases = {ref: seen.get(route.tracking_ref(published[ref]), oid) for ref, oid in present.items()}
    result = push_refs(repository, remote, [f":{ref}" for ref in leases], leases=leases, access=access)
    clashes = _find_clashes(route, result)
    gone = [published[ref.ref] for ref in result.refs if ref.status == "removed"]
    updates = [(route.tracking_ref(experiment), None) for experiment in gone]
    _move_tracking(repository, route, dict(updates))
    if clashes:
        raise _diverged(remote, _explain(clashes, "it was continued there"))
    return gone


def _select(repository: Repository, selection: Selection) -> dict[ExperimentRef, str]:
    found = ((parse_ref(ref), oid) for ref, oid in list_refs(repository, NAMESPACE).items())
    return {name: oid for name, oid in found if name is not None and selection.holds(name)}


def _send(
    repository: Repository,
    route: Route,
    selection: Selection,
    tips: Mapping[ExperimentRef, str],
    *,
    dry_run: bool,
    access: Access,
) -> Push:
    if not tips:
        return Push([], [])
    seen = list_refs(repository, route.tracking)
    created = [route.published_ref(name) for name in tips if route.tracking_ref(name) not in seen]
    leases = dict.fromkeys(created) if len(created) <= MAX_NAMED else {}
    refspecs = _refspecs(route, selection, tips)
    return push_refs(repository, route.remote, refspecs, leases=leases, dry_run=dry_run, access=access)


def _refspecs(route: Route, selection: Selection, tips: Mapping[ExperimentRef, str]) -> list[str]:
    """Return as few refspecs as name the experiments: patterns where whole namespaces are meant."""
    if selection.experiments is not None or (selection.baselines is not None and len(tips) <= MAX_NAMED):
        return [f"{oid}:{route.published_ref(name)}" for name, oid in tips.items()]
    if selection.baselines is None:
        return [f"{NAMESPACE}/*:{route.published}/*"]
    baselines = dict.fromkeys(name.baseline for name in tips)
    return [f"{NAMESPACE}/{baseline}/*:{route.published}/{baseline}/*" for baseline in baselines]


def _count(route: Route, sent: Sent, result: Push) -> Sent:
    by_status: dict[str, list[ExperimentRef]] = {"created": [], "moved": [], "same": []}
    for ref in result.refs:
        experiment = route.parse_published(ref.ref)
        if experiment is not None and ref.status in by_status:
            by_status[ref.status].append(experiment)
    return sent._replace(
        created=sent.created + by_status["created"],
        moved=sent.moved + by_status["moved"],
        # A second try finds what the first one sent.
        n_same=sent.n_same or len(by_status["same"]),
    )


def _find_clashes(route: Route, result: Push) -> list[ExperimentRef]:
    """Return the experiments that somebody else changed on the remote.

    Raises:
        RemoteRefusedError: The remote rejected refs for another reason.
    """
    rejected = [ref for ref in result.refs if ref.status == "rejected"]
    refusals = [ref for ref in rejected if not any(race in ref.reason for race in _RACES)]
    if refusals:
        raise _refusal(route, refusals, result.remarks)
    return _parse_published(route, rejected)


def _refusal(route: Route, refusals: Sequence[PushedRef], remarks: Sequence[str]) -> RemoteRefusedError:
    reasons = "; ".join(dict.fromkeys(ref.reason.partition("] ")[2].strip("()") or ref.reason for ref in refusals))
    said = f"; it says: {' '.join(remarks)}" if remarks else ""
    word = "experiment" if len(refusals) == 1 else "experiments"
    hint = (
        f"a host that takes branches only: git config {NAMESPACE_SETTING} refs/heads/gittrack, then push again"
        if route.published == Route(route.remote).published
        else f"the git setting '{NAMESPACE_SETTING}' sends experiments to '{route.published}'"
    )
    return RemoteRefusedError(f"{route.remote} refused {len(refusals)} {word}: {reasons}{said}", hint=hint)


def _explain(clashes: Sequence[ExperimentRef], reason: str) -> list[str]:
    return [f"{experiment.name}: {reason}" for experiment in clashes]


def _diverged(remote: str, problems: Sequence[str]) -> DivergedError:
    return DivergedError(
        f"not all experiments could be shared with {remote}: {'; '.join(problems)}",
        hint="nothing was overwritten on either side, and all others were sent",
    )


def _note_published(repository: Repository, route: Route, tips: Mapping[ExperimentRef, str], result: Push) -> None:
    """Remember what the remote has now, where git's own refspec did not."""
    accepted = _parse_published(route, (ref for ref in result.refs if ref.status != "rejected"))
    _move_tracking(repository, route, {route.tracking_ref(experiment): tips.get(experiment) for experiment in accepted})


def _move_tracking(repository: Repository, route: Route, values: Mapping[str, str | None]) -> None:
    seen = list_refs(repository, route.tracking)
    new = {ref: oid for ref, oid in values.items() if oid and ref not in seen}
    changed = [RefUpdate(ref, oid, seen[ref]) for ref, oid in values.items() if ref in seen and seen[ref] != oid]
    try:
        if new:
            create_refs(repository, new, namespace=route.tracking)
        transaction(repository, changed)
    except RefChangedError:
        pass  # a fetch at the same time knows better


def _widen(selection: Selection, renamed: Sequence[Renamed]) -> Selection:
    """Let experiments that got a second name stay selected."""
    if selection.experiments is None:
        return selection
    return selection._replace(experiments=selection.experiments | {entry.kept for entry in renamed})


def _parse_published(route: Route, refs: Iterable[PushedRef]) -> list[ExperimentRef]:
    return [experiment for ref in refs if (experiment := route.parse_published(ref.ref)) is not None]
