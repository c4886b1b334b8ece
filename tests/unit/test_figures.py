"""Figures are plain values that plotly takes, thin enough to be drawn."""

from __future__ import annotations

import json
from typing import Any

import plotly.graph_objects
import pytest

from gittrack import figures
from gittrack.figures import Labels

POINTS: dict[str, list[Any]] = {"x": [1, 2, 3], "y": [0.5, float("nan"), float("inf")], "n": ["a", "b", "a"]}


def check(figure: figures.Figure) -> list[dict[str, Any]]:
    """Return the traces of a figure that is JSON and that plotly takes."""
    json.dumps(figure, allow_nan=False)
    plotly.graph_objects.Figure(figure)
    traces: list[dict[str, Any]] = figure["data"]
    return traces


@pytest.mark.parametrize("template", [name for name in figures.TEMPLATES if not name.startswith("confusion")])
def test_each_template_draws_points(template: str) -> None:
    """What is not finite is a gap."""
    (trace,) = check(figures.points_figure(POINTS, "x", ["y"], template, Labels("T", "X", "Y")))
    assert (trace["x"], trace["y"]) == ([1, 2, 3], [0.5, None, None])


def test_confusions_are_counted() -> None:
    """The true classes downwards, the first on top; normalized, each row is one."""
    columns = {"actual": ["a", "a", "b"], "predicted": ["a", "b", "b"]}
    for template, counts in (("confusion", [[1, 1], [0, 1]]), ("confusion_normalized", [[0.5, 0.5], [0, 1]])):
        figure = figures.points_figure(columns, "actual", ["predicted"], template, Labels(None, "actual", "predicted"))
        (trace,) = check(figure)
        assert (trace["x"], trace["y"], trace["z"]) == (["a", "b"], ["a", "b"], counts)
        assert figure["layout"]["yaxis"]["autorange"] == "reversed"
        assert figure["layout"]["yaxis"]["title"]["text"] == "actual"


def test_a_long_line_is_thinned_evenly() -> None:
    """Both ends stay; points that stand for themselves all do."""
    long = list(range(10_001))
    (line,) = check(figures.line_figure({"l": (long, long)}, Labels()))
    assert len(line["x"]) == figures.MAX_DRAWN_POINTS
    assert (line["x"][0], line["x"][-1]) == (0, 10_000)
    assert {right - left for left, right in zip(line["x"], line["x"][1:], strict=False)} == {5, 6}
    (points,) = check(figures.scatter_figure({"x": long, "y": long}, Labels()))
    assert points["x"] == long


def test_arrows_begin_and_end_where_they_are_said_to() -> None:
    """In a plane lines with gaps between them, in space cones."""
    columns = {"x": [0, 1], "y": [0, 1], "u": [1, 2], "v": [0.5, 0]}
    (lines,) = check(figures.vector_figure(columns, Labels()))
    assert (lines["x"], lines["y"]) == ([0, 1, None, 1, 3, None], [0, 0.5, None, 1, 1, None])
    (cones,) = check(figures.vector_figure({**columns, "z": [0, 0], "w": [1, 1]}, Labels()))
    assert cones["type"] == "cone"


def test_classes_have_colours() -> None:
    """Texts are numbered, numbers stay."""
    for given, expected in ((["b", "a"], [1, 0]), ([0.5, 2], [0.5, 2])):
        (points,) = check(figures.scatter_figure({"x": [1, 2], "y": [1, 2], "color": given}, Labels()))
        assert points["marker"]["color"] == expected


def test_tables_and_histograms() -> None:
    """A table shows its first rows; bars stand between their edges."""
    (table,) = check(figures.table_figure({"a": list(range(5000)), "b": [None] * 5000}, Labels("T")))
    assert table["header"]["values"] == ["a", "b"]
    assert len(table["cells"]["values"][0]) == figures.MAX_DRAWN_POINTS
    (bars,) = check(figures.histogram_figure([0, 1, 3], [4, 5], Labels()))
    assert (bars["x"], bars["y"], bars["width"]) == ([0.5, 2.0], [4, 5], [1, 2])
