"""Keras: ``model.fit(..., callbacks=[GittrackCallback()])``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from keras.callbacks import Callback

from gittrack.integrations.target import Target

if TYPE_CHECKING:
    from gittrack.runs.run import Run


class GittrackCallback(Callback):
    """Log the optimizer's and the fit's params, and the metrics of every epoch: ``train/loss``, ``val/loss``.

    Args:
        run: The run to log to; see `gittrack.integrations`.
        run_arguments: What a run of its own is made with.
    """

    def __init__(self, run: Run | None = None, **run_arguments: Any) -> None:
        super().__init__()
        self._target = Target(run, run_arguments)

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:  # noqa: ARG002  Keras' arguments
        """Log params."""
        optimizer = getattr(self.model, "optimizer", None)
        if optimizer is not None:
            self._target.log_params(optimizer.get_config(), prefix="optimizer.")
        self._target.log_params({**self.params, "n_weights": self.model.count_params()})

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Log metrics."""
        values = {
            f"val/{name[4:]}" if name.startswith("val_") else f"train/{name}": value
            for name, value in (logs or {}).items()
        }
        self._target.log_metrics(values, step=epoch)

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:  # noqa: ARG002
        """End a run of its own."""
        self._target.end()
