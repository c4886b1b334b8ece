"""The curves of a classifier, from labels and scores: ROC, precision and recall, DET, calibration, confusion matrix.

The numbers are those of scikit-learn 1.7 and later (``sklearn.metrics``, ``sklearn.calibration``), its rules for
`pos_label`, thresholds and dropped points included, without needing it. Where scikit-learn warns and returns NaN or
guesses, an error says what is wrong.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from gittrack.errors import GittrackError
from gittrack.values import InvalidValueError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]
    Array = npt.NDArray[Any]

Normalization = Literal["true", "pred", "all"]
Strategy = Literal["uniform", "quantile"]

_MAX_COUNTED_SPAN = 2048  # classes, whose pairs are counted in an array of 32 MiB
_MAX_LABEL = 1 << 62


class MissingLibraryError(GittrackError):
    """A library that this needs is not installed."""


class CurveInputError(InvalidValueError):
    """No curve can be made of these labels and scores."""


class LengthMismatchError(CurveInputError):
    """There are more labels than scores, or fewer."""


class OneClassError(CurveInputError):
    """All labels are of one class, for which the curve is not defined."""


class RocCurve(NamedTuple):
    """A receiver operating characteristic.

    Attributes:
        fpr: False positive rates, rising from 0, shape (n_thresholds,).
        tpr: True positive rates, rising from 0, the same shape.
        thresholds: The scores from which on a sample counts as positive, falling; the first is infinite.
        auc: The area under the curve, of all thresholds.
    """

    fpr: Floats
    tpr: Floats
    thresholds: Floats
    auc: float


class PrecisionRecallCurve(NamedTuple):
    """Precision over recall.

    Attributes:
        precision: Shape (n_thresholds + 1,); the last is 1.
        recall: The same shape, falling; the last is 0.
        thresholds: Scores, rising, shape (n_thresholds,).
        average_precision: The precisions weighted by the gain in recall, without interpolation.
        no_skill: The share of positives: the precision of a classifier that guesses.
    """

    precision: Floats
    recall: Floats
    thresholds: Floats
    average_precision: float
    no_skill: float

    @property
    def thresholds_of_points(self) -> Floats:
        """The threshold of each point; NaN for the last, which has none."""
        numpy = _numpy()
        return numpy.concatenate((self.thresholds, [numpy.nan]))  # type: ignore[no-any-return]


class DetCurve(NamedTuple):
    """A detection error trade-off.

    Attributes:
        fpr: False positive rates, falling, shape (n_thresholds,).
        fnr: False negative rates, rising, the same shape.
        thresholds: Scores, rising; the last is infinite unless a finite one has no false positive.
    """

    fpr: Floats
    fnr: Floats
    thresholds: Floats


class CalibrationCurve(NamedTuple):
    """How often what is predicted with a probability comes true.

    Attributes:
        prob_true: The share of positives in each bin that is not empty, shape (n_bins,) or smaller.
        prob_pred: The mean predicted probability there, the same shape.
        counts: How many samples are there, the same shape.
    """

    prob_true: Floats
    prob_pred: Floats
    counts: Array


class ConfusionMatrix(NamedTuple):
    """How often each class was taken for which.

    Attributes:
        labels: The classes, sorted.
        counts: One row for each true class, one column for each predicted one; shares when normalized.
    """

    labels: list[Any]
    counts: list[list[float]]


class _Ranked(NamedTuple):
    """Positives and negatives from each distinct score on, the scores falling."""

    fps: Floats
    tps: Floats
    thresholds: Floats


def roc_curve(
    y_true: Any, y_score: Any, *, pos_label: Any = None, sample_weight: Any = None, drop_intermediate: bool = True
) -> RocCurve:
    """Compute a receiver operating characteristic with its area.

    Args:
        y_true: The true labels, of two classes, or of more with `pos_label`; shape (n_samples,).
        y_score: A finite number for each: the higher, the more likely positive.
        pos_label: The positive class; 1 by default, when the labels are 0 and 1 or -1 and 1.
        sample_weight: A weight for each sample, not negative.
        drop_intermediate: Whether to leave out points that lie on a line with their neighbours.

    Raises:
        CurveInputError: The labels, scores or weights cannot be used.
        MissingLibraryError: numpy is not installed.

    Example:
        >>> curve = roc_curve([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8])
        >>> curve.auc, curve.fpr.tolist()
        (0.75, [0.0, 0.0, 0.5, 0.5, 1.0])
    """
    numpy = _numpy()
    fps, tps, thresholds = _rank(y_true, y_score, pos_label, sample_weight)
    if len(fps) > 2:  # noqa: PLR2004  the ends stay
        is_corner = (numpy.diff(fps, 2) != 0) | (numpy.diff(tps, 2) != 0)
        corners = numpy.flatnonzero(numpy.concatenate(([True], is_corner, [True])))
    else:
        corners = numpy.arange(len(fps))
    area = _area(_from_zero(fps[corners]) / fps[-1], _from_zero(tps[corners]) / tps[-1])
    if drop_intermediate:
        fps, tps, thresholds = fps[corners], tps[corners], thresholds[corners]
    return RocCurve(
        _from_zero(fps) / fps[-1], _from_zero(tps) / tps[-1], numpy.concatenate(([numpy.inf], thresholds)), area
    )


def precision_recall_curve(
    y_true: Any, y_score: Any, *, pos_label: Any = None, sample_weight: Any = None, drop_intermediate: bool = False
) -> PrecisionRecallCurve:
    """Compute precision over recall, with the average precision and the line of no skill.

    Args:
        y_true: As for `roc_curve`.
        y_score: The same.
        pos_label: The same.
        sample_weight: The same.
        drop_intermediate: Whether to keep only the first and last point of each recall.

    Raises:
        CurveInputError: The labels, scores or weights cannot be used.
        MissingLibraryError: numpy is not installed.

    Example:
        >>> curve = precision_recall_curve([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8])
        >>> round(curve.average_precision, 4), curve.no_skill, curve.recall.tolist()
        (0.8333, 0.5, [1.0, 1.0, 0.5, 0.5, 0.0])
    """
    numpy = _numpy()
    fps, tps, thresholds = _rank(y_true, y_score, pos_label, sample_weight)
    no_skill = float(tps[-1] / (tps[-1] + fps[-1]))
    if drop_intermediate:
        fps, tps, thresholds = _ends_of_plateaus(fps, tps, thresholds)
    precision = numpy.concatenate(((tps / (tps + fps))[::-1], [1.0]))
    recall = numpy.concatenate(((tps / tps[-1])[::-1], [0.0]))
    average = float(max(0.0, -numpy.sum(numpy.diff(recall) * precision[:-1])))
    return PrecisionRecallCurve(precision, recall, thresholds[::-1], average, no_skill)


def det_curve(
    y_true: Any, y_score: Any, *, pos_label: Any = None, sample_weight: Any = None, drop_intermediate: bool = False
) -> DetCurve:
    """Compute a detection error trade-off.

    Args:
        y_true: As for `roc_curve`.
        y_score: The same.
        pos_label: The same.
        sample_weight: The same.
        drop_intermediate: Whether to keep only the first and last point of each false negative rate.

    Raises:
        CurveInputError: The labels, scores or weights cannot be used.
        MissingLibraryError: numpy is not installed.

    Example:
        >>> det_curve([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8]).fnr.tolist()
        [0.0, 0.5, 0.5]
    """
    numpy = _numpy()
    fps, tps, thresholds = _rank(y_true, y_score, pos_label, sample_weight)
    fps, tps = _from_zero(fps), _from_zero(tps)
    thresholds = numpy.concatenate(([numpy.inf], thresholds))
    if drop_intermediate:
        fps, tps, thresholds = _ends_of_plateaus(fps, tps, thresholds)
    first = int(numpy.searchsorted(fps, fps[0], side="right")) - 1  # the last threshold without a false positive
    last = int(numpy.searchsorted(tps, tps[-1])) + 1  # the first without a false negative
    fpr, fnr = fps[first:last] / fps[-1], (tps[-1] - tps[first:last]) / tps[-1]
    return DetCurve(fpr[::-1], fnr[::-1], thresholds[first:last][::-1])


def calibration_curve(
    y_true: Any, y_prob: Any, *, pos_label: Any = None, n_bins: int = 5, strategy: Strategy = "uniform"
) -> CalibrationCurve:
    """Compute how often what is predicted with a probability comes true.

    Args:
        y_true: The true labels, of two classes; shape (n_samples,).
        y_prob: The probability of the positive class for each, from 0 to 1.
        pos_label: As for `roc_curve`.
        n_bins: How many bins to sort the probabilities into.
        strategy: ``uniform`` for bins of one width, ``quantile`` for bins of as many samples each.

    Raises:
        CurveInputError: The labels or probabilities cannot be used, or an argument is none of the above.
        MissingLibraryError: numpy is not installed.

    Example:
        >>> curve = calibration_curve([0, 0, 1, 1], [0.1, 0.4, 0.6, 0.8], n_bins=2)
        >>> curve.prob_true.tolist(), curve.prob_pred.tolist()
        ([0.0, 1.0], [0.25, 0.7])
    """
    numpy = _numpy()
    if isinstance(n_bins, bool) or not isinstance(n_bins, int) or n_bins < 1:
        raise CurveInputError(f"'n_bins' must be an integer of 1 or more, not {n_bins!r}")
    if strategy not in {"uniform", "quantile"}:
        raise CurveInputError(f"unknown strategy {strategy!r}", hint='use "uniform" or "quantile"')
    labels, probabilities = _labels(y_true), _numbers(y_prob, "scores").astype(float)
    _check_lengths(labels, probabilities)
    is_positive = _positives(labels, pos_label)
    if len(numpy.unique(labels)) > 2:  # noqa: PLR2004
        raise CurveInputError("a calibration curve needs labels of two classes, not more")
    _check_classes(is_positive, pos_label)
    if probabilities.min() < 0 or probabilities.max() > 1:
        raise CurveInputError("a calibration curve needs probabilities from 0 to 1, and some scores lie outside")
    edges = numpy.linspace(0.0, 1.0, n_bins + 1)
    if strategy == "quantile":
        edges = numpy.percentile(probabilities, edges * 100)
    bins = numpy.searchsorted(edges[1:-1], probabilities)
    counts = numpy.bincount(bins, minlength=n_bins)
    sums = numpy.bincount(bins, weights=probabilities, minlength=n_bins)
    positives = numpy.bincount(bins, weights=is_positive, minlength=n_bins)
    filled = counts != 0
    counts = counts[filled]
    return CalibrationCurve(positives[filled] / counts, sums[filled] / counts, counts)


def confusion_matrix(
    y_true: Any, y_pred: Any, *, labels: Any = None, normalize: Normalization | None = None
) -> ConfusionMatrix:
    """Count how often each class was taken for which; needs no numpy.

    Args:
        y_true: The true labels, shape (n_samples,): texts, integers or booleans.
        y_pred: The predicted ones.
        labels: The classes to count, in this order; all that occur, sorted, by default.
        normalize: None for counts; shares of the ``true`` class, of the ``pred``-icted one, or of ``all``.

    Raises:
        CurveInputError: The labels cannot be used.

    Example:
        >>> confusion_matrix(["cat", "dog", "cat"], ["cat", "cat", "dog"])
        ConfusionMatrix(labels=['cat', 'dog'], counts=[[1, 1], [1, 0]])
    """
    if normalize not in {None, "true", "pred", "all"}:
        raise CurveInputError(f"unknown normalization {normalize!r}", hint='use "true", "pred" or "all"')
    pairs = _count_small_integers(y_true, y_pred)
    if pairs is None:
        actual, predicted = _classes(y_true, "true"), _classes(y_pred, "predicted")
        _check_lengths(actual, predicted, "predictions")
        pairs = Counter(zip(actual, predicted, strict=True))
    seen = {label for pair in pairs for label in pair}
    if labels is None:
        try:
            classes = sorted(seen)
        except TypeError:
            raise CurveInputError("labels mix texts and numbers") from None
    else:
        classes = list(dict.fromkeys(_classes(labels, "given")))
        if not {label for label, _ in pairs} & set(classes):
            raise CurveInputError("none of the given labels occurs among the true ones")
    counts: list[list[float]] = [[pairs[row, column] for column in classes] for row in classes]
    return ConfusionMatrix(classes, _normalized(counts, normalize))


def _count_small_integers(y_true: Any, y_pred: Any) -> Counter[tuple[Any, Any]] | None:
    """Count the pairs of two arrays of numpy that hold integers close to one another; None for anything else."""
    kinds = {getattr(getattr(labels, "dtype", None), "kind", None) for labels in (y_true, y_pred)}
    if not kinds <= {"i", "u"} or y_true.ndim != 1 or y_true.shape != y_pred.shape or not len(y_true):
        return None
    numpy = _numpy()
    lowest = min(int(y_true.min()), int(y_pred.min()))
    span = max(int(y_true.max()), int(y_pred.max())) - lowest + 1
    if span > _MAX_COUNTED_SPAN or not -_MAX_LABEL < lowest < _MAX_LABEL:
        return None
    cells = (y_true.astype(numpy.int64) - lowest) * span + (y_pred.astype(numpy.int64) - lowest)
    counts = numpy.bincount(cells)
    cell_counts = ((int(cell), int(counts[cell])) for cell in numpy.flatnonzero(counts))
    return Counter({(cell // span + lowest, cell % span + lowest): count for cell, count in cell_counts})


def _normalized(counts: list[list[float]], normalize: Normalization | None) -> list[list[float]]:
    if normalize is None:
        return counts
    if normalize == "true":
        totals = [[sum(row)] * len(row) for row in counts]
    elif normalize == "pred":
        totals = [[sum(column) for column in zip(*counts, strict=True)]] * len(counts)
    else:
        totals = [[sum(map(sum, counts))] * len(counts)] * len(counts)
    return [
        [count / total if total else 0.0 for count, total in zip(row, of, strict=True)]
        for row, of in zip(counts, totals, strict=True)
    ]


def _numpy() -> Any:
    try:
        import numpy as np
    except ImportError:
        raise MissingLibraryError(
            "curves of labels and scores need the package numpy", hint="pip install 'gittrack[sklearn]'"
        ) from None
    return np


def _rank(y_true: Any, y_score: Any, pos_label: Any, sample_weight: Any) -> _Ranked:
    numpy = _numpy()
    labels, scores = _labels(y_true), _numbers(y_score, "scores")
    _check_lengths(labels, scores)
    is_positive = _positives(labels, pos_label)
    if sample_weight is not None:
        return _rank_weighted(is_positive, scores, _weights(sample_weight, scores), pos_label)
    _check_classes(is_positive, pos_label)
    # Without weights the order of equal scores does not matter, and the sort that does not keep it is the faster one.
    order = numpy.argsort(scores)[::-1]
    scores = scores[order]
    ends = _ends_of_ties(scores)
    tps = numpy.cumsum(is_positive[order], dtype=float)[ends]
    return _Ranked(1.0 + ends - tps, tps, scores[ends].astype(float))


def _rank_weighted(is_positive: Array, scores: Array, weights: Floats, pos_label: Any) -> _Ranked:
    numpy = _numpy()
    counts = weights != 0
    is_positive, scores, weights = is_positive[counts], scores[counts], weights[counts]
    _check_classes(is_positive, pos_label)
    order = numpy.argsort(-scores.astype(float), kind="stable")
    is_positive, scores, weights = is_positive[order], scores[order], weights[order]
    ends = _ends_of_ties(scores)
    tps = numpy.cumsum(is_positive * weights)[ends]
    fps = numpy.cumsum(~is_positive * weights)[ends]
    return _Ranked(fps, tps, scores[ends].astype(float))


def _ends_of_ties(scores: Array) -> Array:
    """Return where the last of each run of equal scores stands."""
    numpy = _numpy()
    return numpy.concatenate((numpy.flatnonzero(scores[1:] != scores[:-1]), [len(scores) - 1]))  # type: ignore[no-any-return]


def _ends_of_plateaus(fps: Floats, tps: Floats, thresholds: Floats) -> _Ranked:
    """Keep the first and last point of each number of true positives."""
    numpy = _numpy()
    if len(fps) <= 2:  # noqa: PLR2004
        return _Ranked(fps, tps, thresholds)
    is_end = (numpy.diff(tps[:-1]) != 0) | (numpy.diff(tps[1:]) != 0)
    kept = numpy.flatnonzero(numpy.concatenate(([True], is_end, [True])))
    return _Ranked(fps[kept], tps[kept], thresholds[kept])


def _from_zero(values: Floats) -> Floats:
    return _numpy().concatenate(([0.0], values))  # type: ignore[no-any-return]


def _area(x: Floats, y: Floats) -> float:
    """Return the area under a line, by the trapezoidal rule."""
    return float(((x[1:] - x[:-1]) * (y[1:] + y[:-1]) / 2.0).sum())


def _array(values: Any, what: str) -> Array:
    """Return values as an array of one dimension; a tensor that belongs to a graph or a device is taken from there."""
    numpy = _numpy()
    if isinstance(values, (str, bytes, dict, set)) or values is None:
        raise CurveInputError(f"{what} must be a list or an array, not {type(values).__name__}")
    try:
        if hasattr(values, "detach"):
            values = values.detach().cpu()
        array = numpy.asarray(values)
    except Exception as error:  # whatever the values' own library raises
        raise CurveInputError(f"{what} cannot be read as an array: {error}") from error
    if array.ndim == 2 and array.shape[1] == 1:  # noqa: PLR2004
        array = array[:, 0]
    if array.ndim != 1:
        hint = "pass the column of one class, such as scores[:, 1]" if array.ndim == 2 else None  # noqa: PLR2004
        raise CurveInputError(f"{what} must have one dimension, not the shape {array.shape}", hint=hint)
    if len(array) == 0:
        raise CurveInputError(f"{what} are empty")
    return array  # type: ignore[no-any-return]


def _labels(values: Any) -> Array:
    labels = _array(values, "labels")
    kind = labels.dtype.kind
    if kind not in "biufOUS":
        raise CurveInputError(f"labels must be texts, numbers or booleans, not {labels.dtype}")
    if kind == "U" and isinstance(values, (list, tuple)) and not all(isinstance(value, str) for value in values):
        raise CurveInputError("labels mix texts and numbers")
    if kind == "O" and len({type(value) for value in labels.tolist()}) > 1:
        raise CurveInputError("labels mix types, or some are missing")
    if kind == "f" and not _numpy().isfinite(labels).all():
        raise CurveInputError("labels hold NaN or infinity")
    return labels


def _numbers(values: Any, what: str) -> Array:
    numpy = _numpy()
    numbers = _array(values, what)
    if numbers.dtype.kind == "O":
        try:
            numbers = numbers.astype(float)
        except (TypeError, ValueError) as error:
            raise CurveInputError(f"{what} must be numbers: {error}") from error
    if numbers.dtype.kind not in "biuf":
        raise CurveInputError(f"{what} must be numbers, not {numbers.dtype}")
    if numbers.dtype.kind == "f" and not numpy.isfinite(numbers).all():
        name = "NaN" if numpy.isnan(numbers).any() else "infinity"
        raise CurveInputError(f"{what} hold {name}", hint=f"leave those samples out, or find out why there is {name}")
    return numbers


def _weights(values: Any, scores: Array) -> Floats:
    weights = _numbers(values, "weights").astype(float)
    if len(weights) != len(scores):
        raise LengthMismatchError(f"there are {len(scores)} samples but {len(weights)} weights")
    if weights.min() < 0:
        raise CurveInputError("weights must not be negative")
    return weights


def _check_lengths(labels: Any, others: Any, what: str = "scores") -> None:
    if len(labels) != len(others):
        raise LengthMismatchError(f"there are {len(labels)} labels but {len(others)} {what}")


def _positives(labels: Array, pos_label: Any) -> Array:
    """Return which labels are those of the positive class."""
    numpy = _numpy()
    if pos_label is not None:
        return numpy.asarray(labels == pos_label, dtype=bool) & numpy.ones(len(labels), dtype=bool)  # type: ignore[no-any-return]
    if labels.dtype.kind == "b":
        return labels
    if labels.dtype.kind in "iuf":
        is_positive: Array = labels == 1
        if (is_positive | (labels == 0)).all() or (is_positive | (labels == -1)).all():
            return is_positive
    shown = ", ".join(repr(label) for label in sorted({str(label) for label in labels[:1000].tolist()})[:5])
    raise CurveInputError(
        f"which class is the positive one is not known: the labels are neither 0 and 1 nor -1 and 1, but {shown}…",
        hint="pass pos_label",
    )


def _check_classes(is_positive: Array, pos_label: Any) -> None:
    n_positive = int(_numpy().count_nonzero(is_positive))
    label = 1 if pos_label is None else pos_label
    if n_positive == 0:
        raise OneClassError(f"no label is of the positive class {label!r}, so that there is no curve")
    if n_positive == len(is_positive):
        raise OneClassError(f"all labels are of the positive class {label!r}, so that there is no curve")


def _classes(values: Any, what: str) -> list[Any]:
    """Return labels as a list of plain Python values."""
    if isinstance(values, (str, bytes, dict, set)) or values is None:
        raise CurveInputError(f"{what} labels must be a list or an array, not {type(values).__name__}")
    try:
        if hasattr(values, "detach"):
            values = values.detach().cpu()
        plain = list(values.tolist() if hasattr(values, "tolist") else values)
        plain = [value.item() if hasattr(value, "item") else value for value in plain]
    except Exception as error:  # whatever the values' own library raises
        raise CurveInputError(f"{what} labels cannot be read as a list: {error}") from error
    if not plain:
        raise CurveInputError(f"{what} labels are empty")
    for value in set(map(type, plain)):
        if not issubclass(value, (str, int, float)):
            raise CurveInputError(f"{what} labels must be texts, numbers or booleans, not {value.__name__}")
    if any(value != value for value in plain):  # noqa: PLR0124
        raise CurveInputError(f"{what} labels hold NaN")
    return plain
