"""The report: params, metrics, images and plots as one file, in HTML or Markdown, or shown in a notebook.

Each metric keeps at most some hundred points for its chart, however long the training: when they are full, every other
one goes and half as many come. So a report costs the same at step 100,000 as at step 100.
"""

from __future__ import annotations

import base64
import html
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gittrack.live_files.chart import draw_lines
from gittrack.live_files.writing import write_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from gittrack.live_files.layout import Layout
    from gittrack.live_files.metric_files import Point
    from gittrack.live_files.plot_files import Plot
    from gittrack.live_files.surroundings import Surroundings

_MAX_POINTS = 400
_REFRESH_S = 5
_MAX_IMAGES = 100  # the newest; all are in the folder
_PAGE = """<!DOCTYPE html>
<html>
<head>
<meta charset="utf-8">
<meta http-equiv="refresh" content="{refresh}">
<title>Report</title>
<style>
body {{ font-family: sans-serif; margin: 2em; }}
table {{ border-collapse: collapse; margin: 1em 0; }}
td, th {{ border: 1px solid #ccc; padding: 0.3em 0.8em; text-align: left; }}
figure {{ display: inline-block; margin: 0.5em; vertical-align: top; }}
img {{ max-width: 30em; }}
</style>
</head>
<body>
{body}
</body>
</html>
"""


class Curve:
    """The points of a metric that its chart shows."""

    def __init__(self) -> None:
        self.points: list[tuple[float, float]] = []
        self._stride = 1
        self._n_seen = 0
        self._last: tuple[float, float] | None = None

    def add(self, step: float, value: float) -> None:
        """Add a point; only so many are kept, evenly."""
        self._last = (step, value)
        if self._n_seen % self._stride == 0:
            self.points.append(self._last)
            if len(self.points) >= _MAX_POINTS:
                del self.points[1::2]
                self._stride *= 2
        self._n_seen += 1

    @property
    def shown(self) -> list[tuple[float, float]]:
        """The kept points, and the last one."""
        is_there = self._last is None or self.points[-1:] == [self._last]
        return self.points if is_there else [*self.points, self._last]  # type: ignore[list-item]


class Report:
    """A report that is written again and again.

    Args:
        mode: ``html``, ``md`` or ``notebook``.
        layout: Where it goes.
    """

    def __init__(self, mode: str, layout: Layout) -> None:
        self.mode = mode
        self.path = None if mode == "notebook" else layout.report(mode)
        self._layout = layout
        self._curves: dict[str, Curve] = {}
        self._plots: dict[str, tuple[tuple[int, int], str]] = {}
        self._images: dict[str, tuple[tuple[int, int], str]] = {}

    def add_points(self, points: Iterable[Point]) -> None:
        """Take points into the charts; texts and what is not plotted are passed over."""
        for point in points:
            if point.is_plotted and not isinstance(point.value, str):
                curve = self._curves.setdefault(point.metric.name, Curve())
                try:
                    curve.add(float(point.step), float(point.value))
                except (OverflowError, TypeError, ValueError):  # a number that no chart can hold
                    continue

    def write(
        self,
        params: Mapping[Any, Any],
        summary: Mapping[str, Any],
        images: Mapping[str, Path],
        plots: Mapping[str, Plot],
        surroundings: Surroundings,
    ) -> None:
        """Write the report, or show it.

        Args:
            params: All params.
            summary: The last values of the metrics.
            images: Names and files of images.
            plots: Names and plots of datapoints.
            surroundings: Where a report can be shown.

        Raises:
            OSError: A file cannot be read, or the disk refuses.
        """
        tables = [(name, flat) for name, flat in (("params.yaml", _flat(params)), ("metrics.json", _flat(summary)))]
        if self.path is None:
            if surroundings.display is not None:
                surroundings.display(self._markdown(tables, images, plots, is_file=False))
            return
        if self.mode == "md":
            write_text(self.path, self._markdown(tables, images, plots, is_file=True))
        else:
            body = "\n".join(self._html_parts(tables, images, plots))
            write_text(self.path, _PAGE.format(refresh=_REFRESH_S, body=body))
        if surroundings.show is not None:
            surroundings.show(Path(self.path))

    def _html_parts(self, tables: Any, images: Mapping[str, Path], plots: Mapping[str, Plot]) -> Iterator[str]:
        for name, flat in tables:
            if flat:
                rows = "".join(
                    f"<tr><th>{html.escape(key)}</th><td>{html.escape(text)}</td></tr>" for key, text in flat
                )
                yield f"<h2>{name}</h2>\n<table>{rows}</table>"
        for title, svg in self._charts(plots):
            yield f"<figure><figcaption>{html.escape(title)}</figcaption>{svg}</figure>"
        for name, path in list(images.items())[-_MAX_IMAGES:]:
            data = self._remembered(self._images, name, path, _data_url)
            if data:
                yield f'<figure><figcaption>{html.escape(name)}</figcaption><img src="{data}"></figure>'

    def _markdown(self, tables: Any, images: Mapping[str, Path], plots: Mapping[str, Plot], *, is_file: bool) -> str:
        parts = ["# DVC Report"]
        for name, flat in tables:
            if flat:
                keys = [_cell(key) for key, _ in flat]
                lines = (keys, ["---"] * len(keys), [_cell(text) for _, text in flat])
                parts.append(f"\n{name}\n\n" + "\n".join(f"| {' | '.join(line)} |" for line in lines))
        for title, svg in self._charts(plots):
            place = f"static/{title}.svg"
            if is_file:
                write_text(Path(self._layout.folder, place), svg)
            else:
                place = "data:image/svg+xml;base64," + base64.b64encode(svg.encode()).decode()
            parts.append(f"\n![{_cell(title)}]({place.replace(' ', '%20')})")
        for name, path in list(images.items())[-_MAX_IMAGES:]:
            data = self._remembered(self._images, name, path, _data_url)
            if data:
                parts.append(f"\n![{_cell(name)}]({data})")
        return "\n".join(parts) + "\n"

    def _charts(self, plots: Mapping[str, Plot]) -> Iterator[tuple[str, str]]:
        for name, curve in self._curves.items():
            yield name, draw_lines([curve.shown], "step", name.rsplit("/", 1)[-1])
        for name, plot in plots.items():
            svg = self._remembered(self._plots, name, plot.path, lambda path, plot=plot: _draw_plot(path, plot))
            if svg:
                yield name, svg

    def _remembered(self, memory: dict[str, Any], name: str, path: Path, make: Any) -> str:
        """Return what is made of a file, made again only when the file has changed."""
        try:
            info = path.stat()
        except OSError:
            return ""
        state = (info.st_mtime_ns, info.st_size)
        if name not in memory or memory[name][0] != state:
            memory[name] = (state, make(path))
        text: str = memory[name][1]
        return text


def _draw_plot(path: Path, plot: Plot) -> str:
    rows = json.loads(path.read_text(encoding="utf-8"))
    if isinstance(rows, dict):
        rows = next(iter(rows.values()), [])
    config = plot.config
    if plot.kind == "confusion_matrix":
        return _matrix(rows)
    columns = config["y"] if isinstance(config["y"], list) else [config["y"]]
    lines = [_numbers(rows, config["x"], column) for column in columns]
    return draw_lines(lines, config.get("x_label", config["x"]), config.get("y_label", str(columns[0])))


def _numbers(rows: list[dict[str, Any]], x: str, y: str) -> list[tuple[float, float]]:
    points = []
    for row in rows[:: max(1, len(rows) // _MAX_POINTS)]:
        try:
            points.append((float(row[x]), float(row[y])))
        except (KeyError, TypeError, ValueError):
            continue
    return points


def _matrix(rows: list[dict[str, str]]) -> str:
    counts: dict[tuple[str, str], int] = {}
    for row in rows:
        pair = row["actual"], row["predicted"]
        counts[pair] = counts.get(pair, 0) + 1
    labels = sorted({label for pair in counts for label in pair})
    cells = [[html.escape(one), *(str(counts.get((one, other), 0)) for other in labels)] for one in labels]
    lines = ["".join(f"<td>{cell}</td>" for cell in row) for row in [["", *map(html.escape, labels)], *cells]]
    return "<table>" + "".join(f"<tr>{line}</tr>" for line in lines) + "</table>"


def _data_url(path: Path) -> str:
    kind = {".jpg": "jpeg", ".jpeg": "jpeg", ".gif": "gif"}.get(path.suffix, "png")
    return f"data:image/{kind};base64,{base64.b64encode(path.read_bytes()).decode()}"


def _flat(values: Mapping[Any, Any], prefix: str = "") -> list[tuple[str, str]]:
    flat: list[tuple[str, str]] = []
    for key, value in values.items():
        name = f"{prefix}{key}"
        if isinstance(value, dict) and value:
            flat += _flat(value, f"{name}.")
        else:
            flat.append((name, str(value)))
    return flat


def _cell(text: str) -> str:
    return text.replace("\\", "\\\\").replace("|", "\\|").replace("[", "\\[").replace("]", "\\]").replace("\n", " ")
