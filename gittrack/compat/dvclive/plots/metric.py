"""A metric."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from gittrack.compat.dvclive.plots.base import Data
from gittrack.live_files import metric_files
from gittrack.live_files.layout import METRICS
from gittrack.live_files.writing import is_numpy_scalar

if TYPE_CHECKING:
    from pathlib import Path


class Metric(Data):
    """Values over steps, in a file with tabs."""

    subfolder = METRICS
    suffixes = (".csv", ".tsv")

    @staticmethod
    def could_log(val: object) -> bool:
        """Say whether a value is a number, a text, or a number of numpy's."""
        return isinstance(val, (int, float, str)) or is_numpy_scalar(val)

    @property
    def output_path(self) -> Path:
        """The file, whose folder is made."""
        return self._file(".tsv")

    @property
    def summary_keys(self) -> list[str]:
        """The parts of the name."""
        return list(metric_files.Metric(self.name, self._layout).keys)

    def dump(self, val: Any, **kwargs: Any) -> None:
        """Append a value; with ``timestamp=True`` and the time."""
        metric = metric_files.Metric(self.name, self._layout)
        metric.path = self.output_path
        has_time = bool(kwargs.get("timestamp"))
        point = metric_files.Point(metric, self.step, val, time.time(), has_time, is_plotted=True)
        metric_files.MetricFiles().flush([point])
