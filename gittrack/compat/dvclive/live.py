"""DVCLive's logger."""

from __future__ import annotations

import logging
import os
import time
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, Union

from gittrack.api_logger import Live as _Live
from gittrack.compat.dvclive import env
from gittrack.compat.dvclive.dvc import _find_dvc_root as find_dvc_root
from gittrack.compat.dvclive.dvc import find_overlapping_stage, get_dvc_repo, get_exp_name, make_dvcyaml
from gittrack.compat.dvclive.vscode import (
    cleanup_dvclive_step_completed,
    mark_dvclive_only_ended,
    mark_dvclive_only_started,
    mark_dvclive_step_completed,
)
from gittrack.errors import GittrackError
from gittrack.experiments.names import generate_name
from gittrack.live_files.errors import InvalidDataTypeError

if TYPE_CHECKING:
    from collections.abc import Callable

    from gittrack.runs.open_runs import EndStatus

logger = logging.getLogger("dvclive")
logger.setLevel(os.environ.get(env.DVCLIVE_LOGLEVEL, "WARNING").upper())
if not logger.handlers:
    _handler = logging.StreamHandler()
    _handler.setFormatter(logging.Formatter("%(levelname)s:%(name)s:%(message)s"))
    logger.addHandler(_handler)

ParamLike = Union[int, float, str, bool, list["ParamLike"], dict[str, "ParamLike"]]  # noqa: UP007  names itself
NULL_SHA = "0" * 40
_SIGNAL_INTERVAL_S = 1.0


class Live(_Live):
    """`gittrack.Live` with DVCLive's logger, its signals to an editor, and its patience with artifacts."""

    _log_warning = staticmethod(logger.warning)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._dvc_repo = get_dvc_repo()
        self._inside_dvc_exp = bool(os.environ.get(env.DVC_ROOT) and os.environ.get(env.DVC_EXP_BASELINE_REV))
        self._has_dvc = bool(os.environ.get(env.DVC_ROOT)) or find_dvc_root() is not None
        self._next_signal = 0.0
        self._is_debugged = logger.isEnabledFor(logging.DEBUG)
        self._made_up_name: str | None = None
        if self._step:
            _say(logger.info, f"Resuming from step {self._step - 1}")
        stage = find_overlapping_stage(None, self.dvc_file) if self._dvcyaml and self._has_dvc else None
        if stage is not None:
            _say(
                logger.warning,
                f"'{self.dvc_file}' is in outputs of stage '{stage.addressing}'."
                "\nRemove it from outputs to make DVCLive work as expected.",
            )
        if self._recording.is_on:
            mark_dvclive_only_started(self._exp_name)

    __init__.__doc__ = _Live.__doc__

    @property
    def _exp_name(self) -> str:
        if self.exp_name is not None:
            return self.exp_name
        if self._made_up_name is None:  # nothing is recorded, and code that asks for a name is given one
            self._made_up_name = generate_name()
        return self._made_up_name

    @property
    def _dvc_file(self) -> str:
        return self.dvc_file

    @property
    def _inside_dvc_pipeline(self) -> bool:
        return self._surroundings.is_pipeline

    @property
    def _dir(self) -> str:
        return self.dir

    @property
    def _save_dvc_exp(self) -> bool:
        return self._recording.is_on

    @property
    def _baseline_rev(self) -> str:
        return self._recording.baseline or os.environ.get(env.DVC_EXP_BASELINE_REV) or NULL_SHA

    @property
    def _experiment_rev(self) -> str | None:
        return self._recording.commit

    def log_metric(self, name: str, val: Any, timestamp: bool = False, plot: bool = True) -> None:  # noqa: FBT001, FBT002
        """Log one value of a metric; see `gittrack.Live.log_metric`."""
        super().log_metric(name, val, timestamp, plot)
        if self._is_debugged:
            _say(logger.debug, f"Logged {name}: {val}")

    def log_artifact(self, path: Any, *args: Any, **kwargs: Any) -> None:
        """Log a file or folder; where that fails, say so and go on.

        Args:
            path: The file or folder.
            args: As for `gittrack.Live.log_artifact`.
            kwargs: The same.

        Raises:
            InvalidDataTypeError: The path is no path.
        """
        if not isinstance(path, (str, PurePath)):
            raise InvalidDataTypeError(path, type(path))
        try:
            super().log_artifact(path, *args, **kwargs)
        except (OSError, GittrackError) as error:
            logger.warning("Error in log_artifact: %s", error)
        if self._inside_dvc_pipeline and find_overlapping_stage(None, path) is None:
            _say(
                logger.warning,
                f"To track '{path}' automatically in the DVC pipeline, add it as an output of the pipeline stage.",
            )

    def log_sklearn_plot(self, kind: str, labels: Any, predictions: Any, *args: Any, **kwargs: Any) -> None:
        """Log a plot of labels and predictions; see `gittrack.Live.log_sklearn_plot`."""
        if kind == "confusion_matrix" and not len(labels):
            logger.warning("There are no labels for a confusion matrix.")
            return
        super().log_sklearn_plot(kind, labels, predictions, *args, **kwargs)

    def next_step(self) -> None:
        """Say that the step is complete, and go to the next."""
        step = self.step
        super().next_step()
        if self._is_debugged:
            _say(logger.debug, f"Step: {self.step}")
        if self._has_dvc and time.monotonic() >= self._next_signal:  # an editor looks no more often
            self._next_signal = time.monotonic() + _SIGNAL_INTERVAL_S
            mark_dvclive_step_completed(step)

    def _end(self, status: EndStatus, message: str | None) -> None:
        super()._end(status, message)
        mark_dvclive_only_ended()
        cleanup_dvclive_step_completed()

    def save_dvc_exp(self) -> None:
        """Record the experiment."""
        self.end()

    def post_data_to_studio(self) -> None:
        """Do nothing: a run that is told of a server posts by itself."""

    def _get_live_data(self) -> dict[str, Any]:
        """Return what is logged, as DVCLive sends it."""
        from gittrack.compat.dvclive.utils import parse_metrics

        plots, metrics = parse_metrics(self)
        return {
            "params": dict(self._params),
            "plots": plots,
            "plots_start_idx": dict.fromkeys(plots, 0),
            "metrics": metrics,
            "images": list(self._images),
            "step": self.step,
        }


def _say(tell: Callable[[str], object], message: str) -> None:
    """Tell a whole text, as DVCLive does: without arguments a logger takes percent signs for what they are."""
    tell(message)


__all__ = [
    "NULL_SHA",
    "Live",
    "ParamLike",
    "find_overlapping_stage",
    "get_dvc_repo",
    "get_exp_name",
    "logger",
    "make_dvcyaml",
]
