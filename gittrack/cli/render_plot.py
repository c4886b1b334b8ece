"""Series of a metric drawn in the terminal."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby, pairwise
from math import inf, isfinite, isnan, log10, nan
from sys import float_info
from typing import TYPE_CHECKING, Final

from gittrack.cli.cells import render_number
from gittrack.cli.plot_axis import Axis, log_ticks, ticks
from gittrack.cli.text import display_width, shorten, style
from gittrack.visible import sanitise

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import TypeAlias

    Series: TypeAlias = tuple[str, Sequence[float], Sequence[float]]

_COLOURS: Final = ("cyan", "yellow", "magenta", "green", "blue", "red")
_MARKS: Final = "•x+○▪◇"  # for series that no colour tells apart
_ASCII_MARKS: Final = "*x+o#@"
_BARS: Final = "▁▂▃▄▅▆▇█"
_ASCII_BARS: Final = "_.-=+*%#"
# Dots of a braille character, by row and column: https://www.unicode.org/charts/PDF/U2800.pdf
_DOTS: Final = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))
_BRAILLE: Final = 0x2800
_MAX_LEGEND: Final = 40


def sparkline(values: Sequence[float], width: int, *, unicode: bool = True) -> str:
    """Return a series as one line of bars: the mean of each part of it, a space where there is no number.

    Args:
        values: The series.
        width: The most characters to use.
        unicode: Whether block characters may be used.

    Example:
        >>> sparkline([1, 2, 3, float("nan"), 8], 5), sparkline([2, 2], 5)
        ('▁▂▃ █', '▁▁')
    """
    n_parts = min(width, len(values))
    means = []
    for part in range(n_parts):
        start, stop = part * len(values) // n_parts, (part + 1) * len(values) // n_parts
        numbers = [value for value in _floats(values[start:stop]) if isfinite(value)]
        # Divided first, because the sum of large floats may overflow.
        means.append(sum(number / len(numbers) for number in numbers) if numbers else None)
    known = [mean for mean in means if mean is not None]
    axis = Axis(min(known, default=0.0), max(known, default=0.0))
    bars = _BARS if unicode else _ASCII_BARS
    return "".join(" " if mean is None else bars[round(axis.share(mean) * (len(bars) - 1))] for mean in means)


def render_series_plot(
    name: str,
    series: Sequence[Series],
    *,
    width: int = 80,
    height: int = 12,
    colour: bool = False,
    unicode: bool = True,
    log_scale: bool = False,
) -> str:
    """Return a line plot of one metric, for one or several experiments.

    NaN leaves a gap; an infinity is drawn at the edge and named in a note, as is what a logarithm cannot show.

    Args:
        name: The metric.
        series: For each experiment its label, steps (ascending) and values, both of shape (n_steps,).
        width: Columns of the plot, axis included; at least 20.
        height: Lines of the drawing, without title and axis; at least 2.
        colour: Whether to tell series apart by ANSI colours.
        unicode: Whether braille and box characters may be used.
        log_scale: Whether the values' axis is logarithmic.

    Returns:
        Lines joined by newlines, without one at the end.

    Example:
        >>> print(render_series_plot("loss", [("a", [0, 1, 2, 3], [3, 1, 2, 0])], width=24, height=4, unicode=False))
        loss
          |**
        2 +  ****     ****
          |      *****    ****
        0 +                   **
          ++------------+-------
           0            2
          * a 0
    """
    series = [(label, _floats(steps), _floats(values)) for label, steps, values in series]
    numbers = [_known(values, log_scale=log_scale) for _, _, values in series]
    y = Axis.over([value for own in numbers for value in own if isfinite(value)])
    x = Axis.over([step for _, steps, _ in series for step in steps if isfinite(step)])
    title = style(sanitise(name), "bold", colour=colour) + (" (log scale)" if log_scale else "")
    if x is None or y is None:
        return f"{title}\n  no numbers to plot"
    y_ticks = log_ticks(y, height // 3 + 1) if log_scale else ticks(y, height // 3 + 1)
    margin = max(len(label) for _, label in y_ticks)
    by_marks = not unicode or (len(series) > 1 and not colour)
    canvas = _Canvas(max(2, width - margin - 2), height, 1 if by_marks else 2, 1 if by_marks else 4)
    for index, (own, (_, steps, _)) in enumerate(zip(numbers, series, strict=True)):
        for run in _runs(steps, own):
            canvas.draw([(x.share(step), y.share(value)) for step, value in run], index)
    symbols = _Symbols(_MARKS if unicode else _ASCII_MARKS, colour=colour, by_marks=by_marks)
    lines = [title, *_framed(canvas, y, y_ticks, symbols, unicode=unicode, margin=margin)]
    lines += _step_axis(x, canvas.columns, margin, unicode=unicode)
    lines += _legend(series, symbols, width, unicode=unicode)
    lines += [style(f"  {note}", "dim", colour=colour) for note in _notes(series, log_scale=log_scale)]
    return "\n".join(lines)


@dataclass(frozen=True)
class _Symbols:
    """How a series is told from the others."""

    marks: str
    colour: bool
    by_marks: bool

    def paint(self, text: str, index: int) -> str:
        return style(text, _COLOURS[index % len(_COLOURS)], colour=self.colour)

    def mark(self, index: int) -> str:
        return self.marks[index % len(self.marks)]


class _Canvas:
    """A grid of characters, each of `x_dots` by `y_dots` dots."""

    def __init__(self, columns: int, rows: int, x_dots: int, y_dots: int) -> None:
        self.columns = columns
        self.rows = rows
        self._x_dots = x_dots
        self._y_dots = y_dots
        self.bits = [[0] * columns for _ in range(rows)]
        self.owners = [[0] * columns for _ in range(rows)]

    def draw(self, points: Sequence[tuple[float, float]], owner: int) -> None:
        """Draw a line through points, given as shares of the canvas from its lower left corner."""
        right, top = self.columns * self._x_dots - 1, self.rows * self._y_dots - 1
        dots = [(round(x * right), top - round(y * top)) for x, y in points]
        self._dot(*dots[0], owner)
        for (x0, y0), (x1, y1) in pairwise(dots):
            n_dots = max(abs(x1 - x0), abs(y1 - y0))
            for i in range(1, n_dots + 1):
                self._dot(x0 + round((x1 - x0) * i / n_dots), y0 + round((y1 - y0) * i / n_dots), owner)

    def _dot(self, x: int, y: int, owner: int) -> None:
        row, column = y // self._y_dots, x // self._x_dots
        self.bits[row][column] |= _DOTS[y % self._y_dots][x % self._x_dots]
        self.owners[row][column] = owner


def _floats(numbers: Sequence[float]) -> list[float]:
    """Return numbers as floats; an integer beyond their range counts as infinite."""
    return [
        (inf if number > 0 else -inf) if isinstance(number, int) and abs(number) > float_info.max else float(number)
        for number in numbers
    ]


def _known(values: Sequence[float], *, log_scale: bool) -> list[float]:
    """Return the values as they are drawn; NaN for what is not."""
    if not log_scale:
        return list(values)
    return [log10(value) if 0 < value < inf else inf if value == inf else nan for value in values]


def _runs(steps: Sequence[float], values: Sequence[float]) -> Iterator[list[tuple[float, float]]]:
    """Yield the stretches of a series between its gaps."""
    run: list[tuple[float, float]] = []
    for step, value in zip(steps, values, strict=True):
        if isnan(value) or not isfinite(step):
            if run:
                yield run
            run = []
        else:
            run.append((step, value))
    if run:
        yield run


def _framed(
    canvas: _Canvas, y: Axis, marked: Sequence[tuple[float, str]], symbols: _Symbols, *, unicode: bool, margin: int
) -> Iterator[str]:
    labels = {canvas.rows - 1 - round(y.share(tick) * (canvas.rows - 1)): label for tick, label in marked}
    edge, tick_edge = ("│", "┤") if unicode else ("|", "+")
    for row in range(canvas.rows):
        label = labels.get(row, "")
        drawn = _drawn(canvas.bits[row], canvas.owners[row], symbols)
        yield f"{label:>{margin}} {tick_edge if label else edge}{drawn}".rstrip()


def _drawn(bits: Sequence[int], owners: Sequence[int], symbols: _Symbols) -> str:
    """Return one row of the canvas, coloured in stretches of one series."""
    parts = []
    cells = zip(bits, owners, strict=True)
    for owner, stretch in groupby(cells, key=lambda cell: cell[1] if cell[0] else None):
        if owner is None:
            parts.append(" " * len(list(stretch)))
        else:
            text = "".join(symbols.mark(owner) if symbols.by_marks else chr(_BRAILLE | cell) for cell, _ in stretch)
            parts.append(symbols.paint(text, owner))
    return "".join(parts)


def _step_axis(x: Axis, columns: int, margin: int, *, unicode: bool) -> list[str]:
    """Return the axis of steps and the line of its labels."""
    corner, line, tick_mark = ("└", "─", "┬") if unicode else ("+", "-", "+")
    axis, labels = [line] * columns, [" "] * (columns + margin + 2)
    end = 0
    for tick, label in ticks(x, max(2, columns // 12), whole=True):
        column = round(x.share(tick) * (columns - 1))
        start = min(max(0, margin + 2 + column - len(label) // 2), len(labels) - len(label))
        if start < end:
            continue
        axis[column] = tick_mark
        labels[start : start + len(label)] = label
        end = start + len(label) + 1
    return [" " * (margin + 1) + corner + "".join(axis), "".join(labels).rstrip()]


def _legend(series: Sequence[Series], symbols: _Symbols, width: int, *, unicode: bool) -> list[str]:
    """Return which mark or colour is which experiment, with the last value of each."""
    lines = [""]
    used = 0
    for index, (label, _, values) in enumerate(series):
        shown = shorten(sanitise(label), _MAX_LEGEND, ellipsis="…" if unicode else "..")
        last = f" {render_number(values[-1])}" if len(values) else ""
        key = symbols.mark(index) if symbols.by_marks else "──"
        needed = display_width(shown) + len(last) + len(key) + 3
        if used and used + needed > width:
            lines.append("")
            used = 0
        used += needed
        lines[-1] += f"  {symbols.paint(key, index)} {shown}{style(last, 'dim', colour=symbols.colour)}"
    return [line for line in lines if line]


def _notes(series: Sequence[Series], *, log_scale: bool) -> list[str]:
    """Say what the drawing leaves out."""
    values = [value for _, _, own in series for value in own]
    counts = (
        (sum(map(isnan, values)), "NaN left out"),
        (sum(not isfinite(value) and not isnan(value) for value in values), "infinite, drawn at the edge"),
        (sum(value <= 0 for value in values) if log_scale else 0, "not above 0, left out by the log scale"),
    )
    return [f"{count} of {len(values)} values {what}" for count, what in counts if count]
