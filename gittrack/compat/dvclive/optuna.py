"""Optuna's callback."""

from __future__ import annotations

from typing import Any

from gittrack.compat.dvclive.live import Live


class DVCLiveCallback:
    """Make one experiment of every trial, with its params and values.

    Args:
        metric_name: What to call the value; a list of names for several objectives.
        kwargs: What each logger is made with; the folder is ``dvclive-optuna`` by default.
    """

    def __init__(self, metric_name: str | list[str] = "metric", **kwargs: Any) -> None:
        kwargs.setdefault("dir", "dvclive-optuna")
        kwargs.pop("save_dvc_exp", None)
        self.metric_name = metric_name
        self.live_kwargs = kwargs

    def __call__(self, study: Any, trial: Any) -> None:  # noqa: ARG002  Optuna's arguments
        """Record a trial that has ended."""
        with Live(**self.live_kwargs) as live:
            if trial.values is not None:
                names = self._names(len(trial.values))
                live.summary.update(zip(names, trial.values, strict=True))
            live.log_params(trial.params)

    def _names(self, n_values: int) -> list[str]:
        """Return a name for each value.

        Raises:
            ValueError: There are more or fewer names.
        """
        if isinstance(self.metric_name, str):
            numbered = [f"{self.metric_name}_{number}" for number in range(n_values)]
            return numbered if n_values > 1 else [self.metric_name]
        if len(self.metric_name) != n_values:
            raise ValueError(
                f"Running multi-objective optimization with {n_values} objective values, but {len(self.metric_name)} "
                "names specified. Match objective values and names, or use default broadcasting."
            )
        return list(self.metric_name)
