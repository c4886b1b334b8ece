"""Find the experiment that a run continues, and where its series go on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gittrack.experiments import store
from gittrack.experiments.names import NAMESPACE, ExperimentRef
from gittrack.experiments.series import parse_series
from gittrack.runs.recovery import close_dead_runs

if TYPE_CHECKING:
    from gittrack.git.repository import Repository


def find_resumed(repository: Repository, baseline: str, name: str) -> store.Tip:
    """Return the experiment to resume: under this baseline, else the only one of its name anywhere.

    Args:
        repository: The repository.
        baseline: The baseline, or zeros.
        name: The experiment's name.

    Raises:
        ExperimentMissingError: There is none, or more than one.
    """
    close_dead_runs(repository)  # the process that wrote it may have been killed
    own = ExperimentRef(baseline, name)
    commit = store.read_tip(repository, own)
    if commit is not None:
        return store.Tip(own, commit)
    others = [tip for tip in store.list_tips(repository, NAMESPACE) if tip.experiment.name == name]
    if len(others) == 1:
        return others[0]
    if others:
        listed = ", ".join(f"{tip.experiment.name}@{tip.experiment.baseline[:8]}" for tip in others)
        raise store.ExperimentMissingError(
            f"several experiments are called '{name}', none under this baseline: {listed}",
            hint="check out the commit of the one you mean",
        )
    raise store.ExperimentMissingError(f"no experiment '{name}' to resume", hint="run 'gittrack exp list'")


def read_next_step(repository: Repository, commit: str) -> int:
    """Return the step after the last one of an experiment; 0 when it has none.

    Args:
        repository: The repository.
        commit: The experiment's commit.

    Raises:
        FormatError: Its files are damaged or from a newer gittrack.
    """
    series = store.read_record(repository, commit).series
    points = parse_series(series) if series else {}
    steps = [metric.steps[-1] for metric in points.values() if metric.steps]
    return max(steps) + 1 if steps else 0
