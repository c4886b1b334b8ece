"""How a baseline is called in a table: its branches and tags, its id and subject, and what became of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from gittrack.git.refs import list_refs

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from gittrack.experiments.index import Index
    from gittrack.git.repository import Repository
    from gittrack.git.state import Head

SHORT_ID = 7
_MAX_NAMES = 3
_GAP = "  "


class Names(NamedTuple):
    """The names that git has for commits.

    Attributes:
        branches: Local branches by commit; remote ones where a commit has no local one.
        tags: Tags by commit.
        head: Where HEAD is.
    """

    branches: dict[str, list[str]]
    tags: dict[str, list[str]]
    head: Head

    def of(self, commit: str) -> list[str]:
        """Return the names of a commit, that of HEAD first."""
        names = sorted([*self.branches.get(commit, ()), *self.tags.get(commit, ())], key=self._is_not_head)
        if commit != self.head.sha:
            return names
        if self.head.branch in names:
            return [f"{self.head.branch} (HEAD)", *(name for name in names if name != self.head.branch)]
        return ["HEAD", *names]

    def _is_not_head(self, name: str) -> bool:
        return name != self.head.branch


def read_names(repository: Repository, index: Index, head: Head, commits: Collection[str]) -> Names:
    """Return the names of some commits.

    Args:
        repository: The repository.
        index: Keeps which commit is behind a tag.
        head: Where HEAD is.
        commits: The commits whose names are wanted.
    """
    branches = _by_commit(list_refs(repository, "refs/heads").items(), "refs/heads/", commits)
    if len(branches) < len(commits):
        remote = _by_commit(list_refs(repository, "refs/remotes").items(), "refs/remotes/", commits)
        branches = {**remote, **branches}
    return Names(branches, _tags(repository, index, commits), head)


def describe_baseline(
    commit: str, *, names: Names, subject: str | None, is_cut: bool, rewritten: str | None, is_unborn: bool
) -> str:
    """Return the label of a baseline's row.

    Args:
        commit: Its id.
        names: The names that git has for commits.
        subject: The first line of its message; None when it is not in the repository.
        is_cut: Whether the repository is a shallow one, where commits are missing on purpose.
        rewritten: What it became by an amend or a rebase; None when it was not rewritten.
        is_unborn: Whether it stands for the time before the first commit.
    """
    if is_unborn:
        return "(before the first commit)"
    own = names.of(commit)
    shown = ", ".join(own[:_MAX_NAMES]) + (f" +{len(own) - _MAX_NAMES}" if len(own) > _MAX_NAMES else "")
    notes = []
    if rewritten is not None:
        became = names.of(rewritten)
        notes.append(f"rewritten as {rewritten[:SHORT_ID]}{f' on {became[0]}' if became else ''}")
    elif subject is None:
        notes.append("beyond this shallow clone" if is_cut else "commit not in this repository")
    note = f"({', '.join(notes)})" if notes else ""
    return _GAP.join(part for part in (shown, commit[:SHORT_ID], note, subject) if part)


def _by_commit(refs: Iterable[tuple[str, str]], prefix: str, commits: Collection[str]) -> dict[str, list[str]]:
    names: dict[str, list[str]] = {}
    for ref, commit in sorted(refs):
        if commit in commits:
            names.setdefault(commit, []).append(ref.removeprefix(prefix))
    return names


def _tags(repository: Repository, index: Index, commits: Collection[str]) -> dict[str, list[str]]:
    """Return the tags at commits; the commit behind an annotated tag is looked up once."""
    tags = list_refs(repository, "refs/tags")
    others = {oid for oid in tags.values() if oid not in commits}
    behind = index.load_facts("tag", others) if others else {}
    unknown = sorted(others - behind.keys())
    if unknown:
        from gittrack.git.batch import read_many

        targets = read_many(repository, [f"{oid}^{{commit}}" for oid in unknown], max_bytes=0)
        found = {oid: target.oid for oid, target in zip(unknown, targets, strict=True) if target is not None}
        index.save_facts("tag", found)
        behind = {**behind, **found}
    peeled = ((ref, behind.get(oid, oid)) for ref, oid in tags.items())
    return _by_commit(peeled, "refs/tags/", commits)
