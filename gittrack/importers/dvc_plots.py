"""The series in the plots of DVC: tables that ``dvc.yaml`` declares, and DVCLive's ``plots/metrics``."""

from __future__ import annotations

import csv
import posixpath
from typing import TYPE_CHECKING, Any, NamedTuple

from gittrack.errors import GittrackError
from gittrack.importers.foreign import SeriesBuilder
from gittrack.yaml_text import parse_yaml

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_DVCLIVE_METRICS = "plots/metrics"
_DELIMITERS = {".tsv": "\t", ".csv": ","}
_STEPS = ("step", "epoch", "iteration")
_TIMES = ("timestamp", "time")
_MAX_PLOTS = 1000
_MAX_FIELD_BYTES = 1 << 20
_MS_ABOVE = 1e11  # a time of more seconds than that is one of milliseconds


class Plot(NamedTuple):
    """A plot that is declared.

    Attributes:
        path: A file, or a folder of files.
        x: The column of the steps; None when none is named.
        y: The columns of values; none named means all.
    """

    path: str
    x: str | None = None
    y: tuple[str, ...] = ()


def declared_plots(dvc_yaml: bytes | None) -> list[Plot]:
    """Return the plots that a ``dvc.yaml`` declares.

    Args:
        dvc_yaml: Its content.

    Example:
        >>> declared_plots(b"plots: [{loss.csv: {x: step, y: loss}}]")
        [Plot(path='loss.csv', x='step', y=('loss',))]
    """
    try:
        top = parse_yaml(dvc_yaml or b"")
    except GittrackError:
        return []
    if not isinstance(top, dict):
        return []
    plots = list(_entries(top.get("plots"), "."))
    stages = top.get("stages")
    for stage in stages.values() if isinstance(stages, dict) else ():
        if isinstance(stage, dict):
            folder = stage.get("wdir")
            plots += _entries(stage.get("plots"), folder if isinstance(folder, str) else ".")
    return plots[:_MAX_PLOTS]


def read_plots(
    plots: list[Plot],
    read: Callable[[str], bytes | None],
    list_files: Callable[[str], list[str]],
    problems: list[str],
) -> SeriesBuilder:
    """Return the points of plots whose files are tables of numbers.

    Args:
        plots: The plots.
        read: Returns the content of a path, None when there is no such file.
        list_files: Returns the paths of all files below a path.
        problems: Where what cannot be read is noted.
    """
    points = SeriesBuilder()
    done: set[str] = set()
    for plot in plots:
        for path in [plot.path] if posixpath.splitext(plot.path)[1] else list_files(plot.path):
            delimiter = _DELIMITERS.get(posixpath.splitext(path)[1].lower())
            if delimiter is None or path in done:
                continue
            done.add(path)
            data = read(path)
            if data is not None:
                _read_table(data, delimiter, plot, points, _metric_of(path), problems)
    return points


def _metric_of(path: str) -> str | None:
    """Return the metric whose points a file of DVCLive has; its column has only the last part of the name."""
    before, mark, name = path.rpartition(f"{_DVCLIVE_METRICS}/")
    return posixpath.splitext(name)[0] if mark and (not before or before.endswith("/")) else None


def _read_table(
    data: bytes, delimiter: str, plot: Plot, points: SeriesBuilder, metric: str | None, problems: list[str]
) -> None:
    text = data.decode("utf-8-sig", "backslashreplace").replace("\0", "")
    csv.field_size_limit(_MAX_FIELD_BYTES)
    try:
        rows = list(csv.DictReader(text.splitlines(), delimiter=delimiter))
    except csv.Error as error:
        problems.append(f"{plot.path}: {error}")
        return
    if not rows:
        return
    columns = [column for column in rows[0] if isinstance(column, str)]
    x = plot.x if plot.x in columns else next((column for column in _STEPS if column in columns), None)
    time = next((column for column in _TIMES if column in columns), None)
    wanted = [column for column in plot.y if column in columns] or [name for name in columns if name not in {x, time}]
    for number, row in enumerate(rows):
        step = _number(row.get(x)) if x else number
        at = _number(row.get(time)) if time else None
        if step is None or step != step or step != int(step):  # noqa: PLR0124  NaN
            continue
        seconds = 0.0 if at is None else at / 1000 if at > _MS_ABOVE else at
        for column in wanted:
            value = _number(row.get(column))
            if value is not None:
                points.add(metric if metric and len(wanted) == 1 else column, int(step), seconds, value)


def _number(text: Any) -> int | float | None:
    try:
        return int(text) if text.lstrip("-").isdecimal() else float(text)
    except (AttributeError, TypeError, ValueError):
        return None


def _entries(value: Any, folder: str) -> Iterator[Plot]:
    """Yield the plots of a list whose items are paths, or mappings from paths to options."""
    for entry in value if isinstance(value, list) else [value]:
        items = entry.items() if isinstance(entry, dict) else [(entry, None)]
        for path, options in items:
            if isinstance(path, str) and path and "${" not in path + folder:
                yield from _plot(path, options if isinstance(options, dict) else {}, folder)


def _plot(path: str, options: dict[str, Any], folder: str) -> Iterator[Plot]:
    x, y = options.get("x"), options.get("y")
    if isinstance(y, dict):  # the newer form: a title, with columns by file
        for file, columns in y.items():
            column = x.get(file) if isinstance(x, dict) else x
            yield Plot(_joined(folder, str(file)), column if isinstance(column, str) else None, _columns(columns))
        return
    yield Plot(_joined(folder, path), x if isinstance(x, str) else None, _columns(y))


def _columns(value: Any) -> tuple[str, ...]:
    return tuple(item for item in (value if isinstance(value, list) else [value]) if isinstance(item, str))


def _joined(folder: str, path: str) -> str:
    return posixpath.normpath(posixpath.join(folder, path))
