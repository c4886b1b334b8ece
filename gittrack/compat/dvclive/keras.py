"""Keras' callback."""

from __future__ import annotations

from typing import Any

try:
    from keras.callbacks import Callback
except ImportError:
    from tensorflow.keras.callbacks import Callback

from gittrack.compat.dvclive.live import Live
from gittrack.compat.dvclive.utils import standardize_metric_name


class DVCLiveCallback(Callback):
    """Log the metrics of every epoch, and end the logger with the training.

    Args:
        save_weights_only: Kept for its name alone.
        live: The logger; a new one by default.
        kwargs: What a new one is made with.
    """

    def __init__(
        self,
        save_weights_only: bool = False,  # noqa: FBT001, FBT002  the original's
        live: Live | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__()
        self.save_weights_only = save_weights_only
        self.live = live if live is not None else Live(**kwargs)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:  # noqa: ARG002  Keras' arguments
        """Log what Keras tells of an epoch."""
        for name, value in (logs or {}).items():
            self.live.log_metric(standardize_metric_name(name, "dvclive.keras"), value)
        self.live.next_step()

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:  # noqa: ARG002
        """End the logger."""
        self.live.end()
