"""Tables as CSV, JSON, JSON lines and Markdown."""

from __future__ import annotations

import csv
import json
import sys
from io import StringIO
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gittrack.cli.render_data import write_csv, write_json, write_jsonl, write_markdown
from gittrack.experiments.table import MISSING, Column, Table

if TYPE_CHECKING:
    from collections.abc import Callable

NAN, INF = float("nan"), float("inf")


def written(write: Callable[[Table, StringIO], None], table: Table) -> str:
    stream = StringIO(newline="")
    write(table, stream)
    return stream.getvalue()


def experiments() -> Table:
    return Table(
        (
            Column("experiment", "attribute"),
            Column("created", "attribute"),
            Column("lr", "metric"),
            Column("lr", "param"),
            Column("layers", "param"),
        ),
        (["a", 'b,"c"'], [0, 1.5], [NAN, -INF], [0.1 + 0.2, MISSING], [[1, NAN], None]),
    )


def test_csv_is_exact() -> None:
    """Unique headings, full precision, UTC moments, quotes where RFC 4180 wants them."""
    assert written(write_csv, experiments()) == (
        "experiment,created,metrics.lr,params.lr,layers\n"
        'a,1970-01-01T00:00:00Z,nan,0.30000000000000004,"[1, ""nan""]"\n'
        '"b,""c""",1970-01-01T00:00:01.500Z,-inf,,null\n'
    )


def test_json_is_valid_with_nan() -> None:
    """Strict parsers read it: NaN and infinities are strings, a missing param is left out."""

    def refuse(name: str) -> None:
        raise AssertionError(name)

    assert json.loads(written(write_json, experiments()), parse_constant=refuse) == [
        {
            "experiment": "a",
            "created": "1970-01-01T00:00:00Z",
            "metrics": {"lr": "nan"},
            "params": {"lr": 0.1 + 0.2, "layers": [1, "nan"]},
        },
        {
            "experiment": 'b,"c"',
            "created": "1970-01-01T00:00:01.500Z",
            "metrics": {"lr": "-inf"},
            "params": {"layers": None},
        },
    ]


def test_jsonl_has_the_objects_of_json() -> None:
    """One object a line, the same as in the list."""
    lines = written(write_jsonl, experiments()).splitlines()
    assert [json.loads(line) for line in lines] == json.loads(written(write_json, experiments()))


def test_markdown_escapes_markup() -> None:
    """A pipe, a star or a newline in a value does not break the table."""
    table = Table((Column("a|b", "param"), Column("x", "metric")), (["*|\n", "<b>"], [0.123456789, MISSING]))
    assert written(write_markdown, table).splitlines() == [
        r"| a\|b | x |",
        "| --- | ---: |",
        r"| \*\|\\n | 0.12346 |",
        "| &lt;b> |  |",
    ]


@pytest.mark.parametrize("write", [write_csv, write_json, write_jsonl, write_markdown])
def test_no_rows_are_written_as_such(write: Callable[[Table, StringIO], None]) -> None:
    """An empty table is an ordinary output, not an error."""
    text = written(write, Table((Column("a", "param"),), ([],)))
    assert text in {"a\n", "[]\n", "", "| a |\n| --- |\n"}


# csv.reader refuses NUL before Python 3.11 (python/cpython#71767)
texts = st.text() if sys.version_info >= (3, 11) else st.text(st.characters(exclude_characters="\0"))
values = st.one_of(st.integers(), st.floats(allow_nan=False), texts)


@given(rows=st.lists(st.tuples(texts, values), max_size=8))
def test_csv_comes_back_as_it_was(rows: list[tuple[str, object]]) -> None:
    """Python's own reader finds the same fields, whatever characters they hold."""
    table = Table((Column("a", "param"), Column("b", "metric")), ([row[0] for row in rows], [row[1] for row in rows]))
    read = list(csv.reader(StringIO(written(write_csv, table), newline="")))
    expected = [[a, b if isinstance(b, str) else repr(b)] for a, b in rows]
    assert read == [["a", "b"], *expected]
