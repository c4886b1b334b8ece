"""Keys and values under headings: one experiment in full, and the difference between two."""

from __future__ import annotations

from dataclasses import dataclass
from math import isnan
from sys import float_info
from typing import TYPE_CHECKING, Final

from gittrack.cli.cells import render_number, render_value
from gittrack.cli.text import display_width, pad, shorten, style
from gittrack.experiments.table import MISSING
from gittrack.visible import sanitise

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from gittrack.experiments.table import Direction

_MAX_KEY: Final = 40
_MAX_VALUE: Final = 40
_TELLING_SHARE: Final = 1000  # times; beyond it a percentage says nothing


@dataclass(frozen=True)
class Section:
    """Pairs under one heading.

    Args:
        title: The heading; empty for none.
        pairs: Keys with plain values; text may have several lines.
    """

    title: str
    pairs: tuple[tuple[str, object], ...]


@dataclass(frozen=True)
class Change:
    """A key with its value on two sides; `MISSING` where a side has none.

    Args:
        key: The dotted key.
        old: The value on the first side.
        new: The value on the second side.
        direction: Which numbers are better; None when that is unknown.
    """

    key: str
    old: object
    new: object
    direction: Direction | None = None


def render_sections(
    sections: Iterable[Section], *, width: int | None, colour: bool = False, precision: int | None = None
) -> Iterator[str]:
    r"""Yield the lines of aligned keys and values, section by section; empty sections are left out.

    Args:
        sections: What to show.
        width: Columns of the terminal, at which long values go on in the next line; None for any length.
        colour: Whether to write ANSI colours.
        precision: Significant digits of a float; None means all of them.

    Example:
        >>> print(*render_sections([Section("params", (("train.lr", 0.1), ("seed", 7)))], width=80), sep="\n")
        params
          train.lr  0.1
          seed      7
    """
    shown = [section for section in sections if section.pairs]
    keys = (display_width(sanitise(key)) for section in shown for key, _ in section.pairs)
    key_width = min(_MAX_KEY, max(keys, default=0))
    for position, section in enumerate(shown):
        if position:
            yield ""
        indent = "  " if section.title else ""
        if section.title:
            yield style(sanitise(section.title), "bold", colour=colour)
        room = None if width is None else max(20, width - key_width - len(indent) - 2)
        for key, value in section.pairs:
            lead = indent + pad(shorten(sanitise(key), key_width), key_width) + "  "
            first, *rest = _value_lines(value, room, precision) or [""]
            yield (style(lead, "dim", colour=colour) + first).rstrip()
            yield from (" " * len(lead) + line for line in rest)


def render_changes(
    title: str,
    changes: Iterable[Change],
    *,
    colour: bool = False,
    unicode: bool = True,
    precision: int | None = 5,
) -> Iterator[str]:
    r"""Yield the lines of a difference: `key  old → new  delta`, coloured by whether it is an improvement.

    Args:
        title: The heading, such as `metrics`.
        changes: What differs; nothing is written when there is nothing.
        colour: Whether to write ANSI colours. Without them `better` and `worse` are written out.
        unicode: Whether characters beyond ASCII may be used.
        precision: Significant digits of a float; None means all of them.

    Example:
        >>> changes = [Change("acc", 0.5, 0.75, "max"), Change("seed", 1, MISSING), Change("opt", "sgd", "adam")]
        >>> print(*render_changes("metrics", changes), sep="\n")
        metrics
          acc   0.5 → 0.75  +0.25  +50%  better
          seed  1   → -
          opt   sgd → adam
    """
    rows = [_change_cells(change, precision) for change in changes]
    if not rows:
        return
    widths = [max(display_width(row.texts[column]) for row in rows) for column in range(5)]
    numeric = all(row.is_numeric for row in rows)
    arrow = "→" if unicode else "->"
    yield style(sanitise(title), "bold", colour=colour)
    for row in rows:
        key, old, new, delta, share = row.texts
        space = " " * (widths[1] - display_width(old))
        shown = style(old, "dim", colour=colour)
        old_cell = space + shown if numeric else shown + space
        new_cell = style(new, *row.styles, colour=colour) + " " * (widths[2] - display_width(new))
        change = f"{delta:>{widths[3]}}  {share:>{widths[4]}}".rstrip()
        verdict = "" if colour or not row.verdict else f"  {row.verdict}"
        line = f"  {pad(key, widths[0])}  {old_cell} {style(arrow, 'dim', colour=colour)} {new_cell}"
        yield (f"{line}  {style(change, *row.styles, colour=colour)}{verdict}" if change else line).rstrip()


@dataclass(frozen=True)
class _ChangeCells:
    texts: tuple[str, str, str, str, str]
    verdict: str
    is_numeric: bool

    @property
    def styles(self) -> tuple[str, ...]:
        return {"better": ("green",), "worse": ("red",)}.get(self.verdict, ())


def _change_cells(change: Change, precision: int | None) -> _ChangeCells:
    old, new = (_short(value, precision) for value in (change.old, change.new))
    delta = share = verdict = ""
    before, after = _number(change.old), _number(change.new)
    if before is not None and after is not None and not isnan(after - before):
        difference = after - before
        is_whole = isinstance(change.old, int) and isinstance(change.new, int)
        delta = _signed(int(difference) if is_whole else difference, precision)
        if before and abs(difference) < abs(before) * _TELLING_SHARE:
            share = f"{100 * difference / abs(before):+.3g}%"
        if change.direction and difference:
            verdict = "better" if (difference > 0) == (change.direction == "max") else "worse"
    is_numeric = all(value is MISSING or _number(value) is not None for value in (change.old, change.new))
    return _ChangeCells((shorten(sanitise(change.key), _MAX_KEY), old, new, delta, share), verdict, is_numeric)


def _number(value: object) -> float | None:
    """Return what can be subtracted: no flag, no integer beyond the range of floats."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return None if isinstance(value, int) and abs(value) > float_info.max else float(value)


def _signed(number: float, precision: int | None) -> str:
    return ("+" if number > 0 else "") + render_number(number, precision)


def _short(value: object, precision: int | None) -> str:
    return "-" if value is MISSING else shorten(render_value(value, precision) or '""', _MAX_VALUE)


def _value_lines(value: object, room: int | None, precision: int | None) -> list[str]:
    """Return a value as lines of at most `room` columns; text keeps its own line ends."""
    if value is MISSING:
        return ["-"]
    if not isinstance(value, str):
        return _wrap(render_value(value, precision), room)
    text = sanitise(value.replace("\r\n", "\n"), multiline=True).expandtabs()
    return [line for paragraph in text.splitlines() for line in _wrap(paragraph, room)]


def _wrap(text: str, room: int | None) -> list[str]:
    """Break text at spaces, or anywhere where there is none.

    Example:
        >>> _wrap("a long command --with options", 14)
        ['a long command', '--with options']
    """
    if room is None or display_width(text) <= room:
        return [text]
    lines = [""]
    for word in text.split(" "):
        joined = f"{lines[-1]} {word}" if lines[-1] else word
        if display_width(joined) <= room:
            lines[-1] = joined
            continue
        pieces = [word[start : start + room] for start in range(0, len(word), room)] or [""]
        lines.extend(pieces)
    return [line.rstrip() for line in lines if line] or [""]
