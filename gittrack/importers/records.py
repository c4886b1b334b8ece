"""The record of a foreign run, as the files of an experiment keep it."""

from __future__ import annotations

import re
import time
import unicodedata
from typing import TYPE_CHECKING, Any

from gittrack.experiments.format import MAX_FILE_BYTES, Meta, Record
from gittrack.experiments.names import MAX_NAME_LENGTH, InvalidNameError, check_name
from gittrack.experiments.series import render_series, summarise
from gittrack.importers.foreign import clean_time, experiment_id
from gittrack.runs.finish import single_value
from gittrack.secrets import mask_secrets
from gittrack.values import clean_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gittrack.importers.foreign import ForeignRun

_UNUSABLE = re.compile(r"[^A-Za-z0-9._-]+")
_DOTS = re.compile(r"\.{2,}")
_MAX_TEXT = 10_000
_MAX_PROBLEMS = 20
_MAX_LOG_BYTES = 8 << 20
_N_ID_CHARACTERS = 8
_SILENT_S = 3600.0  # a run that wrote nothing for so long is taken for dead
_NO_CODE = "recorded by {tool}: the code was not recorded, that of the baseline stands in its place"
_NO_CHANGES = "recorded by {tool}: of the code only the commit is known, not what was changed since"


def usable_name(name: str, tool: str, foreign_id: str) -> str:
    """Return a name that an experiment can have, as near to the one that a run has elsewhere as can be.

    Args:
        name: The run's name.
        tool: The tracker.
        foreign_id: The run's id there.

    Example:
        >>> usable_name("Größe: 12/best", "mlflow", "ab12")
        'Groe-12-best'
        >>> usable_name("…", "mlflow", "ab12")
        'mlflow-ab12'
    """
    plain = unicodedata.normalize("NFKD", name[:1000]).encode("ascii", "ignore").decode()
    plain = _DOTS.sub(".", _UNUSABLE.sub("-", plain))[:MAX_NAME_LENGTH].strip("-._").removesuffix(".lock")
    for candidate in (
        plain,
        f"{tool}-{plain}",
        f"{tool}-{_UNUSABLE.sub('-', foreign_id)[:_N_ID_CHARACTERS].strip('-.')}",
    ):
        try:
            if plain or candidate != f"{tool}-":
                return check_name(candidate)
        except InvalidNameError:
            continue
    return f"{tool}-run"


def is_running(run: ForeignRun) -> bool:
    """Return whether a run goes on, as far as can be seen: it has no end, and was heard of within the last hour.

    Args:
        run: The run.
    """
    if run.status != "running":
        return False
    times = [points.times[-1] for points in run.series.values()]
    return time.time() - max([run.started or 0.0, *times]) < _SILENT_S


def build_record(run: ForeignRun, place: Mapping[str, Any]) -> Record:
    """Return what an experiment says of a foreign run, without its artifacts.

    Args:
        run: The run.
        place: What the description says of this repository: ``baseline``, ``branch``, ``code_tree``, ….
    """
    started = clean_time(run.started) or 0.0
    ended = clean_time(run.ended, started) if run.status != "running" else clean_time(run.ended)
    problem = _NO_CHANGES if run.commit and run.commit == place.get("baseline") else _NO_CODE
    problems = [] if run.tree else [problem.format(tool=run.tool)]
    problems += [clean_text(problem)[:_MAX_TEXT] for problem in run.problems]
    if len(problems) > _MAX_PROBLEMS:
        problems[_MAX_PROBLEMS:] = [f"{len(problems) - _MAX_PROBLEMS} more problems are not listed"]
    meta = Meta(
        name=usable_name(run.name, run.tool, run.id),
        id=experiment_id(run.tool, run.id),
        status=run.status if run.status != "running" else "stale",
        source="import",
        started=started,
        ended=ended,
        duration_s=round(max(ended - started, 0.0), 6) if ended and started else None,
        host=run.host,
        command=tuple(mask_secrets(list(run.command))),
        group=run.group,
        tags=dict(run.tags),
        notes=tuple(run.notes),
        description=run.description,
        parent_run=experiment_id(run.tool, run.parent) if run.parent else None,
        exit_code=run.exit_code,
        environment=dict(run.environment),
        problems=tuple(problems),
        origin={"tool": run.tool, "id": run.id},
    )
    metrics = {**{name: single_value(value) for name, value in run.values.items()}, **summarise(run.series)}
    return Record(
        meta._replace(**place),
        dict(run.params),
        metrics,
        render_series(run.series) if run.series else None,
        run.requirements[:MAX_FILE_BYTES] if run.requirements else None,
        run.log[-_MAX_LOG_BYTES:] if run.log else None,
    )
