"""Read back what was recorded, through the store and through plain git."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gittrack.experiments import store
from tests.support.git_repository import open_repository, run_git

if TYPE_CHECKING:
    from pathlib import Path

    from gittrack.experiments.format import Record


def records(folder: Path) -> dict[str, Record]:
    """Return every local experiment of a repository by its name.

    Args:
        folder: A folder of the repository.
    """
    repository = open_repository(folder)
    return {tip.experiment.name: store.read_record(repository, tip.commit) for tip in store.list_tips(repository)}


def only_record(folder: Path) -> Record:
    """Return the one experiment of a repository."""
    (record,) = records(folder).values()
    return record


def tip_of(folder: Path, name: str) -> str:
    """Return the commit of an experiment."""
    (commit,) = (tip.commit for tip in store.list_tips(open_repository(folder)) if tip.experiment.name == name)
    return commit


def code_of(folder: Path, name: str) -> dict[str, str]:
    """Return the recorded files of an experiment, other than its description, with their content.

    Args:
        folder: A folder of the repository.
        name: The experiment's name.
    """
    commit = tip_of(folder, name)
    paths = run_git("ls-tree", "-r", "-z", "--name-only", commit, cwd=folder).split("\0")[:-1]
    return {
        path: run_git("cat-file", "-p", f"{commit}:{path}", cwd=folder)
        for path in paths
        if not path.startswith(".gittrack/")
    }
