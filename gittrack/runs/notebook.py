"""What a notebook shows of a run, as HTML: no script, nothing loaded, nothing that a name could smuggle in."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from gittrack.values import format_number

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gittrack.runs.run import Run

_N_METRICS = 50


def render_run(run: Run) -> str:
    """Return a run as HTML.

    Args:
        run: The run.
    """
    about = [("status", run.status), ("step", str(run.step)), ("id", run.id), ("baseline", run.baseline)]
    about += [("commit", run.commit), ("description", run.description)]
    metrics = list(run.summary.items())
    values = [(name, format_number(value)) for name, value in metrics[:_N_METRICS]]
    if len(metrics) > _N_METRICS:
        values.append(("…", f"and {len(metrics) - _N_METRICS} more"))
    parts = [f"<strong>{escape(run.name)}</strong>", _table((key, text) for key, text in about if text)]
    if values:
        parts.append(_table(values))
    return f"<div>{''.join(parts)}</div>"


def _table(rows: Iterable[tuple[str, str]]) -> str:
    cells = (f"<tr><th>{escape(key)}</th><td>{escape(text)}</td></tr>" for key, text in rows)
    return f"<table>{''.join(cells)}</table>"
