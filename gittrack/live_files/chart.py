"""Line charts as SVG, with axes and ticks, without any library."""

from __future__ import annotations

import html
import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_WIDTH, _HEIGHT = 420, 260
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 12, 12, 40
_COLOURS = ("#945dd6", "#13adc7", "#f46837", "#48bb78", "#4299e1", "#ed8936", "#f56565")
_N_TICKS = 5


def draw_lines(lines: Sequence[Sequence[tuple[float, float]]], x_label: str, y_label: str) -> str:
    """Return a chart.

    Args:
        lines: The points of each line; those that are not finite make a gap.
        x_label: What is along the x axis.
        y_label: What is along the y axis.
    """
    finite = [[point for point in line if math.isfinite(point[0]) and math.isfinite(point[1])] for line in lines]
    xs = [x for line in finite for x, _ in line]
    ys = [y for line in finite for _, y in line]
    left, right = _span(xs)
    low, high = _span(ys)

    def place(x: float, y: float) -> tuple[float, float]:
        across = _LEFT + (x - left) / (right - left) * (_WIDTH - _LEFT - _RIGHT)
        up = _HEIGHT - _BOTTOM - (y - low) / (high - low) * (_HEIGHT - _TOP - _BOTTOM)
        return across, up

    size = f'width="{_WIDTH}" height="{_HEIGHT}"'
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="sans-serif" font-size="11">']
    for number in range(_N_TICKS):
        share = number / (_N_TICKS - 1)
        x, y = left + share * (right - left), low + share * (high - low)
        across, up = place(x, y)
        parts.append(f'<path d="M{_LEFT} {up:.1f}H{_WIDTH - _RIGHT}" stroke="#e5e5e5"/>')
        parts.append(f'<text x="{_LEFT - 6}" y="{up + 4:.1f}" text-anchor="end">{y:.4g}</text>')
        parts.append(f'<text x="{across:.1f}" y="{_HEIGHT - _BOTTOM + 14}" text-anchor="middle">{x:.4g}</text>')
    for number, line in enumerate(finite):
        points = " ".join("{:.1f},{:.1f}".format(*place(*point)) for point in line)
        colour = _COLOURS[number % len(_COLOURS)]
        if len(line) == 1:
            across, up = place(*line[0])
            parts.append(f'<circle cx="{across:.1f}" cy="{up:.1f}" r="3" fill="{colour}"/>')
        parts.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="1.5"/>')
    middle = (_LEFT + _WIDTH) / 2
    parts.append(f'<text x="{middle}" y="{_HEIGHT - 8}" text-anchor="middle">{html.escape(str(x_label))}</text>')
    parts.append(f'<text x="4" y="{_TOP}" font-weight="bold">{html.escape(str(y_label))}</text></svg>')
    return "".join(parts)


def _span(values: Sequence[float]) -> tuple[float, float]:
    """Return an interval that holds all values and is not empty."""
    if not values:
        return 0.0, 1.0
    low, high = min(values), max(values)
    if not math.isfinite(high - low):
        low, high = max(low, -1e307), min(high, 1e307)
    if low == high:
        margin = abs(low) * 0.1 or 0.5
        return low - margin, high + margin
    return low, high
