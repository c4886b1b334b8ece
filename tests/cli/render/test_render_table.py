"""The table of experiments in the terminal."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gittrack.cli.render_table import render_table
from gittrack.cli.text import display_width
from gittrack.experiments.table import MISSING, Column, Table

NAN = float("nan")
NOW = 1_763_719_812
ESCAPES = re.compile(r"\x1b\[[0-9;]*m")

ATTRIBUTES = tuple(
    Column(name, "attribute")
    for name in ("experiment", "baseline", "rev", "kind", "status", "created", "source", "landed")
)


def attribute_cells() -> tuple[list[object], ...]:
    return (
        ["main  a1b2c3d  Add cosine schedule", "brave-fox", "calm-owl", "dark-elk", "v1  9f8e7d6  Start", "eager-newt"],
        ["a" * 40] * 4 + ["9" * 40] * 2,
        ["a1b2c3d", "1111111", "2222222", "3333333", "9f8e7d6", "4444444"],
        ["baseline", "experiment", "experiment", "experiment", "baseline", "experiment"],
        ["completed", "completed", "failed", "running", "completed", "completed"],
        [NOW - 7200, NOW - 180, NOW - 600, NOW - 5, NOW - 200_000, NOW - 2_000_000],
        ["local", "local", "local", "origin", "local", "local"],
        [MISSING, True, False, False, MISSING, MISSING],
    )


def experiments() -> Table:
    columns = (
        *ATTRIBUTES,
        Column("accuracy", "metric", direction="max"),
        Column("loss", "metric", direction="min"),
        Column("train.lr", "param"),
        Column("train.optimizer", "param"),
        Column("seed", "param"),
    )
    cells = (
        *attribute_cells(),
        [0.91, 0.925, MISSING, 0.9, 0.8, 0.85],
        [0.25, 0.125, NAN, 10.5, 0.5, MISSING],
        [1e-3, 1e-5, 1e-3, 3e-3, 1e-2, 1e-2],
        ["adam", "adam", "sgd", "adam", "adam", "adam"],
        [42] * 6,
    )
    return Table(columns, cells)


def plain(table: Table, width: int | None = None, *, unicode: bool = True) -> list[str]:
    return list(render_table(table, width=width, unicode=unicode, now_s=NOW))


def test_whole_table_reads_as_documented() -> None:
    """The tree, ages, alignment on the point, marks and legend, character for character."""
    kept = [column.name for column in experiments().columns if column.name != "rev"]
    assert plain(experiments().select(kept), 130) == [
        "experiment                          created    │ accuracy ↑    loss ↓ │ train.lr  train.optimizer  seed",
        "main  a1b2c3d  Add cosine schedule  2 h ago    │     0.91      0.25   │   0.001   adam               42",
        "├─ brave-fox ✓                      3 min ago  │     0.925▲    0.125▼ │   1e-5*   adam               42",
        "├─ calm-owl ✗ failed                10 min ago │     -       nan      │   0.001   sgd*               42",
        "└─ origin/dark-elk ● running        just now   │     0.9      10.5    │   0.003*  adam               42",
        "v1  9f8e7d6  Start                  2 days ago │     0.8       0.5    │   0.01    adam               42",
        "└─ eager-newt                       Oct 29     │     0.85      -      │   0.01    adam               42",
        "* differs from its baseline, ▲ ▼ best",
    ]


def chain_of(n_rows: int, depths: tuple[int, ...]) -> Table:
    columns = (*ATTRIBUTES[:2], ATTRIBUTES[3])
    cells = [f"e{row}" for row in range(n_rows)], ["a" * 40] * n_rows, ["baseline", *["experiment"] * (n_rows - 1)]
    return Table(columns, cells, depths)


def test_nested_rows_are_a_tree() -> None:
    """A line goes on as long as a sibling follows, in both sets of characters."""
    table = chain_of(8, (0, 0, 1, 2, 2, 1, 0, 1))
    assert plain(table)[2:] == ["├─ e1", "│  ├─ e2", "│  │  ├─ e3", "│  │  └─ e4", "│  └─ e5", "└─ e6", "   └─ e7"]
    assert plain(table, unicode=False)[3:5] == ["|  |- e2", "|  |  |- e3"]
    assert plain(table.head(3))[2:] == ["└─ e1", "   └─ e2", "      └─ e3"]


@pytest.mark.parametrize("width", [24, 40, 80, 200])
def test_deep_nesting_leaves_room_for_names(width: int) -> None:
    """What a thousand levels have in their records does not push the table out of the terminal."""
    lines = plain(chain_of(1001, (0, *range(1000))), width)
    assert max(map(display_width, lines)) <= width
    assert all(f"e{row}" in lines[row + 1] for row in range(1001))


def test_ascii_needs_no_other_character() -> None:
    """A terminal without Unicode gets a table of ASCII alone."""
    lines = plain(experiments(), 60, unicode=False)
    assert all(line.isascii() for line in lines)
    assert lines[2].startswith("|- brave-fox +")


@pytest.mark.parametrize("width", range(30, 140, 3))
def test_lines_fit_the_terminal(width: int) -> None:
    """No line is wider than the terminal, and every experiment's row is there."""
    lines = plain(experiments(), width)
    assert max(map(display_width, lines)) <= width
    assert sum("─ " in line for line in lines) == 4


def test_colours_change_nothing_but_the_marks() -> None:
    """Without its escapes the coloured table is the same table, with spaces for marks."""
    coloured = [ESCAPES.sub("", line) for line in render_table(experiments(), width=None, colour=True, now_s=NOW)]
    bare = [re.sub("[*▲▼]", "", line) for line in plain(experiments())]
    assert [line.split() for line in coloured] == [line.split() for line in bare[:-1]]


def test_differences_and_best_are_coloured() -> None:
    """A changed param is cyan, an unchanged one dim, the best metric bold green."""
    line = next(line for line in render_table(experiments(), width=None, colour=True, now_s=NOW) if "brave-fox" in line)
    assert "\x1b[36m   1e-5" in line
    assert "\x1b[2madam" in line
    assert "\x1b[1;32m" in line


def test_hidden_columns_are_named_constant_ones_first() -> None:
    """What does not fit is told in one line; a column that never changes goes before one that does."""
    heading, *_, note = plain(experiments(), 80)
    assert "optimizer" in heading
    assert "seed" not in heading
    assert note == "2 columns hidden: created, seed (see --keep REGEX, --csv)"


def test_headings_are_the_shortest_clear_suffix_when_tight() -> None:
    """Dotted keys lose what they need not say, and keep what tells them apart."""
    columns = (Column("experiment", "attribute"), *(Column(f"section.{k}", "param") for k in ("lr", "decay")))
    columns += (Column("one.path", "param"), Column("two.path", "param"))
    table = Table(columns, (["a", "b"], [1, 2], [1, 2], ["x", "y"], ["x", "y"]))
    assert plain(table, 48)[0].split() == ["experiment", "│", "lr", "decay", "one.path", "two.path"]


def test_best_ignores_nan_and_needs_a_difference() -> None:
    """NaN never wins, and a metric with one value has no best."""
    columns = (Column("experiment", "attribute"), Column("a", "metric", direction="max"))
    assert [line[-1] for line in plain(Table(columns, (["x", "y"], [NAN, 1])))] != ["▲"]
    assert "▲" in plain(Table(columns, (["x", "y", "z"], [NAN, 1, 2])))[3]
    assert "▲" not in "".join(plain(Table(columns, (["x", "y"], [1, 1]))))


def test_a_param_that_the_baseline_lacks_is_not_marked() -> None:
    """Where there is nothing to compare with, nothing differs."""
    columns = (*ATTRIBUTES, Column("lr", "param"))
    cells = (*attribute_cells(), [MISSING, 1, 2, 3, MISSING, 4])
    assert not any("*" in line for line in plain(Table(columns, cells)))


def test_hostile_text_is_shown_not_sent() -> None:
    """Control characters of names, keys and values never reach the terminal."""
    evil = "a\x1b]0;title\x07\r\n\x9b31m\u202eb%s"
    columns = (*ATTRIBUTES[:1], Column(evil, "param"), Column("x", "param"))
    lines = plain(Table(columns, ([evil, "b"], [evil, 1], [[evil], {evil: NAN}])))
    assert all(line.isprintable() for line in lines)
    assert len(lines) == 3
    assert r"\x1b]0;title\x07\r\n\x9b31m\u202eb%s" in lines[1]


def test_wide_characters_keep_columns_aligned() -> None:
    """East Asian names fill two columns a character."""
    table = Table((*ATTRIBUTES[:1], Column("x", "param")), (["損失-関数", "ab"], [1, 2]))
    assert {display_width(line[: line.rindex("│")]) for line in plain(table)} == {11}


def test_empty_tables_render() -> None:
    """No rows give a heading, no columns nothing."""
    assert plain(Table((), ()), 80) == []
    assert plain(Table((*ATTRIBUTES[:1], Column("x", "param")), ([], [])), 80) == ["experiment │ x"]


def test_table_without_names_is_plain() -> None:
    """Selected columns alone make a table too."""
    assert plain(experiments().select(["accuracy", "seed"]), 80)[0] == "accuracy ↑ │ seed"


def test_precision_is_of_significant_digits() -> None:
    """Floats are rounded to the digits asked for; integers never are."""
    table = Table((*ATTRIBUTES[:1], Column("x", "metric"), Column("n", "param")), (["a"], [0.123456789], [123456789]))
    rendered = {precision: list(render_table(table, width=None, precision=precision))[1] for precision in (2, None)}
    assert rendered == {2: "a          │ 0.12 │ 123456789", None: "a          │ 0.123456789 │ 123456789"}


cells = st.one_of(
    st.just(MISSING),
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=80),
    st.lists(st.integers(), max_size=3),
)


@given(
    rows=st.lists(st.tuples(st.text(max_size=60), cells, cells, cells), max_size=6),
    width=st.integers(24, 140),
    colour=st.booleans(),
)
def test_any_values_give_one_safe_line_a_row(rows: list[tuple[object, ...]], width: int, colour: bool) -> None:
    """Whatever the cells hold: a heading and a line for each row, within the width, harmless."""
    columns = (*ATTRIBUTES[:1], Column("a", "metric", direction="min"), Column("b", "param"), Column("c", "param"))
    table = Table(columns, tuple([row[i] for row in rows] for i in range(4)))
    lines = [ESCAPES.sub("", line) for line in render_table(table, width=width, colour=colour, now_s=NOW)]
    assert len(lines) - 1 - len(rows) in {0, 1, 2}
    assert all(display_width(line) <= width for line in lines)
    assert not any(ord(character) < 32 or 0x7F <= ord(character) < 0xA0 for line in lines for character in line)
