"""The report of a logger."""

from __future__ import annotations

from typing import Any

BLANK_NOTEBOOK_REPORT = """
<div style="width: 100%;height: 700px;text-align: center">
DVCLive Report
</div>
"""


def make_report(live: Any) -> None:
    """Write the report of a logger."""
    live.make_report()
