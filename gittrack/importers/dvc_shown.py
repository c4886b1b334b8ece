"""Plots of DVC that are no series over steps: figures of datapoints, with the properties that are declared."""

from __future__ import annotations

import csv
import posixpath
from typing import TYPE_CHECKING, Any

from gittrack.figures import TEMPLATES, Labels
from gittrack.runs import plots as making
from gittrack.values import load_json
from gittrack.yaml_text import parse_yaml

if TYPE_CHECKING:
    from gittrack.importers.dvc_plots import Plot
    from gittrack.importers.plots import PlotBuilder

IMAGES = frozenset({".png", ".jpg", ".jpeg", ".gif", ".webp", ".bmp", ".tif", ".tiff", ".svg"})
TABLES = {".tsv": "\t", ".csv": ","}
DOCUMENTS = frozenset({".json", ".yaml", ".yml"})
_MAX_FIELD_BYTES = 1 << 20
_MAX_NESTING = 20


def read_rows(path: str, data: bytes) -> list[dict[str, Any]]:
    """Return the rows of a plot's file; of a document, the first list of objects in it, as DVC takes it.

    Args:
        path: Its path, whose ending tells the form.
        data: Its content.

    Raises:
        ValueError: It is damaged.
        GittrackError: The same.
    """
    suffix = posixpath.splitext(path)[1].lower()
    if suffix in TABLES:
        csv.field_size_limit(_MAX_FIELD_BYTES)
        text = data.decode("utf-8-sig", "backslashreplace").replace("\0", "")
        try:
            return list(csv.DictReader(text.splitlines(), delimiter=TABLES[suffix]))
        except csv.Error as error:
            raise ValueError(str(error)) from error
    document = load_json(data, tagged=False) if suffix == ".json" else parse_yaml(data)
    return _first_rows(document, 0)


def take_shown(plots: PlotBuilder, plot: Plot, path: str, rows: list[dict[str, Any]]) -> None:
    """Take the figure of a plot.

    Args:
        plots: Where it goes.
        plot: What is declared.
        path: The file.
        rows: Its rows.
    """
    columns = {str(name): [_value(row.get(name)) for row in rows] for name in (rows[0] if rows else {}) if name}
    x = plot.x if plot.x in columns else ""
    if not x:
        columns = {"index": list(range(len(rows))), **columns}
        x = "index"
    y = [name for name in plot.y if name in columns] or [name for name in columns if name != x][-1:]
    template = plot.template if plot.template in TEMPLATES else "linear"
    labels = Labels(plot.title, plot.x_label, plot.y_label)
    plots.add_plot(path, lambda: making.datapoints(columns, x, y, template=template, labels=labels), None)


def _first_rows(value: Any, depth: int) -> list[dict[str, Any]]:
    if isinstance(value, list) and value and all(isinstance(row, dict) for row in value):
        return value
    if isinstance(value, dict) and depth < _MAX_NESTING:
        for inner in value.values():
            if found := _first_rows(inner, depth + 1):
                return found
    return []


def _value(value: Any) -> Any:
    """Return a value of a table, where all are texts, as the number it is."""
    if not isinstance(value, str):
        return value
    for kind in (int, float):
        try:
            return kind(value)
        except ValueError:
            continue
    return value
