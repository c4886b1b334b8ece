"""What the commands on artifacts have in common: the workspace at hand, which artifacts are meant, what went wrong."""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from gittrack.paths import check_repository_path
from gittrack.visible import sanitise
from gittrack.workspace.add import repository_path
from gittrack.workspace.pointers import list_workspace_pointers
from gittrack.workspace.revisions import NotTrackedError, resolve_revision, select_below
from gittrack.workspace.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gittrack.cli.terminal import Terminal
    from gittrack.git.repository import Repository
    from gittrack.workspace.checkout import CheckedOut
    from gittrack.workspace.pointers import BadPointer, Pointers, Tracked
    from gittrack.workspace.revisions import Revision

_N_SHOWN = 3


def current_workspace() -> Workspace:
    """Return the workspace that the command was called in.

    Raises:
        NotARepositoryError: There is none.
    """
    from gittrack.cli.options import current_repository

    workspace = Workspace.open(current_repository())
    if workspace.repository.work_tree is not None:
        workspace.current_folder = os.path.relpath(Path.cwd().resolve(), workspace.repository.work_tree.resolve())
    return workspace


def select_artifacts(repository: Repository, paths: Sequence[str], pointers: Pointers | None = None) -> list[Tracked]:
    """Return the artifacts of the work tree that are meant.

    Args:
        repository: A repository with a work tree.
        paths: Artifacts, or folders that hold some, relative to the current folder; nothing means all.
        pointers: Those of the work tree, when they were read already.

    Raises:
        NotTrackedError: There is none at a path.
    """
    tracked = (pointers or list_workspace_pointers(repository)).tracked
    if not paths:
        return tracked
    selected: dict[str, Tracked] = {}
    for path in paths:
        found = select_below(tracked, path_from_top(repository, path, may_be_top=True))
        if not found:
            raise NotTrackedError(f"'{path}' is no artifact and holds none", hint=f"gittrack add '{path}' makes it one")
        selected.update({one.path: one for one in found})
    return list(selected.values())


def path_from_top(repository: Repository, path: str, *, may_be_top: bool = False) -> str:
    """Return a path that a person wrote, relative to the top of the repository; in a bare one it is meant so.

    Args:
        repository: The repository.
        path: Absolute, or relative to the current folder.
        may_be_top: Whether it may be the top folder, which is empty then.

    Raises:
        InvalidPathError: It is outside the repository, or no path that every system takes.
    """
    if repository.work_tree is None:
        return check_repository_path(path)
    if may_be_top and (Path.cwd() / path).resolve() == repository.work_tree.resolve():
        return ""
    return repository_path(repository, path, Path.cwd())


def open_revision(repository: Repository, text: str | None) -> Revision | None:
    """Return the commit or experiment that an option names; None, for the work tree, when it was not given.

    Args:
        repository: The repository.
        text: What a person wrote.

    Raises:
        ExperimentMissingError: It is neither.
    """
    return None if text is None else resolve_revision(repository, text)


def count_artifacts(number: int) -> str:
    """Return a number of artifacts in words.

    Example:
        >>> count_artifacts(1), count_artifacts(2)
        ('1 artifact', '2 artifacts')
    """
    return f"{number} artifact{'' if number == 1 else 's'}"


def list_some(names: Sequence[str]) -> str:
    """Return the first few names, harmless for a terminal.

    Example:
        >>> list_some(["a", "b", "c", "d"])
        'a, b, c, …'
    """
    return ", ".join(map(sanitise, names[:_N_SHOWN])) + (", …" if len(names) > _N_SHOWN else "")


def say_bad_pointers(terminal: Terminal, bad: Sequence[BadPointer]) -> None:
    """Say which files only look like pointers.

    Args:
        terminal: The terminal of the command.
        bad: Those files.
    """
    for entry in bad:
        terminal.note(sanitise(f"warning: '{entry.path}' is passed over: {entry.reason}"))


def say_not_restored(terminal: Terminal, result: CheckedOut) -> bool:
    """Say which artifacts were not restored, and return whether there were any.

    Args:
        terminal: The terminal of the command.
        result: What the checkout did.
    """
    for refusal in result.kept:
        files = f": {list_some(refusal.files)}" if refusal.files else ""
        terminal.note(sanitise(f"warning: '{refusal.path}' is left as it is: {refusal.reason}{files}"))
    for refusal in result.failed:
        terminal.note(sanitise(f"warning: '{refusal.path}' could not be restored: {refusal.reason}"))
    if result.absent:
        names = list_some([tracked.path for tracked in result.absent])
        terminal.note(f"warning: the content of {count_artifacts(len(result.absent))} is not in the cache: {names}")
    if result.kept:
        terminal.note("hint: 'gittrack add' keeps those changes, 'gittrack checkout --force' gives them up")
    if result.absent:
        terminal.note("hint: 'gittrack pull' fetches what others have pushed")
    return bool(result.kept or result.failed or result.absent)


def say_what_to_stage(terminal: Terminal, root: Path, paths: Sequence[str], folder: Path) -> None:
    """Say which `git add` finishes what a command began in the work tree.

    Args:
        terminal: The terminal of the command.
        root: The top folder.
        paths: The files, relative to it.
        folder: The current folder, which the line is for.
    """
    if paths:
        words = [shlex.quote(os.path.relpath(root / path, folder)) for path in paths]
        terminal.note(sanitise(f"to stage it: git add -A -- {' '.join(words)}"))
