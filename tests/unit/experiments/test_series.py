from __future__ import annotations

import math

import pytest

from gittrack.experiments.series import (
    HEADER,
    MetricSummary,
    Series,
    SeriesFormatError,
    merge_series,
    parse_series,
    render_series,
    summarise,
)


def test_points_are_sorted_by_metric_then_step_then_time_then_order() -> None:
    """The file's order does not depend on the order of logging, but for points of equal step and time."""
    series = {
        "b": Series([2, 1, 1, 1], [4.0, 3.0, 2.0, 2.0], [0.4, 0.3, 0.1, 0.2]),
        "a": Series([0], [9.5], [7]),
    }
    assert render_series(series).decode().splitlines() == [
        HEADER,
        "a\t0\t9.5\t7",
        "b\t1\t2.0\t0.1",
        "b\t1\t2.0\t0.2",
        "b\t1\t3.0\t0.3",
        "b\t2\t4.0\t0.4",
    ]


def test_time_is_written_to_the_microsecond() -> None:
    """A time has at most six decimals."""
    assert b"\t1763719430.123457\t" in render_series({"a": Series([0], [1763719430.1234567], [1])})


def test_numbers_keep_their_type_and_special_values() -> None:
    """Ints stay ints however wide, floats floats, NaN and infinities what they are."""
    values = [3, 3.0, -0.0, 1e-05, 10**1000, -(16**700), math.inf, -math.inf, math.nan]
    steps = list(range(len(values)))
    parsed = parse_series(render_series({"x": Series(steps, [0.0] * len(values), values)}))["x"].values
    assert list(map(repr, parsed[:5])) == list(map(repr, values[:5]))
    assert [type(value) for value in parsed] == [type(value) for value in values]
    assert parsed[5:8] == values[5:8]
    assert math.isnan(parsed[8])


def test_names_of_any_form_take_one_field() -> None:
    """Tabs, line ends of every kind and backslashes in names survive."""
    names = ["a\tb", "a\nb", "a\rb", "a\\tb", "\x85 \u2028", " ", "ü" * 300, "metric", "..", "\\"]
    series = {name: Series([1], [2.0], [0.5]) for name in names}
    assert parse_series(render_series(series)) == series


def test_no_points_leave_the_header() -> None:
    """An empty file of series is a header."""
    assert render_series({}) == f"{HEADER}\n".encode()
    assert parse_series(render_series({})) == {}


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "first line"),
        ("metric,step\n", "first line"),
        (f"{HEADER}\na\t1\t2.0\n", "line 2"),
        (f"{HEADER}\na\t1\t2.0\t0.5\n\n", "line 3"),
        (f"{HEADER}\na\t1\t2.0\t0.5\t\n", "line 2"),
        (f"{HEADER}\na\t1_0\t2.0\t0.5\n", "line 2"),
        (f"{HEADER}\na\t٣\t2.0\t0.5\n", "line 2"),
        (f"{HEADER}\na\t1\tnan\t0.5\n", "line 2"),
        (f"{HEADER}\na\t1\t2.0\tnone\n", "line 2"),
        (f"{HEADER}\n\t1\t2.0\t0.5\n", "line 2"),
        (f"{HEADER}\na\t1\t2.0\t0.5", "cut off"),
        (f"{HEADER}\na\t1\t2.0\t0.5\na\t2\t2", "line 3"),
        (f"{HEADER}\na\t{'1' * 5000}\t2.0\t0.5\n", "limit"),
    ],
)
def test_damage_is_named(text: str, problem: str) -> None:
    """A file of another form is refused, with the place."""
    with pytest.raises(SeriesFormatError, match=problem):
        parse_series(text.encode())


def test_what_is_not_utf8_is_refused() -> None:
    """Bytes that are no text are named by their place."""
    with pytest.raises(SeriesFormatError, match="not UTF-8 at byte 23"):
        parse_series(f"{HEADER}\n".encode() + b"\xff\n")


def test_last_is_the_latest_value_of_the_highest_step() -> None:
    """The summary's last value is not the value that came last, when steps come out of order."""
    series = {"loss": Series([5, 9, 9, 7], [1.0, 2.0, 3.0, 4.0], [0.5, 0.9, 0.8, 0.1])}
    assert summarise(series) == {"loss": MetricSummary(last=0.8, min=0.1, max=0.9, count=4, step=9)}


def test_nan_counts_as_value_but_not_as_extreme() -> None:
    """NaN is a last value, and an extreme only where there is no other."""
    summaries = summarise({"some": Series([0, 1], [0.0, 1.0], [2.0, math.nan]), "only": Series([0], [0.0], [math.nan])})
    assert math.isnan(summaries["some"].last)
    assert (summaries["some"].min, summaries["some"].max, summaries["some"].count) == (2.0, 2.0, 2)
    assert math.isnan(summaries["only"].min)


def test_a_metric_without_points_has_no_summary() -> None:
    """Nothing is summed up where nothing was logged."""
    assert summarise({"loss": Series([], [], [])}) == {}


def test_series_of_several_processes_are_joined_by_time() -> None:
    """Shared metrics are ordered by time, and the parts stay as they were."""
    one = {"loss": Series([0, 2], [1.0, 3.0], [0.9, 0.7]), "own": Series([0], [1.0], [1])}
    two = {"loss": Series([1], [2.0], [0.8])}
    assert merge_series([one, two]) == {"loss": Series([0, 1, 2], [1.0, 2.0, 3.0], [0.9, 0.8, 0.7]), "own": one["own"]}
    assert len(one["loss"].steps) == 2
