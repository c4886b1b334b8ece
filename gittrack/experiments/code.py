"""The code of an experiment: its commit's tree without the folder that describes it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gittrack.experiments.format import FOLDER
from gittrack.git.objects import read_commit, read_tree, write_tree

if TYPE_CHECKING:
    from gittrack.git.repository import Repository

_FOLDER = FOLDER.encode()


def write_code_tree(repository: Repository, commit: str, *, keep: str | None = None) -> str:
    """Return the tree of an experiment's code, written where it is not there yet; durable when this returns.

    The commit alone is asked: what ``meta.json`` calls ``code_tree`` is only an id, and another clone need not have it.

    Args:
        repository: The repository.
        commit: The experiment's commit.
        keep: A tree whose own ``.gittrack`` folder shall be in the result.

    Raises:
        ObjectMissingError: The commit or its tree is not in the repository.
    """
    entries = [entry for entry in read_tree(repository, read_commit(repository, commit).tree) if entry.name != _FOLDER]
    if keep is not None:
        entries += [entry for entry in read_tree(repository, keep) if entry.name == _FOLDER]
    return write_tree(repository, entries)
