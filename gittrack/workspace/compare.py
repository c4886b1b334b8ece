"""Compare artifacts of the work tree with what their pointers say."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

from gittrack.artifacts.cache import ObjectCorruptError, ObjectMissingError
from gittrack.artifacts.manifest import MAX_MANIFEST_BYTES, InvalidManifestError, parse_manifest
from gittrack.errors import GittrackError
from gittrack.workspace.contents import read_contents

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gittrack.artifacts.cache import Cache
    from gittrack.artifacts.digest import Digest
    from gittrack.artifacts.manifest import FileEntry
    from gittrack.artifacts.pointer import Kind, Pointer
    from gittrack.workspace.contents import Contents
    from gittrack.workspace.pointers import Tracked
    from gittrack.workspace.workspace import Workspace

State = Literal["unchanged", "modified", "missing", "unreadable"]


class FileChanges(NamedTuple):
    """How one set of files differs from another.

    Attributes:
        added: Paths that only the second one has.
        modified: Paths that both have, with other content.
        deleted: Paths that only the first one has.
    """

    added: tuple[str, ...] = ()
    modified: tuple[str, ...] = ()
    deleted: tuple[str, ...] = ()


class Compared(NamedTuple):
    """An artifact of the work tree, beside its pointer.

    Attributes:
        tracked: The artifact.
        state: ``unchanged``, ``modified``, ``missing`` (nothing is there) or ``unreadable``.
        contents: What is there.
        changes: Of a folder, how its files differ from those of the pointer; None when the cache lacks its manifest.
        problem: Why it is unreadable.
    """

    tracked: Tracked
    state: State
    contents: Contents | None = None
    changes: FileChanges | None = None
    problem: str | None = None


def compare(workspace: Workspace, tracked: Tracked) -> Compared:
    """Return how an artifact of the work tree stands to its pointer.

    Args:
        workspace: The workspace.
        tracked: The artifact.
    """
    try:
        contents = read_contents(workspace, tracked.path)
    except (GittrackError, OSError) as error:
        return Compared(tracked, "unreadable", problem=str(error))
    if contents is None:
        return Compared(tracked, "missing")
    if contents.digest == tracked.pointer.digest and contents.kind == tracked.pointer.kind:
        return Compared(tracked, "unchanged", contents)
    return Compared(tracked, "modified", contents, _changes(workspace.cache, tracked.pointer, contents))


def read_files(cache: Cache, digest: Digest) -> list[FileEntry]:
    """Return the files of a folder, by its manifest in the cache.

    Args:
        cache: The cache.
        digest: Of the manifest.

    Raises:
        ObjectMissingError: The cache does not have it.
        ObjectCorruptError: It is damaged.
        InvalidManifestError: It is no manifest, or a hostile one.
    """
    return parse_manifest(cache.read(digest, MAX_MANIFEST_BYTES))


def is_whole(cache: Cache, digest: Digest, kind: Kind) -> bool:
    """Return whether the cache has everything that an artifact consists of.

    Args:
        cache: The cache.
        digest: The artifact's.
        kind: ``file`` or ``dir``.
    """
    if cache.find_size(digest) is None:
        return False
    if kind == "file":
        return True
    try:
        return not cache.find_missing(entry.digest for entry in read_files(cache, digest))
    except (ObjectMissingError, ObjectCorruptError, InvalidManifestError):
        return False


def compare_files(before: Sequence[FileEntry], after: Sequence[FileEntry]) -> FileChanges:
    """Return how one set of files differs from another.

    Args:
        before: The first one.
        after: The second one.
    """
    old = {entry.path: entry for entry in before}
    new = {entry.path: entry for entry in after}
    return FileChanges(
        added=tuple(path for path in new if path not in old),
        modified=tuple(path for path, entry in new.items() if path in old and old[path] != entry),
        deleted=tuple(path for path in old if path not in new),
    )


def _changes(cache: Cache, pointer: Pointer, contents: Contents) -> FileChanges | None:
    if pointer.kind != "dir" or contents.kind != "dir":
        return None
    try:
        return compare_files(read_files(cache, pointer.digest), contents.files)
    except (ObjectMissingError, ObjectCorruptError, InvalidManifestError):
        return None
