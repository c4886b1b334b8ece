"""The columnar table and its operations."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gittrack.experiments.table import (
    MISSING,
    BadPatternError,
    Column,
    Table,
    UnknownColumnError,
    differs,
    is_constant,
)

NAN = float("nan")


def test_depths_follow_their_rows() -> None:
    """Fewer columns or rows keep what is nested where; a table in another order has nothing nested."""
    table = replace(grouped(), depths=(0, 0, 1, 2, 0, 0))
    assert table.select(["experiment"]).depths == table.keep(["acc"]).depths == table.depths
    assert table.head(2).depths == (0, 0, 1)
    assert table.sort_by("acc").depths == ()
    with pytest.raises(ValueError, match="6 rows with 1 depths"):
        replace(grouped(), depths=(0,))


def grouped() -> Table:
    """Two baselines, the first with three experiments, the second with one."""
    return Table(
        (
            Column("experiment", "attribute"),
            Column("baseline", "attribute"),
            Column("kind", "attribute"),
            Column("acc", "metric", direction="max"),
            Column("lr", "metric"),
            Column("lr", "param"),
            Column("train.seed", "param"),
        ),
        (
            ["main", "a", "b", "c", "old", "d"],
            ["1" * 40] * 4 + ["2" * 40] * 2,
            ["baseline", "experiment", "experiment", "experiment", "baseline", "experiment"],
            [MISSING, 0.7, NAN, 0.9, 0.5, MISSING],
            [1, 2, 3, 4, 5, 6],
            [0.1, "auto", 0.3, 0.2, 0.1, 0.1],
            [1, 1, 1, 1, 1, 1],
        ),
    )


def names(table: Table) -> list[object]:
    return table.cells[0]


def test_unequal_lengths_are_refused() -> None:
    """A table never holds ragged columns."""
    with pytest.raises(ValueError, match="differ in length"):
        Table((Column("a", "param"), Column("b", "param")), ([1], [1, 2]))
    with pytest.raises(ValueError, match="1 columns with 0"):
        Table((Column("a", "param"),), ())


def test_labels_are_unique_and_find_their_column() -> None:
    """Each label resolves to its own column, also when keys look like qualified names."""
    columns = (
        Column("status", "attribute"),
        Column("status", "param"),
        Column("x", "param"),
        Column("params.x", "param"),
        Column("lr", "metric"),
        Column("lr", "param"),
        Column("metrics.lr", "param"),
    )
    table = Table(columns, tuple([] for _ in columns))
    assert len(set(table.labels)) == len(columns)
    assert [table.position(label) for label in table.labels] == list(range(len(columns)))
    assert table.labels[:3] == ("status", "params.status", "x")


def test_ambiguous_name_names_both_columns() -> None:
    """A bare key of both a param and a metric is refused with the two ways to say it."""
    with pytest.raises(UnknownColumnError, match="column 'lr' is ambiguous") as caught:
        grouped().position("lr")
    assert caught.value.hint == "choose between 'metrics.lr' and 'params.lr'"
    assert grouped().position("params.lr") == 5


@pytest.mark.parametrize(
    ("written", "meant"), [("acuracy", "acc"), ("seed", "train.seed"), ("params.lrr", "params.lr")]
)
def test_unknown_name_proposes_near_ones(written: str, meant: str) -> None:
    """A misspelt or shortened column name is answered with the columns it resembles."""
    with pytest.raises(UnknownColumnError) as caught:
        grouped().position(written)
    assert meant in (caught.value.hint or "")


def test_sort_stays_inside_groups_with_the_baseline_first() -> None:
    """Sorting moves experiments only within their group; numbers, then NaN, then missing."""
    assert names(grouped().sort_by("acc")) == ["main", "c", "a", "b", "old", "d"]
    assert names(grouped().sort_by("acc", "asc")) == ["main", "a", "c", "b", "old", "d"]


@pytest.mark.parametrize(("order", "expected"), [("asc", "main c b a old d"), ("desc", "main b c a old d")])
def test_numbers_come_before_text_in_both_orders(order: str, expected: str) -> None:
    """Text in a column of numbers never mixes with them."""
    assert names(grouped().sort_by("params.lr", order)) == expected.split()


@pytest.mark.parametrize("order", ["asc", "desc"])
def test_sort_is_stable(order: str) -> None:
    """Equal cells keep the order of the rows in either direction."""
    table = Table((Column("experiment", "attribute"), Column("x", "param")), (list("abcd"), [1, 0, 1, 1]))
    kept = [name for name in names(table.sort_by("x", order)) if name != "b"]
    assert kept == ["a", "c", "d"]


def test_head_counts_experiments_only() -> None:
    """The first n experiments come with their baselines, and a group without any is left out."""
    assert names(grouped().head(2)) == ["main", "a", "b"]
    assert names(grouped().head(4)) == ["main", "a", "b", "c", "old", "d"]
    assert names(grouped().head(3)) == ["main", "a", "b", "c"]
    assert names(grouped().head(0)) == []


def test_keep_and_drop_by_pattern() -> None:
    """Patterns choose among params and metrics; the columns that give structure stay."""
    attributes = ("experiment", "baseline", "kind")
    assert grouped().keep(["^train"]).labels == (*attributes, "train.seed")
    assert grouped().drop(["lr", "acc"]).labels == (*attributes, "train.seed")
    assert grouped().drop([r"params\.lr"]).labels == (*attributes, "acc", "lr", "train.seed")
    assert grouped().drop([".*"]).labels == attributes
    assert grouped().drop(["a"]).find("baseline") is not None


def test_bad_pattern_is_a_usage_error() -> None:
    """An unbalanced parenthesis is told, not raised as it comes."""
    with pytest.raises(BadPatternError, match=r"'\(' is not a regular expression"):
        grouped().drop(["("])


def test_only_changed_drops_constant_params_and_metrics() -> None:
    """A column with one value everywhere goes; one that is missing somewhere stays."""
    assert grouped().only_changed().labels == ("experiment", "baseline", "kind", "acc", "metrics.lr", "params.lr")
    assert is_constant([NAN, float("nan")])
    assert not is_constant([NAN, MISSING])


def test_select_orders_columns() -> None:
    """Selected columns come in the order they are named."""
    assert list(grouped().select(["train.seed", "experiment"]).head(1).rows()) == [(1, "main")]


def test_empty_table_survives_every_operation() -> None:
    """No rows and no columns are ordinary tables."""
    empty = Table((), ())
    assert (empty.n_rows, list(empty.rows()), empty.head(3), empty.only_changed()) == (0, [], empty, empty)
    no_rows = Table((Column("experiment", "attribute"), Column("x", "param")), ([], []))
    assert no_rows.sort_by("x").n_rows == 0


def test_differs_tells_values_apart_by_meaning() -> None:
    """NaN equals itself, lists compare by content, a flag is not a number."""
    assert not differs(NAN, float("nan"))
    assert differs(NAN, 1.0)
    assert differs(False, 0)
    assert not differs([1, 2], [1, 2])
    assert differs(MISSING, None)
