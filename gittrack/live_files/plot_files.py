"""Plots of datapoints, as bare lists of rows, and the curves that scikit-learn has names for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gittrack.live_files.errors import SKLEARN_KINDS, InvalidDataTypeError, InvalidPlotTypeError
from gittrack.live_files.layout import CUSTOM, SKLEARN, check_name
from gittrack.live_files.writing import render_json, without_odd_floats, write_text

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from gittrack.live_files.layout import Layout

# title, label of x, label of y, column of x, column of y
_DEFAULTS = {
    "roc": ("Receiver operating characteristic (ROC)", "False Positive Rate", "True Positive Rate", "fpr", "tpr"),
    "precision_recall": ("Precision-Recall Curve", "Recall", "Precision", "recall", "precision"),
    "det": ("Detection error tradeoff (DET)", "False Positive Rate", "False Negative Rate", "fpr", "fnr"),
    "confusion_matrix": ("Confusion Matrix", "True Label", "Predicted Label", "actual", "predicted"),
    "calibration": (
        "Calibration Curve",
        "Mean Predicted Probability",
        "Fraction of Positives",
        "prob_pred",
        "prob_true",
    ),
}


class Plot:
    """A plot that was logged: its file, and how DVC shall draw it.

    Args:
        name: Its name.
        path: Its file.
        config: What ``dvc.yaml`` says of it.
        kind: One of `SKLEARN_KINDS`, or None for a plot of any datapoints.
    """

    def __init__(self, name: str, path: Path, config: Mapping[str, Any], kind: str | None = None) -> None:
        self.name = name
        self.path = path
        self.config = {key: value for key, value in config.items() if value is not None}
        self.kind = kind

    @property
    def plot_config(self) -> dict[str, Any]:
        """The same as `config`, by DVCLive's name."""
        return self.config

    @property
    def output_path(self) -> Path:
        """The same as `path`, by DVCLive's name."""
        return self.path

    def write(self, content: Any) -> None:
        """Write the file; NaN and infinities become texts, for JSON has no numbers for them.

        Raises:
            InvalidDataTypeError: Something has no form in JSON; the file stays as it was.
            OSError: The disk refuses.
        """
        try:
            text = render_json(without_odd_floats(content))
        except (TypeError, ValueError) as error:
            raise InvalidDataTypeError(self.name, error) from error
        write_text(self.path, text)


def make_plot(layout: Layout, name: str, config: Mapping[str, Any]) -> Plot:
    """Return a plot of any datapoints.

    Args:
        layout: Where its file goes.
        name: Its name.
        config: Template, columns of x and y, title and labels; None for what is not said.

    Raises:
        InvalidNameError: The name leads elsewhere.
    """
    name = check_name(name).replace(".json", "")
    order = ("template", "x", "y", "title", "x_label", "y_label")
    ordered = {key: config[key] or None if key == "template" else config[key] for key in order}
    return Plot(name, layout.plot(CUSTOM, check_name(name), ".json"), ordered)


def make_sklearn_plot(layout: Layout, kind: str, name: str, said: Mapping[str, Any]) -> Plot:
    """Return a plot of labels and predictions.

    Args:
        layout: Where its file goes.
        kind: One of `SKLEARN_KINDS`.
        name: Its name.
        said: ``title``, ``x_label``, ``y_label`` and ``normalized``, where they were given.

    Raises:
        InvalidPlotTypeError: There is no such kind.
        InvalidNameError: The name leads elsewhere.
    """
    if kind not in SKLEARN_KINDS:
        raise InvalidPlotTypeError(name)
    title, x_label, y_label, x, y = _DEFAULTS[kind]
    template = "simple"
    if kind == "confusion_matrix":
        template = "confusion_normalized" if said.get("normalized") else "confusion"
    config = {
        "template": template,
        "x": x,
        "y": y,
        "title": said.get("title", title),
        "x_label": said.get("x_label", x_label),
        "y_label": said.get("y_label", y_label),
    }
    name = check_name(name).replace(".json", "")
    return Plot(name, layout.plot(SKLEARN, name, ".json"), config, kind)


def to_datapoints(name: str, datapoints: Any) -> list[dict[Any, Any]]:
    """Return datapoints as rows.

    Args:
        name: The plot's name, for an error.
        datapoints: A list of rows, a DataFrame, or an array: structured, or with two dimensions.

    Raises:
        InvalidDataTypeError: They are something else.
    """
    kind = type(datapoints)
    if isinstance(datapoints, list):
        if all(isinstance(row, dict) for row in datapoints):
            return datapoints
    elif kind.__module__.split(".")[0] == "pandas" and hasattr(datapoints, "to_dict"):
        rows: list[dict[Any, Any]] = datapoints.to_dict(orient="records")
        return rows
    elif kind.__module__ == "numpy" and getattr(datapoints, "dtype", None) is not None:
        if datapoints.dtype.names is not None:
            return [dict(zip(datapoints.dtype.names, row, strict=True)) for row in datapoints]
        if datapoints.ndim > 1:
            return [dict(enumerate(row)) for row in datapoints]
    raise InvalidDataTypeError(name, kind)
