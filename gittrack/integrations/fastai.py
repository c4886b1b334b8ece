"""fastai: ``Learner(..., cbs=GittrackCallback())``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastai.callback.core import Callback

from gittrack.integrations.target import Target

if TYPE_CHECKING:
    from gittrack.runs.run import Run


class GittrackCallback(Callback):
    """Log params, the loss of every batch and the metrics of every epoch: ``train/loss``, ``valid/loss``.

    Args:
        run: The run to log to; see `gittrack.integrations`.
        run_arguments: What a run of its own is made with.
    """

    order = 60  # after the recorder

    def __init__(self, run: Run | None = None, **run_arguments: Any) -> None:
        super().__init__()
        self._target = Target(run, run_arguments)
        self._n_batches = 0
        self._n_epochs = 0

    def before_fit(self) -> None:
        """Log what is trained, and how."""
        if not self._is_aside():
            named = {"model": type(self.learn.model).__name__, "n_epoch": self.learn.n_epoch, "lr": self.learn.lr}
            self._target.log_params({**named, "batch_size": getattr(self.dls, "bs", None)})

    def after_batch(self) -> None:
        """Log the loss of a batch."""
        if self.training and not self._is_aside():
            self._target.log_metrics({"batch/loss": self.learn.loss_grad.detach()}, step=self._n_batches)
            self._n_batches += 1

    def after_epoch(self) -> None:
        """Log metrics."""
        if self._is_aside():
            return
        values = dict(zip(self.recorder.metric_names, self.recorder.log, strict=False))
        values.pop("epoch", None)
        self._target.log_metrics({_place(name): value for name, value in values.items()}, step=self._n_epochs)
        self._n_epochs += 1

    def after_fit(self) -> None:
        """End a run of its own."""
        if not self._is_aside():
            self._target.end()

    def _is_aside(self) -> bool:
        """Say whether fastai looks for a learning rate, or predicts."""
        return hasattr(self.learn, "lr_finder") or hasattr(self, "gather_preds")


def _place(name: str) -> str:
    """Return a name with its split in front of a slash."""
    split, _, rest = name.partition("_")
    if rest and split in {"train", "valid"}:
        return f"{split}/{rest}"
    return name if name == "time" else f"valid/{name}"
