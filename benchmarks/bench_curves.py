"""Curves of a million labels and scores: what `log_roc_curve` and its kin compute, beside scikit-learn's functions.

Budget: at most 1.2 times scikit-learn's own time for the ROC curve and its area, also where it is logged in a run, its
file included. The others stand under the same limit.

    python benchmarks/bench_curves.py --samples 1000000
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn import calibration, metrics
from timing import Figure, alternate, make_repository, print_figures

import gittrack
from gittrack import curves

if TYPE_CHECKING:
    from collections.abc import Callable

N_SAMPLES = 1_000_000
REPEATS = 7
MAX_RATIO = 1.2


def measure(n_samples: int = N_SAMPLES, repeats: int = REPEATS) -> list[Figure]:
    """Return the seconds of each curve, beside those of scikit-learn.

    Args:
        n_samples: How many labels and scores.
        repeats: How often to time each.
    """
    random = np.random.default_rng(3)
    labels = random.integers(0, 2, n_samples)
    scores = np.clip(labels * 0.3 + random.random(n_samples) * 0.7, 0, 1)
    predicted = (scores > 0.5).astype(int)
    pairs: dict[str, tuple[Callable[[], Any], Callable[[], Any]]] = {
        "ROC curve": (lambda: curves.roc_curve(labels, scores), lambda: metrics.roc_curve(labels, scores)),
        "precision and recall": (
            lambda: curves.precision_recall_curve(labels, scores),
            lambda: metrics.precision_recall_curve(labels, scores),
        ),
        "DET curve": (lambda: curves.det_curve(labels, scores), lambda: metrics.det_curve(labels, scores)),
        "calibration": (
            lambda: curves.calibration_curve(labels, scores),
            lambda: calibration.calibration_curve(labels, scores),
        ),
        "confusion matrix": (
            lambda: curves.confusion_matrix(labels, predicted),
            lambda: metrics.confusion_matrix(labels, predicted),
        ),
    }
    figures = []
    for name, (ours, theirs) in pairs.items():
        seconds = alternate({"ours": _without_result(ours), "theirs": _without_result(theirs)}, repeats)
        work = f"{name} of {n_samples:,} samples"
        figures.append(Figure(work, seconds["ours"], seconds["theirs"], MAX_RATIO * seconds["theirs"]))
    return [*figures, _measure_logging(labels, scores, repeats)]


def _measure_logging(labels: Any, scores: Any, repeats: int) -> Figure:
    """Return the seconds of `log_roc_curve` in a run of a repository, beside scikit-learn's `roc_curve`."""
    with tempfile.TemporaryDirectory() as folder:
        before = Path.cwd()
        os.chdir(make_repository(Path(folder, "repo"), 10))
        run = gittrack.Run("bench", quiet=True)
        run.log_roc_curve(labels[:100], scores[:100], "first")  # which imports
        actions = {
            "ours": lambda: run.log_roc_curve(labels, scores),
            "theirs": _without_result(lambda: metrics.roc_curve(labels, scores)),
        }
        seconds = alternate(actions, repeats)
        run.end()
        os.chdir(before)
    work = f"log_roc_curve of {len(labels):,} samples in a run"
    return Figure(work, seconds["ours"], seconds["theirs"], MAX_RATIO * seconds["theirs"])


def _without_result(compute: Callable[[], Any]) -> Callable[[], None]:
    def run() -> None:
        compute()

    return run


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=int, default=N_SAMPLES, help="labels and scores")
    parser.add_argument("--repeats", type=int, default=REPEATS, help="runs, of which the median counts")
    arguments = parser.parse_args()
    return int(print_figures(measure(arguments.samples, arguments.repeats)) > 0)


if __name__ == "__main__":
    sys.exit(main())
