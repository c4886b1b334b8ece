"""A series as a chart shows it: some hundred points, however many there were."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gittrack.figures import Labels, line_figure

if TYPE_CHECKING:
    from gittrack.figures import Figure

MAX_POINTS = 400


class ThinnedSeries:
    """Points that come one by one, of which at most some hundred are kept, evenly.

    When they are full, every other one goes and half as many come, so that a point costs the same at any step.

    Example:
        >>> series = ThinnedSeries()
        >>> for step in range(10_000):
        ...     series.add(step, 0.5)
        >>> len(series.shown) <= MAX_POINTS + 1, series.shown[-1]
        (True, (9999, 0.5))
    """

    def __init__(self) -> None:
        self.points: list[tuple[float, float]] = []
        self._stride = 1
        self._n_seen = 0
        self._last: tuple[float, float] | None = None
        self.low: float | None = None
        self.high: float | None = None

    @property
    def n_seen(self) -> int:
        """How many points came."""
        return self._n_seen

    @property
    def last(self) -> tuple[float, float] | None:
        """The point that came last."""
        return self._last

    def add(self, step: float, value: float) -> None:
        """Add a point."""
        self._last = (step, value)
        if self._n_seen % self._stride == 0:
            self.points.append(self._last)
            if len(self.points) >= MAX_POINTS:
                del self.points[1::2]
                self._stride *= 2
        self._n_seen += 1
        if value - value == 0.0:  # infinity less infinity is not a number
            self.low = value if self.low is None or value < self.low else self.low
            self.high = value if self.high is None or value > self.high else self.high

    @property
    def shown(self) -> list[tuple[float, float]]:
        """The kept points, and the last one."""
        if self._last is None or self.points[-1:] == [self._last]:
            return self.points
        return [*self.points, self._last]

    def figure(self, name: str) -> Figure:
        """Return the chart of the series.

        Args:
            name: The metric's name.
        """
        shown = self.shown
        line = [step for step, _ in shown], [value for _, value in shown]
        return line_figure({name: line}, Labels(None, "step", name.rsplit("/", 1)[-1]))
