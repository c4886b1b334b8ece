"""A report as HTML: one page without script that loads nothing, or the piece of one that a notebook shows."""

from __future__ import annotations

import base64
from html import escape
from typing import TYPE_CHECKING

from gittrack.reports.chart import draw
from gittrack.reports.content import MAX_CELL, MAX_ROWS, MAX_TEXT, Drawing, Image, Pairs, Table, Text, shorten
from gittrack.reports.figure_table import figure_table

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from gittrack.reports.content import Content, Piece

_REFRESH_S = 5
IMAGE_TYPES = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp"})  # an SVG could hold anything
_STYLE = """
.gt-report{--line:#d9dde3;--soft:#f5f6f8;--ink:#1d2330;--faint:#667085;--paper:#fff;color:var(--ink);
background:var(--paper);font:14px/1.5 system-ui,sans-serif;padding:1px 16px 16px}
.gt-report h1{font-size:22px;margin:16px 0 8px}.gt-report h2{font-size:15px;margin:20px 0 6px}
.gt-report table{border-collapse:collapse;font-size:13px;margin:0}
.gt-report th,.gt-report td{border-bottom:1px solid var(--line);padding:3px 16px 3px 6px;text-align:left;
vertical-align:top;overflow-wrap:anywhere;white-space:pre-wrap;max-width:48em}
.gt-report th{font-weight:600}.gt-report tbody th{font-weight:500;color:var(--faint)}
.gt-report td.gt-number{text-align:right;font-variant-numeric:tabular-nums}
.gt-report tbody tr:nth-child(even){background:var(--soft)}
.gt-report .gt-scroll{overflow:auto;max-height:420px}
.gt-report .gt-grid{display:flex;flex-wrap:wrap;gap:14px;margin-top:14px}
.gt-report figure{margin:0;padding:8px;border:1px solid var(--line);border-radius:8px;max-width:100%;
box-sizing:border-box}
.gt-report figcaption{font-weight:600;font-size:13px;overflow-wrap:anywhere;max-width:440px}
.gt-report small{display:block;font-weight:400;color:var(--faint)}
.gt-report img{max-width:440px;max-height:440px}.gt-report svg{max-width:100%;height:auto}
.gt-report pre{margin:0;max-height:320px;max-width:440px;overflow:auto;white-space:pre-wrap;font-size:12px}
.gt-spot:hover circle,.gt-spot:hover text{opacity:1}
@media (prefers-color-scheme:dark){.gt-report{--line:#353c49;--soft:#1f2530;--ink:#e4e7ec;--faint:#98a2b3;
--paper:#151a23}}
"""
_DARK_PAGE = "@media (prefers-color-scheme:dark){body{background:#151a23}}"
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"


def render_page(content: Content) -> str:
    """Return a report as a page.

    Args:
        content: The report.
    """
    refresh = "" if content.is_final else f'\n<meta http-equiv="refresh" content="{_REFRESH_S}">'
    return (
        f'<!DOCTYPE html>\n<html>\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">{refresh}\n'
        f'<meta name="viewport" content="width=device-width">\n<title>{escape(shorten(content.title))}</title>\n'
        f"<style>body{{margin:0}}{_DARK_PAGE}</style>\n</head>\n<body>\n{render_fragment(content)}\n</body>\n</html>\n"
    )


def render_fragment(content: Content) -> str:
    """Return a report as a piece of HTML, for a notebook.

    Args:
        content: The report.
    """
    parts = [f"<h1>{escape(shorten(content.title))}</h1>"] if content.title else []
    figures: list[str] = []
    for piece in content.pieces:
        if isinstance(piece, Pairs):
            parts += _pairs(piece)
        elif isinstance(piece, Table):
            parts += [f"<h2>{_cell(piece.title)}</h2>", _table(piece.columns, piece.rows)]
        else:
            figures += _figure(piece)
    if figures:
        parts.append(f'<div class="gt-grid">{"".join(figures)}</div>')
    body = "\n".join(parts)
    return f'<style>{_STYLE}</style>\n<div class="gt-report">\n{body}\n</div>'


def data_url(image: Image) -> str | None:
    """Return an image as the address that holds it; None for what a browser had better not show.

    Args:
        image: The image.
    """
    if image.media_type not in IMAGE_TYPES:
        return None
    return f"data:{image.media_type};base64,{base64.b64encode(image.data).decode()}"


def _pairs(piece: Pairs) -> Iterator[str]:
    if not piece.pairs:
        return
    rows = "".join(f"<tr><th>{_cell(name)}</th><td>{_cell(value)}</td></tr>" for name, value in piece.pairs[:MAX_ROWS])
    heading = f"<h2>{_cell(piece.title)}</h2>" if piece.title else ""
    yield f'{heading}<div class="gt-scroll"><table><tbody>{rows}</tbody></table></div>{_rest(len(piece.pairs))}'


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    head = "".join(f"<th>{_cell(name)}</th>" for name in columns)
    lines = "".join(f"<tr>{''.join(map(_data_cell, row))}</tr>" for row in rows[:MAX_ROWS])
    table = f"<table><thead><tr>{head}</tr></thead><tbody>{lines}</tbody></table>"
    return f'<div class="gt-scroll">{table}</div>{_rest(len(rows))}'


def _figure(piece: Piece) -> Iterator[str]:
    caption = f"<figcaption>{_cell(piece.title)}"
    inside = None
    if isinstance(piece, Drawing):
        caption += f"<small>{_cell(piece.caption)}</small>" if piece.caption else ""
        table = figure_table(piece.figure)
        inside = draw(piece.figure) if table is None else _table(*table)
    elif isinstance(piece, Image):
        url = data_url(piece)
        inside = None if url is None else f'<img src="{url}" alt="{_cell(piece.title)}">'
    elif isinstance(piece, Text):
        inside = f"<pre>{escape(shorten(piece.text, MAX_TEXT))}</pre>"
    inside = inside or "<small>not drawn here</small>"
    yield f"<figure>{caption}</figcaption>{inside}</figure>"


def _data_cell(text: str) -> str:
    try:
        float(text)
    except ValueError:
        return f"<td>{_cell(text)}</td>"
    return f'<td class="gt-number">{_cell(text)}</td>'


def _cell(text: str) -> str:
    return escape(shorten(text, MAX_CELL))


def _rest(n_rows: int) -> str:
    return f"<small>and {n_rows - MAX_ROWS} more</small>" if n_rows > MAX_ROWS else ""
