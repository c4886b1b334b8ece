"""fastai's callback."""

from __future__ import annotations

import inspect
from typing import Any

from fastai.callback.core import Callback

from gittrack.compat.dvclive.live import Live
from gittrack.compat.dvclive.utils import standardize_metric_name


def _inside_fine_tune() -> bool:
    """Say whether `learn.fine_tune` is at work, whose first fit is not the last."""
    functions = {frame.function for frame in inspect.stack(context=0)}
    return {"fine_tune", "fit_one_cycle"} <= functions


class DVCLiveCallback(Callback):
    """Log params before, metrics after every epoch, and end the logger with the training.

    Args:
        with_opt: Whether `SaveModelCallback` keeps the optimizer, too.
        live: The logger; a new one by default.
        kwargs: What a new one is made with.
    """

    def __init__(self, with_opt: bool = False, live: Live | None = None, **kwargs: Any) -> None:  # noqa: FBT001, FBT002
        super().__init__()
        self.with_opt = with_opt
        self.live = live if live is not None else Live(**kwargs)
        self.freeze_stage_ended = False

    def before_fit(self) -> None:
        """Log what is trained, and how."""
        if self._is_aside():
            return
        frozen = getattr(self.opt, "frozen_idx", -1)
        self.live.log_params(
            {
                "model": type(self.learn.model).__qualname__,
                "batch_size": getattr(self.dls, "bs", None),
                "batch_per_epoch": len(getattr(self.dls, "train", [])),
                "frozen": bool(frozen),
                "frozen_idx": frozen,
                "transforms": f"{getattr(self.dls, 'tfms', None)}",
            }
        )

    def after_epoch(self) -> None:
        """Log the metrics; an epoch that is only passed over when resuming has none."""
        if self._is_aside():
            return
        values = dict(zip(self.learn.recorder.metric_names, self.learn.recorder.log, strict=False))
        values.pop("epoch", None)
        for name, value in values.items():
            number = value if isinstance(value, str) else float(value)
            self.live.log_metric(standardize_metric_name(name, "dvclive.fastai"), _to_number(number))
        if values:
            self.live.next_step()

    def after_fit(self) -> None:
        """End the logger, unless `fine_tune` goes on."""
        if self._is_aside():
            return
        if _inside_fine_tune() and not self.freeze_stage_ended:
            self.freeze_stage_ended = True
            return
        if hasattr(self, "save_model") and self.save_model.last_saved_path:
            self.live.log_artifact(str(self.save_model.last_saved_path))
        self.live.end()

    def _is_aside(self) -> bool:
        """Say whether fastai looks for a learning rate, or predicts."""
        return hasattr(self, "lr_finder") or hasattr(self, "gather_preds")


def _to_number(value: Any) -> Any:
    try:
        return float(value)
    except ValueError:  # the time of an epoch, as a text
        return value
