"""Read MLflow's store of files: ``mlruns/<experiment>/<run>/`` with ``meta.yaml``, ``params``, ``metrics``, ``tags``.

A metric is a file of lines ``<milliseconds> <value> <step>``, a param and a tag one file each; names with slashes are
folders. Written down in MLflow's `mlflow/store/tracking/file_store.py`.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from gittrack.errors import GittrackError
from gittrack.importers.foreign import SeriesBuilder, UnreadableStoreError
from gittrack.importers.local_files import list_folder, read_file, real_folder, walk
from gittrack.importers.mlflow_fields import ArtifactPlace, MlflowRun, describe, find_artifacts
from gittrack.yaml_text import parse_yaml

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gittrack.importers.foreign import ForeignPlot, ForeignRun

_META = "meta.yaml"
_MAX_META_BYTES = 256 << 10
_MAX_TEXT_BYTES = 1 << 20
_MAX_METRIC_BYTES = 256 << 20
_OTHERS = frozenset({".trash", "models", "traces", "tags", "datasets", "outputs", "inputs"})
_MIN_COLUMNS = 2


def is_store(path: Path) -> bool:
    """Return whether a folder is a store, an experiment of one, or a run."""
    return bool(_run_folders(path))


def read_runs(path: Path, *, with_deleted: bool = False, artifacts: Path | None = None) -> Iterator[ForeignRun]:
    """Yield the runs of a store.

    Args:
        path: The store, the folder of one experiment, or that of one run.
        with_deleted: Whether runs that were deleted in MLflow count.
        artifacts: A folder with artifacts that are not in the store.

    Raises:
        UnreadableStoreError: There is no run.
    """
    folders = _run_folders(path)
    if not folders:
        raise UnreadableStoreError(f"no MLflow runs in '{path}'", hint="name a folder 'mlruns' or a file 'mlflow.db'")
    names: dict[Path, str | None] = {}
    for folder in folders:
        if folder.parent not in names:
            name = _read_meta(folder.parent).get("name")
            names[folder.parent] = name if isinstance(name, str) else None
        run = _read_run(folder, names[folder.parent], artifacts)
        if run is not None and (with_deleted or not run[1]):
            yield describe(run[0])


def _run_folders(path: Path) -> list[Path]:
    if _is_run(path):
        return [path]
    experiments = [path] if (path / _META).is_file() else [Path(folder) for folder in _folders(path)]
    return [Path(run) for experiment in experiments for run in _folders(experiment) if _is_run(Path(run))]


def _folders(path: Path) -> Iterator[str]:
    for entry in list_folder(path):
        if entry.name not in _OTHERS and entry.is_dir(follow_symlinks=False):
            yield entry.path


def _is_run(folder: Path) -> bool:
    return (folder / _META).is_file() and (folder / "metrics").is_dir() and (folder / "params").is_dir()


def _read_meta(folder: Path) -> dict[str, Any]:
    try:
        document = parse_yaml(read_file(folder / _META, _MAX_META_BYTES) or b"")
    except GittrackError:
        return {}
    return document if isinstance(document, dict) else {}


def _read_run(folder: Path, experiment: str | None, copies: Path | None) -> tuple[MlflowRun, bool] | None:
    """Return a run, and whether it was deleted."""
    meta = _read_meta(folder)
    problems = [] if meta else [f"{_META} cannot be read"]
    points = SeriesBuilder()
    for name, path in walk(folder, "metrics"):
        _read_metric(name, path, points, problems)
    ids = (folder.parent.name, folder.name)
    place = ArtifactPlace(folder, ("artifacts",), _text(meta, "artifact_uri"), ids, copies)
    run = MlflowRun(
        id=_text(meta, "run_id") or _text(meta, "run_uuid") or folder.name,
        name=_text(meta, "run_name"),
        status=meta.get("status"),
        started_ms=meta.get("start_time"),
        ended_ms=meta.get("end_time"),
        experiment=experiment,
        source_version=_text(meta, "source_version"),
        params=_read_texts(folder, "params", problems),
        tags=_read_texts(folder, "tags", problems),
        points=points,
        files=find_artifacts(place, problems),
        problems=tuple(problems),
        inputs=_read_inputs(folder),
    )
    return run, meta.get("lifecycle_stage") == "deleted"


def _read_inputs(folder: Path) -> tuple[ForeignPlot, ...]:
    """Return the data sets of a run; their descriptions are in a folder of the experiment."""
    found = []
    for path in _folders(folder / "inputs"):
        told = _read_meta(Path(path))
        source, tags = _text(told, "source_id"), told.get("tags")
        if source and "/" not in source and real_folder(folder.parent, f"datasets/{source}"):
            found.append((_read_meta(folder.parent / "datasets" / source), tags if isinstance(tags, dict) else {}))
    if not found:
        return ()
    from gittrack.importers.mlflow_datasets import describe_inputs

    return describe_inputs(found)


def _read_texts(folder: Path, kind: str, problems: list[str]) -> dict[str, str]:
    texts = {}
    for name, path in walk(folder, kind):
        data = read_file(path, _MAX_TEXT_BYTES)
        if data is None or len(data) == _MAX_TEXT_BYTES:
            problems.append(f"{kind} {name!r:.200} is too large or cannot be read")
        else:
            texts[name] = data.decode("utf-8", "backslashreplace")
    return texts


def _read_metric(name: str, path: str, points: SeriesBuilder, problems: list[str]) -> None:
    data = read_file(path, _MAX_METRIC_BYTES) or b""
    if len(data) == _MAX_METRIC_BYTES:
        problems.append(f"of the metric {name!r:.200} only the first {_MAX_METRIC_BYTES >> 20} MiB were read")
    n_bad = 0
    for line in data.splitlines():
        words = line.split()
        try:
            value, step = float(words[1]), int(words[2]) if len(words) > _MIN_COLUMNS else 0
            points.add(name, step, int(words[0]) / 1000, value)
        except (IndexError, ValueError, OverflowError):
            n_bad += bool(words)
    if n_bad:
        problems.append(f"{n_bad} lines of the metric {name!r:.200} are damaged and left out")


def _text(meta: dict[str, Any], key: str) -> str:
    value = meta.get(key)
    return value if isinstance(value, str) else ""
