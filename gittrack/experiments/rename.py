"""Give an experiment another name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gittrack.experiments import store
from gittrack.experiments.format import FormatError
from gittrack.experiments.names import ExperimentRef
from gittrack.git.refs import RefUpdate, transaction

if TYPE_CHECKING:
    from gittrack.git.repository import Repository


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
    meta = store.read_metas(repository, [tip]).get(tip)
    if meta is None:
        raise FormatError(f"the description of '{tip.experiment.name}' is damaged or from a newer gittrack")
    message = f"gittrack: {tip.experiment.name} renamed to {name}"
    commit = store.write_meta(repository, tip.commit, meta._replace(name=name), message)
    transaction(repository, [RefUpdate(renamed.ref, commit, None), RefUpdate(tip.experiment.ref, None, tip.commit)])
    return store.Tip(renamed, commit)
