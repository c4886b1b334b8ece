"""How the artifacts of the work tree stand: to their pointers, to HEAD and to the cache."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from gittrack.git.state import read_head
from gittrack.workspace.compare import compare, is_whole
from gittrack.workspace.pointers import list_commit_pointers, list_workspace_pointers

if TYPE_CHECKING:
    from gittrack.artifacts.digest import Digest
    from gittrack.workspace.compare import Compared, State
    from gittrack.workspace.pointers import BadPointer
    from gittrack.workspace.workspace import Workspace


class ArtifactState(NamedTuple):
    """How an artifact of the work tree stands.

    Attributes:
        path: Where it belongs.
        digest: What its pointer says it is.
        state: ``unchanged``, ``modified``, ``missing`` or ``unreadable``, beside its pointer.
        is_new: Whether HEAD has no pointer to it.
        is_committed: Whether HEAD has the same pointer.
        is_cached: Whether the cache has all that the pointer means.
    """

    path: str
    digest: Digest
    state: State
    is_new: bool
    is_committed: bool
    is_cached: bool


class ArtifactStates(NamedTuple):
    """How all artifacts of the work tree stand.

    Attributes:
        artifacts: Each of them, sorted by path.
        bad: Files that only look like pointers.
    """

    artifacts: list[ArtifactState]
    bad: list[BadPointer]


def read_states(workspace: Workspace) -> ArtifactStates:
    """Return how the artifacts of the work tree stand; a file that has not changed is not read.

    Args:
        workspace: A workspace with a work tree.
    """
    repository = workspace.repository
    pointers = list_workspace_pointers(repository)
    if not pointers.tracked:
        return ArtifactStates([], pointers.bad)
    head = read_head(repository).sha
    committed = {one.path: one.pointer for one in list_commit_pointers(repository, head).tracked} if head else {}
    states = []
    for tracked in pointers.tracked:
        compared = compare(workspace, tracked)
        there = committed.get(tracked.path)
        states.append(
            ArtifactState(
                path=tracked.path,
                digest=tracked.pointer.digest,
                state=compared.state,
                is_new=there is None,
                is_committed=there == tracked.pointer,
                is_cached=_is_cached(workspace, compared),
            )
        )
    return ArtifactStates(states, pointers.bad)


def _is_cached(workspace: Workspace, compared: Compared) -> bool:
    """Return whether the cache has an artifact; the files of an unchanged folder are known without its list."""
    cache, contents = workspace.cache, compared.contents
    if compared.state != "unchanged" or contents is None:
        pointer = compared.tracked.pointer
        return is_whole(cache, pointer.digest, pointer.kind)
    return not cache.find_missing([contents.digest, *(entry.digest for entry in contents.files)])
