"""A plot of any datapoints."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gittrack.compat.dvclive.plots.base import Data
from gittrack.live_files.layout import CUSTOM
from gittrack.live_files.plot_files import Plot

if TYPE_CHECKING:
    from pathlib import Path


class CustomPlot(Data):
    """Rows, and how they are to be drawn.

    Args:
        name: Its name.
        output_folder: The folder of all plots.
        x: The column of the x axis.
        y: The column, or columns, of the y axis.
        template: One of DVC's templates.
        title: A title.
        x_label: A label for the x axis.
        y_label: A label for the y axis.
    """

    subfolder = CUSTOM
    suffixes = (".json",)

    def __init__(
        self,
        name: str,
        output_folder: Any,
        x: str,
        y: str | list[str],
        template: str | None,
        title: str | None = None,
        x_label: str | None = None,
        y_label: str | None = None,
    ) -> None:
        super().__init__(name, output_folder)
        self.name = self.name.replace(".json", "")
        config = {
            "template": template or None, "x": x, "y": y, "title": title, "x_label": x_label, "y_label": y_label
        }  # fmt: skip
        self.plot_config = {key: value for key, value in config.items() if value is not None}

    @property
    def output_path(self) -> Path:
        """The file, whose folder is made."""
        return self._file(".json")

    @staticmethod
    def could_log(val: object) -> bool:
        """Say whether a value is a list of rows."""
        return isinstance(val, list) and all(isinstance(row, dict) for row in val)

    def dump(self, val: Any, **kwargs: Any) -> None:  # noqa: ARG002  the original's
        """Write rows."""
        Plot(self.name, self.output_path, {}).write(val)
