"""The axes of a plot: their ranges and round numbers along them."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from math import ceil, floor, isfinite, log10
from typing import TYPE_CHECKING, Final

from gittrack.cli.cells import render_number

if TYPE_CHECKING:
    from collections.abc import Sequence

_MAX_DECIMALS: Final = 7
_LARGE: Final = 1e7
_LARGEST: Final = sys.float_info.max
_ROUNDING: Final = 1e-6  # of a step: what dividing floats may be off by


@dataclass(frozen=True)
class Axis:
    """The range of an axis, never empty; `only` is the number in its middle when there is but one."""

    low: float
    high: float
    only: float | None = None

    @classmethod
    def over(cls, numbers: Sequence[float]) -> Axis | None:
        """Return the axis that holds all numbers; a single one gets room on both sides."""
        if not numbers:
            return None
        low, high = min(numbers), max(numbers)
        if low == high:
            room = abs(low) / 2 or 1.0
            return cls(max(low - room, -_LARGEST), min(high + room, _LARGEST), only=low)
        return cls(low, high)

    def share(self, number: float) -> float:
        """Return where a number lies, from 0 (low) to 1 (high); infinities lie at the edge."""
        if isfinite(number):
            # Halved, because the difference of two large floats may overflow; tiny ones have no half.
            if span := self.high / 2 - self.low / 2:
                return (number / 2 - self.low / 2) / span
            return (number - self.low) / (self.high - self.low) if self.high > self.low else 0.0
        return 1.0 if number > 0 else 0.0


def ticks(axis: Axis, count: int, *, whole: bool = False) -> list[tuple[float, str]]:
    """Return about `count` round numbers on an axis, with their labels.

    Args:
        axis: The range.
        count: At least 1; one more may come.
        whole: Whether only whole numbers are wanted, as for steps.

    Example:
        >>> ticks(Axis(0.0, 1.7), 4)
        [(0.0, '0.0'), (0.5, '0.5'), (1.0, '1.0'), (1.5, '1.5')]
    """
    if axis.only is not None:
        return [(axis.only, render_number(axis.only))]
    step = _round_step(axis, count, whole=whole)
    numbers = [] if step is None else [index * step for index in _indices(axis, step)]
    if step is None or not numbers:
        numbers = [axis.low, axis.high]
        return [(number, render_number(float(number), 3)) for number in numbers]
    decimals = next((n for n in range(_MAX_DECIMALS) if abs(step * 10**n - round(step * 10**n)) < _ROUNDING), None)
    if decimals is None or max(map(abs, numbers)) >= _LARGE:
        return [(number, render_number(float(number), 4)) for number in numbers]
    # Adding 0.0 turns the -0.0 of a multiplication into 0.0.
    return [(number, f"{number + 0.0:.{decimals}f}") for number in numbers]


def log_ticks(axis: Axis, count: int) -> list[tuple[float, str]]:
    """Return ticks of an axis of logarithms: powers of ten, or round numbers when it spans fewer than two.

    Example:
        >>> log_ticks(Axis(-5.0, 0.5), 3)
        [(-5.0, '1e-5'), (-3.0, '0.001'), (-1.0, '0.1')]
    """
    if axis.only is not None:
        return [(axis.only, render_number(_power_of_ten(axis.only)))]
    first, last = ceil(axis.low), floor(axis.high)
    if last > first:
        stride = ceil((last - first + 1) / count)
        return [(float(power), render_number(10.0**power, 3)) for power in range(first, last + 1, stride)]
    return [
        (log10(number), label)
        for number, label in ticks(Axis(_power_of_ten(axis.low), _power_of_ten(axis.high)), count)
        if number > 0
    ]


def _power_of_ten(exponent: float) -> float:
    """Return ten to a power; the logarithm of the largest float, rounded, may stand for a larger one."""
    try:
        return float(10.0**exponent)
    except OverflowError:
        return sys.float_info.max


def _round_step(axis: Axis, count: int, *, whole: bool) -> float | None:
    """Return the smallest round step that gives no more than `count` + 1 ticks; None for a range beyond floats."""
    span = axis.high - axis.low
    if not isfinite(span) or span / (count + 1) <= 0:
        return None
    power = 10.0 ** floor(log10(span / (count + 1)))
    steps = [factor * size for size in (power, 10 * power, 100 * power) for factor in (1, 2, 2.5, 5)]
    if whole:
        steps = [step for step in steps if step >= 1 and step == round(step)] or [1.0]
    return next((step for step in steps if step > 0 and len(_indices(axis, step)) <= count + 1), None)


def _indices(axis: Axis, step: float) -> range:
    """Return the multiples of a step that lie on the axis."""
    return range(ceil(axis.low / step - _ROUNDING), floor(axis.high / step + _ROUNDING) + 1)
