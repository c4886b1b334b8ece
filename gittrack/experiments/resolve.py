"""From what a person writes to the experiment that is meant.

`name`, `name@baseline`, `origin/name`, `origin/name@baseline`, the beginning of a commit id, or a full ref. A baseline
is written as the beginning of its id, or as any revision that git knows. A local experiment wins over those of remotes.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from gittrack.errors import GittrackError, UsageError
from gittrack.experiments.names import NAMESPACE, REMOTES_NAMESPACE, parse_ref
from gittrack.experiments.store import ExperimentMissingError, Tip, list_tips
from gittrack.git.refs import RefError, read_ref

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from gittrack.git.repository import Repository

_SHORT_ID = 7
_MAX_LISTED = 10
_HEX = re.compile(r"[0-9a-f]{4,64}")


class AmbiguousNameError(UsageError):
    """What was written fits several experiments."""


class UnknownRevisionError(GittrackError):
    """git knows no such commit."""


def resolve(repository: Repository, text: str) -> Tip:
    """Return the experiment that a text means.

    Args:
        repository: The repository.
        text: What a person wrote; see the module's description.

    Raises:
        AmbiguousNameError: It fits several experiments; the hint lists them as they can be written.
        ExperimentMissingError: It fits none.
    """
    if text.startswith("refs/"):
        return _resolve_ref(repository, text)
    name, at, baseline = text.partition("@")
    local, remote = list_tips(repository, NAMESPACE), list_tips(repository, REMOTES_NAMESPACE)
    found = [tip for tip in local if tip.experiment.name == name]
    found = found or [tip for tip in remote if tip.experiment.label == name]
    found = found or [tip for tip in remote if tip.experiment.name == name]
    if at and found:
        found = _of_baseline(repository, found, baseline)
    if not found and not at and _HEX.fullmatch(name.lower()):
        found = [tip for tip in local if tip.commit.startswith(name.lower())]
        found = found or [tip for tip in remote if tip.commit.startswith(name.lower())]
    if not found:
        raise _missing(text, [*local, *remote])
    if len({(tip.experiment.baseline, tip.commit) for tip in found}) > 1:
        raise _ambiguous(text, found)
    return found[0]


def resolve_commit(repository: Repository, text: str) -> str:
    """Return the full id of the commit that a revision names.

    Args:
        repository: The repository.
        text: A branch, tag, id or anything else that `git rev-parse` takes.

    Raises:
        UnknownRevisionError: git knows no such commit.
    """
    if text and text.isprintable() and not text.startswith("-"):
        completed = repository.git.run(
            "rev-parse", "--verify", "--quiet", "--end-of-options", f"{text}^{{commit}}", check=False
        )
        commit = completed.stdout.decode("ascii", "replace").strip()
        if not completed.returncode and len(commit) == repository.id_length:
            return commit
    raise UnknownRevisionError(
        f"git knows no commit {text!r}", hint="name a branch, a tag or a commit, as 'git log' takes it"
    )


def _resolve_ref(repository: Repository, ref: str) -> Tip:
    experiment = parse_ref(ref)
    try:
        commit = read_ref(repository, ref) if experiment is not None else None
    except RefError:
        commit = None
    if experiment is None or commit is None:
        raise ExperimentMissingError(f"no experiment has the ref {ref!r}", hint="run 'gittrack exp list'")
    return Tip(experiment, commit)


def _of_baseline(repository: Repository, tips: Sequence[Tip], baseline: str) -> list[Tip]:
    """Return those of the experiments that start from a baseline."""
    if _HEX.fullmatch(baseline.lower()):
        found = [tip for tip in tips if tip.experiment.baseline.startswith(baseline.lower())]
        if found:
            return found
    try:
        commit = resolve_commit(repository, baseline)
    except UnknownRevisionError:
        return []
    return [tip for tip in tips if tip.experiment.baseline == commit]


def _ambiguous(text: str, tips: Sequence[Tip]) -> AmbiguousNameError:
    length = _unique_length({tip.experiment.baseline for tip in tips})
    written = dict.fromkeys(f"{tip.experiment.label}@{tip.experiment.baseline[:length]}" for tip in tips)
    return AmbiguousNameError(
        f"{text!r} fits {len(written)} experiments", hint=f"choose one of: {_listed(sorted(written))}"
    )


def _missing(text: str, tips: Sequence[Tip]) -> ExperimentMissingError:
    from difflib import get_close_matches

    name, at, baseline = text.partition("@")
    same = [tip for tip in tips if name in {tip.experiment.name, tip.experiment.label}]
    if at and same:
        length = _unique_length({tip.experiment.baseline for tip in same})
        starts = dict.fromkeys(f"{tip.experiment.label}@{tip.experiment.baseline[:length]}" for tip in same)
        return ExperimentMissingError(
            f"no experiment {name!r} starts from {baseline!r}", hint=f"there is: {_listed(sorted(starts))}"
        )
    labels = {tip.experiment.label for tip in tips} | {tip.experiment.name for tip in tips}
    near = get_close_matches(name, sorted(labels))
    hint = f"did you mean {' or '.join(map(repr, near))}?" if near else "run 'gittrack exp list' for all names"
    return ExperimentMissingError(f"no experiment {text!r}", hint=hint)


def _unique_length(ids: Iterable[str]) -> int:
    """Return how many digits tell the ids apart; at least seven."""
    distinct = set(ids)
    length = _SHORT_ID
    while len({one[:length] for one in distinct}) < len(distinct):
        length += 1
    return length


def _listed(names: Sequence[str]) -> str:
    more = len(names) - _MAX_LISTED
    return ", ".join(names[:_MAX_LISTED]) + (f", and {more} more" if more > 0 else "")


__all__ = ["AmbiguousNameError", "UnknownRevisionError", "resolve", "resolve_commit"]
