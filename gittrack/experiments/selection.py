"""Which baselines a person asks for, by revisions and a number of commits."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from gittrack.experiments.query import list_tips
from gittrack.experiments.resolve import UnknownRevisionError, resolve_commit
from gittrack.git.state import read_head

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gittrack.git.repository import Repository

_HEX = re.compile(r"[0-9a-f]{4,64}")


def select_baselines(repository: Repository, revisions: Sequence[str], n_commits: int | None) -> list[str] | None:
    """Return the commits whose experiments are wanted; None when that is all.

    Args:
        repository: The repository.
        revisions: Branches, tags, commits, also beginnings of ids of baselines that are gone; none of them and a
            number means HEAD.
        n_commits: How many commits to take from each revision back along first parents; a negative number takes all.

    Raises:
        UnknownRevisionError: A revision names no commit.
    """
    if not revisions and n_commits is None:
        return None
    starts = [_baseline(repository, revision) for revision in revisions] if revisions else [_head(repository)]
    commits: dict[str, None] = {}
    for start in starts:
        commits.update(dict.fromkeys(_first_parents(repository, start, 1 if n_commits is None else n_commits)))
    return list(commits)


def _baseline(repository: Repository, revision: str) -> str:
    try:
        return resolve_commit(repository, revision)
    except UnknownRevisionError:
        if _HEX.fullmatch(revision):
            gone = {tip.baseline for tip in list_tips(repository) if tip.baseline.startswith(revision)}
            if len(gone) == 1:
                return gone.pop()
        raise


def _head(repository: Repository) -> str:
    return read_head(repository).sha or repository.zero_id


def _first_parents(repository: Repository, start: str, n_commits: int) -> list[str]:
    if n_commits == 1 or start == repository.zero_id:
        return [start]
    completed = repository.git.run("rev-list", "--first-parent", f"--max-count={n_commits}", start, "--", check=False)
    return completed.stdout.decode("ascii").split() or [start]
