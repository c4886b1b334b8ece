"""The content of the plots that scikit-learn has names for, from labels and predictions."""

from __future__ import annotations

from typing import Any

from gittrack import curves
from gittrack.errors import UsageError


def curve_content(kind: str, labels: Any, predictions: Any, options: dict[str, Any]) -> Any:
    """Return what the file of such a plot holds.

    Args:
        kind: ``calibration``, ``confusion_matrix``, ``det``, ``precision_recall`` or ``roc``.
        labels: The true labels.
        predictions: Predicted labels or scores.
        options: What scikit-learn's function of that name takes beside them.

    Raises:
        UsageError: There is no such option.
        InvalidValueError: The labels or predictions make no such plot.
    """
    if kind == "confusion_matrix":
        n_labels, n_predictions = len(labels), len(predictions)
        if n_labels != n_predictions or not n_labels:
            raise curves.CurveInputError(f"{n_labels} labels and {n_predictions} predictions make no confusion matrix")
        pairs = zip(labels, predictions, strict=True)
        return [{"actual": str(actual), "predicted": str(predicted)} for actual, predicted in pairs]
    try:
        if kind == "roc":
            roc = curves.roc_curve(labels, predictions, **options)
            return {kind: _rows(("fpr", "tpr", "threshold"), roc.fpr, roc.tpr, roc.thresholds)}
        if kind == "det":
            det = curves.det_curve(labels, predictions, **options)
            return {kind: _rows(("fpr", "fnr", "threshold"), det.fpr, det.fnr, det.thresholds)}
        if kind == "precision_recall":
            curve = curves.precision_recall_curve(labels, predictions, **options)
            columns = curve.precision[:-1], curve.recall[:-1], curve.thresholds
            return {kind: _rows(("precision", "recall", "threshold"), *columns)}
        bins = curves.calibration_curve(labels, predictions, **options)
        return {kind: _rows(("prob_true", "prob_pred"), bins.prob_true, bins.prob_pred)}
    except TypeError as error:
        raise UsageError(f"the {kind} plot cannot be made: {error}") from error


def _rows(names: tuple[str, ...], *columns: Any) -> list[dict[str, float]]:
    lists = [column.tolist() for column in columns]
    return [dict(zip(names, row, strict=True)) for row in zip(*lists, strict=True)]
