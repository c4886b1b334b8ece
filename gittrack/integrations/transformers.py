"""Hugging Face transformers: ``Trainer(..., callbacks=[GittrackCallback()])``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from transformers import TrainerCallback

from gittrack.integrations.target import Target

if TYPE_CHECKING:
    from gittrack.runs.run import Run


class GittrackCallback(TrainerCallback):
    """Log the arguments, the model's configuration, and metrics: ``train/loss``, ``eval/loss``.

    Args:
        run: The run to log to; see `gittrack.integrations`.
        log_model: Whether to log the best checkpoint, or the last, at the end.
        run_arguments: What a run of its own is made with.
    """

    def __init__(self, run: Run | None = None, *, log_model: bool = False, **run_arguments: Any) -> None:
        super().__init__()
        self._target = Target(run, run_arguments)
        self._log_model = log_model

    def on_train_begin(self, args: Any, state: Any, control: Any, model: Any = None, **kwargs: Any) -> None:  # noqa: ARG002
        """Log params."""
        if not state.is_world_process_zero:
            return
        self._target.log_params(args.to_sanitized_dict())
        if hasattr(model, "config"):
            self._target.log_params(model.config.to_diff_dict(), prefix="model.")

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **kwargs: Any) -> None:  # noqa: ARG002
        """Log metrics."""
        if state.is_world_process_zero and logs:
            self._target.log_metrics({_place(name): value for name, value in logs.items()}, step=state.global_step)

    def on_train_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:  # noqa: ARG002
        """Log the checkpoint, and end a run of its own."""
        if not state.is_world_process_zero:
            return
        if self._log_model:
            from transformers.trainer_utils import get_last_checkpoint

            folder = state.best_model_checkpoint or get_last_checkpoint(args.output_dir)
            if folder is not None:
                self._target.run.log_artifact(folder, type="model", copy=True)
        self._target.end()


def _place(name: str) -> str:
    """Return a name with its split in front of a slash; ``train_loss`` and its kin are of the training as a whole."""
    split, _, rest = name.partition("_")
    places = {"eval": "eval", "test": "test", "train": "total"}
    return f"{places[split]}/{rest}" if rest and split in places else f"train/{name}"
