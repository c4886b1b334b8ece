"""LightGBM: ``lightgbm.train(..., callbacks=[GittrackCallback()])``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gittrack.integrations.target import Target

if TYPE_CHECKING:
    from gittrack.runs.run import Run


class GittrackCallback:
    """Log params once and the metrics of every iteration as ``<evaluation set>/<metric>``.

    A run of its own ends with the last iteration; one that early stopping cuts short ends by `end`, or with
    the process.

    Args:
        run: The run to log to; see `gittrack.integrations`.
        run_arguments: What a run of its own is made with.
    """

    order = 25  # after early stopping has looked, so that its best iteration is known
    before_iteration = False

    def __init__(self, run: Run | None = None, **run_arguments: Any) -> None:
        self._target = Target(run, run_arguments)

    def __call__(self, env: Any) -> None:
        """Log what LightGBM tells of an iteration."""
        if env.iteration == env.begin_iteration:
            self._target.log_params(env.params)
        results = env.evaluation_result_list or []
        values = {f"{data}/{name}": value for data, name, value, *_ in results}
        self._target.log_metrics(values, step=env.iteration)
        if env.iteration == env.end_iteration - 1:
            self.end()

    def end(self) -> None:
        """End a run of its own."""
        self._target.end()
