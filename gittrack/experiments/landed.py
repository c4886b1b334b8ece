"""Which experiments' code did a commit take in?"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from gittrack.experiments.format import FOLDER

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gittrack.experiments.store import Tip
    from gittrack.git.repository import Repository

_ADDED = "A"


class Change(NamedTuple):
    """How a path differs between two trees: git's status letter, the new mode and the new object."""

    status: str
    mode: str
    oid: str


def find_landed(repository: Repository, baseline: str, commit: str, tips: Sequence[Tip]) -> list[Tip]:
    """Return the experiments of a baseline whose code a later commit contains.

    A commit contains an experiment's code when it changes every tracked file as the experiment's snapshot did. A file
    that the experiment had untracked may be missing from the commit, but it may not be there with other content; and
    something must have changed at all.

    Args:
        repository: The repository.
        baseline: The commit that the experiments start from.
        commit: The later commit.
        tips: The experiments.
    """
    made, *wanted = (changes_between(repository, baseline, end) for end in (commit, *(tip.commit for tip in tips)))
    return [tip for tip, changes in zip(tips, wanted, strict=True) if _contains(made, changes)]


def changes_between(repository: Repository, old: str, new: str) -> dict[str, Change]:
    """Return how each path of the code differs between two trees or commits; ``.gittrack/`` is no code.

    Args:
        repository: The repository.
        old: A tree or commit id.
        new: Another one.
    """
    raw = repository.git.run("diff-tree", "-r", "-z", "--no-renames", "--no-ext-diff", old, new, "--").stdout
    fields = raw.decode("utf-8", "surrogateescape").split("\0")
    changes = {}
    for head, path in zip(fields[::2], fields[1::2], strict=False):
        _, mode, _, oid, status = head[1:].split(" ")
        if not path.startswith(f"{FOLDER}/"):
            changes[path] = Change(status[0], mode, oid)
    return changes


def _contains(made: Mapping[str, Change], wanted: Mapping[str, Change]) -> bool:
    matching = [path for path, change in wanted.items() if made.get(path, change) == change]
    missing_tracked = [path for path, change in wanted.items() if path not in made and change.status != _ADDED]
    is_same = len(matching) == len(wanted) and not missing_tracked
    return is_same and any(path in made for path in wanted)
