"""The callback of Hugging Face's trainer that DVCLive has; `transformers.integrations` has a newer one."""

from __future__ import annotations

import os
from typing import Any

from transformers import TrainerCallback
from transformers.trainer import Trainer

from gittrack.compat.dvclive.live import Live, logger
from gittrack.compat.dvclive.utils import standardize_metric_name


class DVCLiveCallback(TrainerCallback):
    """Log arguments and metrics, and on demand checkpoints or the model.

    Args:
        live: The logger; a new one by default.
        log_model: True for the model at the end, ``"all"`` for every checkpoint.
        kwargs: What a new one is made with.
    """

    def __init__(self, live: Live | None = None, log_model: Any = None, **kwargs: Any) -> None:
        logger.warning(
            "This callback is deprecated and will be removed in DVCLive 4.0 in favor of"
            " `transformers.integrations.DVCLiveCallback` https://dvc.org/doc/dvclive/ml-frameworks/huggingface."
        )
        super().__init__()
        self._log_model = log_model
        self.live = live if live is not None else Live(**kwargs)

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:  # noqa: ARG002  the trainer's
        """Log the arguments."""
        self.live.log_params(args.to_dict())

    def on_log(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:  # noqa: ARG002
        """Log metrics."""
        for name, value in kwargs["logs"].items():
            self.live.log_metric(standardize_metric_name(name, "dvclive.huggingface"), value)
        self.live.next_step()

    def on_save(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:  # noqa: ARG002
        """Log the folder of checkpoints."""
        if self._log_model == "all" and state.is_world_process_zero:
            self.live.log_artifact(args.output_dir)

    def on_train_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:  # noqa: ARG002
        """Log the model, and end the logger."""
        if self._log_model is True and state.is_world_process_zero:
            name = "best" if args.load_best_model_at_end else "last"
            folder = os.path.join(args.output_dir, name)  # noqa: PTH118
            Trainer(args=args, model=kwargs.get("model"), eval_dataset=["fake"]).save_model(folder)
            self.live.log_artifact(folder, name=name, type="model", copy=True)
        self.live.end()
