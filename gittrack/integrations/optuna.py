"""Optuna: ``study.optimize(..., callbacks=[GittrackCallback()])``."""

from __future__ import annotations

from typing import Any

from gittrack.api import Run


class GittrackCallback:
    """Record every trial as an experiment: params, values, what it reported on the way, state; the study is the group.

    Args:
        metric_names: What to call the values; those that the study has, else ``value``, or ``value_0`` and so on.
        run_arguments: What each run is made with.
    """

    def __init__(self, metric_names: str | list[str] | None = None, **run_arguments: Any) -> None:
        self._names = [metric_names] if isinstance(metric_names, str) else metric_names
        self._arguments = run_arguments

    def __call__(self, study: Any, trial: Any) -> None:
        """Record a trial that has ended."""
        arguments = {"group": study.study_name, "quiet": True, **self._arguments}
        run = Run(**arguments)
        run.set_tags({"trial": trial.number, "state": trial.state.name, **trial.user_attrs})
        if trial.params:
            run.log_params(trial.params)
        for step, value in sorted(trial.intermediate_values.items()):
            run.log_metric("intermediate", value, step=step)
        values = trial.values or []
        if values:
            run.log_metrics(dict(zip(self._names_of(study, len(values)), values, strict=True)))
        run.end("failed" if trial.state.name == "FAIL" else "completed", trial.system_attrs.get("fail_reason"))

    def _names_of(self, study: Any, n_values: int) -> list[str]:
        names = self._names or study.metric_names
        if names is not None and len(names) == n_values:
            return list(names)
        return ["value"] if n_values == 1 else [f"value_{number}" for number in range(n_values)]
