"""XGBoost: ``xgboost.train(..., callbacks=[GittrackCallback()])``."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xgboost.callback import TrainingCallback

from gittrack.integrations.target import Target

if TYPE_CHECKING:
    from gittrack.runs.run import Run


class GittrackCallback(TrainingCallback):
    """Log the metrics of every round as ``<evaluation set>/<metric>``, and the best round.

    Args:
        run: The run to log to; see `gittrack.integrations`.
        log_model: Whether to log the trained model as an artifact.
        run_arguments: What a run of its own is made with.
    """

    def __init__(self, run: Run | None = None, *, log_model: bool = False, **run_arguments: Any) -> None:
        super().__init__()
        self._target = Target(run, run_arguments)
        self._log_model = log_model

    def log_params(self, params: Any) -> None:
        """Log the params of a training, which XGBoost tells no callback.

        Args:
            params: The mapping that ``xgboost.train`` is given.
        """
        self._target.log_params(dict(params))

    def after_iteration(self, model: Any, epoch: int, evals_log: Any) -> bool:  # noqa: ARG002  XGBoost's arguments
        """Log the last value of each metric."""
        values = {
            f"{data}/{name}": series[-1][0] if isinstance(series[-1], tuple) else series[-1]
            for data, metrics in evals_log.items()
            for name, series in metrics.items()
        }
        self._target.log_metrics(values, step=epoch)
        return False

    def after_training(self, model: Any) -> Any:
        """Log the best round and the model, and end a run of its own."""
        best = model.attributes()
        self._target.log_metrics({name: best[name] for name in ("best_iteration", "best_score") if name in best})
        if self._log_model:
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder, "model.ubj")
                model.save_model(path)
                self._target.run.log_artifact(path, type="model", copy=True)
        self._target.end()
        return model
