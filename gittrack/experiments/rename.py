"""Give an experiment another name."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING

from gittrack.experiments import format as fmt
from gittrack.experiments import store
from gittrack.experiments.names import ExperimentRef
from gittrack.git import objects
from gittrack.git.batch import read_one
from gittrack.git.refs import RefUpdate, transaction
from gittrack.git.state import read_identity

if TYPE_CHECKING:
    from gittrack.git.repository import Repository

_FILE_MODE = 0o100644


def rename_experiment(repository: Repository, tip: store.Tip, name: str) -> store.Tip:
    """Rename an experiment: a further commit with the new name, under the new ref instead of the old one.

    Args:
        repository: The repository.
        tip: A local experiment that no run is writing.
        name: A valid name that is free under its baseline, and claimed.

    Raises:
        RefExistsError: The name was taken meanwhile; nothing was changed.
        RefChangedError: The experiment was changed meanwhile; nothing was changed.
        FormatError: Its description is damaged.
    """
    renamed = ExperimentRef(tip.experiment.baseline, name)
    commit = _write_renamed(repository, tip, name)
    transaction(repository, [RefUpdate(renamed.ref, commit, None), RefUpdate(tip.experiment.ref, None, tip.commit)])
    return store.Tip(renamed, commit)


def _write_renamed(repository: Repository, tip: store.Tip, name: str) -> str:
    """Write an experiment's next commit, with another name in ``meta.json`` and all other files as they are."""
    spec = f"{tip.commit}:{fmt.FOLDER}"
    blob = read_one(repository, f"{spec}/{fmt.META_FILE}", max_bytes=fmt.MAX_FILE_BYTES)
    folder = read_one(repository, spec)
    if blob is None or blob.data is None or folder is None:
        raise fmt.FormatError("no meta.json: not the commit of an experiment")
    meta = fmt.render_meta(fmt.replace(fmt.parse_meta(blob.data), name=name))
    batch = objects.ObjectBatch(repository)
    file = objects.TreeEntry(fmt.META_FILE.encode(), _FILE_MODE, batch.add_blob(meta))
    files = [entry for entry in objects.read_tree(repository, folder.oid) if entry.name != file.name]
    described = objects.TreeEntry(fmt.FOLDER.encode(), stat.S_IFDIR, batch.add_tree([*files, file]))
    code = objects.read_tree(repository, objects.read_commit(repository, tip.commit).tree)
    tree = batch.add_tree([*(entry for entry in code if entry.name != described.name), described])
    message = f"gittrack: {tip.experiment.name} renamed to {name}"
    commit = batch.add_commit(tree, [tip.commit], message, read_identity(repository))
    batch.write()
    return commit
