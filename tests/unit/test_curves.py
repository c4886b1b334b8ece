"""Curves of labels and scores are those of scikit-learn, and what has no curve says why."""

from __future__ import annotations

import subprocess
import sys
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import calibration, metrics

from gittrack import curves
from gittrack.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

EXACT = {"rtol": 0, "atol": 1e-12}
RANDOM = np.random.default_rng(7)
CURVES: list[Callable[..., Any]] = [
    curves.roc_curve,
    curves.precision_recall_curve,
    curves.det_curve,
    curves.calibration_curve,
]


def binary_samples(n: int, n_levels: int | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Return labels of both classes and scores that know something of them, with ties when levels are given."""
    labels = RANDOM.integers(0, 2, n)
    labels[:2] = [0, 1]
    scores = np.clip(labels * 0.3 + RANDOM.random(n) * 0.7, 0, 1)
    return labels, scores if n_levels is None else np.round(scores * n_levels) / n_levels


SAMPLES = {
    "two": (np.array([0, 1]), np.array([0.2, 0.8])),
    "wrong way round": (np.array([1, 0]), np.array([0.2, 0.8])),
    "constant": (np.array([0, 1, 1, 0]), np.full(4, 0.5)),
    "perfect": (np.array([0, 0, 1, 1]), np.array([0.1, 0.2, 0.8, 0.9])),
    "small": binary_samples(25),
    "many ties": binary_samples(400, 6),
    "large": binary_samples(20_000),
    "large with ties": binary_samples(20_000, 500),
    "minus one": (np.array([-1, 1, -1, 1, 1]), np.array([0.1, 0.4, 0.35, 0.8, 0.35])),
    "booleans": (np.array([False, True, True, False]), np.array([0.1, 0.4, 0.35, 0.8])),
    "float32": (binary_samples(300)[0], binary_samples(300)[1].astype(np.float32)),
    "integer scores": (np.array([0, 1, 0, 1, 1]), np.array([0, 1, 1, 1, 0])),
    "lists": ([0, 1, 0, 1], [0.1, 0.4, 0.4, 0.8]),
}
samples = pytest.mark.parametrize(("labels", "scores"), SAMPLES.values(), ids=SAMPLES)


def assert_same(ours: tuple[Any, ...], theirs: tuple[Any, ...]) -> None:
    """Compare the arrays of two curves."""
    for our, their in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(our, their, **EXACT)


@samples
@pytest.mark.parametrize("drop", [True, False])
def test_roc_is_that_of_sklearn(labels: Any, scores: Any, drop: bool) -> None:
    """Rates, thresholds and area, with and without the points that lie on a line."""
    curve = curves.roc_curve(labels, scores, drop_intermediate=drop)
    assert_same(curve[:3], metrics.roc_curve(labels, scores, drop_intermediate=drop))
    assert curve.auc == pytest.approx(metrics.roc_auc_score(labels, scores), abs=1e-12, rel=0)
    assert np.isinf(curve.thresholds[0])


@samples
@pytest.mark.parametrize("drop", [True, False])
def test_precision_recall_is_that_of_sklearn(labels: Any, scores: Any, drop: bool) -> None:
    """Precision, recall, thresholds, average precision, and the share of positives."""
    curve = curves.precision_recall_curve(labels, scores, drop_intermediate=drop)
    assert_same(curve[:3], metrics.precision_recall_curve(labels, scores, drop_intermediate=drop))
    expected = metrics.average_precision_score(labels, scores)
    assert curve.average_precision == pytest.approx(expected, abs=1e-12, rel=0)
    assert curve.no_skill == pytest.approx(np.mean(np.asarray(labels) == 1), abs=1e-12, rel=0)


@samples
@pytest.mark.parametrize("drop", [True, False])
def test_det_is_that_of_sklearn(labels: Any, scores: Any, drop: bool) -> None:
    """Both error rates and thresholds."""
    theirs = metrics.det_curve(labels, scores, drop_intermediate=drop)
    assert_same(curves.det_curve(labels, scores, drop_intermediate=drop), theirs)


@samples
@pytest.mark.parametrize("strategy", ["uniform", "quantile"])
@pytest.mark.parametrize("n_bins", [1, 5, 10])
def test_calibration_is_that_of_sklearn(labels: Any, scores: Any, strategy: Any, n_bins: int) -> None:
    """Both means of each bin, empty ones left out; every sample is in one bin."""
    curve = curves.calibration_curve(labels, scores, n_bins=n_bins, strategy=strategy)
    assert_same(curve[:2], calibration.calibration_curve(labels, scores, n_bins=n_bins, strategy=strategy))
    assert curve.counts.sum() == len(scores)


@pytest.mark.parametrize("name", ["roc_curve", "precision_recall_curve", "det_curve"])
def test_weights_are_those_of_sklearn(name: str) -> None:
    """Samples without weight are no samples."""
    labels, scores = binary_samples(500, 40)
    weights = RANDOM.integers(0, 4, 500) * RANDOM.random(500)
    theirs = getattr(metrics, name)(labels, scores, sample_weight=weights)
    assert_same(getattr(curves, name)(labels, scores, sample_weight=weights)[:3], theirs)


@pytest.mark.parametrize("name", ["roc_curve", "precision_recall_curve", "det_curve"])
@pytest.mark.parametrize("labels", [["ham", "spam", "ham", "spam"], [1, 2, 1, 2], [2, 1, 3, 2]])
def test_the_positive_class_can_be_named(name: str, labels: list[Any]) -> None:
    """Texts, other numbers, and one class against all others."""
    positive = labels[1]
    scores = [0.1, 0.4, 0.35, 0.8]
    others = [int(label == positive) for label in labels]  # scikit-learn takes no third class for its DET
    theirs = getattr(metrics, name)(others, scores)
    assert_same(getattr(curves, name)(labels, scores, pos_label=positive)[:3], theirs)


@settings(deadline=None, max_examples=200)
@given(st.lists(st.tuples(st.booleans(), st.integers(0, 12)), min_size=2, max_size=40))
def test_any_samples_give_the_curves_of_sklearn(drawn: list[tuple[bool, int]]) -> None:
    """Ties in every pattern, with points dropped and kept."""
    labels = [int(label) for label, _ in drawn]
    scores = [score / 12 for _, score in drawn]
    if len(set(labels)) == 1:
        with pytest.raises(curves.OneClassError):
            curves.roc_curve(labels, scores)
        return
    for drop in (True, False):
        for name in ("roc_curve", "precision_recall_curve", "det_curve"):
            ours = getattr(curves, name)(labels, scores, drop_intermediate=drop)[:3]
            assert_same(ours, getattr(metrics, name)(labels, scores, drop_intermediate=drop))
    assert curves.roc_curve(labels, scores).auc == pytest.approx(metrics.roc_auc_score(labels, scores), abs=1e-12)


@settings(deadline=None, max_examples=100)
@given(
    st.lists(st.tuples(st.sampled_from("abcd"), st.sampled_from("abcd")), min_size=1, max_size=50),
    st.sampled_from([None, "true", "pred", "all"]),
)
def test_the_confusion_matrix_is_that_of_sklearn(drawn: list[tuple[str, str]], normalize: Any) -> None:
    """Counts and shares, classes sorted."""
    actual, predicted = [pair[0] for pair in drawn], [pair[1] for pair in drawn]
    ours = curves.confusion_matrix(actual, predicted, normalize=normalize)
    labels = sorted({*actual, *predicted})
    assert ours.labels == labels
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of a single class
        theirs = metrics.confusion_matrix(actual, predicted, labels=labels, normalize=normalize)
    np.testing.assert_allclose(ours.counts, theirs, **EXACT)


@pytest.mark.filterwarnings("ignore:The number of unique classes")  # of scikit-learn, for so many
@pytest.mark.parametrize("low", [-3, 0, 5, 1 << 40, (1 << 62) + 7])
@pytest.mark.parametrize("span", [3, 50, 5000])
def test_the_confusion_matrix_counts_integers_of_any_size(low: int, span: int) -> None:
    """Few classes and many, small numbers and large."""
    actual, predicted = (low + RANDOM.integers(0, span, 40) for _ in range(2))
    ours = curves.confusion_matrix(actual, predicted)
    assert ours.counts == metrics.confusion_matrix(actual, predicted).tolist()
    assert ours.labels == sorted({*actual.tolist(), *predicted.tolist()})


def test_the_confusion_matrix_takes_arrays_and_given_labels() -> None:
    """Integers of numpy become plain ones; classes that are not given are left out."""
    actual, predicted = np.array([2, 0, 2, 1]), np.array([0, 0, 2, 1])
    ours = curves.confusion_matrix(actual, predicted, labels=[2, 0])
    assert ours.labels == [2, 0]
    assert type(ours.labels[0]) is int
    assert ours.counts == metrics.confusion_matrix(actual, predicted, labels=[2, 0]).tolist()


@pytest.mark.parametrize("curve", CURVES, ids=lambda curve: curve.__name__)
@pytest.mark.parametrize(
    ("labels", "scores", "error", "words"),
    [
        ([], [], curves.CurveInputError, "labels are empty"),
        ([0, 1], [], curves.CurveInputError, "scores are empty"),
        ([0, 1], [0.5], curves.LengthMismatchError, "2 labels but 1 scores"),
        ([0, 0], [0.1, 0.5], curves.OneClassError, "no label is of the positive class 1"),
        ([1, 1], [0.1, 0.5], curves.OneClassError, "all labels are of the positive class 1"),
        ([0, 1], [0.1, float("nan")], curves.CurveInputError, "scores hold NaN"),
        ([0, 1], [0.1, float("inf")], curves.CurveInputError, "scores hold infinity"),
        ([0, 1], ["a", "b"], curves.CurveInputError, "scores must be numbers"),
        ([0, 1], [[0.1, 0.9], [0.2, 0.8]], curves.CurveInputError, "one dimension"),
        ([0, 1], 0.5, curves.CurveInputError, "one dimension"),
        ([0, 1], None, curves.CurveInputError, "not NoneType"),
        ("01", [0.1, 0.2], curves.CurveInputError, "not str"),
        ([0, float("nan")], [0.1, 0.2], curves.CurveInputError, "labels hold NaN"),
        ([0, None], [0.1, 0.2], curves.CurveInputError, "labels mix types"),
        ([0, "1"], [0.1, 0.2], curves.CurveInputError, "labels mix texts and numbers"),
        ([0, 1, 2], [0.1, 0.2, 0.3], curves.CurveInputError, "positive one is not known"),
        (["a", "b"], [0.1, 0.2], curves.CurveInputError, "positive one is not known"),
    ],
)
def test_what_has_no_curve_says_why(
    curve: Callable[..., Any], labels: Any, scores: Any, error: type[UsageError], words: str
) -> None:
    """Every error is a usage error with a name of its own, and says what is wrong."""
    with pytest.raises(error, match=words) as caught:
        curve(labels, scores)
    assert isinstance(caught.value, UsageError)


@pytest.mark.parametrize(
    ("actual", "predicted", "words"),
    [
        ([], [], "true labels are empty"),
        (["a"], ["a", "b"], "1 labels but 2 predictions"),
        (["a"], [1], "mix texts and numbers"),
        ([[1]], [[1]], "must be texts, numbers or booleans, not list"),
        ([float("nan")], [1.0], "hold NaN"),
        ("abc", "abc", "not str"),
    ],
)
def test_what_has_no_confusion_matrix_says_why(actual: Any, predicted: Any, words: str) -> None:
    """The same for classes."""
    with pytest.raises(curves.CurveInputError, match=words):
        curves.confusion_matrix(actual, predicted)


def test_probabilities_lie_between_nothing_and_one() -> None:
    """A calibration of other scores would be nonsense."""
    with pytest.raises(curves.CurveInputError, match="probabilities from 0 to 1"):
        curves.calibration_curve([0, 1], [0.5, 1.5])


def test_a_tensor_is_taken_from_its_graph() -> None:
    """What has `detach` and `cpu` gives its array only through them."""

    class Tensor:
        def __init__(self, values: list[float]) -> None:
            self._values = values

        def detach(self) -> Tensor:
            return self

        def cpu(self) -> np.ndarray:
            return np.array(self._values)

        def __array__(self, *arguments: object, **options: object) -> np.ndarray:
            raise RuntimeError("call detach first")

    assert curves.roc_curve([0, 1], Tensor([0.1, 0.9])).auc == 1.0


def test_without_numpy_a_hint_says_what_to_install() -> None:
    """The module imports without numpy, counts confusions without it, and names what the curves need."""
    script = """
import sys
sys.modules["numpy"] = None
from gittrack import curves
assert curves.confusion_matrix([1, 0], [1, 1]).counts == [[0, 1], [0, 1]]
try:
    curves.roc_curve([0, 1], [0.1, 0.2])
except curves.MissingLibraryError as error:
    print(error, "|", error.hint)
"""
    printed = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True).stdout
    assert printed == "curves of labels and scores need the package numpy | pip install 'gittrack[sklearn]'\n"
