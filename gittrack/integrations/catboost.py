"""CatBoost: ``model.fit(..., callbacks=[GittrackCallback()])``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gittrack.integrations.target import Target

if TYPE_CHECKING:
    from gittrack.runs.run import Run


class GittrackCallback:
    """Log the metrics of every iteration as ``<data set>/<metric>``.

    CatBoost tells no callback that it is done: call `end`, which logs the model's params and best values, or use it in
    a ``with`` block of a run.

    Args:
        run: The run to log to; see `gittrack.integrations`.
        run_arguments: What a run of its own is made with.
    """

    def __init__(self, run: Run | None = None, **run_arguments: Any) -> None:
        self._target = Target(run, run_arguments)

    def after_iteration(self, info: Any) -> bool:
        """Log the last value of each metric, and let the training go on."""
        values = {
            f"{data}/{name}": series[-1] for data, metrics in info.metrics.items() for name, series in metrics.items()
        }
        self._target.log_metrics(values, step=info.iteration - 1)
        return True

    def end(self, model: Any = None) -> None:
        """Log what the trained model says of itself, and end a run of its own.

        Args:
            model: The model.
        """
        if model is not None:
            self._target.log_params(model.get_params())
            for data, best in model.get_best_score().items():
                self._target.log_metrics({f"best/{data}/{name}": value for name, value in best.items()})
        self._target.end()
