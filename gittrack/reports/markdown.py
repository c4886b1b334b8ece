"""A report as Markdown."""

from __future__ import annotations

import base64
import re
from typing import TYPE_CHECKING, NamedTuple

from gittrack.reports.chart import draw
from gittrack.reports.content import MAX_ROWS, MAX_TEXT, Drawing, Image, Pairs, Table, Text, shorten
from gittrack.reports.figure_table import figure_table
from gittrack.reports.page import data_url

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from gittrack.reports.content import Content, Piece

_SPECIAL = re.compile(r"[\\`*_{}\[\]<>#|&!~$]")
_SPACE = re.compile(r"\s+")


class Style(NamedTuple):
    """How a report looks.

    Attributes:
        heading: What stands before a heading.
        is_across: Whether names and values are the columns of a table, as in DVCLive's reports; else its rows.
        keep: Given title and SVG of a chart, keeps it somewhere and returns where; by default it is in the text.
    """

    heading: str = "## "
    is_across: bool = False
    keep: Callable[[str, str], str] | None = None


def render_markdown(content: Content, style: Style | None = None) -> str:
    """Return a report as Markdown.

    Args:
        content: The report.
        style: How it looks.
    """
    style = style or Style()
    lines = [f"# {_line(content.title)}"]
    for piece in content.pieces:
        lines += _piece(piece, style)
    return "\n".join(lines) + "\n"


def _piece(piece: Piece, style: Style) -> Iterator[str]:
    if isinstance(piece, Pairs):
        if piece.pairs and style.is_across:
            names, values = zip(*piece.pairs, strict=True)
            yield f"\n{style.heading}{_line(piece.title)}\n\n" + _table(names, [values])
        elif piece.pairs:
            heading = f"\n{style.heading}{_line(piece.title)}\n" if piece.title else ""
            yield f"{heading}\n" + _table(("name", "value"), piece.pairs)
    elif isinstance(piece, Table):
        yield f"\n{style.heading}{_line(piece.title)}\n\n" + _table(piece.columns, piece.rows)
    elif isinstance(piece, Drawing):
        yield from _drawing(piece, style)
    elif isinstance(piece, Image):
        url = data_url(piece)
        yield f"\n![{_line(piece.title)}]({url})" if url else f"\n{_line(piece.title)}: not drawn here"
    elif isinstance(piece, Text):
        text = shorten(piece.text, MAX_TEXT)
        fence = "`" * max(3, 1 + max(map(len, re.findall("`+", text)), default=0))
        yield f"\n**{_line(piece.title)}**\n\n{fence}text\n{text}\n{fence}"


def _drawing(piece: Drawing, style: Style) -> Iterator[str]:
    title = _line(piece.title)
    table = figure_table(piece.figure)
    if table is not None:
        yield f"\n**{title}**\n\n" + _table(*table)
        return
    svg = draw(piece.figure)
    if svg is None:
        yield f"\n{title}: not drawn here"
        return
    if style.keep is None:
        place = "data:image/svg+xml;base64," + base64.b64encode(svg.encode("utf-8", "replace")).decode()
    else:
        place = style.keep(piece.title, svg)
    yield f"\n![{title}]({place})"
    if piece.caption:
        yield f"\n{_line(piece.caption)}"


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    if not columns:
        return ""
    lines = [columns, ["---"] * len(columns), *rows[:MAX_ROWS]]
    shown = [[text if number == 1 else _line(text) for text in line] for number, line in enumerate(lines)]
    table = "\n".join(f"| {' | '.join(line)} |" for line in shown)
    return f"{table}\n\nand {len(rows) - MAX_ROWS} more" if len(rows) > MAX_ROWS else table


def _line(text: str) -> str:
    """Return a text as one line in which nothing is markup."""
    return _SPECIAL.sub(r"\\\g<0>", _SPACE.sub(" ", shorten(text)))
