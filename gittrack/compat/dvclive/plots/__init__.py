"""DVCLive's kinds of data, each with its folder, its file and what can be logged as it."""

from __future__ import annotations

from gittrack.compat.dvclive.plots.custom import CustomPlot
from gittrack.compat.dvclive.plots.image import Image
from gittrack.compat.dvclive.plots.metric import Metric
from gittrack.compat.dvclive.plots.sklearn import Calibration, ConfusionMatrix, Det, PrecisionRecall, Roc
from gittrack.compat.dvclive.plots.utils import NumpyEncoder

SKLEARN_PLOTS = {
    "calibration": Calibration,
    "confusion_matrix": ConfusionMatrix,
    "det": Det,
    "precision_recall": PrecisionRecall,
    "roc": Roc,
}
PLOT_TYPES = (*SKLEARN_PLOTS.values(), Metric, Image, CustomPlot)

__all__ = [
    "PLOT_TYPES",
    "SKLEARN_PLOTS",
    "Calibration",
    "ConfusionMatrix",
    "CustomPlot",
    "Det",
    "Image",
    "Metric",
    "NumpyEncoder",
    "PrecisionRecall",
    "Roc",
]
