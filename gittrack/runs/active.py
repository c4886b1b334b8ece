"""The runs that are under way in a repository, with what they have logged so far."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, NamedTuple

from gittrack.experiments.cells import Live

if TYPE_CHECKING:
    from gittrack.experiments.format import Meta
    from gittrack.git.repository import Repository
    from gittrack.runs.folder import RunFolder
    from gittrack.runs.journal_reader import Point

_RUNS = "runs"


class ActiveRun(NamedTuple):
    """One run's folder as it is now.

    Attributes:
        folder: The folder.
        meta: The run's description, with the tags, notes, alerts and description logged so far.
        params: What it logged, and what the declared files hold.
        metrics: The latest point of each metric.
        is_alive: Whether its process lives; False for one that awaits `gittrack.runs.recovery`.
    """

    folder: RunFolder
    meta: Meta
    params: dict[str, Any]
    metrics: dict[str, Point]
    is_alive: bool


def list_active(repository: Repository) -> list[ActiveRun]:
    """Return all runs that are not recorded yet, without waiting for any of them.

    Folders that are half-written, gone meanwhile, or not of a run are passed over.

    Args:
        repository: The repository.
    """
    root = repository.state_dir / _RUNS
    try:
        with os.scandir(root) as entries:
            is_idle = all(entry.name.startswith(".") for entry in entries)
    except OSError:
        return []
    if is_idle:  # the usual case, which must not pay for the imports below
        return []
    from gittrack.runs.folder import list_folders

    runs = (_read(folder) for folder in list_folders(root))
    return [run for run in runs if run is not None]


def live_values(repository: Repository, run: ActiveRun) -> Live:
    """Return what a table shows of a run that is under way; the status of one that is not alive is ``stale``.

    Args:
        repository: The repository.
        run: The run.
    """
    from gittrack.experiments.summaries import summarise_meta

    meta = run.meta._replace(status="running" if run.is_alive else "stale")
    return Live(
        baseline=meta.baseline or repository.zero_id,
        name=meta.name,
        attributes=summarise_meta(meta),
        metrics={name: point.value for name, point in run.metrics.items()},
        params=run.params,
    )


def _read(folder: RunFolder) -> ActiveRun | None:

    from gittrack.errors import GittrackError
    from gittrack.experiments.names import InvalidNameError, check_name
    from gittrack.runs.finish import merge_params
    from gittrack.runs.journal import find_journals
    from gittrack.runs.journal_reader import merge_latest, read_latest

    try:
        meta = folder.read_meta()
        check_name(meta.name)
        latest = merge_latest(read_latest(path) for path in find_journals(folder.path))
        is_alive = folder.is_alive()
    except (OSError, GittrackError, InvalidNameError):
        return None
    told: dict[str, dict[str, Any]] = {"params": {}, "declared": {}, "tags": {}}
    notes: list[str] = []
    alerts: list[dict[str, Any]] = []
    description = meta.description
    for event in latest.events:
        if event.kind in told and isinstance(event.data, dict):
            told[event.kind].update(event.data)
        elif event.kind == "note":
            notes.append(str(event.data))
        elif event.kind == "alert" and isinstance(event.data, dict):
            alerts.append(event.data)
        elif event.kind == "description" and event.data is not None:
            description = str(event.data)
    meta = meta._replace(
        tags={**meta.tags, **told["tags"]},
        notes=(*meta.notes, *notes),
        alerts=(*meta.alerts, *alerts),
        description=description,
    )
    return ActiveRun(folder, meta, merge_params(told["params"], told["declared"]), latest.values, is_alive)
