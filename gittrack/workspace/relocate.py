"""Move and remove artifacts: pointer, content and ignore line go together, in an order in which a kill loses nothing.

Only the work tree changes, never the index; what is left for ``git add`` is returned.
"""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING, NamedTuple

from gittrack.artifacts.placing import InTheWayError, open_folder
from gittrack.artifacts.pointer import pointer_path
from gittrack.errors import GittrackError, UsageError
from gittrack.git.batch import read_one
from gittrack.git.work_tree import read_file
from gittrack.workspace.add import TrackedByGitError, check_places
from gittrack.workspace.compare import compare, is_whole
from gittrack.workspace.ignore import ignore_file, ignore_paths, stop_ignoring
from gittrack.workspace.pointers import write_pointer

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from gittrack.workspace.pointers import Tracked
    from gittrack.workspace.workspace import Workspace


class UnsavedError(GittrackError):
    """To remove an artifact would lose something that is nowhere else."""


class Moved(NamedTuple):
    """An artifact that was moved.

    Attributes:
        target: Where it is now, relative to the top folder.
        to_stage: What `git add` still has to take, relative to the top folder.
    """

    target: str
    to_stage: list[str]


class Removed(NamedTuple):
    """Artifacts that were removed.

    Attributes:
        paths: Which ones, relative to the top folder.
        to_stage: What `git add` still has to take, relative to the top folder.
    """

    paths: list[str]
    to_stage: list[str]


def move(workspace: Workspace, tracked: Tracked, target: str) -> Moved:
    """Move an artifact: the new place is ignored and has a pointer before the content arrives, the old one goes last.

    Args:
        workspace: The workspace.
        tracked: The artifact.
        target: Where to, relative to the top folder, checked; a folder that exists means a place in it.

    Raises:
        InTheWayError: Something is there.
        TrackedByGitError: git tracks something there.
        UsageError: There can be no artifact, or the place is inside of the artifact itself.
        OSError: It cannot be moved; everything is as it was.
    """
    repository, source = workspace.repository, tracked.path
    if (workspace.root / target).is_dir() and target != source:
        target = f"{target}/{source.rpartition('/')[2]}"
    _check_target(workspace, source, target)
    pointers = pointer_path(source), pointer_path(target)
    files = [*pointers, ignore_file(source), ignore_file(target)]
    is_new_line = bool(ignore_paths(repository, [target]))
    write_pointer(repository, target, tracked.pointer)
    try:
        _rename(workspace, source, target)
    except BaseException:
        workspace.restorer().remove_file(pointers[1])
        if is_new_line:
            stop_ignoring(repository, target)
        raise
    _forget(workspace, source)
    return Moved(target, _to_stage(workspace, files))


def remove(
    workspace: Workspace, artifacts: Sequence[Tracked], *, keeps_content: bool = False, force: bool = False
) -> Removed:
    """Remove artifacts: the content first, then the pointer, then the line by which git ignores it.

    Args:
        workspace: The workspace.
        artifacts: Which ones.
        keeps_content: Whether the files stay, and are only no artifacts any more.
        force: Whether to remove what is nowhere else, too.

    Raises:
        UnsavedError: Content is not in the cache, or a pointer in no commit; nothing was removed.
        OSError: Something cannot be removed.
    """
    if not force:
        for tracked in artifacts:
            _check_saved(workspace, tracked, keeps_content=keeps_content)
    restorer = workspace.restorer()
    files: list[str] = []
    for tracked in artifacts:
        if not keeps_content:
            restorer.remove(tracked.path)
        _forget(workspace, tracked.path)
        files += [pointer_path(tracked.path), ignore_file(tracked.path)]
    return Removed([tracked.path for tracked in artifacts], _to_stage(workspace, files))


def _forget(workspace: Workspace, path: str) -> None:
    """Remove the pointer and the ignore line of an artifact, and the folders that are empty now."""
    workspace.restorer().remove_file(pointer_path(path))
    stop_ignoring(workspace.repository, path)
    with contextlib.suppress(FileNotFoundError):
        workspace.restorer().remove_empty_folder(path.rpartition("/")[0])


def _check_target(workspace: Workspace, source: str, target: str) -> None:
    repository = workspace.repository
    if target == source or target.startswith(f"{source}/"):
        raise UsageError(f"'{source}' cannot be moved into itself", hint="name another place")
    check_places(repository, [target])
    for path in (target, pointer_path(target)):
        if os.path.lexists(workspace.root / path):
            raise InTheWayError(f"there is something at '{path}'", hint="move it away, or name another place")
    tracked = repository.git.run("ls-files", "-z", "--", target, pointer_path(target)).stdout
    if tracked:
        first = os.fsdecode(tracked.partition(b"\0")[0])
        raise TrackedByGitError(f"git tracks '{first}'", hint=f"git rm --cached -- '{first}', or name another place")


def _rename(workspace: Workspace, source: str, target: str) -> None:
    """Give the content its new name; content that is not there needs none."""
    above, _, name = source.rpartition("/")
    folder, _, new_name = target.rpartition("/")
    with open_folder(workspace.root, above) as old, open_folder(workspace.root, folder, create=True) as new:
        try:
            os.rename(name, new_name, src_dir_fd=old, dst_dir_fd=new)
        except FileNotFoundError:
            if os.path.lexists(workspace.root / source):
                raise
            return
        os.fsync(new)
        os.fsync(old)


def _check_saved(workspace: Workspace, tracked: Tracked, *, keeps_content: bool) -> None:
    """Raise when removing an artifact would lose content or the only pointer to it."""
    path = tracked.path
    if not keeps_content:
        compared = compare(workspace, tracked)
        if compared.state in {"modified", "unreadable"}:
            raise UnsavedError(
                f"'{path}' is not as its pointer says{f': {compared.problem}' if compared.problem else ''}",
                hint=f"gittrack add '{path}' keeps it, --cached leaves the files, --force removes them",
            )
        if compared.state == "unchanged" and not is_whole(
            workspace.cache, tracked.pointer.digest, tracked.pointer.kind
        ):
            raise UnsavedError(
                f"the content of '{path}' is not in the cache",
                hint=f"gittrack add '{path}' keeps it, --cached leaves the files, --force removes them",
            )
        if not _is_committed(workspace, path):
            raise UnsavedError(
                f"the pointer '{pointer_path(path)}' is not committed as it is",
                hint="commit it first, use --cached to leave the files, or --force to remove both",
            )


def _is_committed(workspace: Workspace, path: str) -> bool:
    pointer = pointer_path(path)
    committed = read_one(workspace.repository, f"HEAD:{pointer}")
    return committed is not None and committed.data == read_file(workspace.root, pointer)


def _to_stage(workspace: Workspace, paths: Iterable[str]) -> list[str]:
    """Return those files that `git add` has to take: changed, new, or gone and known to git."""
    named = list(dict.fromkeys(paths))
    status = workspace.repository.git.run(
        "status", "--porcelain=v1", "-z", "--untracked-files=all", "--no-renames", "--", *named
    ).stdout
    changed = {entry[3:] for entry in os.fsdecode(status).split("\0") if entry[1:2] not in {"", " "}}
    return [path for path in named if path in changed]
