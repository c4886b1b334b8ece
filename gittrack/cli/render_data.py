"""A table for other programs: CSV, JSON, JSON lines; and as a Markdown table.

Numbers keep full precision; moments are ISO 8601 in UTC. JSON has no NaN and no infinities: they are written as the
strings `"nan"`, `"inf"` and `"-inf"`, so that every parser reads the output.
"""

from __future__ import annotations

from math import isfinite
from typing import TYPE_CHECKING, Final, TextIO

from gittrack.cli.cells import render_moment, render_value
from gittrack.cli.text import sanitise_json
from gittrack.experiments.table import MISSING, Missing
from gittrack.visible import sanitise

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gittrack.experiments.table import Column, Table

_SECTIONS: Final = {"metric": "metrics", "param": "params"}
_NUMBERS: Final = frozenset({int, float})
_NUMBERS_OR_MISSING: Final = _NUMBERS | {Missing}
_WORDS: Final[dict[object, str]] = {MISSING: "", None: "null", True: "true", False: "false"}
_TEXTS_OR_WORDS: Final = frozenset({str, *map(type, _WORDS)})
_N_ROWS_AT_ONCE: Final = 1000  # few enough for the processor's cache, which makes large tables twice as fast
_QUOTED: Final = '",\r\n'  # what a field of CSV may hold only between quotes


def write_csv(table: Table, stream: TextIO) -> None:
    r"""Write the table as CSV: quoted as in RFC 4180, with the line ends that Unix tools and git expect (LF).

    The header has the columns' unique labels. A missing value is an empty field; flags, null, lists and
    dictionaries are written as JSON.

    Args:
        table: The table.
        stream: The output.

    Example:
        >>> from gittrack.experiments.table import Column, Table
        >>> from io import StringIO
        >>> stream = StringIO()
        >>> write_csv(Table((Column("lr", "param"), Column("on", "param")), ([1e-5, MISSING], [True, None])), stream)
        >>> stream.getvalue()
        'lr,on\n1e-05,true\n,null\n'
    """
    stream.write(",".join(_quoted(list(table.labels))) + "\n")
    for start in range(0, table.n_rows, _N_ROWS_AT_ONCE):
        rows = slice(start, start + _N_ROWS_AT_ONCE)
        cells = [_csv_cells(column, values[rows]) for column, values in zip(table.columns, table.cells, strict=True)]
        stream.write("\n".join([*map(",".join, zip(*cells, strict=True)), ""]))


def write_json(table: Table, stream: TextIO) -> None:
    """Write the table as one JSON list with an object for each row; see `write_jsonl`."""
    separator = "[\n"
    for line in _json_rows(table):
        stream.write(f"{separator}  {line}")
        separator = ",\n"
    stream.write("\n]\n" if table.n_rows else "[]\n")


def write_jsonl(table: Table, stream: TextIO) -> None:
    """Write the table as one JSON object a line.

    Attributes stand at the top, null when missing. Params and metrics stand under `params` and `metrics` with
    their dotted keys, and only where the row has them.

    Args:
        table: The table.
        stream: The output.

    Example:
        >>> from gittrack.experiments.table import Column, Table
        >>> import sys
        >>> columns = Column("experiment", "attribute"), Column("acc", "metric"), Column("train.lr", "param")
        >>> write_jsonl(Table(columns, (["a"], [float("nan")], [0.1])), sys.stdout)
        {"experiment": "a", "metrics": {"acc": "nan"}, "params": {"train.lr": 0.1}}
    """
    stream.writelines(f"{line}\n" for line in _json_rows(table))


def write_markdown(table: Table, stream: TextIO, *, precision: int | None = 5) -> None:
    """Write the table as a GitHub Markdown table, numbers on the right.

    Args:
        table: The table.
        stream: The output.
        precision: Significant digits of a float; None means all of them.
    """
    columns = [
        _markdown_cells(column, values, precision) for column, values in zip(table.columns, table.cells, strict=True)
    ]
    rules = [
        "---:" if _is_numeric(column, values) else "---"
        for column, values in zip(table.columns, table.cells, strict=True)
    ]
    header = [_markdown_text(label) for label in table.labels]
    stream.writelines(f"| {' | '.join(row)} |\n" for row in (header, rules, *zip(*columns, strict=True)))


def _csv_cells(column: Column, values: list[object]) -> list[str]:
    """Return the fields of a column. Column by column, because that is twice as fast as `csv.writer`."""
    types = set(map(type, values))
    if column.name == "created" and column.kind == "attribute":
        return [_moment(value) or "" for value in values]
    if types <= _NUMBERS:
        return list(map(repr, values))
    if types <= _NUMBERS_OR_MISSING:
        return ["" if value is MISSING else repr(value) for value in values]
    if types <= _TEXTS_OR_WORDS:
        return _quoted([value if type(value) is str else _WORDS[value] for value in values])
    return _quoted([value if type(value) is str else _csv_text(value) for value in values])


def _csv_text(value: object) -> str:
    if type(value) in _NUMBERS:
        return repr(value)
    return _WORDS[value] if type(value) in _TEXTS_OR_WORDS else _json_text(value)


def _quoted(fields: list[str]) -> list[str]:
    """Quote the fields that need it; one look at the whole column finds most columns free of them."""
    together = "".join(fields)
    if not any(character in together for character in _QUOTED):
        return fields
    return [
        '"' + field.replace('"', '""') + '"' if any(character in field for character in _QUOTED) else field
        for field in fields
    ]


def _json_rows(table: Table) -> Iterator[str]:
    import json

    encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False).encode
    columns = [
        (_SECTIONS.get(column.kind), column.name, _json_cells(column, values))
        for column, values in zip(table.columns, table.cells, strict=True)
    ]
    sections = [name for name in _SECTIONS.values() if any(section == name for section, _, _ in columns)]
    for position in range(table.n_rows):
        row: dict[str, object] = {}
        parts: dict[str, dict[str, object]] = {name: {} for name in sections}
        for section, name, values in columns:
            value = values[position]
            if section is None:
                row[name] = None if value is MISSING else value
            elif value is not MISSING:
                parts[section][name] = value
        yield sanitise_json(encode(row | parts))


def _json_cells(column: Column, values: list[object]) -> list[object]:
    if column.name == "created" and column.kind == "attribute":
        return [_moment(value) for value in values]
    if float in set(map(type, values)) or any(isinstance(value, (list, dict)) for value in values):
        return [finite(value) for value in values]
    return values


def render_json(value: object, *, indent: int = 2) -> str:
    """Return plain data as JSON that any terminal shows and any parser reads.

    Args:
        value: What to write.
        indent: Spaces of each level.

    Example:
        >>> print(render_json({"loss": float("nan")}, indent=1))
        {
         "loss": "nan"
        }
    """
    import json

    return sanitise_json(json.dumps(finite(value), indent=indent, ensure_ascii=False))


def finite(value: object) -> object:
    """Replace NaN and the infinities, which JSON lacks, by their names."""
    if isinstance(value, float):
        return value if isfinite(value) else str(value)
    if isinstance(value, list):
        return [finite(item) for item in value]
    if isinstance(value, dict):
        return {key: finite(item) for key, item in value.items()}
    return value


def _json_text(value: object) -> str:
    import json

    return json.dumps(finite(value), ensure_ascii=False)


def _moment(value: object) -> str | None:
    return render_moment(value) if isinstance(value, (int, float)) else None


def _is_numeric(column: Column, values: list[object]) -> bool:
    return column.kind != "attribute" and any(isinstance(value, (int, float)) for value in values)


def _markdown_cells(column: Column, values: list[object], precision: int | None) -> list[str]:
    if column.name == "created" and column.kind == "attribute":
        return [_moment(value) or "" for value in values]
    return ["" if value is MISSING else _markdown_text(render_value(value, precision)) for value in values]


def _markdown_text(text: str) -> str:
    r"""Escape what Markdown or a table of it would read as markup.

    Example:
        >>> print(_markdown_text("a|b <i> *c*"))
        a\|b &lt;i> \*c\*
    """
    text = sanitise(text)
    for character in "\\|*_`[~":
        if character in text:
            text = text.replace(character, "\\" + character)
    return text.replace("<", "&lt;")
