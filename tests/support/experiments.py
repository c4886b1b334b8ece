"""Experiments written straight into a repository, without running anything."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gittrack.experiments import store
from gittrack.experiments.format import Meta, MetricSummary, Record
from gittrack.experiments.names import ExperimentRef
from gittrack.experiments.series import render_series
from gittrack.git.refs import create_ref
from gittrack.git.state import read_head

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gittrack.experiments.series import Series
    from gittrack.git.repository import Repository

STARTED = 1_760_000_000.0


def add_experiment(
    repository: Repository,
    name: str,
    *,
    params: Mapping[str, Any] | None = None,
    metrics: Mapping[str, float] | None = None,
    baseline: str | None = None,
    remote: str | None = None,
    series: Mapping[str, Series] | None = None,
    **meta: Any,
) -> str:
    """Write an experiment and its ref, and return its commit.

    Args:
        repository: The repository.
        name: The experiment's name.
        params: Its params.
        metrics: The last value of each metric.
        baseline: The commit it starts from; HEAD by default.
        remote: The remote it is tracked from; None for a local one.
        series: The points of its metrics.
        meta: Fields of its description.
    """
    start = baseline or read_head(repository).sha or repository.zero_id
    is_unborn = start == repository.zero_id
    meta = {"id": "0" * 16, "status": "completed", "started": STARTED, **meta}
    record = Record(
        Meta(name=name, baseline=None if is_unborn else start, **meta),
        params or {},
        {key: MetricSummary(value, value, value, 1, None) for key, value in (metrics or {}).items()},
        render_series(series) if series else None,
    )
    known = repository.git.run("cat-file", "-e", f"{start}^{{tree}}", check=False).returncode == 0
    tree = repository.git.text("rev-parse", f"{start if known else 'HEAD'}^{{tree}}")
    parents = [start] if known else []
    commit = store.write_record(repository, record, code_tree=tree, parents=parents, message=f"gittrack: {name}")
    create_ref(repository, ExperimentRef(start, name, remote).ref, commit)
    return commit
