"""The run that a callback logs to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gittrack.api import Run
from gittrack.runs import open_runs

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gittrack.runs.open_runs import EndStatus
    from gittrack.runs.run import Run as AnyRun


class Target:
    """A run that was given, that is open already, or that is made when it is needed and ended with the training.

    Args:
        run: The run to log to; the newest that is open in the process, or one of its own, by default.
        arguments: What one of its own is made with.
    """

    def __init__(self, run: AnyRun | None = None, arguments: Mapping[str, Any] | None = None) -> None:
        self._given = run
        self._arguments = dict(arguments or {})
        self._own: Run | None = None

    @property
    def run(self) -> AnyRun:
        """The run; one of its own that has ended is followed by another one."""
        if self._given is not None:
            return self._given
        if self._own is not None and self._own.status == "running":
            return self._own
        newest = None if self._arguments else open_runs.newest()
        if newest is not None:
            return newest
        self._own = Run(**self._arguments)
        return self._own

    def log_params(self, params: Mapping[Any, Any], prefix: str = "") -> None:
        """Log what of some params can be held: values of other types as texts, None and functions not at all.

        Args:
            params: Names and values.
            prefix: What their names begin with.
        """
        plain = {f"{prefix}{name}": _to_param(value) for name, value in params.items() if _is_param(value)}
        if plain:
            self.run.log_params(plain)

    def log_metrics(self, metrics: Mapping[str, Any], step: int | None = None) -> None:
        """Log what of some values are numbers.

        Args:
            metrics: Names and values.
            step: The step.
        """
        numbers = {name: number for name, value in metrics.items() if (number := to_metric(value)) is not None}
        if numbers:
            self.run.log_metrics(numbers, step=step)

    def end(self, status: EndStatus = "completed", message: str | None = None) -> None:
        """End the run, if it is one of its own.

        Args:
            status: How it ended.
            message: Why, when it did not complete.
        """
        own, self._own = self._own, None
        if own is not None:
            own.end(status, message)


def to_metric(value: Any) -> int | float | None:
    """Return a value as a number; None where it is none.

    Args:
        value: Anything.

    Example:
        >>> to_metric("0.5"), to_metric("00:12"), to_metric(True)
        (0.5, None, 1)
    """
    from gittrack.values import InvalidValueError, to_number

    try:
        return float(value) if isinstance(value, str) else to_number(value)
    except (InvalidValueError, ValueError):
        return None


def _is_param(value: Any) -> bool:
    return value is not None and not callable(value)


def _to_param(value: Any) -> Any:
    from gittrack.values import InvalidValueError, to_plain

    try:
        return to_plain(value)
    except InvalidValueError:
        return str(value)[:500]
