"""Read MLflow's SQLite store, ``mlflow.db``: opened read-only and immutable, so it is neither changed nor locked."""

from __future__ import annotations

import sqlite3
import sys
from contextlib import closing
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from gittrack.importers.foreign import SeriesBuilder, UnreadableStoreError
from gittrack.importers.mlflow_fields import ArtifactPlace, MlflowRun, describe, find_artifacts

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from gittrack.importers.foreign import ForeignPlot, ForeignRun

_MAGIC = b"SQLite format 3\0"
_INFINITY = 1.7976931348623157e308  # what MLflow writes in its place, as not every database has one
_MAX_VALUE_BYTES = 16 << 20
_RUNS = """
    SELECT runs.run_uuid, runs.name, runs.status, runs.start_time, runs.end_time, runs.source_version,
           runs.artifact_uri, runs.lifecycle_stage, runs.experiment_id, experiments.name
    FROM runs LEFT JOIN experiments ON experiments.experiment_id = runs.experiment_id
    ORDER BY runs.run_uuid
"""
_PARAMS = "SELECT run_uuid, key, value FROM params ORDER BY run_uuid"
_TAGS = "SELECT run_uuid, key, value FROM tags ORDER BY run_uuid"
_METRICS = """
    SELECT run_uuid, key, value, timestamp, step, is_nan FROM metrics ORDER BY run_uuid, key, step, timestamp
"""
_INPUTS = """
    SELECT inputs.destination_id, inputs.input_uuid, datasets.name, datasets.digest, datasets.dataset_source_type,
           datasets.dataset_source, datasets.dataset_schema, datasets.dataset_profile
    FROM inputs JOIN datasets ON datasets.dataset_uuid = inputs.source_id
    WHERE inputs.source_type = 'DATASET' AND inputs.destination_type = 'RUN'
    ORDER BY inputs.destination_id, datasets.name
"""


def is_store(path: Path) -> bool:
    """Return whether a file is a SQLite database."""
    try:
        with path.open("rb") as file:
            return file.read(len(_MAGIC)) == _MAGIC
    except OSError:
        return False


def read_runs(path: Path, *, with_deleted: bool = False, artifacts: Path | None = None) -> Iterator[ForeignRun]:
    """Yield the runs of a database.

    Args:
        path: The file.
        with_deleted: Whether runs that were deleted in MLflow count.
        artifacts: A folder with artifacts that are not beside the database.

    Raises:
        UnreadableStoreError: It is no database of MLflow, or a damaged one.
    """
    uri = f"{path.absolute().as_uri()}?mode=ro&immutable=1"
    try:
        with closing(sqlite3.connect(uri, uri=True)) as database:
            database.text_factory = lambda data: data.decode("utf-8", "backslashreplace")
            if sys.version_info >= (3, 11):
                database.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _MAX_VALUE_BYTES)
            yield from _read_database(database, path.parent, artifacts, with_deleted=with_deleted)
    except sqlite3.Error as error:
        raise UnreadableStoreError(f"'{path}' is no database of MLflow that can be read: {error}") from error


def unmerged_log(path: Path) -> bool:
    """Return whether a program that writes the database has changes beside it that an immutable reader does not see."""
    log = path.with_name(f"{path.name}-wal")
    return log.is_file() and log.stat().st_size > 0


def _read_database(
    database: sqlite3.Connection, root: Path, copies: Path | None, *, with_deleted: bool
) -> Iterator[ForeignRun]:
    params, tags, metrics = (_Grouped(database, query) for query in (_PARAMS, _TAGS, _METRICS))
    inputs = _read_inputs(database)
    for row in database.execute(_RUNS):
        run_id, name, status, started, ended, version, uri, stage, experiment_id, experiment = row
        told = (params.of(run_id), tags.of(run_id), metrics.of(run_id))
        if not isinstance(run_id, str) or (stage == "deleted" and not with_deleted):
            continue
        problems: list[str] = []
        points = _read_points(told[2], problems)
        usual = f"{experiment_id}/{run_id}/artifacts"
        places = (f"mlruns/{usual}", f"mlartifacts/{usual}", f"artifacts/{run_id}/artifacts")
        place = ArtifactPlace(root, places, str(uri or ""), (str(experiment_id), run_id), copies)
        files = find_artifacts(place, problems)
        yield describe(
            MlflowRun(
                id=run_id,
                name=name if isinstance(name, str) else "",
                status=status,
                started_ms=started,
                ended_ms=ended,
                experiment=experiment if isinstance(experiment, str) else None,
                source_version=version if isinstance(version, str) else "",
                params=_texts(told[0]),
                tags=_texts(told[1]),
                points=points,
                files=files,
                problems=tuple(problems),
                inputs=inputs.get(run_id, ()),
            )
        )


class _Grouped:
    """The rows of a query by run, read in the order of runs: one pass over each table, whatever indices there are."""

    def __init__(self, database: sqlite3.Connection, query: str) -> None:
        self._groups = groupby(database.execute(query), key=itemgetter(0))
        self._next: tuple[Any, list[Any]] | None = None

    def of(self, run_id: str) -> list[Any]:
        """Return the rows of a run; those of runs before it are passed over."""
        while True:
            if self._next is None:
                found = next(self._groups, None)
                if found is None:
                    return []
                self._next = (found[0], list(found[1]))
            if not isinstance(self._next[0], str) or self._next[0] < run_id:
                self._next = None
                continue
            if self._next[0] > run_id:
                return []
            rows, self._next = self._next[1], None
            return rows


def _texts(rows: list[Any]) -> dict[str, str]:
    return {key: str(value) for _, key, value in rows if isinstance(key, str) and value is not None}


def _read_points(rows: list[Any], problems: list[str]) -> SeriesBuilder:
    points, n_bad = SeriesBuilder(), 0
    for _, key, value, timestamp, step, is_nan in rows:
        is_number = isinstance(value, (int, float)) and isinstance(step, int) and isinstance(timestamp, (int, float))
        if not is_number or not isinstance(key, str):
            n_bad += 1
            continue
        number = float("nan") if is_nan else value
        if abs(number) >= _INFINITY:
            number = float("inf") if number > 0 else float("-inf")
        points.add(key, step, timestamp / 1000, number)
    if n_bad:
        problems.append(f"{n_bad} points of metrics are damaged and left out")
    return points


def _read_inputs(database: sqlite3.Connection) -> dict[str, tuple[ForeignPlot, ...]]:
    """Return the data sets of each run; databases before MLflow 2.4 know of none."""
    tables = {name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    if not {"inputs", "datasets", "input_tags"} <= tables:
        return {}
    from gittrack.importers.mlflow_datasets import describe_inputs

    tags: dict[str, dict[str, str]] = {}
    for input_id, name, value in database.execute("SELECT input_uuid, name, value FROM input_tags"):
        tags.setdefault(input_id, {})[name] = value
    found: dict[str, list[tuple[dict[str, Any], dict[str, str]]]] = {}
    for run_id, input_id, *fields in database.execute(_INPUTS):
        told = dict(zip(("name", "digest", "source_type", "source", "schema", "profile"), fields, strict=True))
        found.setdefault(run_id, []).append((told, tags.get(input_id, {})))
    return {run_id: describe_inputs(inputs) for run_id, inputs in found.items()}
