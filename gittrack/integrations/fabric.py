"""Lightning Fabric: ``Fabric(loggers=GittrackLogger())``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lightning.fabric.loggers.logger import Logger, rank_zero_experiment
from lightning.fabric.utilities.logger import _convert_params
from lightning.fabric.utilities.rank_zero import rank_zero_only

from gittrack.integrations.target import Target

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gittrack.runs.run import Run


class GittrackLogger(Logger):
    """Log params and metrics of the first rank.

    Args:
        run: The run to log to; see `gittrack.integrations`.
        run_arguments: What a run of its own is made with.
    """

    def __init__(self, run: Run | None = None, **run_arguments: Any) -> None:
        super().__init__()
        self._target = Target(run, run_arguments)

    @property
    def name(self) -> str:
        """What the logger is called."""
        return "gittrack"

    @property
    def version(self) -> str:
        """The experiment's name."""
        return self._target.run.name

    @property
    @rank_zero_experiment
    def experiment(self) -> Any:
        """The run."""
        return self._target.run

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, Any], step: int | None = None) -> None:
        """Log metrics."""
        self._target.log_metrics(metrics, step=step)

    @rank_zero_only
    def log_hyperparams(self, params: Any, *args: Any, **kwargs: Any) -> None:  # noqa: ARG002  Lightning's
        """Log params."""
        self._target.log_params(_convert_params(params))

    @rank_zero_only
    def finalize(self, status: str) -> None:
        """End a run of its own."""
        self._target.end("failed" if status == "failed" else "completed")
