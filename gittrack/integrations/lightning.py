"""PyTorch Lightning: ``Trainer(logger=GittrackLogger())``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lightning.pytorch.loggers.logger import Logger
from lightning.pytorch.utilities import rank_zero_only

from gittrack.integrations.fabric import GittrackLogger as FabricLogger

if TYPE_CHECKING:
    from gittrack.runs.run import Run


class GittrackLogger(Logger, FabricLogger):
    """Log params, metrics and, on demand, the best checkpoint of the first rank.

    Args:
        run: The run to log to; see `gittrack.integrations`.
        log_model: Whether to log the best checkpoint, or the last, at the end.
        run_arguments: What a run of its own is made with.
    """

    def __init__(self, run: Run | None = None, *, log_model: bool = False, **run_arguments: Any) -> None:
        super().__init__(run, **run_arguments)
        self._log_model = log_model
        self._checkpoint: Any = None

    def after_save_checkpoint(self, checkpoint_callback: Any) -> None:
        """Remember who keeps checkpoints."""
        self._checkpoint = checkpoint_callback

    @rank_zero_only
    def finalize(self, status: str) -> None:
        """Log the checkpoint, and end a run of its own."""
        if self._log_model and self._checkpoint is not None:
            path = self._checkpoint.best_model_path or self._checkpoint.last_model_path
            if path:
                self._target.run.log_artifact(path, type="model", name="best", copy=True)
        super().finalize(status)
