"""What differs between the artifacts of two revisions, or of one and the work tree, down to the files of folders."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

from gittrack.artifacts.cache import ObjectCorruptError, ObjectMissingError
from gittrack.artifacts.manifest import InvalidManifestError
from gittrack.workspace.compare import compare, compare_files, read_files

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from gittrack.artifacts.cache import Cache
    from gittrack.artifacts.digest import Digest
    from gittrack.artifacts.manifest import FileEntry
    from gittrack.artifacts.pointer import Kind
    from gittrack.workspace.pointers import Tracked
    from gittrack.workspace.workspace import Workspace

Change = Literal["added", "modified", "deleted", "missing", "unreadable"]


class FileDifference(NamedTuple):
    """A file of a folder that differs.

    Attributes:
        path: Relative to the folder.
        change: ``added``, ``modified`` or ``deleted``.
        old_size: In bytes; None when it was added.
        new_size: In bytes; None when it was deleted.
    """

    path: str
    change: Change
    old_size: int | None
    new_size: int | None


class Difference(NamedTuple):
    """An artifact that differs.

    Attributes:
        path: Where it belongs.
        change: ``added``, ``modified``, ``deleted``, ``missing`` (its pointer is there, but nothing else) or
            ``unreadable``.
        old_size: In bytes; None when there was none.
        new_size: In bytes; None when there is none.
        files: How the files of a folder differ; None when it is no folder on one side, or the cache lacks a list.
        problem: Why it is unreadable.
    """

    path: str
    change: Change
    old_size: int | None
    new_size: int | None
    files: tuple[FileDifference, ...] | None = None
    problem: str | None = None


class _Side(NamedTuple):
    """What an artifact is on one side."""

    kind: Kind
    digest: Digest
    size: int
    files: Sequence[FileEntry] | None  # when they are known without the cache


def diff_revisions(cache: Cache, old: Iterable[Tracked], new: Iterable[Tracked]) -> list[Difference]:
    """Return how the artifacts of two revisions differ, sorted by path.

    Args:
        cache: The cache.
        old: Those of the first revision.
        new: Those of the second one.
    """
    before = {one.path: _pointed(one) for one in old}
    after = {one.path: _pointed(one) for one in new}
    return _diff(cache, before, after)


def diff_work_tree(workspace: Workspace, old: Iterable[Tracked], new: Iterable[Tracked]) -> list[Difference]:
    """Return how the artifacts of the work tree, by their content, differ from those of a revision, sorted by path.

    Args:
        workspace: The workspace.
        old: Those of the revision.
        new: Those of the work tree.
    """
    before = {one.path: _pointed(one) for one in old}
    after: dict[str, _Side] = {}
    apart: list[Difference] = []
    for tracked in new:
        compared, there = compare(workspace, tracked), before.get(tracked.path)
        if compared.contents is not None:
            found = compared.contents
            after[tracked.path] = _Side(found.kind, found.digest, found.size, found.files)
            continue
        before.pop(tracked.path, None)
        change: Change = "missing" if compared.state == "missing" else "unreadable"
        apart.append(Difference(tracked.path, change, there.size if there else None, None, None, compared.problem))
    return sorted([*_diff(workspace.cache, before, after), *apart])


def _pointed(tracked: Tracked) -> _Side:
    pointer = tracked.pointer
    return _Side(pointer.kind, pointer.digest, pointer.size, None)


def _diff(cache: Cache, before: dict[str, _Side], after: dict[str, _Side]) -> list[Difference]:
    differences = []
    for path in sorted({*before, *after}):
        old, new = before.get(path), after.get(path)
        if old is not None and new is not None and (old.kind, old.digest) == (new.kind, new.digest):
            continue
        change: Change = "added" if old is None else "deleted" if new is None else "modified"
        differences.append(
            Difference(path, change, old.size if old else None, new.size if new else None, _diff_files(cache, old, new))
        )
    return differences


def _diff_files(cache: Cache, old: _Side | None, new: _Side | None) -> tuple[FileDifference, ...] | None:
    """Return how files differ; None where both sides are not folders, or the list of one is unknown."""
    if any(side is not None and side.kind != "dir" for side in (old, new)):
        return None
    try:
        before, after = _files(cache, old), _files(cache, new)
    except (ObjectMissingError, ObjectCorruptError, InvalidManifestError):
        return None
    changes = compare_files(list(before.values()), list(after.values()))
    found = [FileDifference(path, "added", None, after[path].size) for path in changes.added]
    found += [FileDifference(path, "modified", before[path].size, after[path].size) for path in changes.modified]
    found += [FileDifference(path, "deleted", before[path].size, None) for path in changes.deleted]
    return tuple(sorted(found))


def _files(cache: Cache, side: _Side | None) -> dict[str, FileEntry]:
    if side is None:
        return {}
    files = read_files(cache, side.digest) if side.files is None else side.files
    return {entry.path: entry for entry in files}
