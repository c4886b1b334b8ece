"""The common description of a run that another tracker recorded."""

from __future__ import annotations

import re
from hashlib import sha256
from math import isfinite
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from gittrack.errors import GittrackError
from gittrack.experiments.series import Series
from gittrack.values import load_json

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from gittrack.experiments.format import Status
    from gittrack.values import PlainValue

_NOTHING: Mapping[str, Any] = MappingProxyType({})
_INTEGER = re.compile(r"-?(?:0|[1-9][0-9]{0,1000})")
_FLOAT = re.compile(r"-?(?:[0-9]+\.[0-9]*|\.[0-9]+|[0-9]+(?=[eE]))(?:[eE][-+]?[0-9]+)?|-?inf|nan")
_WORDS = {"True": True, "true": True, "False": False, "false": False, "None": None, "null": None}
_MAX_JSON_CHARACTERS = 100_000
_YEAR_10000 = 253_402_300_799.0


class UnreadableStoreError(GittrackError):
    """What was named is no store of that tracker, or is damaged as a whole."""


class ForeignFile(NamedTuple):
    """A file or folder that a run logged.

    Attributes:
        name: What it is called in the run.
        root: A folder of the store, itself trusted as it was named.
        path: Relative to that folder, ``/`` between components; no link on the way is followed.
        type: What it is, such as ``model``.
        md5: What its content must have to be taken, 32 hex digits; None when it is trusted.
    """

    name: str
    root: Path
    path: str
    type: str | None = None
    md5: str | None = None


class ForeignPlot(NamedTuple):
    """A plot, image, table or text that a run logged.

    Attributes:
        name: What it is called in the run.
        kind: What it is: ``image``, ``table``…
        content: The content of its file.
        media_type: The kind of that.
        suffix: Of its file.
        step: The step it belongs to.
        time: UTC epoch seconds; 0 when that is not known.
        title: What stands above it.
        values: The numbers that sum it up.
    """

    name: str
    kind: str
    content: bytes
    media_type: str
    suffix: str
    step: int | None = None
    time: float = 0.0
    title: str | None = None
    values: Mapping[str, PlainValue] = _NOTHING


class ForeignRun(NamedTuple):
    """A run that another tracker recorded.

    Attributes:
        tool: ``mlflow``, ``wandb``, ``tensorboard`` or ``dvc``.
        id: What tells it from all other runs of that tool.
        name: What people call it, in any characters.
        status: How it ended.
        started: UTC epoch seconds; None when that is not known.
        ended: The same.
        params: Dotted names and their values.
        series: The points of each metric.
        values: Metrics that have a value and no points.
        tags: Keys and values set by the user.
        notes: Texts.
        description: One text.
        group: A name that ties runs together.
        parent: The id of the run within which it ran.
        commit: The commit of the code, as the run says.
        host: The machine's name.
        command: The command line.
        environment: Python, machine.
        exit_code: Of the process.
        requirements: The installed packages, one a line.
        log: The output.
        files: What it logged as artifacts.
        problems: What could not be read, one sentence each.
        tree: The tree of the code, when this repository has it.
        plots: What it logged to look at.
    """

    tool: str
    id: str
    name: str
    status: Status = "completed"
    started: float | None = None
    ended: float | None = None
    params: Mapping[str, PlainValue] = _NOTHING
    series: Mapping[str, Series] = _NOTHING
    values: Mapping[str, int | float] = _NOTHING
    tags: Mapping[str, PlainValue] = _NOTHING
    notes: tuple[str, ...] = ()
    description: str | None = None
    group: str | None = None
    parent: str | None = None
    commit: str | None = None
    host: str | None = None
    command: tuple[str, ...] = ()
    environment: Mapping[str, PlainValue] = _NOTHING
    exit_code: int | None = None
    requirements: bytes | None = None
    log: bytes | None = None
    files: tuple[ForeignFile, ...] = ()
    problems: tuple[str, ...] = ()
    tree: str | None = None
    plots: tuple[ForeignPlot, ...] = ()


def experiment_id(tool: str, foreign_id: str) -> str:
    """Return the id that a run has as an experiment, the same whenever and wherever it is imported.

    Args:
        tool: The tracker.
        foreign_id: The run's id there.

    Example:
        >>> experiment_id("mlflow", "5f35d2011a9b44f5a44e394aa3293e54")
        'bd178b314be276be'
    """
    return sha256(f"{tool}\0{foreign_id}".encode("utf-8", "backslashreplace")).hexdigest()[:16]


def native(text: str) -> PlainValue:
    """Return the value of which a tracker kept only the text.

    Args:
        text: What Python's ``str`` made of it.

    Example:
        >>> [native(text) for text in ("0.1", "12", "True", "[64, 32]", "007", "adam")]
        [0.1, 12, True, [64, 32], '007', 'adam']
    """
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.fullmatch(text):
        return int(text)
    if _FLOAT.fullmatch(text):
        return float(text)
    if text[:1] in {"[", "{"} and len(text) <= _MAX_JSON_CHARACTERS:
        try:
            return load_json(text, tagged=False)
        except GittrackError:
            return text
    return text


def clean_time(seconds: Any, default: float | None = None) -> float | None:
    """Return a time if it is one between 1970 and the year 10000, else the default.

    Args:
        seconds: UTC epoch seconds, or anything else.
        default: What stands for no time.
    """
    is_number = isinstance(seconds, (int, float)) and not isinstance(seconds, bool)
    if is_number and 0 < seconds < _YEAR_10000 and isfinite(seconds):
        return float(seconds)
    return default


class SeriesBuilder:
    """The points of a run's metrics, as they are read."""

    def __init__(self) -> None:
        self.series: dict[str, Series] = {}

    def add(self, name: str, step: int, time: float, value: float) -> None:
        """Add a point.

        Args:
            name: The metric.
            step: The step.
            time: UTC epoch seconds; what is no time becomes 0.
            value: The value.
        """
        points = self.series.get(name)
        if points is None:
            points = self.series[name] = Series([], [], [])
        points.steps.append(step)
        points.times.append(time if 0 < time < _YEAR_10000 else 0.0)
        points.values.append(value)

    def span(self) -> tuple[float | None, float | None]:
        """Return the first and the last time of all points; None when there is none."""
        times = [time for points in self.series.values() for time in points.times if time]
        return (min(times), max(times)) if times else (None, None)
