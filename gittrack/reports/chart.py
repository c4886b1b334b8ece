"""Figures as SVG, with axes, ticks, legend and the values under the pointer, without any library and any script.

A figure may come from anywhere: what is taken of it are numbers and texts, and texts are escaped.
"""

from __future__ import annotations

from html import escape
from itertools import pairwise
from math import ceil, floor, isfinite, log10
from typing import TYPE_CHECKING, Any, NamedTuple

from gittrack.reports.content import shorten

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

_WIDTH, _HEIGHT = 460, 280
_LEFT, _RIGHT, _TOP, _BOTTOM = 66, 14, 40, 42
_LEGEND, _CHARACTER_WIDTH = 30, 6.2
_COLOURS = ("#8f5bd7", "#0f9fb8", "#e8622d", "#37a169", "#3b82d6", "#d9861f", "#e0526a", "#7a8699")
_N_TICKS = 5
_MAX_NAMED_TICKS = 12
_MAX_LINES = 30
_MAX_POINTS = 1_000  # of one line
_MAX_SPOTS = 80  # places where the pointer shows values
_MAX_CELLS = 40  # of a matrix, along each side
_MAX_NUMBERED_CELLS = 14
_LABEL = 28  # characters
_BIGGEST = 1e300
_FINEST = 1e-12  # of an axis that spans less of its numbers nothing can be told apart

Point = tuple[float, float]


class _Line(NamedTuple):
    name: str
    points: list[Point]  # those that are not finite make a gap
    mode: str
    is_dashed: bool


class _Scale(NamedTuple):
    low: float
    high: float
    names: tuple[str, ...]  # of the whole numbers, where they stand for texts

    def ticks(self) -> list[tuple[float, str]]:
        if self.names:
            stride = ceil(len(self.names) / _MAX_NAMED_TICKS)
            return [(index, shorten(name, 12)) for index, name in enumerate(self.names) if index % stride == 0]
        rough = (self.high - self.low) / _N_TICKS
        size = 10.0 ** floor(log10(rough)) if rough > 0 else 1.0
        step = next((factor * size for factor in (1, 2, 5) if factor * size >= rough), 10 * size)
        first = ceil(self.low / step)
        ticks = [(first + number) * step for number in range(2 * _N_TICKS)]
        return [(tick, f"{tick:.5g}") for tick in ticks if tick <= self.high + step * 1e-9]


def draw(figure: Mapping[str, Any]) -> str | None:
    """Return a figure as SVG; None for one that is not flat, or has nothing that can be drawn.

    Args:
        figure: The figure as plotly reads it.

    Example:
        >>> draw({"data": [{"type": "scatter", "x": [0, 1], "y": [2, 3]}]})[:4], draw({"data": "?"})
        ('<svg', None)
    """
    data = figure.get("data")
    traces = [trace for trace in data if isinstance(trace, dict)] if isinstance(data, list) else []
    labels = _axis_label(figure, "xaxis"), _axis_label(figure, "yaxis")
    kinds = {str(trace.get("type", "scatter")) for trace in traces}
    if kinds == {"heatmap"}:
        return _draw_matrix(traces[0], labels)
    if kinds == {"bar"}:
        return _draw_bars(traces, labels)
    if traces and kinds <= {"scatter", "scattergl"}:
        return _draw_lines(traces[:_MAX_LINES], labels)
    return None


def _draw_lines(traces: Sequence[Mapping[str, Any]], labels: tuple[str, str]) -> str | None:
    names_x = _names([value for trace in traces for value in _list(trace.get("x"))])
    names_y = _names([value for trace in traces for value in _list(trace.get("y"))])
    lines = [_line(trace, number, names_x, names_y) for number, trace in enumerate(traces)]
    finite = [[point for point in line.points if isfinite(point[0]) and isfinite(point[1])] for line in lines]
    if not any(finite):
        return None
    x_scale = _scale([x for points in finite for x, _ in points], names_x)
    y_scale = _scale([y for points in finite for _, y in points], names_y)
    place = _placer(x_scale, y_scale)
    parts = _frame(x_scale, y_scale, labels, place)
    for number, line in enumerate(lines):
        colour = _COLOURS[number % len(_COLOURS)]
        if "lines" in line.mode:
            dashes = ' stroke-dasharray="5 4"' if line.is_dashed else ""
            path = _path(line.points, place)
            parts.append(f'<path d="{path}" fill="none" stroke="{colour}" stroke-width="1.6"{dashes}/>')
        if "markers" in line.mode or len(finite[number]) == 1:
            for point in finite[number]:
                across, up = place(*point)
                parts.append(f'<circle cx="{across:.1f}" cy="{up:.1f}" r="2.5" fill="{colour}"/>')
    parts += _legend([line.name for line in lines])
    parts += _spots(lines, finite, place, x_scale)
    return _svg(parts)


def _draw_bars(traces: Sequence[Mapping[str, Any]], labels: tuple[str, str]) -> str | None:
    is_across = traces[0].get("orientation") == "h"
    keys = ("y", "x") if is_across else ("x", "y")
    names = _names([value for trace in traces for value in _list(trace.get(keys[0]))])
    bars = [_line({"x": trace.get(keys[0]), "y": trace.get(keys[1])}, 0, names, ()) for trace in traces[:_MAX_LINES]]
    points = [[point for point in bar.points if isfinite(point[0]) and isfinite(point[1])] for bar in bars]
    places = sorted({place for bar in points for place, _ in bar})
    if not places:
        return None
    gap = min((after - before for before, after in pairwise(places)), default=1.0)
    along = _scale([places[0] - gap / 2, places[-1] + gap / 2], names)
    values = _scale([0.0, *(value for bar in points for _, value in bar)], ())
    x_scale, y_scale = (values, along) if is_across else (along, values)
    place = _placer(x_scale, y_scale)
    parts = _frame(x_scale, y_scale, labels, place)
    width = gap * 0.9 / len(bars)
    for number, bar in enumerate(points):
        for centre, value in bar:
            start = centre - gap * 0.45 + number * width
            one, other = (start, 0.0), (start + width, value)
            (x0, y0), (x1, y1) = (place(*one[::-1]), place(*other[::-1])) if is_across else (place(*one), place(*other))
            name = names[int(centre)] if names and 0 <= centre < len(names) else f"{centre:.6g}"
            parts.append(
                f'<rect x="{min(x0, x1):.1f}" y="{min(y0, y1):.1f}" width="{abs(x1 - x0):.1f}" '
                f'height="{abs(y1 - y0):.1f}" fill="{_COLOURS[number % len(_COLOURS)]}">'
                f"<title>{_text(name)}: {value:.6g}</title></rect>"
            )
    parts += _legend([_name(trace, number) for number, trace in enumerate(traces[:_MAX_LINES])])
    return _svg(parts)


def _draw_matrix(trace: Mapping[str, Any], labels: tuple[str, str]) -> str | None:
    rows = [[_number(cell) for cell in _list(row)[:_MAX_CELLS]] for row in _list(trace.get("z"))[:_MAX_CELLS]]
    n_columns = max(map(len, rows), default=0)
    values = [cell for row in rows for cell in row if isfinite(cell)]
    if not values:
        return None
    low, high = min(0.0, *values), max(values)
    names_x = _cell_names(trace.get("x"), n_columns)
    names_y = _cell_names(trace.get("y"), len(rows))
    x_scale, y_scale = _Scale(-0.5, n_columns - 0.5, names_x), _Scale(len(rows) - 0.5, -0.5, names_y)
    place = _placer(x_scale, y_scale)
    parts = _frame(x_scale, y_scale, labels, place, has_grid=False)
    width, height = (_WIDTH - _LEFT - _RIGHT) / n_columns, (_HEIGHT - _TOP - _BOTTOM) / len(rows)
    for y, row in enumerate(rows):
        for x, cell in enumerate(row):
            if not isfinite(cell):
                continue
            share = (cell - low) / (high - low) if high > low else 0.0
            across, up = place(x - 0.5, y - 0.5)
            parts.append(
                f'<g><rect x="{across:.1f}" y="{up:.1f}" width="{width:.1f}" height="{height:.1f}" fill="#3b82d6" '
                f'fill-opacity="{0.06 + 0.84 * share:.3f}"/>'
                f"<title>{_text(names_y[y])}, {_text(names_x[x])}: {cell:.6g}</title>"
            )
            if max(n_columns, len(rows)) <= _MAX_NUMBERED_CELLS:
                middle = f'x="{across + width / 2:.1f}" y="{up + height / 2 + 4:.1f}"'
                parts.append(f'<text {middle} text-anchor="middle">{cell:.4g}</text>')
            parts.append("</g>")
    return _svg(parts)


def _frame(
    x_scale: _Scale,
    y_scale: _Scale,
    labels: tuple[str, str],
    place: Callable[[float, float], Point],
    *,
    has_grid: bool = True,
) -> list[str]:
    """Return the axes with their ticks and labels."""
    parts = []
    for value, text in y_scale.ticks():
        up = place(x_scale.low, value)[1]
        if has_grid:
            parts.append(f'<path d="M{_LEFT} {up:.1f}H{_WIDTH - _RIGHT}" stroke="currentColor" opacity=".13"/>')
        parts.append(f'<text x="{_LEFT - 6}" y="{up + 4:.1f}" text-anchor="end">{_text(text)}</text>')
    for value, text in x_scale.ticks():
        across = place(value, y_scale.low)[0]
        parts.append(f'<text x="{across:.1f}" y="{_HEIGHT - _BOTTOM + 15}" text-anchor="middle">{_text(text)}</text>')
    frame = f"M{_LEFT} {_TOP}V{_HEIGHT - _BOTTOM}H{_WIDTH - _RIGHT}"
    parts.append(f'<path d="{frame}" fill="none" stroke="currentColor" opacity=".45"/>')
    middle = (_LEFT + _WIDTH - _RIGHT) / 2
    parts.append(f'<text x="{middle}" y="{_HEIGHT - 8}" text-anchor="middle">{_text(labels[0])}</text>')
    parts.append(f'<text x="6" y="14" font-weight="bold">{_text(labels[1])}</text>')
    return parts


def _spots(
    lines: Sequence[_Line], finite: Sequence[list[Point]], place: Callable[[float, float], Point], x_scale: _Scale
) -> list[str]:
    """Return strips that show, while the pointer is over them, the values there; the page's style hides them."""
    spots = [(point, number) for number, points in enumerate(finite) for point in points]
    stride = ceil(len(spots) / _MAX_SPOTS)
    parts = []
    for (x, y), number in spots[:: max(1, stride)]:
        across, up = place(x, y)
        where = x_scale.names[int(x)] if x_scale.names else f"{x:.6g}"
        name = f"{lines[number].name}: " if len(lines) > 1 else ""
        text = _text(f"{name}{y:.6g} at {where}", 60)
        height = _HEIGHT - _TOP - _BOTTOM
        strip = f'x="{across - 4:.1f}" width="8" y="{_TOP}" height="{height}"'
        if len(lines) > 1:
            strip = f'x="{across - 5:.1f}" width="10" y="{up - 5:.1f}" height="10"'
        parts.append(
            f'<g class="gt-spot"><rect {strip} opacity="0"/><circle cx="{across:.1f}" cy="{up:.1f}" r="4" opacity="0" '
            f'fill="{_COLOURS[number % len(_COLOURS)]}"/><text x="{_WIDTH - _RIGHT}" y="14" text-anchor="end" '
            f'opacity="0">{text}</text><title>{text}</title></g>'
        )
    return parts


def _legend(names: Sequence[str]) -> list[str]:
    """Name the lines in a row above the plot, as many as there is room for."""
    if len(names) < 2:  # noqa: PLR2004  one line needs none
        return []
    parts = []
    across = float(_LEFT)
    for number, name in enumerate(names):
        text = shorten(name, _LABEL)
        width = 13 + _CHARACTER_WIDTH * len(text)
        if number and across + width > _WIDTH - _RIGHT:
            parts.append(f'<text x="{across:.1f}" y="{_LEGEND}" opacity=".8">…</text>')
            break
        colour = _COLOURS[number % len(_COLOURS)]
        parts.append(f'<rect x="{across:.1f}" y="{_LEGEND - 8}" width="8" height="8" fill="{colour}"/>')
        parts.append(f'<text x="{across + 12:.1f}" y="{_LEGEND}" opacity=".8">{_text(name)}</text>')
        across += width + 12
    return parts


def _svg(parts: Sequence[str]) -> str:
    size = f'viewBox="0 0 {_WIDTH} {_HEIGHT}" width="{_WIDTH}" height="{_HEIGHT}"'
    style = 'font-family="system-ui,sans-serif" font-size="11" fill="currentColor"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size} {style} role="img">{"".join(parts)}</svg>'


def _path(points: Sequence[Point], place: Callable[[float, float], Point]) -> str:
    parts = []
    is_open = False
    for x, y in points:
        if not (isfinite(x) and isfinite(y)):
            is_open = False
            continue
        across, up = place(x, y)
        parts.append(f"{'L' if is_open else 'M'}{across:.1f} {up:.1f}")
        is_open = True
    return "".join(parts)


def _placer(x_scale: _Scale, y_scale: _Scale) -> Callable[[float, float], Point]:
    wide = (_WIDTH - _LEFT - _RIGHT) / (x_scale.high - x_scale.low)
    high = (_HEIGHT - _TOP - _BOTTOM) / (y_scale.high - y_scale.low)

    def place(x: float, y: float) -> Point:
        return _LEFT + (x - x_scale.low) * wide, _HEIGHT - _BOTTOM - (y - y_scale.low) * high

    return place


def _line(trace: Mapping[str, Any], number: int, names_x: Sequence[str], names_y: Sequence[str]) -> _Line:
    y = _list(trace.get("y"))
    x = _list(trace.get("x")) or list(range(len(y)))
    stride = max(1, ceil(min(len(x), len(y)) / _MAX_POINTS))
    places_x, places_y = ({name: place for place, name in enumerate(names)} for names in (names_x, names_y))
    points = [(_place(one, places_x), _place(other, places_y)) for one, other in zip(x[::stride], y[::stride])]  # noqa: B905
    mode = trace.get("mode")
    style = trace.get("line")
    return _Line(
        _name(trace, number),
        points,
        mode if isinstance(mode, str) else "lines",
        isinstance(style, dict) and "dash" in style,
    )


def _place(value: Any, places: Mapping[str, int]) -> float:
    return float(places.get(str(value), float("nan"))) if places else _number(value)


def _scale(values: Sequence[float], names: tuple[str, ...]) -> _Scale:
    """Return an interval that holds all values and is not empty."""
    low, high = min(values), max(values)
    if high - low <= max(abs(low), abs(high)) * _FINEST:
        margin = max(abs(low), abs(high)) * 0.1 or 0.5
        low, high = low - margin, high + margin
    return _Scale(low, high, names)


def _names(values: Sequence[Any]) -> tuple[str, ...]:
    """Return the texts among the values of an axis that is not one of numbers."""
    if not any(isinstance(value, str) and not isfinite(_number(value)) for value in values):
        return ()
    return tuple(dict.fromkeys(str(value) for value in values if value is not None))[:_MAX_POINTS]


def _cell_names(values: Any, length: int) -> tuple[str, ...]:
    names = [str(name) for name in _list(values)[:length]]
    return (*names, *(str(number) for number in range(len(names), length)))


def _number(value: Any) -> float:
    """Return a number that can be drawn, or NaN."""
    try:
        number = float(value) if isinstance(value, (int, float, str)) else float("nan")
    except (OverflowError, ValueError):
        return float("nan")
    return number if abs(number) < _BIGGEST else float("nan")


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _name(trace: Mapping[str, Any], number: int) -> str:
    return str(trace.get("name") or f"line {number + 1}")


def _axis_label(figure: Mapping[str, Any], axis: str) -> str:
    found: Any = figure
    for key in ("layout", axis, "title"):
        found = found.get(key) if isinstance(found, dict) else None
    if isinstance(found, dict):
        found = found.get("text")
    return found if isinstance(found, str) else ""


def _text(text: str, limit: int = _LABEL) -> str:
    """Return a text for SVG: short, escaped, and without what no XML may hold."""
    shown = "".join(char if char.isprintable() else " " for char in shorten(str(text), limit))
    return escape(shown)
