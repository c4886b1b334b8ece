"""Reports as HTML, Markdown and SVG: complete, escaped, and readable whatever the figures hold."""

from __future__ import annotations

import random
from html.parser import HTMLParser
from xml.etree import ElementTree as ET

import numpy as np
import pytest

from gittrack import figures
from gittrack.figures import Labels
from gittrack.reports.chart import draw
from gittrack.reports.content import MAX_ROWS, MAX_TEXT, Content, Drawing, Image, Pairs, Table, Text
from gittrack.reports.figure_table import figure_table
from gittrack.reports.markdown import render_markdown
from gittrack.reports.page import render_fragment, render_page
from gittrack.reports.thinned import MAX_POINTS, ThinnedSeries

HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    "</style></title></svg><script>",
    "損失 \u202e größe 🎉",
    "line\nbreak\ttab\x00\x1b[31m",
    "\ud800",
    "nan",
    "|a|`b`[c](javascript:alert(1))",
    "x" * 100_000,
]
LABELS = Labels("title", "step", "loss")


class Tags(HTMLParser):
    """Collects the tags and attributes of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[tuple[str, str]] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {(name, value or "") for name, value in attrs}


def hostile_content(text: str) -> Content:
    """Return a report that has a text in every place that takes one."""
    line = figures.line_figure({text: ([0, 1], [1, float("nan")])}, Labels(text, text, text))
    bar = figures.points_figure({text: [text, "b"], "v": [1, 2]}, text, ["v"], "bar", Labels(text, text, text))
    matrix = figures.matrix_figure([[1, 2], [3, 4]], [text, "b"], [text, "b"], Labels(text, text, text))
    table = figures.table_figure({text: [text, None]}, Labels(text))
    pieces = [
        Pairs(text, [(text, text)]),
        Table(text, [text], [[text]]),
        *(Drawing(text, figure, text) for figure in (line, bar, matrix, table)),
        Image(text, "image/png", b"\x89PNG"),
        Image(text, "image/svg+xml", b"<svg onload=alert(1)>"),
        Text(text, text),
    ]
    return Content(text, pieces)


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_no_text_becomes_markup(text: str) -> None:
    """A page has the tags of the plain one, no script, no handler, no address but of data, and is not giant."""
    plain, page = Tags(), Tags()
    plain.feed(render_page(hostile_content("plain")))
    html = render_page(hostile_content(text))
    page.feed(html)
    assert page.tags == plain.tags
    assert {name for name, _ in page.attributes} == {name for name, _ in plain.attributes}
    assert all(value.startswith("data:image/png;") for name, value in page.attributes if name in {"src", "href"})
    assert not {name for name, _ in page.attributes if name.startswith("on")}
    assert len(html) < 200_000
    assert html.encode("utf-8", "replace")


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_no_text_becomes_markup_in_markdown(text: str) -> None:
    """Outside of fenced texts no character of HTML, links or tables is bare."""
    lines = render_markdown(hostile_content(text)).encode("utf-8", "replace").decode().split("\n")
    is_fenced = False
    for line in lines:
        if line.startswith("```"):
            is_fenced = not is_fenced
        elif not is_fenced and "](data:" not in line:
            bare = line.replace("\\<", "").replace("\\[", "").replace("\\`", "").replace("\\|", "")
            assert "<" not in bare
            assert "[" not in bare
            assert "`" not in bare
    assert not is_fenced


@pytest.mark.parametrize("text", HOSTILE[:6] + HOSTILE[7:], ids=range(9))
def test_charts_are_well_formed(text: str) -> None:
    """What is drawn is XML that a reader of SVG takes, whatever the texts."""
    for piece in hostile_content(text).pieces:
        svg = draw(piece.figure) if isinstance(piece, Drawing) else None
        if svg is not None:
            assert ET.fromstring(svg).tag.endswith("svg")


@pytest.mark.parametrize(
    "figure",
    [
        {},
        {"data": None},
        {"data": [None, 1, {"type": "scatter"}]},
        {"data": [{"type": "scatter", "x": "abc", "y": {"bdata": "AAAA", "dtype": "f8"}}]},
        {"data": [{"type": "scatter", "x": [[], {}, None], "y": [True, "x", 10**400]}]},
        {"data": [{"type": "heatmap", "z": [None, 3, [None, "x"]]}], "layout": []},
        {"data": [{"type": "heatmap", "z": [[1, 2], [3]], "x": 5, "y": ["a"]}], "layout": {"xaxis": {"title": 3}}},
        {"data": [{"type": "bar", "x": ["a", "a"], "y": [float("inf"), "b"]}]},
        {"data": [{"type": "bar", "x": [1e308, -1e308], "y": [1e308, -1e308]}]},
        {"data": [{"type": "surface", "z": [[1]]}]},
        {"data": [{"type": [], "x": [1], "y": [2]}]},
        {"data": [{"type": "table", "header": 1, "cells": {"values": [1, [2]]}}]},
        {"data": [{"type": "table", "header": {"values": [{}, 1]}, "cells": {"values": [1, [2]]}}]},
        {"data": [{"x": [0, 1], "y": [1e-320, 1e-319], "mode": 5, "line": 5, "name": {}}]},
        {"data": [{"x": [1e299, 1e299], "y": [1e15, 1e15 + 0.125]}]},
    ],
)
def test_no_figure_breaks_a_report(figure: dict[str, object]) -> None:
    """A figure comes from anybody's repository: what cannot be drawn is passed over, the rest is well-formed."""
    svg = draw(figure)
    assert svg is None or ET.fromstring(svg) is not None
    assert "<figure>" in render_page(Content("x", [Drawing("one", figure)]))
    assert "one" in render_markdown(Content("x", [Drawing("one", figure)]))


def test_random_figures_are_drawn_or_passed_over() -> None:
    """Any nesting of odd values in the places that a figure has."""
    source = random.Random(5)
    odd = [None, 1, -0.0, 1e308, "a", "1e5", [], {}, float("nan"), float("inf"), True, 10**30]

    def some() -> object:
        return [source.choice(odd) for _ in range(source.randrange(5))]

    for _ in range(2_000):
        kind = source.choice(["scatter", "bar", "heatmap", "table", "scattergl"])
        trace = {"type": kind, "x": some(), "y": some(), "z": [some(), some()], "cells": {"values": [some()]}}
        trace["orientation"] = source.choice(["h", "v", None])
        svg = draw({"data": [trace] * source.randrange(3)})
        assert svg is None or ET.fromstring(svg) is not None


def test_a_chart_has_axes_labels_and_values() -> None:
    """Ticks are round numbers within the data, labels stand beside the axes, and each spot tells its value."""
    svg = draw(figures.line_figure({"loss": ([0, 10], [0.25, 0.75])}, LABELS))
    assert svg is not None
    texts = [element.text for element in ET.fromstring(svg).iter("{http://www.w3.org/2000/svg}text")]
    assert {"0", "2", "4", "6", "8", "10", "0.3", "0.5", "0.7", "step", "loss"} <= set(texts)
    assert "0.25 at 0" in texts
    assert "0.75 at 10" in texts


def test_gaps_and_single_points_are_drawn() -> None:
    """NaN interrupts a line; a line of one point is a dot."""
    gap = draw(figures.line_figure({"a": ([0, 1, 2, 3, 4], [0, 1, float("nan"), 1, 0])}, LABELS))
    assert gap is not None
    assert (
        max(path.get("d", "").count("L") for path in ET.fromstring(gap).iter("{http://www.w3.org/2000/svg}path")) == 2
    )
    single = draw(figures.line_figure({"a": ([3], [1])}, LABELS))
    assert single is not None
    assert 'r="2.5"' in single


def test_a_chart_does_not_grow_with_its_data() -> None:
    """A million points make a drawing of bounded size."""
    x = np.linspace(0, 1, 1_000_000)
    for figure in (
        figures.line_figure({"a": (x.tolist(), x.tolist())}, LABELS),
        {"data": [{"type": "scattergl", "mode": "markers", "x": x.tolist(), "y": x.tolist()}]},
        {"data": [{"type": "heatmap", "z": [x.tolist()] * 500}]},
    ):
        svg = draw(figure)
        assert svg is not None
        assert len(svg) < 400_000


def test_tables_are_cut_and_say_so() -> None:
    """A long table ends with how many rows are not shown; a long text with an ellipsis."""
    rows = [[str(number)] for number in range(MAX_ROWS + 7)]
    content = Content(
        "x", [Table("t", ["n"], rows), Pairs("p", [(row[0], "") for row in rows]), Text("y", "z" * 10**6)]
    )
    for text in (render_page(content), render_markdown(content)):
        assert text.count("and 7 more") >= 1
        assert len(text) < 300_000
        assert "z" * (MAX_TEXT - 1) + "…" in text


def test_a_table_is_read_from_its_figure() -> None:
    """Header and rows; columns of different lengths are filled up."""
    figure = figures.table_figure({"a": [1, 2], "b": ["x"]}, Labels())
    assert figure_table(figure) == (["a", "b"], [["1", "x"], ["2", ""]])
    assert figure_table({"data": [{"type": "bar"}]}) is None


def test_a_page_that_goes_on_loads_itself_anew() -> None:
    """Only while the run is under way; a piece for a notebook is no page."""
    assert 'http-equiv="refresh"' in render_page(Content("x", [], is_final=False))
    assert 'http-equiv="refresh"' not in render_page(Content("x", []))
    assert "<html" not in render_fragment(Content("x", []))


def test_a_thinned_series_is_even_and_bounded() -> None:
    """First and last point stay, steps between are equal, extremes and count are those of all points."""
    series = ThinnedSeries()
    for step in range(100_000):
        series.add(step, float("nan") if step == 7 else abs(step - 70_001))
    assert len(series.points) <= MAX_POINTS
    assert {later[0] - earlier[0] for earlier, later in zip(series.points, series.points[1:], strict=False)} == {256}
    assert (series.shown[0][0], series.shown[-1][0]) == (0, 99_999)
    assert (series.low, series.high, series.n_seen) == (0, 70_001, 100_000)
