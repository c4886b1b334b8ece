"""Linked worktrees for one command each, below ``.git/gittrack/worktrees``; those of dead processes are swept."""

from __future__ import annotations

import contextlib
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from gittrack.git.process import clean_environment
from gittrack.git.repository import NotARepositoryError, Repository
from gittrack.scratch import is_abandoned, new_folder_name

if TYPE_CHECKING:
    from collections.abc import Iterator

_SUBMODULE_MODE = "160000"
# As many checkout processes as there are cores: writing 20,000 files took a fifth of the time of one (git >= 2.32).
_PARALLEL = ("-c", "checkout.workers=0")


@contextlib.contextmanager
def throw_away_worktree(repository: Repository, commit: str, tree: str) -> Iterator[Repository]:
    """Yield a linked worktree that is gone afterwards, with submodules where the repository has them checked out.

    Args:
        repository: The repository.
        commit: The commit of its HEAD, which is detached.
        tree: The tree that its files and its index hold.

    Raises:
        GitError: git cannot make it.
    """
    folder = _root(repository) / new_folder_name()
    folder.parent.mkdir(parents=True, exist_ok=True)
    submodules: list[tuple[Repository, Path]] = []
    try:
        repository.git.run("worktree", "add", "--quiet", "--detach", "--no-checkout", "--", str(folder), commit)
        worktree = Repository.discover(folder, clean_environment(repository.environ))
        worktree.git.run(*_PARALLEL, "read-tree", "--reset", "-u", tree)
        _add_submodules(repository, worktree, submodules)
        yield worktree
    finally:
        for submodule, inner in reversed(submodules):
            _remove(submodule, inner)
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


def _add_submodules(repository: Repository, worktree: Repository, made: list[tuple[Repository, Path]]) -> None:
    """Check out the submodules that the repository has, at the commits that the worktree's tree names; no network."""
    root, target = repository.require_work_tree(), worktree.require_work_tree()
    if not (target / ".gitmodules").is_file():
        return
    for entry in worktree.git.text("ls-files", "--stage", "-z").split("\0")[:-1]:
        head, _, path = entry.partition("\t")
        mode, commit, _ = head.split(" ")
        if mode != _SUBMODULE_MODE or not (root / path / ".git").exists():
            continue
        try:
            submodule = Repository.discover(root / path, clean_environment(repository.environ))
        except NotARepositoryError:
            continue
        made.append((submodule, target / path))
        submodule.git.run(*_PARALLEL, "worktree", "add", "--quiet", "--detach", "--", str(target / path), commit)
        _add_submodules(submodule, Repository.discover(target / path, submodule.environ), made)


def _remove(repository: Repository, folder: Path) -> None:
    # Twice forced: a worktree that git locked while it was being made is removed too.
    repository.git.run("worktree", "remove", "--force", "--force", "--", str(folder), check=False)
    shutil.rmtree(folder, ignore_errors=True)


def _root(repository: Repository) -> Path:
    return repository.state_dir / "worktrees"
