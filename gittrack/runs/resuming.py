"""Find the experiment that a run continues, and where its series go on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gittrack.experiments import store
from gittrack.experiments.names import NAMESPACE, ExperimentRef
from gittrack.experiments.series import parse_series
from gittrack.runs.monitor import PREFIX as SYSTEM_PREFIX
from gittrack.runs.recovery import close_dead_runs

if TYPE_CHECKING:
    from gittrack.experiments.format import Record
    from gittrack.git.repository import Repository


def find_resumed(repository: Repository, baseline: str, name: str, start: str = "") -> store.Tip:
    """Return the experiment to resume: under this baseline, else the only one of its name anywhere.

    Args:
        repository: The repository.
        baseline: The baseline, or zeros.
        name: The experiment's name.
        start: The baseline as a person writes it, when only that one is meant.

    Raises:
        ExperimentMissingError: There is none, or more than one.
    """
    close_dead_runs(repository)  # the process that wrote it may have been killed
    if start:
        from gittrack.experiments.resolve import resolve  # here: few write it

        tip = resolve(repository, f"{name}@{start}")
        if tip.experiment.remote is None:
            return tip
        raise store.ExperimentMissingError(
            f"the experiment '{tip.experiment.label}' is only known of a remote", hint="run 'gittrack pull' first"
        )
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
            hint=f"write which one: {name}@{others[0].experiment.baseline[:8]}",
        )
    raise store.ExperimentMissingError(f"no experiment '{name}' to resume", hint="run 'gittrack exp list'")


def next_steps(record: Record) -> tuple[int, int]:
    """Return the steps after the last ones of an experiment, of the script and of the machine; 0 where it has none.

    Args:
        record: What the experiment says.
    """
    points = parse_series(record.series) if record.series else {}
    ends = [(name.startswith(SYSTEM_PREFIX), metric.steps[-1] + 1) for name, metric in points.items() if metric.steps]
    script, machine = ([step for is_machine, step in ends if is_machine is wanted] for wanted in (False, True))
    return max(script, default=0), max(machine, default=0)
