"""The plots that scikit-learn has names for."""

from __future__ import annotations

from typing import Any

from gittrack.compat.dvclive.plots.custom import CustomPlot
from gittrack.live_files.curve_files import curve_content
from gittrack.live_files.layout import SKLEARN
from gittrack.live_files.plot_files import Plot, make_sklearn_plot

_PAIR = 2


class SKLearnPlot(CustomPlot):
    """A plot of labels and predictions.

    Args:
        name: Its name.
        output_folder: The folder of all plots.
        said: ``title``, ``x_label``, ``y_label`` and ``normalized``, where they differ from what is usual.
    """

    subfolder = SKLEARN
    kind = ""

    def __init__(self, name: str, output_folder: Any, **said: Any) -> None:
        config = make_sklearn_plot(self._layout_of(output_folder), self.kind, name, said).config
        super().__init__(name, output_folder, **config)

    @staticmethod
    def could_log(val: object) -> bool:
        """Say whether a value is a pair."""
        return isinstance(val, tuple) and len(val) == _PAIR

    def dump(self, val: Any, **kwargs: Any) -> None:
        """Write the plot of labels and predictions."""
        Plot(self.name, self.output_path, {}).write(curve_content(self.kind, val[0], val[1], kwargs))

    @staticmethod
    def _layout_of(output_folder: Any) -> Any:
        from gittrack.live_files.layout import Layout

        return Layout(str(output_folder))


class Roc(SKLearnPlot):
    """A receiver operating characteristic."""

    kind = "roc"


class PrecisionRecall(SKLearnPlot):
    """Precision over recall."""

    kind = "precision_recall"


class Det(SKLearnPlot):
    """A detection error trade-off."""

    kind = "det"


class ConfusionMatrix(SKLearnPlot):
    """A confusion matrix."""

    kind = "confusion_matrix"


class Calibration(SKLearnPlot):
    """A calibration curve."""

    kind = "calibration"
