from __future__ import annotations

import math
import os
from typing import TYPE_CHECKING, Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gittrack.experiments import store
from gittrack.experiments.series import parse_series
from gittrack.runs.context import RunContext
from gittrack.runs.recovery import close_dead_runs
from gittrack.runs.run import Run
from tests.support.git_repository import open_repository

if TYPE_CHECKING:
    from pathlib import Path

    from gittrack.experiments.format import Record

NAMES = st.sampled_from(["loss", "a b", "line\nbreak", "..", "größe", "x" * 300, "a/b", "\t", "-"]) | st.text(
    min_size=1, max_size=20
)
NUMBERS = st.integers(-(2**70), 2**70) | st.floats(allow_nan=True)
SCALARS = st.none() | st.booleans() | NUMBERS | st.text(max_size=20)
PLAIN = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3), max_leaves=4)
CALLS = st.one_of(
    st.tuples(st.just("metric"), NAMES, NUMBERS, st.integers(-5, 100) | st.none()),
    st.tuples(st.just("params"), st.dictionaries(NAMES, PLAIN, max_size=3)),
    st.tuples(st.just("tags"), st.dictionaries(NAMES, PLAIN, max_size=2)),
    st.tuples(st.just("note"), st.text(max_size=30)),
    st.tuples(st.just("step")),
    st.tuples(st.just("flush")),
)


class _Model:
    """What a run must have recorded after some calls."""

    def __init__(self) -> None:
        self.points: dict[str, list[tuple[int, float]]] = {}
        self.params: dict[str, Any] = {}
        self.tags: dict[str, Any] = {}
        self.notes: list[str] = []
        self.step = 0
        self.is_stepping = False
        self.auto_steps: dict[str, int] = {}

    def apply(self, run: Run, call: tuple[Any, ...]) -> None:
        """Make a call on the run and on the model."""
        kind, *values = call
        if kind == "metric":
            self._log(run, *values)
        elif kind == "params":
            run.log_params(values[0])
            self.params.update(values[0])
        elif kind == "tags":
            run.set_tags(values[0])
            self.tags.update(values[0])
        elif kind == "note":
            run.note(values[0])
            self.notes.append(values[0])
        elif kind == "step":
            self.step = run.next_step()
            self.is_stepping = True
        else:
            assert run.flush()

    def _log(self, run: Run, name: str, value: float, step: int | None) -> None:
        run.log_metric(name, value, step)
        if step is None:
            step = self.step if self.is_stepping else self.auto_steps.get(name, 0)
            self.auto_steps[name] = step + 1
        self.points.setdefault(name, []).append((step, value))

    def check(self, record: Record) -> None:
        """Assert that a record says the same."""
        series = parse_series(record.series) if record.series else {}
        assert set(series) == set(record.metrics) == set(self.points)
        for name, points in self.points.items():
            ordered = sorted(points, key=lambda point: point[0])
            assert series[name].steps == [step for step, _ in ordered]
            assert all(map(_same, series[name].values, [value for _, value in ordered]))
            assert record.metrics[name].count == len(points)
            assert _same(record.metrics[name].last, ordered[-1][1])
        assert _same({name: record.params[name] for name in self.params}, self.params)
        assert _same(dict(record.meta.tags), self.tags)
        assert list(record.meta.notes) == self.notes


def _same(one: Any, other: Any) -> bool:
    """Return whether two values are equal, of one type, and NaN where the other is."""
    if isinstance(one, float) and isinstance(other, float) and math.isnan(one):
        return math.isnan(other)
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_same(one[key], other[key]) for key in one)
    if isinstance(one, (list, tuple)) and isinstance(other, (list, tuple)):
        return len(one) == len(other) and all(map(_same, one, other))
    return type(one) is type(other) and bool(one == other)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    calls=st.lists(CALLS, max_size=25),
    end=st.sampled_from(["end", "resume", "die"]),
    durability=st.sampled_from(["buffered", "step"]),
)
def test_a_record_says_what_was_logged(repo_dir: Path, calls: list[tuple[Any, ...]], end: str, durability: Any) -> None:
    """Any calls, in any order, ended, resumed in the middle or cut off by death after a flush, give the same record."""
    context = RunContext(dict(os.environ), ("python", "train.py"), repo_dir)
    run = Run(durability=durability, context=context)
    model = _Model()
    middle = len(calls) // 2
    for number, call in enumerate(calls):
        if end == "resume" and number == middle:
            run.end()
            run = Run(resume=run.name, durability=durability, context=context)
            model.step, model.is_stepping = run.step, run.step > 0
            model.auto_steps.clear()
        model.apply(run, call)
    repository = open_repository(repo_dir)
    if end == "die":
        _die(run)
        (record,) = close_dead_runs(repository)
    else:
        run.end()
        assert run.commit is not None
        record = store.read_record(repository, run.commit)
    assert record.meta.status == ("killed" if end == "die" else "completed")
    model.check(record)


def _die(run: Run) -> None:
    """Do to a run what a kill does: its lock is free, its journal stays as it is."""
    opened = run._opened
    assert opened is not None
    assert opened.starter is not None
    assert opened.lock is not None
    assert run.flush()
    opened.starter.wait()
    opened.journal.close()
    opened.lock.release()
    run._opened = None
