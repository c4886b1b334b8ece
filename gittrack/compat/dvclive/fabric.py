"""The logger of Lightning Fabric."""

from __future__ import annotations

from argparse import Namespace
from typing import TYPE_CHECKING, Any

try:
    from lightning.fabric.loggers.logger import Logger, rank_zero_experiment
    from lightning.fabric.utilities.logger import _add_prefix, _convert_params, _sanitize_callable_params
    from lightning.fabric.utilities.rank_zero import rank_zero_only
except ImportError:
    from lightning_fabric.loggers.logger import Logger, rank_zero_experiment
    from lightning_fabric.utilities.logger import _add_prefix, _convert_params, _sanitize_callable_params
    from lightning_fabric.utilities.rank_zero import rank_zero_only

from torch import is_tensor

from gittrack.compat.dvclive.plots import Metric
from gittrack.compat.dvclive.utils import standardize_metric_name

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gittrack.compat.dvclive.live import Live


class DVCLiveLogger(Logger):
    """Log metrics and params of the first rank.

    Args:
        run_name: What the logger's version is.
        prefix: What the names of metrics begin with.
        experiment: The logger behind it; a new one by default, when it is needed.
        kwargs: What a new one is made with.
    """

    LOGGER_JOIN_CHAR = "/"

    def __init__(
        self, run_name: str | None = None, prefix: str = "", experiment: Live | None = None, **kwargs: Any
    ) -> None:
        super().__init__()
        self._version = run_name
        self._prefix = prefix
        self._experiment = experiment
        self._kwargs = kwargs

    @property
    def name(self) -> str:
        """What the logger is called."""
        return "DvcLiveLogger"

    @property
    def version(self) -> int | str:
        """The name of the run."""
        self._version = self._version or ""
        return self._version

    @property
    @rank_zero_experiment
    def experiment(self) -> Any:
        """The logger behind it."""
        if self._experiment is None:
            from gittrack.compat.dvclive import Live

            self._experiment = Live(**self._kwargs)
        return self._experiment

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, Any], step: int | None = None, sync: bool | None = True) -> None:  # noqa: FBT001, FBT002
        """Log metrics at a step; the next one by default.

        Raises:
            ValueError: One is no number.
        """
        self.experiment.step = self.experiment.step + 1 if step is None else step
        for name, value in _add_prefix(metrics, self._prefix, self.LOGGER_JOIN_CHAR).items():
            number = value.cpu().detach().item() if is_tensor(value) else value
            if not Metric.could_log(number):
                raise ValueError(f"\n you tried to log {number} which is currently not supported. Try a scalar/tensor.")
            self.experiment.log_metric(standardize_metric_name(name, "dvclive.fabric"), number)
        if sync:
            self.experiment.sync()

    @rank_zero_only
    def log_hyperparams(self, params: Any) -> None:
        """Log params."""
        self.experiment.log_params(self._sanitize_params(_sanitize_callable_params(_convert_params(params))))

    @rank_zero_only
    def finalize(self, status: str) -> None:  # noqa: ARG002  Lightning's
        """End the logger behind it."""
        if self._experiment is not None:
            self.experiment.end()

    @staticmethod
    def _sanitize_params(params: Any) -> dict[str, Any]:
        """Return params with arrays and namespaces as texts."""
        return {
            key: str(value) if getattr(value, "ndim", 0) > 1 or isinstance(value, Namespace) else value
            for key, value in params.items()
        }

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_experiment": None}
