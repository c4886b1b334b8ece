"""Which experiments' code did a commit take in?"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from gittrack.experiments.format import FOLDER

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from gittrack.experiments.store import Tip
    from gittrack.git.repository import Repository

_ADDED = "A"
_DIFF = ("diff-tree", "-r", "-z", "--no-renames", "--no-ext-diff")


class Change(NamedTuple):
    """How a path differs between two trees: git's status letter, the new mode and the new object."""

    status: str
    mode: str
    oid: str


def find_landed(repository: Repository, commit: str, tips: Sequence[Tip]) -> list[Tip]:
    """Return the experiments whose code a later commit contains.

    A commit contains an experiment's code when, seen from the experiment's baseline, it changed every tracked file as
    the experiment's snapshot did. A file that the experiment had untracked may be missing from the commit, but it may
    not be there with other content; and something must have changed at all.

    Args:
        repository: The repository.
        commit: The later commit.
        tips: Experiments whose baselines are ancestors of that commit.
    """
    baselines = {tip.experiment.baseline for tip in tips}
    made = {baseline: changes_between(repository, baseline, commit) for baseline in baselines}
    wanted = _changes_of(repository, tips)
    return [tip for tip in tips if _contains(made[tip.experiment.baseline], wanted.get(tip.commit, {}))]


def changes_between(repository: Repository, old: str, new: str) -> dict[str, Change]:
    """Return how each path of the code differs between two trees or commits; ``.gittrack/`` is no code.

    Args:
        repository: The repository.
        old: A tree or commit id.
        new: Another one.
    """
    listing = repository.git.run(*_DIFF, old, new, "--").stdout
    fields = iter(listing.decode("utf-8", "surrogateescape").split("\0")[:-1])
    return dict(_parse_changes(fields))


def _changes_of(repository: Repository, tips: Sequence[Tip]) -> Mapping[str, Mapping[str, Change]]:
    """Return what each experiment's snapshot changed since its baseline, by its commit, from one process."""
    if not tips:
        return {}
    # A commit and what shall count as its parent; answered by the commit's id and its changes, if there are any.
    questions = "".join(f"{tip.commit} {tip.experiment.baseline}\n" for tip in tips).encode()
    listing = repository.git.run(*_DIFF, "--stdin", input=questions).stdout
    parts: dict[str, list[str]] = {}
    fields: list[str] = []
    tokens = iter(listing.decode("utf-8", "surrogateescape").split("\0")[:-1])
    for token in tokens:
        if token.startswith(":"):
            fields += [token, next(tokens)]
        else:
            fields = parts[token] = []
    return {commit: dict(_parse_changes(iter(fields))) for commit, fields in parts.items()}


def _parse_changes(fields: Iterator[str]) -> Iterator[tuple[str, Change]]:
    """Read ``:<mode> <mode> <id> <id> <status>`` and the path that follows it, again and again."""
    for head in fields:
        path = next(fields)
        _, mode, _, oid, status = head[1:].split(" ")
        if not path.startswith(f"{FOLDER}/"):
            yield path, Change(status[0], mode, oid)


def _contains(made: Mapping[str, Change], wanted: Mapping[str, Change]) -> bool:
    """Return whether a commit's changes hold an experiment's."""
    is_same = all(made[path] == change if path in made else change.status == _ADDED for path, change in wanted.items())
    return is_same and any(path in made for path in wanted)
