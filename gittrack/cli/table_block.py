"""One column of the terminal table: its cells as text, aligned, and marked where they deserve a look."""

from __future__ import annotations

from enum import IntEnum
from math import isnan
from typing import TYPE_CHECKING, Final

from gittrack.cli.cells import render_age, render_number, render_value
from gittrack.cli.text import CODES, RESET, display_width, pad, shorten
from gittrack.experiments.table import MISSING, Missing, differs
from gittrack.visible import sanitise

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gittrack.cli.render_table import Look
    from gittrack.experiments.table import Column

MAX_CELL: Final = 60  # columns of the terminal; longer text is for `exp show NAME` and the data formats
MAX_HEADING: Final = 12  # when room is short
_MAX_TEXT: Final = 14
_MAX_NUMBER: Final = 30
_NUMERIC: Final = frozenset({int, float, Missing, type(None)})


class State(IntEnum):
    """What a cell is beside its group's baseline and the rest of its column."""

    PLAIN = 0
    SAME = 1
    CHANGED = 2
    BEST = 3
    ABSENT = 4


class Block:
    """A column made ready for the terminal.

    Args:
        column: What it holds.
        label: Its unique name.
        values: Its cells.
        bases: For each row the row of its group's baseline, or -1.
        look: How the table is to look.
    """

    def __init__(self, column: Column, label: str, values: Sequence[object], bases: Sequence[int], look: Look) -> None:
        self.column = column
        self.label = sanitise(label)
        self.arrow = look.symbols.arrows.get(column.direction or "", "")
        self._look = look
        self._states = _states(column, values, bases)
        texts = _texts(column, values, look)
        marks = _marks(column, look)
        if any(marks):
            texts = [text + marks[state] for text, state in zip(texts, self._states, strict=True)]
        self._points = None if column.kind == "attribute" else _points(texts, values)
        if self._points is None:
            self._texts = texts
            self.width = max(map(display_width, texts), default=0)
        else:
            left = max(self._points, default=0)
            self._texts = [" " * (left - point) + text for text, point in zip(texts, self._points, strict=True)]
            self.width = max(map(len, self._texts), default=0)

    @property
    def is_number(self) -> bool:
        """Whether the cells are numbers, aligned on the decimal point."""
        return self._points is not None

    def narrowest(self, heading: str) -> int:
        """Return the columns it needs at least, under `heading`."""
        heading_width = min(display_width(heading), MAX_HEADING)
        return max(heading_width, self.width if self.is_number else min(self.width, _MAX_TEXT))

    def heading(self, heading: str, width: int) -> str:
        """Return its heading in `width` columns, with an arrow to the better side where there is room for it."""
        look = self._look
        arrow = f" {self.arrow}" if self.arrow and display_width(heading) + 2 <= width else ""
        text = shorten(heading, width - len(arrow), ellipsis=look.symbols.ellipsis)
        space = " " * (width - display_width(text) - len(arrow))
        shown = look.style(text, "bold") + look.style(arrow, "dim")
        return space + shown if self.is_number else shown + space

    def lines(self, width: int) -> list[str]:
        """Return all cells in `width` columns, with colours when they are wanted."""
        texts = self._texts
        if self.width > width:
            texts = [shorten(text, width, ellipsis=self._look.symbols.ellipsis) for text in texts]
        if self.is_number:  # on the right, under a heading that is wider
            texts = [text.ljust(self.width).rjust(width) for text in texts]
        elif all(map(str.isascii, texts)):
            texts = [text.ljust(width) for text in texts]
        else:
            texts = [pad(text, width) for text in texts]
        if not self._look.colour:
            return texts
        codes = [f"\x1b[{CODES['dim']}m"] * len(State)
        codes[State.PLAIN] = ""
        codes[State.CHANGED] = f"\x1b[{CODES['cyan']}m" if self.column.kind == "param" else ""
        codes[State.BEST] = f"\x1b[{CODES['bold']};{CODES['green']}m"
        ends = [RESET if code else "" for code in codes]
        return [codes[state] + text + ends[state] for text, state in zip(texts, self._states, strict=True)]

    @property
    def marked(self) -> set[State]:
        """The states of its cells that have a mark where there are no colours."""
        return {state for state, mark in zip(State, _marks(self.column, self._look), strict=True) if mark} & set(
            self._states
        )


def _texts(column: Column, values: Sequence[object], look: Look) -> list[str]:
    if column.name == "created" and column.kind == "attribute":
        now_s = look.now_s
        return [render_age(value, now_s) if isinstance(value, (int, float)) else "-" for value in values]
    precision = look.precision
    if precision is not None and set(map(type, values)) <= {float, Missing}:
        form = f"%.{precision}g"
        texts = ["-" if value is MISSING else form % value for value in values]
        if "e" not in "".join(texts):
            return texts
    texts = ["-" if value is MISSING else _text(value, precision) for value in values]
    ellipsis = look.symbols.ellipsis
    return [text if len(text) < _MAX_NUMBER else shorten(text, MAX_CELL, ellipsis=ellipsis) for text in texts]


def _text(value: object, precision: int | None) -> str:
    if type(value) is float:
        return render_number(value, precision)
    return render_value(value, precision) or '""'


def _points(texts: Sequence[str], values: Sequence[object]) -> list[int] | None:
    """Return how many characters of each text stand before the decimal point; None for a column of text."""
    types = set(map(type, values))
    if not (types <= _NUMERIC and types & {int, float}) or max(map(len, texts)) > _MAX_NUMBER:
        return None
    points = [text.find(".") for text in texts]
    return [_integer_length(text) if point < 0 else point for text, point in zip(texts, points, strict=True)]


def _integer_length(text: str) -> int:
    """Return the length of what stands before an exponent or a mark: `1e-5` aligns as 1 does.

    Example:
        >>> [_integer_length(text) for text in ("64", "64*", "1e-5", "-3", "nan", "-inf", "-")]
        [2, 2, 1, 2, 3, 4, 1]
    """
    if text.isdigit() or not text.lstrip("-")[:1].isdigit():
        return len(text)
    return next((i for i, character in enumerate(text) if i and not character.isdigit()), len(text))


def _marks(column: Column, look: Look) -> tuple[str, ...]:
    """Return what stands behind a cell in each state where colours cannot say it."""
    marks = [""] * len(State)
    if not look.colour:
        marks[State.CHANGED] = look.symbols.changed if column.kind == "param" else ""
        marks[State.BEST] = look.symbols.best.get(column.direction or "", "")
    return tuple(marks)


def _states(column: Column, values: Sequence[object], bases: Sequence[int]) -> list[State]:
    if column.kind == "attribute":
        return [State.PLAIN] * len(values)
    beside = [values[base] if base >= 0 else MISSING for base in bases]
    best = _best(column, values)
    return [_state(value, base, best) for value, base in zip(values, beside, strict=True)]


def _state(value: object, base: object, best: float | None) -> State:
    if value is MISSING:
        return State.ABSENT
    if best is not None and value == best:
        return State.BEST
    if base is MISSING:
        return State.PLAIN
    return State.CHANGED if differs(value, base) else State.SAME


def _is_nan(number: float) -> bool:
    return isinstance(number, float) and isnan(number)  # an int may be too large to be asked


def _best(column: Column, values: Sequence[object]) -> float | None:
    """Return the best number of a metric that has a direction, unless all its numbers are one."""
    if column.kind != "metric" or column.direction is None:
        return None
    numbers = [value for value in values if isinstance(value, (int, float)) and not _is_nan(value)]
    low, high = min(numbers, default=0), max(numbers, default=0)
    if low == high:
        return None
    return low if column.direction == "min" else high
