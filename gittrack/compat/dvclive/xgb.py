"""XGBoost's callback."""

from __future__ import annotations

from typing import Any
from warnings import warn

from xgboost.callback import TrainingCallback

from gittrack.compat.dvclive.live import Live


class DVCLiveCallback(TrainingCallback):
    """Log the metrics of every iteration, and end the logger with the training.

    Args:
        metric_data: Deprecated: the one evaluation set whose metrics are logged, without its name.
        live: The logger; a new one by default.
        kwargs: What a new one is made with.
    """

    def __init__(self, metric_data: str | None = None, live: Live | None = None, **kwargs: Any) -> None:
        super().__init__()
        if metric_data is not None:
            warn("`metric_data` is deprecated and will be removed", category=DeprecationWarning, stacklevel=2)
        self._metric_data = metric_data
        self.live = live if live is not None else Live(**kwargs)

    def after_iteration(self, model: Any, epoch: int, evals_log: Any) -> bool:  # noqa: ARG002  XGBoost's arguments
        """Log the last value of each metric."""
        if self._metric_data:
            evals_log = {"": evals_log[self._metric_data]}
        for data, metrics in evals_log.items():
            for name, values in metrics.items():
                value = values[-1][0] if isinstance(values[-1], tuple) else values[-1]
                self.live.log_metric(f"{data}/{name}" if data else name, value)
        self.live.next_step()
        return False

    def after_training(self, model: Any) -> Any:
        """End the logger."""
        self.live.end()
        return model
