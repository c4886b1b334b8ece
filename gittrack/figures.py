"""Figures as plotly reads them: ``{"data": [traces], "layout": {…}}`` of plain values, made without plotly.

A figure is the drawing, not the data: long lines are thinned to what a screen can show, and what is not finite is null.
"""

from __future__ import annotations

from itertools import pairwise
from math import isfinite
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Figure = dict[str, Any]

MAX_DRAWN_POINTS = 2_000  # of a line; a screen is about as wide
_TEMPLATES: dict[str, dict[str, Any]] = {
    "linear": {"mode": "lines"},
    "simple": {"mode": "lines"},
    "smooth": {"mode": "lines", "line": {"shape": "spline"}},
    "scatter": {"mode": "markers"},
    "points": {"mode": "lines+markers"},
}
BARS = ("bar_horizontal", "bar_horizontal_sorted", "bar")
CONFUSIONS = ("confusion", "confusion_normalized")
TEMPLATES = (*_TEMPLATES, *BARS, *CONFUSIONS)


class Labels(NamedTuple):
    """The texts of a figure.

    Attributes:
        title: What stands above it.
        x: Along the horizontal axis.
        y: Along the vertical axis.
        z: Along the third one.
    """

    title: str | None = None
    x: str | None = None
    y: str | None = None
    z: str | None = None


def line_figure(lines: Mapping[str, tuple[Sequence[Any], Sequence[Any]]], labels: Labels) -> Figure:
    """Return lines over one axis.

    Args:
        lines: The x and y of each line by its name.
        labels: The texts.

    Example:
        >>> line_figure({"loss": ([0, 1], [0.5, float("nan")])}, Labels("Loss", "step"))["data"]
        [{'type': 'scatter', 'mode': 'lines', 'name': 'loss', 'x': [0, 1], 'y': [0.5, None]}]
    """
    data = [{"type": "scatter", "mode": "lines", "name": name, **_drawn(x=x, y=y)} for name, (x, y) in lines.items()]
    return {"data": data, "layout": layout(labels)}


def curve_figure(
    x: Sequence[Any],
    y: Sequence[Any],
    name: str,
    labels: Labels,
    reference: tuple[Sequence[float], Sequence[float], str],
) -> Figure:
    """Return a curve of a classifier beside the line of one that guesses, or of a perfect one.

    Args:
        x: Its horizontal values, from 0 to 1.
        y: Its vertical ones.
        name: What the legend calls it.
        labels: The texts.
        reference: The x, the y and the name of the other line.
    """
    figure = line_figure({name: (x, y)}, labels)
    other_x, other_y, other_name = reference
    dashes = {"dash": "dash", "color": "#888888"}
    figure["data"].append(
        {"type": "scatter", "mode": "lines", "name": other_name, "line": dashes, **_drawn(x=other_x, y=other_y)}
    )
    return figure


def points_figure(
    columns: Mapping[str, Sequence[Any]], x: str, y: Sequence[str], template: str, labels: Labels
) -> Figure:
    """Return the figure of datapoints.

    Args:
        columns: The datapoints.
        x: The column along the horizontal axis.
        y: The columns that are drawn.
        template: One of `TEMPLATES`.
        labels: The texts.
    """
    if template in CONFUSIONS:
        return _confusion_of_points(columns[x], columns[y[0]], labels, is_normalized=template != CONFUSIONS[0])
    if template in BARS:
        return _bars(columns, x, y, template, labels)
    style = _TEMPLATES[template]
    draw = _plain if template == "scatter" else _drawn
    data = [{"type": "scatter", **style, "name": one, **draw(x=columns[x], y=columns[one])} for one in y]
    return {"data": data, "layout": layout(labels)}


def matrix_figure(
    counts: Sequence[Sequence[float]], names_x: Sequence[Any], names_y: Sequence[Any], labels: Labels
) -> Figure:
    """Return a heat map with its numbers, the first row on top.

    Args:
        counts: The rows.
        names_x: The names of the columns.
        names_y: The names of the rows.
        labels: The texts.
    """
    texts = [[f"{count:.4g}" for count in row] for row in counts]
    trace = {
        "type": "heatmap",
        "x": [str(name) for name in names_x],
        "y": [str(name) for name in names_y],
        "z": [_finite(row) for row in counts],
        "text": texts,
        "texttemplate": "%{text}",
        "colorscale": "Blues",
    }
    shape = layout(labels)
    shape["xaxis"]["type"] = "category"
    shape["yaxis"].update(type="category", autorange="reversed")
    return {"data": [trace], "layout": shape}


def histogram_figure(edges: Sequence[float], counts: Sequence[float], labels: Labels) -> Figure:
    """Return bars of counts between edges."""
    centres = [(low + high) / 2 for low, high in pairwise(edges)]
    widths = [high - low for low, high in pairwise(edges)]
    trace = {"type": "bar", "x": centres, "y": list(counts), "width": widths}
    return {"data": [trace], "layout": {**layout(labels), "bargap": 0}}


def table_figure(columns: Mapping[str, Sequence[Any]], labels: Labels) -> Figure:
    """Return a table; its first rows, when it is long."""
    cells = [_finite(values[:MAX_DRAWN_POINTS]) for values in columns.values()]
    trace = {"type": "table", "header": {"values": list(columns)}, "cells": {"values": cells}}
    return {"data": [trace], "layout": {"title": {"text": labels.title}} if labels.title else {}}


def scatter_figure(columns: Mapping[str, Sequence[Any]], labels: Labels) -> Figure:
    """Return points in a plane, or in space where there is a column ``z``; ``color`` and ``text`` may be there, too."""
    is_spatial = "z" in columns
    trace: dict[str, Any] = {"type": "scatter3d" if is_spatial else "scattergl", "mode": "markers"}
    trace.update(_plain(**{axis: columns[axis] for axis in ("x", "y", "z") if axis in columns}))
    if "color" in columns:
        trace["marker"] = {"color": _colours(columns["color"]), "showscale": not _is_text(columns["color"])}
    if "text" in columns:
        trace["text"] = [str(text) for text in columns["text"]]
    return {"data": [trace], "layout": scene(labels) if is_spatial else layout(labels)}


def surface_figure(
    z: Sequence[Sequence[Any]], x: Sequence[Any] | None, y: Sequence[Any] | None, labels: Labels
) -> Figure:
    """Return a surface over a grid; `x` and `y` are the values along its columns and rows."""
    trace: dict[str, Any] = {"type": "surface", "z": [_finite(row) for row in z]}
    trace.update({axis: _finite(values) for axis, values in (("x", x), ("y", y)) if values is not None})
    return {"data": [trace], "layout": scene(labels)}


def vector_figure(columns: Mapping[str, Sequence[Any]], labels: Labels) -> Figure:
    """Return arrows: lines from (x, y) to (x + u, y + v) with a mark at the end; cones where there are z and w."""
    if "z" in columns:
        trace = {"type": "cone", **_plain(**{axis: columns[axis] for axis in ("x", "y", "z", "u", "v", "w")})}
        return {"data": [trace], "layout": scene(labels)}
    x: list[Any] = []
    y: list[Any] = []
    for x0, y0, u, v in zip(columns["x"], columns["y"], columns["u"], columns["v"], strict=True):
        x += [x0, x0 + u, None]
        y += [y0, y0 + v, None]
    marker: Any = {"symbol": "arrow", "angleref": "previous", "size": 8}
    trace = {"type": "scatter", "mode": "lines+markers", "x": _finite(x), "y": _finite(y), "marker": marker}
    return {"data": [trace], "layout": layout(labels)}


def drawn_places(length: int) -> Sequence[int]:
    """Return which points of a line are drawn: as many as can be told apart, evenly, both ends among them.

    Args:
        length: How many points there are.

    Example:
        >>> len(drawn_places(5)), len(drawn_places(10**6)), drawn_places(10**6)[-1]
        (5, 2000, 999999)
    """
    if length <= MAX_DRAWN_POINTS:
        return range(length)
    last = MAX_DRAWN_POINTS - 1
    return [index * (length - 1) // last for index in range(MAX_DRAWN_POINTS)]


def layout(labels: Labels) -> dict[str, Any]:
    """Return the layout of a figure in the plane."""
    title = {"title": {"text": labels.title}} if labels.title else {}
    return {**title, "xaxis": _axis(labels.x), "yaxis": _axis(labels.y)}


def scene(labels: Labels) -> dict[str, Any]:
    """Return the layout of a figure in space."""
    title = {"title": {"text": labels.title}} if labels.title else {}
    return {**title, "scene": {"xaxis": _axis(labels.x), "yaxis": _axis(labels.y), "zaxis": _axis(labels.z)}}


def _axis(label: str | None) -> dict[str, Any]:
    return {"title": {"text": label}} if label else {}


def _bars(columns: Mapping[str, Sequence[Any]], x: str, y: Sequence[str], template: str, labels: Labels) -> Figure:
    """Return bars; the horizontal ones have their values in `x`, as those of DVC's templates."""
    if template == "bar":
        data = [{"type": "bar", "name": one, **_plain(x=columns[x], y=columns[one])} for one in y]
        return {"data": data, "layout": layout(labels)}
    data = [{"type": "bar", "orientation": "h", "name": one, **_plain(x=columns[x], y=columns[one])} for one in y]
    shape = layout(labels)
    if template == "bar_horizontal_sorted":
        shape["yaxis"]["categoryorder"] = "total ascending"
    return {"data": data, "layout": shape}


def _confusion_of_points(
    actual: Sequence[Any], predicted: Sequence[Any], labels: Labels, *, is_normalized: bool
) -> Figure:
    names = sorted({str(one) for one in (*actual, *predicted)})
    places = {name: index for index, name in enumerate(names)}
    counts: list[list[float]] = [[0] * len(names) for _ in names]
    for row, column in zip(actual, predicted, strict=True):
        counts[places[str(row)]][places[str(column)]] += 1
    if is_normalized:
        counts = [[count / (sum(row) or 1) for count in row] for row in counts]
    return matrix_figure(counts, names, names, Labels(labels.title, labels.y, labels.x))


def _drawn(**axes: Sequence[Any]) -> dict[str, list[Any]]:
    """Return axes of a line with as many points as can be told apart, both ends among them."""
    places = drawn_places(len(next(iter(axes.values()))))
    return {axis: _finite([values[place] for place in places]) for axis, values in axes.items()}


def _plain(**axes: Sequence[Any]) -> dict[str, list[Any]]:
    return {axis: _finite(values) for axis, values in axes.items()}


def _finite(values: Sequence[Any]) -> list[Any]:
    """Return values with null for what JSON cannot say."""
    return [None if isinstance(one, float) and not isfinite(one) else one for one in values]


def _is_text(values: Sequence[Any]) -> bool:
    return any(isinstance(value, str) for value in values)


def _colours(values: Sequence[Any]) -> list[Any]:
    """Return numbers as they are, and the number of each text among all of them."""
    if not _is_text(values):
        return _finite(values)
    places = {name: index for index, name in enumerate(sorted({str(value) for value in values}))}
    return [places[str(value)] for value in values]
