"""Tables of every form become the same columns."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from gittrack.columns import to_columns, to_list, to_numbers
from gittrack.values import InvalidValueError

ROWS = [{"x": 1, "y": 0.5}, {"x": 2, "y": 0.25}]


@pytest.mark.parametrize(
    "data",
    [
        ROWS,
        tuple(ROWS),
        {"x": [1, 2], "y": (0.5, 0.25)},
        {"x": np.array([1, 2]), "y": np.array([0.5, 0.25])},
        np.array([(1, 0.5), (2, 0.25)], dtype=[("x", int), ("y", float)]),
        pd.DataFrame(ROWS),
        {"x": pd.Series([1, 2]), "y": pd.Series([0.5, 0.25])},
    ],
    ids=["dicts", "tuple", "columns", "arrays", "fields", "frame", "pandas-columns"],
)
def test_every_form_gives_the_same_columns(data: Any) -> None:
    """Rows and columns, lists and arrays; the values are plain."""
    columns = to_columns(data)
    assert columns == {"x": [1, 2], "y": [0.5, 0.25]}
    assert {type(value) for values in columns.values() for value in values} == {int, float}


def test_rows_without_names_are_numbered() -> None:
    """Or get the names that are given."""
    assert to_columns([[1, 2], [3, 4]]) == {"0": [1, 3], "1": [2, 4]}
    assert to_columns(np.array([[1, 2], [3, 4]]), ["a", "b"]) == {"a": [1, 3], "b": [2, 4]}
    assert to_columns(np.array([7, 8])) == {"0": [7, 8]}


def test_texts_and_times_of_a_frame_are_plain() -> None:
    """A time is its ISO 8601 form; what is missing is NaN or None as pandas has it."""
    frame = pd.DataFrame({"when": pd.to_datetime(["2026-01-31"]), "what": ["ü"], 3: [None]})
    assert to_columns(frame) == {"when": ["2026-01-31T00:00:00"], "what": ["ü"], "3": [None]}


def test_what_a_row_lacks_is_none() -> None:
    """Columns stay of one length."""
    assert to_columns([{"a": 1}, {"b": 2}]) == {"a": [1, None], "b": [None, 2]}


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (5, "not int"),
        (None, "not NoneType"),
        ("abc", "not str"),
        (b"abc", "not bytes"),
        ({1, 2}, "not set"),
        ({"x": 5}, "must be a list"),
        ({"x": [1], "y": [1, 2]}, "different lengths: 'x' 1, 'y' 2"),
        ([[1], [1, 2]], "rows have different lengths"),
        ([{"x": 1}, [1]], "all dicts or all lists"),
        ([{"x": object()}], "no plain form"),
        (np.zeros((2, 2, 2)), "one or two dimensions"),
    ],
)
def test_what_is_no_table_is_refused(data: Any, words: str) -> None:
    """By name, whatever it is."""
    with pytest.raises(InvalidValueError, match=words):
        to_columns(data)


def test_names_must_be_as_many_as_columns() -> None:
    """A forgotten one would shift all others."""
    with pytest.raises(InvalidValueError, match="1 names for 2 columns"):
        to_columns([[1, 2]], ["a"])


def test_lists_are_plain() -> None:
    """Scalars of numpy and odd texts are turned into what UTF-8 and JSON can hold."""
    assert to_list((np.float32(0.5), "caf\udce9", None, True), "it") == [0.5, "caf\\udce9", None, True]


@pytest.mark.parametrize("values", [[True], ["1"], [None], [[1]], "12", 3, None])
def test_numbers_are_numbers(values: Any) -> None:
    """Texts and booleans would be drawn as something else."""
    with pytest.raises(InvalidValueError):
        to_numbers(values, "'x'")
