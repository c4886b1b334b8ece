"""scikit-learn: ``fit(estimator, X, y)`` in place of ``estimator.fit(X, y)``, and `log_search` for a search."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from gittrack.integrations.target import Target

if TYPE_CHECKING:
    from gittrack.runs.run import Run


def fit(estimator: Any, x: Any, y: Any = None, *, run: Run | None = None, **fit_arguments: Any) -> Any:
    """Fit an estimator, and log its class, params, the seconds it took and its score on the data.

    Args:
        estimator: The estimator.
        x: The samples.
        y: The targets.
        run: The run to log to; see `gittrack.integrations`.
        fit_arguments: What else ``fit`` takes.

    Returns:
        The estimator.
    """
    target = Target(run)
    start = time.perf_counter()
    log_estimator(target, estimator)
    try:
        fitted = estimator.fit(x, y, **fit_arguments)
        log_fitted(target, estimator, x, y, time.perf_counter() - start)
    except BaseException as error:
        target.end("failed", f"{type(error).__name__}: {error}")
        raise
    target.end()
    return fitted


def log_estimator(target: Target, estimator: Any) -> None:
    """Log an estimator's class and params.

    Args:
        target: Where to.
        estimator: The estimator.
    """
    target.log_params({"class": type(estimator).__name__, **estimator.get_params(deep=False)})


def log_fitted(target: Target, estimator: Any, x: Any, y: Any, seconds: float) -> None:
    """Log what is known of an estimator after it was fitted.

    Args:
        target: Where to.
        estimator: The estimator.
        x: What it was fitted to.
        y: The targets.
        seconds: How long that took.
    """
    values: dict[str, Any] = {"fit_s": seconds}
    if y is not None and hasattr(estimator, "score"):
        values["train/score"] = estimator.score(x, y)
    if hasattr(estimator, "best_score_"):
        values["best_score"] = estimator.best_score_
        target.log_params(estimator.best_params_, prefix="best.")
    target.log_metrics(values)


def log_search(search: Any, *, run: Run | None = None, metric: str = "mean_test_score") -> None:
    """Log a search over params that was fitted: the score of each candidate as a series, and the best.

    Args:
        search: Such as a ``GridSearchCV``.
        run: The run to log to; see `gittrack.integrations`.
        metric: Which of the search's columns to log.
    """
    target = Target(run)
    for number, value in enumerate(search.cv_results_[metric]):
        target.log_metrics({metric: value}, step=number)
    target.log_params(search.best_params_, prefix="best.")
    target.log_metrics({"best_score": search.best_score_})
    target.end()
