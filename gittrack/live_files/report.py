"""The report of `Live`: params, metrics, images and plots as one file, or shown in a notebook.

Each metric keeps at most some hundred points for its chart, and what is made of a file is kept until that changes. So a
report costs the same at step 100,000 as at step 100.
"""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gittrack.errors import GittrackError
from gittrack.figures import TEMPLATES, Labels, points_figure
from gittrack.live_files.writing import write_text
from gittrack.reports.content import MAX_PIECES, Content, Drawing, Image, Pairs
from gittrack.reports.kept_pieces import KeptPieces
from gittrack.reports.markdown import Style, render_markdown
from gittrack.reports.page import render_fragment, render_page
from gittrack.reports.thinned import ThinnedSeries

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from gittrack.live_files.layout import Layout
    from gittrack.live_files.metric_files import Point
    from gittrack.live_files.plot_files import Plot
    from gittrack.live_files.surroundings import Surroundings
    from gittrack.reports.content import Piece

_TITLE = "DVC Report"
_TYPES = {".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".gif": "image/gif"}


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
        self._series: dict[str, ThinnedSeries] = {}
        self._kept = KeptPieces()

    def add_points(self, points: Iterable[Point]) -> None:
        """Take points into the charts; texts and what is not plotted are passed over."""
        for point in points:
            if point.is_plotted and not isinstance(point.value, str):
                series = self._series.setdefault(point.metric.name, ThinnedSeries())
                try:
                    series.add(float(point.step), float(point.value))
                except (OverflowError, TypeError, ValueError):  # a number that no chart can hold
                    continue

    def write(
        self,
        params: Mapping[Any, Any],
        summary: Mapping[str, Any],
        images: Mapping[str, Path],
        plots: Mapping[str, Plot],
        surroundings: Surroundings,
        *,
        is_final: bool = False,
    ) -> None:
        """Write the report, or show it.

        Args:
            params: All params.
            summary: The last values of the metrics.
            images: Names and files of images.
            plots: Names and plots of datapoints.
            surroundings: Where a report can be shown.
            is_final: Whether the training is over.

        Raises:
            OSError: A file cannot be read, or the disk refuses.
        """
        tables = [Pairs("params.yaml", _flat(params)), Pairs("metrics.json", _flat(summary))]
        content = Content(_TITLE, [*tables, *self._figures(images, plots)], is_final)
        if self.path is None:
            if surroundings.display is not None:
                surroundings.display(render_fragment(content))
            return
        if self.mode == "md":
            write_text(self.path, render_markdown(content, Style(heading="", is_across=True, keep=self._keep)))
        else:
            write_text(self.path, render_page(content))
        if surroundings.show is not None:
            surroundings.show(Path(self.path))

    def _figures(self, images: Mapping[str, Path], plots: Mapping[str, Plot]) -> Iterator[Piece]:
        for name, series in self._series.items():
            yield Drawing(name, series.figure(name))
        for name, plot in plots.items():
            yield from self._piece(plot.path, partial(_draw_plot, name, plot))
        for name, path in list(images.items())[-MAX_PIECES:]:
            yield from self._piece(path, partial(_read_image, name, path))

    def _piece(self, path: Path, make: Callable[[], Piece | None]) -> Iterator[Piece]:
        piece = self._kept.get(path, make)
        if piece is not None:
            yield piece

    def _keep(self, title: str, svg: str) -> str:
        place = f"static/{title}.svg"
        write_text(Path(self._layout.folder, place), svg)
        return place.replace(" ", "%20")


def _draw_plot(name: str, plot: Plot) -> Drawing | None:
    rows = json.loads(plot.path.read_text(encoding="utf-8"))
    if isinstance(rows, dict):
        rows = next(iter(rows.values()), [])
    config = plot.config
    y = list(map(str, config["y"])) if isinstance(config["y"], list) else [str(config["y"])]
    x = str(config["x"])
    columns = {name: [row.get(name) for row in rows] for name in (x, *y)}
    template = config.get("template", "linear")
    labels = Labels(None, config.get("x_label", x), config.get("y_label", y[0]))
    try:
        figure = points_figure(columns, x, y, template if template in TEMPLATES else "linear", labels)
    except GittrackError:
        return None
    return Drawing(name, figure)


def _read_image(name: str, path: Path) -> Image:
    return Image(name, _TYPES.get(path.suffix.lower(), "image/png"), path.read_bytes())


def _flat(values: Mapping[Any, Any], prefix: str = "") -> list[tuple[str, str]]:
    flat: list[tuple[str, str]] = []
    for key, value in values.items():
        name = f"{prefix}{key}"
        if isinstance(value, dict) and value:
            flat += _flat(value, f"{name}.")
        else:
            flat.append((name, str(value)))
    return flat
