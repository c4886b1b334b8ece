"""How a run ended."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, get_args

from gittrack.experiments.format import Status

if TYPE_CHECKING:
    from gittrack.values import PlainValue


class Outcome(NamedTuple):
    """How a run ended.

    Attributes:
        status: ``completed``, ``failed`` or ``killed``.
        message: Why, when it did not complete.
        ended: When, UTC epoch seconds.
        exit_code: Of the command, when one was run.
        peak_memory_bytes: The largest resident size of the process.
    """

    status: Status
    message: str | None = None
    ended: float | None = None
    exit_code: int | None = None
    peak_memory_bytes: int | None = None


def parse_outcome(data: PlainValue) -> Outcome | None:
    """Return how a run ended, from what was written at its end; None when that says nothing."""
    if not isinstance(data, dict) or data.get("status") not in get_args(Status):
        return None
    kinds = {"status": str, "message": str, "ended": float, "exit_code": int, "peak_memory_bytes": int}
    known: dict[str, Any] = {key: data[key] for key, kind in kinds.items() if isinstance(data.get(key), kind)}
    return Outcome(**known)
