"""Find the run that a script wants to log to, which it did not make itself.

In this order: the names that the script says, the ``with`` block around it, the environment, else an error.
"""

from __future__ import annotations

import contextlib
import json
import re
from typing import TYPE_CHECKING, NamedTuple

from gittrack.errors import GittrackError, UsageError
from gittrack.experiments.index import Index
from gittrack.experiments.query import read_blocks
from gittrack.experiments.resolve import resolve_commit
from gittrack.experiments.store import list_tips
from gittrack.experiments.summaries import ATTRIBUTES
from gittrack.git.repository import Repository
from gittrack.git.state import read_head
from gittrack.runs import open_runs
from gittrack.runs.active import list_active
from gittrack.runs.context import BASELINE_VARIABLE, CONFIG_VARIABLE, NAME_VARIABLE, RUN_VARIABLE
from gittrack.runs.opening import living_run
from gittrack.runs.recovery import close_dead_runs
from gittrack.warn import warn

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gittrack.experiments.store import Tip
    from gittrack.runs.active import ActiveRun
    from gittrack.runs.context import RunContext
    from gittrack.runs.run import Run

_GROUP, _STARTED = ATTRIBUTES.index("group"), ATTRIBUTES.index("started")

_HEX = re.compile(r"[0-9a-f]{4,64}")


class RunNotFoundError(GittrackError):
    """There is no run to load."""


class Target(NamedTuple):
    """What to log to: one of three.

    Attributes:
        run: A run that is open in this process.
        joins: The id of a run that another process has open.
        resumes: An experiment that has ended, as ``name@baseline``.
    """

    run: Run | None = None
    joins: str | None = None
    resumes: str | None = None


def find_target(context: RunContext, run_name: str | None = None, experiment_name: str | None = None) -> Target:
    """Return the run that a script means.

    Args:
        context: The script's process.
        run_name: The run's name, or ``name@baseline``.
        experiment_name: The group that it belongs to.

    Raises:
        UsageError: A name is no text.
        RunNotFoundError: There is no such run, or nothing says which one is meant.
        GittrackError: There is no repository.
    """
    for argument, value in (("run_name", run_name), ("experiment_name", experiment_name)):
        if value is not None and not isinstance(value, str):
            raise UsageError(f"'{argument}' must be a string, not {type(value).__name__}")
    if run_name:
        return find_named(context, run_name, experiment_name)
    if experiment_name:
        warn("load_run: experiment_name is of no use without run_name, and is ignored")
    run = open_runs.current_run()
    return Target(run) if run is not None else _find_in_environment(context)


def find_named(context: RunContext, name: str, group: str | None) -> Target:
    """Return the run of a name: one that is open comes first, then the experiment under HEAD, then the newest.

    Args:
        context: The process.
        name: The run's name, or ``name@baseline``.
        group: The group that it must belong to; None when that does not matter.

    Raises:
        RunNotFoundError: There is none.
        GittrackError: There is no repository.
    """
    bare, _, start = name.partition("@")
    names = _names(bare, group)
    for run in reversed(open_runs.list_open()):
        if run.name in names and group in {None, run.group} and (run.baseline or "").startswith(start):
            return Target(run)
    repository = Repository.discover(context.directory, context.environ)
    if start and not _HEX.fullmatch(start):
        start = resolve_commit(repository, start)
    active = _find_active(list_active(repository), names, group, start)
    if active is not None:
        return Target(joins=active.meta.id)
    close_dead_runs(repository)
    tip = _find_tip(repository, names, group, start)
    if tip is None:
        where = f" in the group '{group}'" if group else ""
        raise RunNotFoundError(f"there is no run '{name}'{where}", hint="gittrack.list_runs() lists those there are")
    return Target(resumes=f"{tip.experiment.name}@{tip.experiment.baseline}")


def _find_in_environment(context: RunContext) -> Target:
    """Return the run that the environment names: by its id, its name, or its configuration."""
    environ = context.environ
    run_id = environ.get(RUN_VARIABLE, "")
    for run in open_runs.list_open():
        if run.id == run_id:
            return Target(run)
    name, group, start = _told_by(environ)
    if run_id:
        repository = Repository.discover(context.directory, context.environ)
        if living_run(repository, run_id) is not None:
            return Target(joins=run_id)
    if name:
        return find_named(context, f"{name}@{start}" if start else name, group)
    raise RunNotFoundError(
        "no run to load: none is named, no 'with' block has one, and the environment says nothing",
        hint='name it: load_run("run", "experiment"), or start the script with \'gittrack exp run\'',
    )


def _told_by(environ: Mapping[str, str]) -> tuple[str, str | None, str]:
    """Return the name, group and baseline of the run that the environment names."""
    config: object = None
    with contextlib.suppress(ValueError):
        config = json.loads(environ.get(CONFIG_VARIABLE) or "{}")
    if not isinstance(config, dict):
        raise RunNotFoundError(f"{CONFIG_VARIABLE} is not a JSON object: {environ[CONFIG_VARIABLE]!r:.100}")
    told = {key: value for key, value in config.items() if isinstance(value, str) and value}
    name = environ.get(NAME_VARIABLE) or told.get("RunName", "")
    return name, told.get("ExperimentName"), environ.get(BASELINE_VARIABLE, "")


def _names(name: str, group: str | None) -> list[str]:
    """Return the names that mean a run, the exact one first.

    An experiment may be called as in SageMaker, where the name of a run begins with that of its experiment.
    """
    return [name] if not group else [name, f"{group}-{name}", name.removeprefix(f"{group}-")]


def _find_active(runs: list[ActiveRun], names: list[str], group: str | None, start: str) -> ActiveRun | None:
    for run in runs:
        is_meant = run.meta.name in names and group in {None, run.meta.group}
        if is_meant and run.is_alive and (run.meta.baseline or "").startswith(start):
            return run
    return None


def _find_tip(repository: Repository, names: list[str], group: str | None, start: str) -> Tip | None:
    tips = [
        tip
        for tip in list_tips(repository)
        if tip.experiment.name in names and tip.experiment.baseline.startswith(start)
    ]
    index = Index(repository)
    try:
        told = {
            commit: (block.columns[_GROUP][place], block.columns[_STARTED][place] or 0.0)
            for block in read_blocks(repository, index, dict.fromkeys(tip.commit for tip in tips))
            for place, commit in enumerate(block.commits)
        }
    finally:
        index.close()
    head = read_head(repository).sha
    fitting = [tip for tip in tips if tip.commit in told and group in {None, told[tip.commit][0]}]

    def rank(tip: Tip) -> tuple[int, bool, float]:
        return -names.index(tip.experiment.name), tip.experiment.baseline == head, told[tip.commit][1]

    return max(fitting, key=rank, default=None)
