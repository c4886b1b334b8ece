"""Linked worktrees for one command each, below ``.git/gittrack/worktrees``; those of dead processes are swept."""

from __future__ import annotations

import contextlib
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from gittrack.git.repository import Repository
from gittrack.git.scratch import is_abandoned, new_folder_name

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextlib.contextmanager
def throw_away_worktree(repository: Repository, commit: str, tree: str) -> Iterator[Repository]:
    """Yield a linked worktree that is gone afterwards.

    Args:
        repository: The repository.
        commit: The commit of its HEAD, which is detached.
        tree: The tree that its files and its index hold.

    Raises:
        GitError: git cannot make it.
    """
    folder = _root(repository) / new_folder_name()
    folder.parent.mkdir(parents=True, exist_ok=True)
    try:
        repository.git.run("worktree", "add", "--quiet", "--detach", "--no-checkout", "--", str(folder), commit)
        environ = {key: value for key, value in repository.environ.items() if key not in {"GIT_DIR", "GIT_WORK_TREE"}}
        worktree = Repository.discover(folder, environ)
        worktree.git.run("read-tree", "--reset", "-u", tree)
        yield worktree
    finally:
        _remove(repository, folder)


def sweep_worktrees(repository: Repository) -> int:
    """Remove the worktrees of processes that died; return how many there were."""
    try:
        with os.scandir(_root(repository)) as entries:
            abandoned = [Path(entry.path) for entry in entries if is_abandoned(entry)]
    except FileNotFoundError:
        return 0
    for folder in abandoned:
        _remove(repository, folder)
    return len(abandoned)


def _remove(repository: Repository, folder: Path) -> None:
    # Twice forced: a worktree that git locked while it was being made is removed too.
    repository.git.run("worktree", "remove", "--force", "--force", "--", str(folder), check=False)
    shutil.rmtree(folder, ignore_errors=True)


def _root(repository: Repository) -> Path:
    return repository.state_dir / "worktrees"
