"""LightGBM's callback."""

from __future__ import annotations

from typing import Any

from gittrack.compat.dvclive.live import Live


class DVCLiveCallback:
    """Log the metrics of every iteration; with several evaluation sets their names come first.

    Args:
        live: The logger; a new one by default.
        kwargs: What a new one is made with.
    """

    def __init__(self, live: Live | None = None, **kwargs: Any) -> None:
        self.live = live if live is not None else Live(**kwargs)

    def __call__(self, env: Any) -> None:
        """Log what LightGBM tells of an iteration."""
        results = env.evaluation_result_list or []
        for data, name, value, *_ in results:
            self.live.log_metric(f"{data}/{name}" if len(results) > 1 else name, value)
        self.live.next_step()
