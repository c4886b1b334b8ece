"""What the commands on artifacts have in common: the workspace at hand, which artifacts are meant, what went wrong."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from gittrack.cli.text import sanitise
from gittrack.errors import GittrackError
from gittrack.workspace.add import repository_path
from gittrack.workspace.pointers import list_workspace_pointers
from gittrack.workspace.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gittrack.cli.terminal import Terminal
    from gittrack.git.repository import Repository
    from gittrack.workspace.checkout import CheckedOut
    from gittrack.workspace.pointers import BadPointer, Pointers, Tracked

_N_SHOWN = 3


class NotTrackedError(GittrackError):
    """There is no artifact at a path."""


def current_workspace() -> Workspace:
    """Return the workspace that the command was called in.

    Raises:
        NotARepositoryError: There is none.
    """
    from gittrack.cli.options import current_repository

    return Workspace.open(current_repository())


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
    root = repository.require_work_tree()
    selected: dict[str, Tracked] = {}
    for path in paths:
        is_top = (Path.cwd() / path).resolve() == root.resolve()
        wanted = "" if is_top else repository_path(repository, path, Path.cwd())
        found = [one for one in tracked if is_top or one.path == wanted or one.path.startswith(f"{wanted}/")]
        if not found:
            raise NotTrackedError(f"'{path}' is no artifact and holds none", hint=f"gittrack add '{path}' makes it one")
        selected.update({one.path: one for one in found})
    return list(selected.values())


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
