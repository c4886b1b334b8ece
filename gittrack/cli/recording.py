"""What the recording commands share: the process they record, and how they say what was recorded."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from gittrack.visible import sanitise

if TYPE_CHECKING:
    from collections.abc import Iterator, Sized

    from gittrack.cli.terminal import Terminal
    from gittrack.experiments.format import Record
    from gittrack.runs.capture import Captured
    from gittrack.runs.context import RunContext

_N_SHOWN = 4
_STATUS_STYLES = {"completed": "green", "failed": "red", "killed": "yellow"}


def current_context() -> RunContext:
    """Return this process as the recording layer wants to know it."""
    from gittrack.runs.context import RunContext

    return RunContext(dict(os.environ), tuple(sys.argv), Path.cwd())


def recorded_lines(record: Record, commit: str, terminal: Terminal) -> Iterator[str]:
    """Yield what to say of an experiment that was just recorded.

    Args:
        record: What it says.
        commit: Its commit.
        terminal: Where it is said.
    """
    meta = record.meta
    status = terminal.style(meta.status, _STATUS_STYLES.get(meta.status, "bold"))
    yield f"recorded {terminal.style(meta.name, 'bold')} ({commit[:8]}): {status}, {count_values(record)}"
    if meta.left_out:
        yield terminal.style(_left_out_line(record), "dim")
    for problem in meta.problems:
        yield f"{terminal.style('warning:', 'yellow')} {sanitise(problem)}"


def recorded_json(captured: Captured) -> str:
    """Return what programs want to know of an experiment that was just recorded, as one JSON object.

    Args:
        captured: The experiment.
    """
    from gittrack.cli.render_data import render_json

    record = captured.record
    answer = {
        "name": captured.experiment.name,
        "ref": captured.experiment.ref,
        "commit": captured.commit,
        "baseline": record.meta.baseline,
        "params": dict(record.params),
        "metrics": {name: summary.last for name, summary in record.metrics.items()},
        "left_out": [dict(item) for item in record.meta.left_out],
        "problems": list(record.meta.problems),
    }
    return render_json(answer, indent=1)


def count_values(record: Record) -> str:
    """Return how many params and metrics a record has, in words.

    Args:
        record: What an experiment says.
    """
    return f"{_count(record.params, 'param')}, {_count(record.metrics, 'metric')}"


def _count(values: Sized, noun: str) -> str:
    return f"{len(values)} {noun}{'' if len(values) == 1 else 's'}"


def _left_out_line(record: Record) -> str:
    items = [f"{sanitise(str(item.get('path')))} ({item.get('reason')})" for item in record.meta.left_out]
    more = f" and {len(items) - _N_SHOWN} more" if len(items) > _N_SHOWN else ""
    return f"left out: {', '.join(items[:_N_SHOWN])}{more}"
