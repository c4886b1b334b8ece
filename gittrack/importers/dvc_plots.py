"""The plots of DVC: series, figures and images that ``dvc.yaml`` declares, and DVCLive's ``plots/metrics``."""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING, Any, NamedTuple

from gittrack.errors import GittrackError
from gittrack.importers.dvc_shown import DOCUMENTS, IMAGES, TABLES, read_rows, take_shown
from gittrack.importers.foreign import SeriesBuilder
from gittrack.yaml_text import parse_yaml

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from gittrack.importers.plots import PlotBuilder

_DVCLIVE_METRICS = "plots/metrics"
_STEPS = ("step", "epoch", "iteration")
_TIMES = ("timestamp", "time")
_OF_STEPS = (None, "linear", "simple", "smooth")
_MAX_PLOTS = 1000
_MS_ABOVE = 1e11  # a time of more seconds than that is one of milliseconds


class Plot(NamedTuple):
    """A plot that is declared.

    Attributes:
        path: A file, or a folder of files.
        x: The column of the steps; None when none is named.
        y: The columns of values; none named means all.
        template: How it is drawn.
        title: What stands above it.
        x_label: What stands along the horizontal axis.
        y_label: What stands along the vertical one.
    """

    path: str
    x: str | None = None
    y: tuple[str, ...] = ()
    template: str | None = None
    title: str | None = None
    x_label: str | None = None
    y_label: str | None = None


def declared_plots(dvc_yaml: bytes | None) -> list[Plot]:
    """Return the plots that a ``dvc.yaml`` declares.

    Args:
        dvc_yaml: Its content.

    Example:
        >>> declared_plots(b"plots: [{loss.csv: {x: step, y: loss}}]")[0][:3]
        ('loss.csv', 'step', ('loss',))
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
    shown: PlotBuilder | None = None,
) -> SeriesBuilder:
    """Return the points of plots over steps; all others are figures or images.

    Args:
        plots: The plots.
        read: Returns the content of a path, None when there is no such file.
        list_files: Returns the paths of all files below a path.
        problems: Where what cannot be read is noted.
        shown: Where figures and images go; None leaves them out.
    """
    points = SeriesBuilder()
    done: set[tuple[str, str | None]] = set()
    for plot in plots:
        for path in [plot.path] if posixpath.splitext(plot.path)[1] else list_files(plot.path):
            suffix = posixpath.splitext(path)[1].lower()
            if (path, plot.x) in done or suffix not in {*TABLES, *DOCUMENTS, *IMAGES}:
                continue
            done.add((path, plot.x))
            data = read(path)
            if data is not None and suffix not in IMAGES:
                _read_datapoints(data, plot, path, points, shown, problems)
            elif data is not None and shown is not None:
                shown.add_image(path, data, None, title=plot.title)
    return points


def _read_datapoints(
    data: bytes, plot: Plot, path: str, points: SeriesBuilder, shown: PlotBuilder | None, problems: list[str]
) -> None:
    try:
        rows = read_rows(path, data)
    except (GittrackError, ValueError) as error:
        problems.append(f"{path}: {error}")
        return
    if not rows:
        return
    is_series = plot.x is None or plot.x in _STEPS or _metric_of(path) is not None
    if (is_series and plot.template in _OF_STEPS) or shown is None:
        _add_points(rows, plot, points, _metric_of(path))
    else:
        take_shown(shown, plot, path, rows)


def _metric_of(path: str) -> str | None:
    """Return the metric whose points a file of DVCLive has; its column has only the last part of the name."""
    before, mark, name = path.rpartition(f"{_DVCLIVE_METRICS}/")
    return posixpath.splitext(name)[0] if mark and (not before or before.endswith("/")) else None


def _add_points(rows: list[dict[str, Any]], plot: Plot, points: SeriesBuilder, metric: str | None) -> None:
    columns = [column for column in rows[0] if isinstance(column, str)]
    x = plot.x if plot.x in columns else next((column for column in _STEPS if column in columns), None)
    time = next((column for column in _TIMES if column in columns), None)
    wanted = [column for column in plot.y if column in columns] or [name for name in columns if name not in {x, time}]
    for number, row in enumerate(rows):
        step = _number(row.get(x)) if x else number
        at = _number(row.get(time)) if time else None
        if step is None or step != step or abs(step) == float("inf") or step != int(step):  # noqa: PLR0124  NaN
            continue
        seconds = 0.0 if at is None else at / 1000 if at > _MS_ABOVE else at
        for column in wanted:
            value = _number(row.get(column))
            if value is not None:
                points.add(metric if metric and len(wanted) == 1 else column, int(step), seconds, value)


def _number(text: Any) -> int | float | None:
    if isinstance(text, (int, float)):
        return int(text) if isinstance(text, bool) else text
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
            column = column if isinstance(column, str) else None
            yield Plot(_joined(folder, str(file)), column, _columns(columns), *_properties(options))
        return
    yield Plot(_joined(folder, path), x if isinstance(x, str) else None, _columns(y), *_properties(options))


def _properties(options: dict[str, Any]) -> list[str | None]:
    found = (options.get(key) for key in ("template", "title", "x_label", "y_label"))
    return [value if isinstance(value, str) else None for value in found]


def _columns(value: Any) -> tuple[str, ...]:
    return tuple(item for item in (value if isinstance(value, list) else [value]) if isinstance(item, str))


def _joined(folder: str, path: str) -> str:
    return posixpath.normpath(posixpath.join(folder, path))
