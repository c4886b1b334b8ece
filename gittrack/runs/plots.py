"""Make the plots that a run logs: data in columns, the numbers that sum it up, and a figure."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from gittrack import curves, figures
from gittrack.columns import to_columns, to_list, to_numbers
from gittrack.figures import Labels
from gittrack.runs.plot_document import Plot
from gittrack.values import InvalidValueError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gittrack.columns import Columns
    from gittrack.curves import Floats

_DIAGONAL = [0.0, 1.0]
_N_AXES = 2


class InvalidPlotError(InvalidValueError):
    """No plot can be made of these values."""


def confusion_matrix(
    y_true: Any, y_pred: Any, *, labels: Any, normalize: curves.Normalization | None, title: str | None
) -> Plot:
    """Return a confusion matrix; see `gittrack.curves.confusion_matrix`."""
    matrix = curves.confusion_matrix(y_true, y_pred, labels=labels, normalize=normalize)
    names = [label if isinstance(label, str) else repr(label) for label in matrix.labels]
    cells = [(row, column, count) for row, counts in zip(names, matrix.counts, strict=True)
             for column, count in zip(names, counts, strict=True)]  # fmt: skip
    columns: Columns = dict(zip(("actual", "predicted", "count"), map(list, zip(*cells, strict=True)), strict=True))
    shown = Labels(title or "Confusion matrix", "predicted", "actual")
    values: dict[str, Any] = {"classes": len(names)}
    total = sum(map(sum, matrix.counts))
    if normalize is None and total:
        values["accuracy"] = sum(matrix.counts[place][place] for place in range(len(names))) / total
    return Plot("confusion_matrix", columns, figures.matrix_figure(matrix.counts, names, names, shown), values)


def roc_curve(y_true: Any, y_score: Any, *, title: str | None, options: Mapping[str, Any]) -> Plot:
    """Return a ROC curve; see `gittrack.curves.roc_curve`."""
    curve = curves.roc_curve(y_true, y_score, **options)
    fpr, tpr = _drawn(curve.fpr, curve.tpr)
    figure = figures.curve_figure(
        fpr,
        tpr,
        f"AUC {curve.auc:.4g}",
        Labels(title or "ROC curve", "false positive rate", "true positive rate"),
        (_DIAGONAL, _DIAGONAL, "no skill"),
    )
    columns = {"fpr": curve.fpr, "tpr": curve.tpr, "threshold": curve.thresholds}
    return Plot("roc", columns, figure, {"auc": curve.auc})


def precision_recall(y_true: Any, y_score: Any, *, title: str | None, options: Mapping[str, Any]) -> Plot:
    """Return precision over recall; see `gittrack.curves.precision_recall_curve`."""
    curve = curves.precision_recall_curve(y_true, y_score, **options)
    precision, recall = _drawn(curve.precision, curve.recall)
    figure = figures.curve_figure(
        recall,
        precision,
        f"AP {curve.average_precision:.4g}",
        Labels(title or "Precision and recall", "recall", "precision"),
        (_DIAGONAL, [curve.no_skill, curve.no_skill], "no skill"),
    )
    columns = {"precision": curve.precision, "recall": curve.recall, "threshold": curve.thresholds_of_points}
    values = {"average_precision": curve.average_precision, "no_skill": curve.no_skill}
    return Plot("precision_recall", columns, figure, values)


def det_curve(y_true: Any, y_score: Any, *, title: str | None, options: Mapping[str, Any]) -> Plot:
    """Return a DET curve; see `gittrack.curves.det_curve`."""
    curve = curves.det_curve(y_true, y_score, **options)
    labels = Labels(title or "Detection error trade-off", "false positive rate", "false negative rate")
    fpr, fnr = _drawn(curve.fpr, curve.fnr)
    figure = figures.line_figure({"DET": (fpr, fnr)}, labels)
    return Plot("det", {"fpr": curve.fpr, "fnr": curve.fnr, "threshold": curve.thresholds}, figure)


def calibration(
    y_true: Any, y_prob: Any, *, n_bins: int, strategy: curves.Strategy, pos_label: Any, title: str | None
) -> Plot:
    """Return a calibration curve; see `gittrack.curves.calibration_curve`."""
    curve = curves.calibration_curve(y_true, y_prob, n_bins=n_bins, strategy=strategy, pos_label=pos_label)
    prob_true, prob_pred = curve.prob_true.tolist(), curve.prob_pred.tolist()
    figure = figures.curve_figure(
        prob_pred,
        prob_true,
        "model",
        Labels(title or "Calibration", "mean predicted probability", "share of positives"),
        (_DIAGONAL, _DIAGONAL, "perfect"),
    )
    gaps = abs(curve.prob_true - curve.prob_pred)
    values = {"expected_calibration_error": float((gaps * curve.counts).sum() / curve.counts.sum())}
    columns = {"prob_true": prob_true, "prob_pred": prob_pred, "count": curve.counts.tolist()}
    return Plot("calibration", columns, figure, values)


def datapoints(data: Any, x: Any, y: Any, *, template: str, labels: Labels) -> Plot:
    """Return datapoints with a figure of one of `gittrack.figures.TEMPLATES`.

    Raises:
        InvalidPlotError: There is no such template or column, or there are no datapoints.
        InvalidValueError: The datapoints are of a wrong type.
    """
    if template not in figures.TEMPLATES:
        raise InvalidPlotError(f"unknown template {template!r}", hint=f"use one of {', '.join(figures.TEMPLATES)}")
    columns = to_columns(data)
    if not columns or not next(iter(columns.values())):
        raise InvalidPlotError("there are no datapoints")
    ys = [y] if isinstance(y, (str, int)) else list(y) if isinstance(y, (list, tuple)) else []
    if not ys:
        raise InvalidPlotError(f"'y' must be the name of a column or a list of them, not {y!r:.60}")
    for name in (x, *ys):
        if str(name) not in columns:
            raise InvalidPlotError(f"there is no column {name!r}", hint=f"the columns are {', '.join(columns)[:200]}")
    names = [str(name) for name in ys]
    shown = labels._replace(x=labels.x or str(x), y=labels.y or (names[0] if len(names) == 1 else None))
    figure = figures.points_figure(columns, str(x), names, template, shown)
    return Plot(template, columns, figure)


def line(x: Any, y: Any, labels: Labels) -> Plot:
    """Return one line, or several where `y` is a mapping of names."""
    lines = {str(name): values for name, values in y.items()} if isinstance(y, Mapping) else {"y": y}
    columns: dict[str, list[Any]] = {name: to_numbers(values, f"'{name}'") for name, values in lines.items()}
    if not columns:
        raise InvalidPlotError("there are no lines")
    if "x" in columns:
        raise InvalidPlotError("no line can be called 'x'")
    xs = to_list(x, "'x'") if x is not None else list(range(len(next(iter(columns.values())))))
    _check_lengths({"x": xs, **columns})
    figure = figures.line_figure({name: (xs, values) for name, values in columns.items()}, labels)
    return Plot("line", {"x": xs, **columns}, figure)


def scatter(axes: Mapping[str, Any], *, color: Any, text: Any, labels: Labels) -> Plot:
    """Return points in a plane or in space."""
    columns: dict[str, list[Any]] = {
        axis: to_numbers(values, f"'{axis}'") for axis, values in axes.items() if values is not None
    }
    columns |= {
        name: to_list(values, f"'{name}'") for name, values in (("color", color), ("text", text)) if values is not None
    }
    _check_lengths(columns)
    return Plot("scatter", columns, figures.scatter_figure(columns, labels))


def surface(z: Any, x: Any, y: Any, labels: Labels) -> Plot:
    """Return a surface over a grid."""
    rows = [to_numbers(row, "a row of 'z'") for row in to_rows(z)]
    xs, ys = (None if axis is None else to_numbers(axis, f"'{name}'") for name, axis in (("x", x), ("y", y)))
    if len({len(row) for row in rows}) != 1 or not rows[0]:
        raise InvalidPlotError("'z' must have rows of one length, and not be empty")
    if (xs is not None and len(xs) != len(rows[0])) or (ys is not None and len(ys) != len(rows)):
        raise InvalidPlotError("'x' must have a value for each column of 'z', and 'y' one for each row")
    columns: dict[str, list[Any]] = {str(number): list(values) for number, values in enumerate(zip(*rows, strict=True))}
    return Plot("surface", columns, figures.surface_figure(rows, xs, ys, labels))


# By how many numbers an arrow has: what they are, and which axes begin at the origin.
_ARROW_AXES = {2: ("uv", "xy"), 3: ("uvw", "xyz"), 4: ("xyuv", ""), 6: ("xyzuvw", "")}


def vector(axes: Mapping[str, Any] | Sequence[Any], labels: Labels) -> Plot:
    """Return arrows in a plane or in space; numbers alone are bars, one for each place of the vector."""
    plain = axes.tolist() if hasattr(axes, "tolist") else axes
    if isinstance(plain, (list, tuple)) and plain and not any(isinstance(one, (list, tuple)) for one in plain):
        numbers = to_numbers(plain, "the vector")
        columns: dict[str, Any] = {"place": list(range(len(numbers))), "value": numbers}
        return datapoints(columns, "place", "value", template="bar", labels=labels)
    named = plain if isinstance(plain, Mapping) else _arrow_axes(plain)
    given = {axis: values for axis, values in named.items() if values is not None}
    if not {"x", "y", "u", "v"} <= given.keys() or ("z" in given) != ("w" in given):
        raise InvalidPlotError("arrows need x, y, u and v; in space also z and w")
    numbers_of = {axis: to_numbers(values, f"'{axis}'") for axis, values in given.items()}
    _check_lengths(numbers_of)
    return Plot("vector", numbers_of, figures.vector_figure(numbers_of, labels))


def _arrow_axes(arrows: Any) -> dict[str, list[Any]]:
    """Return the axes of arrows that are listed one by one; those without a place of their own begin at the origin."""
    if not isinstance(arrows, (list, tuple)):
        raise InvalidPlotError(f"arrows must be a mapping of axes or a sequence, not {type(arrows).__name__}")
    lengths = {len(one) if isinstance(one, (list, tuple)) else 0 for one in arrows}
    axes = _ARROW_AXES.get(lengths.pop()) if len(lengths) == 1 else None
    if axes is None:
        raise InvalidPlotError("arrows need 2 or 4 numbers each, in space 3 or 6, all as many")
    named = dict(zip(axes[0], map(list, zip(*arrows, strict=True)), strict=True))
    return {**dict.fromkeys(axes[1], [0.0] * len(arrows)), **named}


def histogram(values: Any, bins: int, edges: Any, labels: Labels) -> Plot:
    """Return how many values fall between edges; or given counts, where there are edges."""
    numbers = to_numbers(values, "values")
    if edges is not None:
        counts, borders = numbers, to_numbers(edges, "edges")
        if len(borders) != len(counts) + 1:
            raise InvalidPlotError(f"{len(counts)} counts need {len(counts) + 1} edges, not {len(borders)}")
        summary: dict[str, Any] = {"count": sum(counts)}
    else:
        counts, borders, summary = _count(numbers, bins)
    if any(low >= high for low, high in pairwise(borders)):
        raise InvalidPlotError("the edges must rise")
    columns: dict[str, list[Any]] = {"low": borders[:-1], "high": borders[1:], "count": counts}
    return Plot("histogram", columns, figures.histogram_figure(borders, counts, labels), summary)


def table(data: Any, names: Sequence[str] | None, title: str | None) -> Plot:
    """Return a table."""
    columns = to_columns(data, names)
    n_rows = len(next(iter(columns.values()), []))
    values = {"rows": n_rows, "columns": len(columns)}
    return Plot("table", columns, figures.table_figure(columns, Labels(title)), values)


def to_rows(matrix: Any) -> list[Any]:
    """Return the rows of a matrix.

    Raises:
        InvalidPlotError: It is none.
    """
    rows = matrix.tolist() if hasattr(matrix, "tolist") else matrix
    if not isinstance(rows, (list, tuple)) or not all(hasattr(row, "__len__") for row in rows) or not rows:
        raise InvalidPlotError(f"'z' must be a matrix with rows, not {type(matrix).__name__}")
    return list(rows)


def _drawn(*axes: Floats) -> list[list[float]]:
    """Return the points of a curve that are drawn."""
    places = list(figures.drawn_places(len(axes[0])))
    return [axis[places].tolist() for axis in axes]


def _count(numbers: list[int | float], bins: int) -> tuple[list[int | float], list[int | float], dict[str, Any]]:
    """Count numbers in bins of one width, as numpy does; what is not finite is told apart."""
    if isinstance(bins, bool) or not isinstance(bins, int) or bins < 1:
        raise InvalidPlotError(f"'bins' must be an integer of 1 or more, not {bins!r:.60}")
    finite = [number for number in numbers if number - number == 0]
    if not finite:
        raise InvalidPlotError("there are no values to count" if not numbers else "no value is finite")
    low, high = min(finite), max(finite)
    if low == high:
        low, high = low - 0.5, high + 0.5
    borders: list[int | float] = [low + (high - low) * place / bins for place in range(bins)] + [high]
    counts: list[int | float] = [0] * bins
    for number in finite:
        counts[min(bisect_right(borders, number) - 1, bins - 1)] += 1
    mean = sum(finite) / len(finite)
    summary = {"count": len(finite), "min": min(finite), "max": max(finite), "mean": mean}
    if len(finite) < len(numbers):
        summary["not_finite"] = len(numbers) - len(finite)
    return counts, borders, summary


def _check_lengths(columns: Mapping[str, Sequence[Any]]) -> None:
    lengths = {name: len(values) for name, values in columns.items()}
    if len(set(lengths.values())) > 1:
        raise InvalidPlotError(
            f"different lengths: {', '.join(f'{name} {length}' for name, length in lengths.items())}"
        )
    if not max(lengths.values(), default=0):
        raise InvalidPlotError("there is nothing to plot: all lists are empty")
