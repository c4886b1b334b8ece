"""`gittrack uninit`: take back what `gittrack init` did."""

from __future__ import annotations

import contextlib
import shutil
from typing import TYPE_CHECKING

import click

from gittrack.cli.options import current_repository, current_terminal, documented
from gittrack.experiments.arrivals import FILE_NAME as ANNOUNCED
from gittrack.git.hooks import remove_hooks
from gittrack.git.rewrites import FILE_NAME as REWRITES
from gittrack.git.rewrites import OLD_FILE_NAME as OLD_REWRITES
from gittrack.git.tracking import remove_tracking, show_decorations
from gittrack.visible import sanitise

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from gittrack.git.repository import Repository

# Never removed: `runs` and `cache` may hold the only copy of what a user recorded.
_DISPOSABLE = ("index.sqlite", "index.sqlite-wal", "index.sqlite-shm", "index.sqlite-journal", "tmp", "last-error.md")
_WORKING_FOLDERS = ("names", "refs", "runs", "tmp", "worktrees")


@documented(example="gittrack uninit")
@click.option("--purge", is_flag=True, help="Also remove the index and the list of rewritten commits.")
def command(*, purge: bool) -> None:
    """Remove hooks and settings without a trace.

    Hook files become what they were before 'gittrack init'. Experiments stay, as do runs in progress.
    """
    repository = current_repository()
    terminal = current_terminal()
    lines = list(take_back(repository, purge=purge))
    for line in lines or ["nothing to remove"]:
        terminal.echo(sanitise(line))


def take_back(repository: Repository, *, purge: bool) -> Iterator[str]:
    """Take back a set-up, and yield one line for each thing that was removed.

    Args:
        repository: The repository.
        purge: Whether the index and the list of rewritten commits go too.

    Raises:
        HookInstallError: A hook cannot be written.
    """
    for place in remove_hooks(repository):
        yield f"hook: {place} removed"
    for remote in remove_tracking(repository):
        yield f"remote {remote}: 'git fetch' and 'git pull' bring no more experiments"
    if show_decorations(repository):
        yield "git log: the setting for its decorations is removed"
    names = [ANNOUNCED, *([REWRITES, OLD_REWRITES, *_DISPOSABLE] if purge else [])]
    removed = [name for name in names if _remove(repository.state_dir / name)]
    for folder in (*(repository.state_dir / name for name in _WORKING_FOLDERS), repository.state_dir):
        with contextlib.suppress(OSError):
            folder.rmdir()  # only when nothing is left in it
            removed.append(folder.name)
    if removed:
        left = sorted(path.name for path in repository.state_dir.iterdir()) if repository.state_dir.is_dir() else []
        yield f"folder {repository.state_dir}: " + (f"kept for {', '.join(left)}" if left else "removed")


def _remove(path: Path) -> bool:
    try:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()
    except FileNotFoundError:
        return False
    return True
