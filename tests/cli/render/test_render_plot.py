"""Series drawn in the terminal."""

from __future__ import annotations

import re
from math import inf, nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gittrack.cli.render_plot import render_series_plot, sparkline
from gittrack.cli.text import display_width

STEPS = list(range(20))
FALLING = [2.0 / (1 + step) for step in STEPS]
ESCAPES = re.compile(r"\x1b\[[0-9;]*m")


def test_axes_carry_round_numbers() -> None:
    """Ticks are round, and the steps are whole numbers."""
    lines = render_series_plot("loss", [("a", STEPS, FALLING)], width=60).splitlines()
    assert [line.split(" ┤")[0].strip() for line in lines if "┤" in line] == ["2.0", "1.5", "1.0", "0.5"]
    assert lines[-2].split() == ["0", "5", "10", "15"]


def test_series_are_told_apart_without_colour() -> None:
    """Each series has a mark of its own, named in the legend with its last value."""
    text = render_series_plot("loss", [("a", STEPS, FALLING), ("b", STEPS, FALLING[::-1])], width=60, unicode=False)
    assert text.isascii()
    assert text.splitlines()[-1] == "  * a 0.1  x b 2"


def test_colours_tell_series_apart() -> None:
    """With colours, both are drawn in braille and the legend has their colours."""
    text = render_series_plot("loss", [("a", STEPS, FALLING), ("b", STEPS, FALLING[::-1])], width=60, colour=True)
    assert "\x1b[36m──\x1b[0m a" in text
    assert "\x1b[33m──\x1b[0m b" in text


def test_gaps_infinities_and_logarithms_are_told() -> None:
    """What cannot be drawn is counted below the plot."""
    text = render_series_plot("x", [("a", [0, 1, 2, 3, 4], [1.0, nan, inf, -1.0, 100.0])], log_scale=True)
    assert "1 of 5 values NaN left out" in text
    assert "1 of 5 values infinite, drawn at the edge" in text
    assert "1 of 5 values not above 0, left out by the log scale" in text


@pytest.mark.parametrize("values", [[], [nan], [nan, inf]])
def test_nothing_to_plot_is_said(values: list[float]) -> None:
    """A series without a finite number gives one sentence."""
    assert render_series_plot("x", [("a", list(range(len(values))), values)]) == "x\n  no numbers to plot"


def test_constant_and_single_values_are_labelled() -> None:
    """A flat series lies in the middle, at its own number."""
    for steps, values in ([0, 1, 2], [5, 5, 5]), ([7], [5]):
        line = next(line for line in render_series_plot("x", [("a", steps, values)]).splitlines() if "┤" in line)
        assert line.startswith("5 ┤")


def test_hostile_names_are_harmless() -> None:
    """Control characters in metric and experiment names are written out."""
    assert "\x1b" not in render_series_plot("\x1b[31m", [("\x1b]0;x\x07", [0, 1], [0, 1])])


@given(
    values=st.lists(st.one_of(st.floats(), st.integers()), max_size=30),
    width=st.integers(30, 100),
    height=st.integers(2, 20),
    log_scale=st.booleans(),
    colour=st.booleans(),
)
def test_any_series_gives_a_plot_that_fits(
    values: list[float], width: int, height: int, log_scale: bool, colour: bool
) -> None:
    """Huge, tiny, equal, NaN: no error, no line of drawing wider than asked for, the height as asked for."""
    series = [("a", list(range(len(values))), values)]
    text = render_series_plot("x", series, width=width, height=height, log_scale=log_scale, colour=colour)
    drawn = [line for line in ESCAPES.sub("", text).splitlines() if re.search("[│┤└]", line)]
    assert len(drawn) in {0, height + 1}
    assert all(display_width(line) <= width for line in drawn)


@given(values=st.lists(st.floats(), max_size=50), width=st.integers(1, 40))
def test_sparkline_has_a_bar_for_each_part(values: list[float], width: int) -> None:
    """Never wider than asked for, and one bar a value when there is room."""
    assert len(sparkline(values, width)) == min(len(values), width)
