"""What the fields and tags of an MLflow run say, the same in every store of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import unquote, urlsplit

from gittrack.git.remotes import strip_credentials
from gittrack.importers.foreign import ForeignFile, ForeignRun, native
from gittrack.importers.local_files import list_folder, real_folder
from gittrack.paths import InvalidPathError, check_repository_path

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from gittrack.experiments.format import Status
    from gittrack.importers.foreign import ForeignPlot, SeriesBuilder

TOOL = "mlflow"
# mlflow.entities.RunStatus, by number in files and by name in databases
_STATUSES: Mapping[object, Status] = {
    **dict.fromkeys((1, 2, "RUNNING", "SCHEDULED"), "running"),
    **dict.fromkeys((3, "FINISHED"), "completed"),
    **dict.fromkeys((4, "FAILED"), "failed"),
    **dict.fromkeys((5, "KILLED"), "killed"),
}
_NAME, _NOTE, _PARENT = "mlflow.runName", "mlflow.note.content", "mlflow.parentRunId"
_COMMIT, _SOURCE = "mlflow.source.git.commit", "mlflow.source.name"
# What has a place of its own, and MLflow's own notes of models, which are long.
_TOLD = frozenset({_NAME, _NOTE, _PARENT, _COMMIT, _SOURCE, "mlflow.log-model.history"})
_MS = 1000.0


class MlflowRun(NamedTuple):
    """A run as a store of MLflow has it.

    Attributes:
        id: Its id.
        name: Its name; empty in old stores, where a tag has it.
        status: A number or a word.
        started_ms: Milliseconds since 1970.
        ended_ms: The same; None while it runs.
        experiment: The name of the experiment.
        source_version: The commit, in old stores.
        params: Names and texts.
        tags: Names and texts.
        points: The points of its metrics.
        files: What it logged.
        problems: What could not be read.
        inputs: The data sets that it uses.
    """

    id: str
    name: str
    status: object
    started_ms: Any
    ended_ms: Any
    experiment: str | None
    source_version: str
    params: Mapping[str, str]
    tags: Mapping[str, str]
    points: SeriesBuilder
    files: tuple[ForeignFile, ...] = ()
    problems: tuple[str, ...] = ()
    inputs: tuple[ForeignPlot, ...] = ()


def describe(run: MlflowRun) -> ForeignRun:
    """Return the common description of a run.

    Args:
        run: The run.
    """
    tags = run.tags
    source = tags.get(_SOURCE)
    return ForeignRun(
        tool=TOOL,
        id=run.id,
        name=run.name or tags.get(_NAME) or "",
        status=_STATUSES.get(run.status, "completed"),
        started=_seconds(run.started_ms),
        ended=_seconds(run.ended_ms),
        params={name: native(text) for name, text in run.params.items()},
        series=run.points.series,
        tags={name: text for name, text in tags.items() if name not in _TOLD},
        description=tags.get(_NOTE) or None,
        group=run.experiment,
        parent=tags.get(_PARENT) or None,
        commit=tags.get(_COMMIT) or run.source_version or None,
        command=(source,) if source else (),
        files=run.files,
        problems=run.problems,
        plots=run.inputs,
    )


def list_artifacts(root: Path, relative: str) -> tuple[ForeignFile, ...]:
    """Return what is in a run's folder of artifacts, each file and folder at its top; links are passed over.

    Args:
        root: A folder of the store.
        relative: The folder of artifacts, relative to it.
    """
    folder = real_folder(root, relative)
    return tuple(
        ForeignFile(entry.name, root, f"{relative}/{entry.name}")
        for entry in (list_folder(folder) if folder else ())
        if entry.is_file(follow_symlinks=False) or entry.is_dir(follow_symlinks=False)
    )


class ArtifactPlace(NamedTuple):
    """Where the artifacts of a run may be.

    Attributes:
        root: The folder of the store.
        usual: Usual places, relative to it.
        uri: What the run says, a path or a URL.
        run: The ids of the experiment and of the run.
        copies: A folder that somebody named, with artifacts that are not in the store.
    """

    root: Path
    usual: tuple[str, ...]
    uri: str
    run: tuple[str, str]
    copies: Path | None = None


def find_artifacts(place: ArtifactPlace, problems: list[str]) -> tuple[ForeignFile, ...]:
    """Return the artifacts of a run.

    Args:
        place: Where they may be.
        problems: Where is noted that they are out of reach.
    """
    found = locate_artifacts(place.root, place.uri, place.usual)
    if found is not None and (files := list_artifacts(place.root, found)):
        return files
    if place.copies is not None:
        below = (f"{place.run[0]}/{place.run[1]}/artifacts", f"{place.run[1]}/artifacts")
        copied = locate_artifacts(place.copies, place.uri, below)
        if copied is not None:
            return list_artifacts(place.copies, copied)
    shown = strip_credentials(place.uri)[:500]
    parts = urlsplit(place.uri)
    if parts.scheme not in {"", "file"}:
        problems.append(f"its artifacts at '{shown}' are on a server and are not imported")
    elif parts.path and list_folder(unquote(parts.path)):
        problems.append(f"its artifacts at '{shown}' are outside of the store and are not imported")
    return ()


def locate_artifacts(root: Path, uri: str, places: Iterable[str]) -> str | None:
    """Return where a run's artifacts are below the store; None when they are elsewhere.

    A store that was moved keeps the old URIs, so the usual places are looked at as well.

    Args:
        root: The folder of the store.
        uri: What the run says, a path or a URL.
        places: Usual places, relative to the root.
    """
    parts = urlsplit(uri)
    if parts.scheme in {"", "file"}:
        path = unquote(parts.path)
        prefix = f"{root.absolute()}/"
        inside = path.removeprefix(prefix) if path.startswith(prefix) else path.removeprefix("./")
        places = [inside, *places]
    for place in places:
        try:
            if real_folder(root, check_repository_path(place)):
                return place
        except InvalidPathError:
            continue
    return None


def _seconds(milliseconds: Any) -> float | None:
    if isinstance(milliseconds, int) and 0 < milliseconds < 1 << 60:
        return milliseconds / _MS
    return None
