"""Plots of any name have files that every system takes, and forged entries are refused."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gittrack.artifacts.digest import hash_bytes
from gittrack.experiments.format import FormatError, parse_plots, render_plots
from gittrack.experiments.plot_files import (
    InvalidPlotEntryError,
    PlotEntry,
    file_name,
    latest_plots,
    name_of_file,
    parse_plot_entry,
    render_plot_entry,
)
from gittrack.paths import check_repository_path

ODD_NAMES = [
    "..",
    ".",
    "../../etc/passwd",
    "a/b c",
    "größe/损失",
    "CON",
    "con",
    "nul.txt",
    "LPT1",
    "a.",
    " ",
    "-rf",
    "x" * 400,
    "A" * 300,
    "tab\there",
    "line\nbreak",
    "nul\0",
    ".git",
    "git~1",
    "a@3",
    "~",
    "%2e",
    "!x",
    "\N{SNOWMAN}",
    "a:b",
    "back\\slash",
    "aux.",
    "..a..",
]


@pytest.mark.parametrize("step", [None, 0, -3, 12])
@pytest.mark.parametrize("name", ODD_NAMES)
def test_an_odd_name_has_a_plain_file(name: str, step: int | None) -> None:
    """It is one component that every file system takes."""
    file = file_name(name, ".json", step)
    assert "/" not in file
    assert file.isascii()
    assert check_repository_path(file) == file
    assert len(file) <= 200


@given(st.text(min_size=1, max_size=30).filter(lambda text: not any(0xD800 <= ord(char) < 0xE000 for char in text)))
def test_a_name_can_be_read_from_its_file(name: str) -> None:
    """The way from name to file can be gone back, and the file can be used everywhere."""
    file = file_name(name, ".png", 4)
    check_repository_path(file)
    assert name_of_file(file) in {name, None}
    assert (name_of_file(file) is None) == ("~" in file)
    if len(name) <= 10:
        assert name_of_file(file) == name


@given(st.lists(st.text(min_size=1, max_size=200).filter(lambda text: text.isprintable()), unique=True, max_size=20))
def test_different_names_have_different_files(names: list[str]) -> None:
    """Also where case does not count."""
    names = [name for name in names if not any(0xD800 <= ord(char) < 0xE000 for char in name)]
    assert len({file_name(name, ".json").casefold() for name in names}) == len(names)


def test_entries_are_read_as_they_were_written() -> None:
    """Everything that is said, and keys of a later version."""
    entry = PlotEntry("roc", "roc", "roc.json", "application/json", 12, 3, 1.5, "ROC", {"auc": 0.5}, hash_bytes(b"x"))
    entry = entry._replace(extra={"later": [1]})
    bare = PlotEntry("t", "text", "t.txt", "text/plain", 0)
    assert parse_plots(render_plots((entry, bare))) == (entry, bare)


def test_the_last_version_of_name_and_step_counts() -> None:
    """Another step is another plot."""
    first, second = (PlotEntry("a", "image", "a.png", "image/png", size) for size in (1, 2))
    third = second._replace(step=1)
    assert latest_plots([first, third, second]) == (second, third)


@pytest.mark.parametrize(
    "change",
    [
        {"name": ""},
        {"name": 3},
        {"kind": None},
        {"file": "../meta.json"},
        {"file": ".."},
        {"file": "a/b"},
        {"file": ".git"},
        {"size": -1},
        {"size": True},
        {"step": "1"},
        {"step": True},
        {"time": "now"},
        {"title": 3},
        {"values": [1]},
        {"digest": "b3:xyz"},
        {"digest": 5},
    ],
)
def test_a_forged_entry_is_refused(change: dict[str, Any]) -> None:
    """Files outside of the folder, digests that are none, and values of wrong types."""
    document = {**render_plot_entry(PlotEntry("a", "image", "a.png", "image/png", 5, 1, 0.5)), **change}
    with pytest.raises(InvalidPlotEntryError):
        parse_plot_entry(document)


@pytest.mark.parametrize("data", [b"{}", b"[1]", b"[", b'[{"name": "x"}]'])
def test_a_damaged_list_is_refused(data: bytes) -> None:
    """As the other files of an experiment."""
    with pytest.raises(FormatError, match=r"plots\.json"):
        parse_plots(data)
