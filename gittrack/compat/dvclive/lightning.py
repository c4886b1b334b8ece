"""The logger of PyTorch Lightning."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

try:
    from lightning.pytorch.loggers.logger import Logger
    from lightning.pytorch.loggers.utilities import _scan_checkpoints
    from lightning.pytorch.utilities import rank_zero_only
except ImportError:
    from pytorch_lightning.loggers.logger import Logger
    from pytorch_lightning.loggers.utilities import _scan_checkpoints
    from pytorch_lightning.utilities import rank_zero_only

from gittrack.compat.dvclive.fabric import DVCLiveLogger as FabricDVCLiveLogger

if TYPE_CHECKING:
    from collections.abc import Mapping

_SYNCING = frozenset({"update_train_step_metrics", "update_train_epoch_metrics", "log_eval_end_metrics"})


def _should_sync() -> bool:
    """Say whether Lightning has logged all that belongs to a step."""
    return any(frame.function in _SYNCING for frame in inspect.stack(context=0))


class DVCLiveLogger(Logger, FabricDVCLiveLogger):
    """Log metrics, params and checkpoints of the first rank.

    Args:
        run_name: What the logger's version is.
        prefix: What the names of metrics begin with.
        log_model: True for the best checkpoint at the end, ``"all"`` for all of them.
        experiment: The logger behind it; a new one by default, when it is needed.
        kwargs: What a new one is made with.
    """

    def __init__(
        self,
        run_name: str | None = "dvclive_run",
        prefix: str = "",
        log_model: str | bool = False,  # noqa: FBT001, FBT002  the original's
        experiment: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(run_name=run_name, prefix=prefix, experiment=experiment, **kwargs)
        self._log_model = log_model
        self._logged_model_time: dict[str, float] = {}
        self._checkpoint_callback: Any = None
        self._all_checkpoint_paths: list[str] = []

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, Any], step: int | None = None, sync: bool | None = False) -> None:  # noqa: FBT001, FBT002
        """Log metrics at a step."""
        super().log_metrics(metrics, step, sync or _should_sync())

    def after_save_checkpoint(self, checkpoint_callback: Any) -> None:
        """Log checkpoints that were saved."""
        if self._log_model in {True, "all"}:
            self._checkpoint_callback = checkpoint_callback
            self._scan_checkpoints(checkpoint_callback)
        if self._log_model == "all" or (self._log_model is True and checkpoint_callback.save_top_k == -1):
            self._save_checkpoints(checkpoint_callback)

    @rank_zero_only
    def finalize(self, status: str) -> None:
        """Log the best checkpoint, and end the logger behind it."""
        if self._checkpoint_callback:
            self._scan_checkpoints(self._checkpoint_callback)
            self._save_checkpoints(self._checkpoint_callback)
            best = self._checkpoint_callback.best_model_path
            if best:
                self.experiment.log_artifact(best, name="best", type="model", copy=True)
        super().finalize(status)

    def _scan_checkpoints(self, checkpoint_callback: Any) -> None:
        for time, path, *_ in _scan_checkpoints(checkpoint_callback, self._logged_model_time):
            self._logged_model_time[path] = time
            self._all_checkpoint_paths.append(path)

    def _save_checkpoints(self, checkpoint_callback: Any) -> None:
        """Log the folder of checkpoints; what others put there stays (DVCLive deletes it)."""
        self.experiment.log_artifact(checkpoint_callback.dirpath)
