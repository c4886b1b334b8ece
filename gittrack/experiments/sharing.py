"""Bring experiments from a git remote: beside the local ones (fetch), and into them (pull, adopt).

One connection for any number of experiments, unless some are called by name: then the remote is asked for them first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from gittrack.experiments.names import check_name
from gittrack.experiments.route import find_route
from gittrack.git.refs import list_refs
from gittrack.git.transfer import QUIET, fetch_refs, list_remote_refs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from gittrack.experiments.adoption import Adoption
    from gittrack.experiments.names import ExperimentRef
    from gittrack.experiments.route import Route
    from gittrack.git.repository import Repository
    from gittrack.git.transfer import Access


class Fetched(NamedTuple):
    """What a fetch changed in the tracking namespace.

    Attributes:
        new: Experiments that were not seen before.
        moved: Experiments that the remote had continued.
        gone: Experiments that the remote no longer has, removed from tracking.
    """

    new: list[ExperimentRef]
    moved: list[ExperimentRef]
    gone: list[ExperimentRef]


def fetch(
    repository: Repository,
    remote: str,
    *,
    names: Sequence[str] = (),
    prune: bool = False,
    access: Access = QUIET,
) -> Fetched:
    """Bring the experiments of a remote beside the local ones.

    Args:
        repository: The repository.
        remote: The remote's name.
        names: Only experiments of these names, or ``name@<baseline>``; all by default.
        prune: Whether tracking forgets what the remote no longer has; local experiments stay in any case.
        access: How git may talk to the person.

    Raises:
        GitError: The transfer failed; what had arrived stays, and the next fetch continues.
        ExperimentMissingError: The remote has no experiment of a name.
    """
    return _fetch(repository, find_route(repository, remote), names, prune=prune, access=access)[0]


def pull(
    repository: Repository,
    remote: str,
    *,
    names: Sequence[str] = (),
    access: Access = QUIET,
    meanwhile: Callable[[], object] | None = None,
) -> tuple[Fetched, Adoption]:
    """Fetch the experiments of a remote, and take them up; see `adopt`.

    Args:
        repository: The repository.
        remote: The remote's name.
        names: Only experiments of these names, or ``name@<baseline>``; all by default.
        access: How git may talk to the person.
        meanwhile: What to do while git fetches, such as to load what is needed afterwards.

    Raises:
        GitError: The transfer failed; what had arrived stays, and the next pull continues.
        ExperimentMissingError: The remote has no experiment of a name.
    """
    route = find_route(repository, remote)

    # What takes up experiments is loaded while git fetches: on two cores that costs no time.
    def load() -> None:
        _load_adoption()
        if meanwhile is not None:
            meanwhile()

    fetched, seen = _fetch(repository, route, names, access=access, meanwhile=load)
    from gittrack.experiments import adoption

    result = adoption.adopt(repository, route, seen=seen, only=_called(route, seen, names))
    missing = [refused.missing for refused in result.refused if refused.missing]
    if missing:  # left out by a partial clone, in an earlier and plain `git fetch`
        fetch_refs(repository, remote, missing, access=access)
        again = adoption.adopt(repository, route, seen=seen, only=_called(route, seen, names))
        result = adoption.join(result, again)
    return fetched, result


def adopt(repository: Repository, remote: str, *, names: Sequence[str] = (), may_rename: bool = True) -> Adoption:
    """Take up what was last seen on a remote: create, advance, merge; takes no network.

    Args:
        repository: The repository.
        remote: The remote's name.
        names: Only experiments of these names, or ``name@<baseline>``; all by default.
        may_rename: Whether a local experiment may give up its name to a published one of the same name.

    Raises:
        GittrackError: git or the disk refused a change; what was taken up until then stays.
    """
    from gittrack.experiments import adoption

    route = find_route(repository, remote)
    seen = list_refs(repository, route.tracking)
    return adoption.adopt(repository, route, seen=seen, only=_called(route, seen, names), may_rename=may_rename)


def _fetch(
    repository: Repository,
    route: Route,
    names: Sequence[str],
    *,
    prune: bool = False,
    access: Access,
    meanwhile: Callable[[], object] | None = None,
) -> tuple[Fetched, dict[str, str]]:
    """Fetch, and return what changed and all that is seen on the remote now."""
    before = list_refs(repository, route.tracking)
    refspecs = _named_refspecs(repository, route, names, access) if names else [route.fetch_refspec]
    fetch_refs(repository, route.remote, refspecs, prune=prune and not names, access=access, meanwhile=meanwhile)
    after = list_refs(repository, route.tracking)
    changes = Fetched(
        new=_parse(route, after.keys() - before.keys()),
        moved=_parse(route, (ref for ref in after.keys() & before.keys() if after[ref] != before[ref])),
        gone=_parse(route, before.keys() - after.keys()),
    )
    return changes, after


def _load_adoption() -> None:
    import gittrack.experiments.adoption
    import gittrack.experiments.arrived  # noqa: F401  that is the purpose


def _called(route: Route, seen: Iterable[str], names: Sequence[str]) -> set[ExperimentRef] | None:
    """Return the experiments of some names; None, for all, when there are no names."""
    if not names:
        return None
    return {experiment for experiment in _parse(route, seen) if any(_is_called(experiment, name) for name in names)}


def _named_refspecs(repository: Repository, route: Route, names: Sequence[str], access: Access) -> list[str]:
    patterns = [f"{route.published}/*/{check_name(name.partition('@')[0])}" for name in names]
    present = [
        route.parse_published(ref) for ref in list_remote_refs(repository, route.remote, patterns, access=access)
    ]
    refspecs = []
    for name in names:
        found = [experiment for experiment in present if experiment and _is_called(experiment, name)]
        if not found:
            from gittrack.experiments.store import ExperimentMissingError

            raise ExperimentMissingError(
                f"{route.remote} has no experiment '{name}'", hint=f"gittrack exp list {route.remote}"
            )
        refspecs += [f"+{route.published_ref(entry)}:{route.tracking_ref(entry)}" for entry in found]
    return list(dict.fromkeys(refspecs))


def _is_called(experiment: ExperimentRef, name: str) -> bool:
    """Return whether ``name`` or ``name@<start of the baseline>`` means an experiment."""
    wanted, _, baseline = name.partition("@")
    return experiment.name == wanted and experiment.baseline.startswith(baseline)


def _parse(route: Route, refs: Iterable[str]) -> list[ExperimentRef]:
    return [experiment for experiment in map(route.parse_tracking, sorted(refs)) if experiment is not None]
