"""Ultralytics: ``add_callbacks(model)`` before ``model.train(...)``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from gittrack.integrations.target import Target

if TYPE_CHECKING:
    from collections.abc import Callable

    from gittrack.runs.run import Run


def add_callbacks(model: Any, run: Run | None = None, *, log_model: bool = True, **run_arguments: Any) -> Target:
    """Log arguments, losses, metrics and learning rates of every epoch, and the best weights.

    Args:
        model: The model, before its training.
        run: The run to log to; see `gittrack.integrations`.
        log_model: Whether to log the best weights, or the last, at the end.
        run_arguments: What a run of its own is made with.

    Returns:
        What is logged to; its ``run`` is the run.
    """
    target = Target(run, run_arguments)
    for event, function in make_callbacks(target, log_model=log_model).items():
        model.add_callback(event, function)
    return target


def make_callbacks(target: Target, *, log_model: bool = True) -> dict[str, Callable[[Any], None]]:
    """Return functions by the event that they belong to.

    Args:
        target: Where to log.
        log_model: As for `add_callbacks`.
    """

    def on_train_start(trainer: Any) -> None:
        target.log_params(vars(trainer.args))

    def on_fit_epoch_end(trainer: Any) -> None:
        losses = trainer.label_loss_items(trainer.tloss, prefix="train")
        values = {**losses, **trainer.metrics, **trainer.lr}
        target.log_metrics({name.replace("(B)", ""): value for name, value in values.items()}, step=trainer.epoch)

    def on_train_end(trainer: Any) -> None:
        weights = [path for path in (trainer.best, trainer.last) if Path(path).exists()]
        if log_model and weights:
            target.run.log_artifact(weights[0], type="model", copy=True)
        target.end()

    return {
        "on_train_start": on_train_start, "on_fit_epoch_end": on_fit_epoch_end, "on_train_end": on_train_end
    }  # fmt: skip
