"""Which commit continues which: for many commits at once, from one ``git rev-list``."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gittrack.git.repository import Repository


class Ancestry:
    """The commits between some tips and the commits that they are based on.

    Args:
        parents: The parents of each commit, children before parents.
    """

    def __init__(self, parents: dict[str, list[str]]) -> None:
        self._parents = parents

    def contains(self, tip: str, commit: str) -> bool:
        """Return whether a commit is a tip or one of its ancestors."""
        return commit in self._line(tip)

    def merge_base(self, one: str, other: str) -> str | None:
        """Return the newest commit that two tips have in common; None when that is only what they are based on."""
        common = self._line(one) & self._line(other)
        return next((commit for commit in self._parents if commit in common), None)

    def _line(self, tip: str) -> set[str]:
        seen: set[str] = set()
        pending = [tip]
        while pending:
            commit = pending.pop()
            if commit not in seen and commit in self._parents:
                seen.add(commit)
                pending += self._parents[commit]
        return seen


def read_ancestry(repository: Repository, tips: Iterable[str], bases: Iterable[str]) -> Ancestry:
    """Read the history of commits down to what they are based on.

    Args:
        repository: The repository.
        tips: Commits that exist.
        bases: Commits where to stop; those that do not exist are passed over.

    Raises:
        GitError: A commit is broken.
    """
    lines = [*tips, *(f"^{base}" for base in bases)]
    if not lines:
        return Ancestry({})
    completed = repository.git.run(
        "rev-list", "--topo-order", "--parents", "--ignore-missing", "--stdin", input="\n".join([*lines, ""]).encode()
    )
    rows = (line.split() for line in completed.stdout.decode().splitlines())
    return Ancestry({commit: parents for commit, *parents in rows})


def list_contained(repository: Repository, commits: Iterable[str], tips: Iterable[str]) -> set[str]:
    """Return which commits are reachable from any of some tips; those that do not exist are not.

    Args:
        repository: The repository.
        commits: The commits in question.
        tips: Where to start.

    Raises:
        GitError: A commit is broken.
    """
    wanted = set(commits)
    text = "\n".join([*sorted(wanted), *(f"^{tip}" for tip in tips), ""])
    outside = repository.git.run("rev-list", "--ignore-missing", "--stdin", input=text.encode())
    text = "\n".join([*sorted(wanted), ""])
    present = repository.git.run("cat-file", "--batch-check", "--buffer", input=text.encode())
    here = {line.split()[0] for line in present.stdout.decode().splitlines() if line.split()[1] == "commit"}
    return (wanted & here) - set(outside.stdout.decode().split())
