"""What a `Live` draws as plots of its run, made as `gittrack.Run` makes them, so all that shows those shows these.

Nothing here may fail for what DVCLive's files can hold: what no figure can be drawn of is a table.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gittrack.values import InvalidValueError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gittrack.runs.plot_document import Plot

_CALIBRATION = {"n_bins": 5, "strategy": "uniform", "pos_label": None}


def curve_plot(kind: str, labels: Any, predictions: Any, options: Mapping[str, Any], config: Mapping[str, Any]) -> Plot:
    """Return the plot of labels and predictions.

    Args:
        kind: ``calibration``, ``confusion_matrix``, ``det``, ``precision_recall`` or ``roc``.
        labels: The true labels.
        predictions: Predicted labels or scores.
        options: What scikit-learn's function of that name takes beside them.
        config: What ``dvc.yaml`` says of it: the texts, and the template.

    Raises:
        InvalidValueError: The labels or predictions make no such plot.
    """
    from gittrack.runs import plots

    title = config.get("title")
    if kind == "confusion_matrix":
        # DVC's template divides by the sum of the vertical axis, which has the predictions.
        normalize: Any = "pred" if config.get("template") == "confusion_normalized" else None
        plot = plots.confusion_matrix(labels, predictions, labels=None, normalize=normalize, title=title)
    elif kind == "calibration":
        plot = plots.calibration(labels, predictions, title=title, **{**_CALIBRATION, **options})
    elif kind == "roc":
        plot = plots.roc_curve(labels, predictions, title=title, options=options)
    elif kind == "det":
        plot = plots.det_curve(labels, predictions, title=title, options=options)
    else:
        plot = plots.precision_recall(labels, predictions, title=title, options=options)
    return plot if kind == "confusion_matrix" else _with_labels(plot, config)


def points_plot(rows: list[dict[Any, Any]], config: Mapping[str, Any]) -> Plot:
    """Return the plot of datapoints; a template that only DVC knows is drawn as lines.

    Args:
        rows: The datapoints.
        config: What ``dvc.yaml`` says of it: the template, the columns and the texts.

    Raises:
        InvalidValueError: A value has no plain form.
    """
    from gittrack.figures import TEMPLATES, Labels
    from gittrack.runs import plots

    template = config.get("template") if config.get("template") in TEMPLATES else "linear"
    labels = Labels(config.get("title"), config.get("x_label"), config.get("y_label"))
    try:
        return plots.datapoints(rows, config.get("x"), config.get("y"), template=str(template), labels=labels)
    except InvalidValueError:
        return plots.table(rows, None, labels.title)


def _with_labels(plot: Plot, config: Mapping[str, Any]) -> Plot:
    """Return a plot with the labels of the axes that DVC shows."""
    layout = dict(plot.figure["layout"])
    for axis, key in (("xaxis", "x_label"), ("yaxis", "y_label")):
        layout[axis] = {**layout.get(axis, {}), "title": {"text": config.get(key)}}
    return plot._replace(figure={**plot.figure, "layout": layout})
