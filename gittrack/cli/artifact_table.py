"""Lists of artifacts and files: a table fitted to the terminal, or the formats for programs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from gittrack.cli.text import display_width, shorten
from gittrack.visible import sanitise

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from gittrack.cli.terminal import Terminal

_GAP = "  "
_MIN_COLUMNS = 3
_MIN_WIDTH = 12  # of the first column: below, a path says nothing


class Field(NamedTuple):
    """A column of a list.

    Attributes:
        name: Its heading, and its key for programs.
        values: What programs get.
        texts: What people get.
        is_number: Whether the texts stand on the right.
    """

    name: str
    values: Sequence[Any]
    texts: Sequence[str]
    is_number: bool = False


def write_fields(terminal: Terminal, fields: Sequence[Field], output_format: str | None) -> None:
    """Write a list.

    Args:
        terminal: Where to.
        fields: Its columns; the first one is cut where the terminal is narrow.
        output_format: ``csv``, ``json``, ``jsonl`` or ``md``; None for a table for people.
    """
    from gittrack.cli.exp.show import write_table

    if output_format is None:
        terminal.page(list(_lines(terminal, [field for field in fields if any(field.texts)])))
        return
    from gittrack.experiments.table import MISSING, Column, Table

    columns = tuple(Column(field.name, "attribute") for field in fields)
    cells = tuple([MISSING if value is None else value for value in field.values] for field in fields)
    write_table(terminal, Table(columns, cells), output_format, precision=5)


def _lines(terminal: Terminal, fields: Sequence[Field]) -> Iterator[str]:
    columns = [[field.name, *map(sanitise, field.texts)] for field in fields]
    widths = [max(map(display_width, column)) for column in columns]
    hidden: list[str] = []
    if terminal.width is not None:
        while len(widths) > _MIN_COLUMNS and _MIN_WIDTH + _width_of(widths[1:]) > terminal.width:
            hidden.insert(0, fields[-2].name)  # the last one says what most look for
            fields, columns, widths = ([*part[:-2], part[-1]] for part in (fields, columns, widths))
        others = _width_of(widths[1:])
        widths[0] = min(widths[0], max(_MIN_WIDTH, terminal.width - others))
        ellipsis = "…" if terminal.unicode else ".."
        columns[0] = [shorten(text, widths[0], ellipsis=ellipsis) for text in columns[0]]
    for number, row in enumerate(zip(*columns, strict=True)):
        cells = [
            _padded(text, width, is_right=field.is_number)
            for text, width, field in zip(row, widths, fields, strict=True)
        ]
        line = _GAP.join(cells).rstrip()
        yield terminal.style(line, "bold") if number == 0 else line
    if hidden:
        yield terminal.style(f"hidden: {', '.join(hidden)} (see --csv)", "dim")


def _width_of(widths: Sequence[int]) -> int:
    return sum(width + len(_GAP) for width in widths)


def _padded(text: str, width: int, *, is_right: bool) -> str:
    padding = " " * (width - display_width(text))
    return padding + text if is_right else text + padding
