"""Runs without an object, decorated functions, runs within runs, and what a notebook shows."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

import gittrack
from gittrack.errors import UsageError
from tests.support.recorded import read_all, read_recorded, run_script

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(autouse=True)
def _in_repository(repo_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(repo_dir)
    yield
    gittrack.finish()


def test_a_script_needs_no_object(repo_dir: Path) -> None:
    """Start, log, end; a second end does nothing."""
    run = gittrack.init("x", params={"lr": 0.5}, quiet=True)
    gittrack.log({"loss": 2})
    gittrack.log({"loss": 1}, step=7)
    gittrack.finish("failed", "no good")
    gittrack.finish()
    assert run.status == "failed"
    record = read_recorded(repo_dir, "x")
    assert (record.params["lr"], record.metrics["loss"].step, record.meta.message) == (0.5, 7, "no good")


def test_what_cannot_be_is_said() -> None:
    """Logging to nothing, and a second run where one is open."""
    with pytest.raises(UsageError, match="no run is open"):
        gittrack.log({"loss": 1})
    gittrack.init("x", quiet=True)
    with pytest.raises(UsageError, match="'x' is open already"):
        gittrack.init("y")
    with pytest.raises(UsageError, match="is not a number"):
        gittrack.log({"loss": "high"})


def test_the_run_of_a_block_is_the_open_one(repo_dir: Path) -> None:
    """A library may log without being handed the run."""
    with gittrack.Run("outer", quiet=True):
        gittrack.log({"loss": 1})
        with gittrack.Run("inner", nested=True, quiet=True):
            gittrack.log({"loss": 2})
        gittrack.log({"loss": 3})
    records = read_all(repo_dir)
    assert (records["outer"].metrics["loss"].last, records["outer"].metrics["loss"].count) == (3, 2)
    assert records["inner"].metrics["loss"].last == 2
    assert records["inner"].meta.parent_run == records["outer"].meta.id


def test_a_script_that_ends_ends_its_run(repo_dir: Path) -> None:
    """Nobody must call finish."""
    done = run_script(repo_dir, "import gittrack\ngittrack.init('x')\ngittrack.log({'loss': 1})")
    assert done.returncode == 0, done.stderr
    assert read_recorded(repo_dir, "x").meta.status == "completed"


def test_other_ranks_do_nothing(monkeypatch: pytest.MonkeyPatch, repo_dir: Path) -> None:
    """The same script runs on every rank."""
    monkeypatch.setenv("RANK", "1")
    gittrack.init("x")
    gittrack.log({"loss": 1})
    gittrack.finish()
    with pytest.raises(UsageError, match="no run is open"):
        gittrack.log({"loss": 1})
    assert read_all(repo_dir) == {}


def test_a_decorated_function_is_recorded(repo_dir: Path) -> None:
    """Arguments are params, defaults too; the run is handed in; each call is one experiment."""

    @gittrack.run
    def train(lr: float, model: object, *layers: int, seed: int = 3, run: Any = None, **more: Any) -> float:
        """Train."""
        run.log_metric("loss", lr)
        run.note(f"{model} {layers} {seed} {more}")
        return lr * 2

    assert train(0.5, object(), 8, 9, extra="e") == 1.0
    assert train(0.25, model=None) == 0.5
    assert (train.__name__, train.__doc__) == ("train", "Train.")
    records = read_all(repo_dir)
    wanted = {"lr": 0.5, "layers": [8, 9], "seed": 3, "extra": "e"}
    assert {key: value for key, value in records["train"].params.items() if key in {*wanted, "model", "run"}} == wanted
    assert records["train-2"].metrics["loss"].last == 0.25
    assert records["train-2"].params["model"] is None


def test_a_decorated_function_that_fails(repo_dir: Path) -> None:
    """Its exception goes on, and the experiment says what it was."""

    @gittrack.run(name="broken", group="g", quiet=True)
    def train() -> None:
        raise ValueError("diverged")

    with pytest.raises(ValueError, match="diverged"):
        train()
    meta = read_recorded(repo_dir, "broken").meta
    assert (meta.status, meta.message, meta.group) == ("failed", "ValueError: diverged", "g")


def test_a_decorated_coroutine(repo_dir: Path) -> None:
    """The run lasts until it is awaited to its end."""

    @gittrack.run(quiet=True)
    async def train(lr: float) -> float:
        await asyncio.sleep(0)
        gittrack.log({"loss": lr})
        return lr

    assert asyncio.run(train(0.5)) == 0.5
    assert read_recorded(repo_dir, "train").metrics["loss"].last == 0.5


def test_a_decorated_function_within_a_run_is_nested(repo_dir: Path) -> None:
    """As a trial of a search."""

    @gittrack.run(name="trial", quiet=True)
    def trial(lr: float) -> None:
        """Do nothing."""

    with gittrack.Run("search", quiet=True) as search:
        trial(1.0)
        trial(2.0)
    records = read_all(repo_dir)
    assert {records[name].meta.parent_run for name in ("trial", "trial-2")} == {search.id}
    assert records["search"].meta.parent_run is None


def test_a_wrong_call_of_a_decorated_function_is_no_run(repo_dir: Path) -> None:
    """Python's own error, and nothing recorded; the run may be a positional argument."""

    @gittrack.run(quiet=True)
    def train(run: Any, lr: float) -> None:
        run.log_metric("lr", lr)

    for wrong in ({}, {"lr": 1, "other": 2}):
        with pytest.raises(TypeError):
            train(**wrong)
    assert read_all(repo_dir) == {}
    train(None, 0.5)
    train(lr=0.25)
    assert {name: record.metrics["lr"].last for name, record in read_all(repo_dir).items()} == {
        "train": 0.5,
        "train-2": 0.25,
    }


@pytest.mark.parametrize("wrong", [5, int])
def test_only_functions_are_decorated(wrong: Any) -> None:
    """At once, not at the first call."""
    with pytest.raises(UsageError, match="takes a function"):
        gittrack.run(wrong)


def test_a_function_that_yields_is_refused() -> None:
    """Nobody knows when it ends."""

    def train() -> Iterator[int]:
        yield 1

    with pytest.raises(UsageError, match="yields"):
        gittrack.run(train)


def test_a_child_process_can_have_a_run_of_its_own(repo_dir: Path) -> None:
    """Nested in that of its parent, rather than a part of it."""
    with gittrack.Run("outer", quiet=True) as outer:
        script = "import gittrack\nwith gittrack.Run(nested=True) as run: run.log_metric('a', 1); print(run.name)"
        done = run_script(repo_dir, script)
        assert done.returncode == 0, done.stderr
    records = read_all(repo_dir)
    child = records[done.stdout.strip()]
    assert child.meta.parent_run == outer.id
    assert child.metrics["a"].last == 1
    assert "a" not in records["outer"].metrics


def test_a_parent_can_be_named(repo_dir: Path) -> None:
    """By the run itself or its id, also after its end."""
    with gittrack.Run("first", quiet=True) as first:
        pass
    for name, parent in (("one", first), ("two", first.id)):
        with gittrack.Run(name, parent=parent, quiet=True):
            pass
    records = read_all(repo_dir)
    assert {records[name].meta.parent_run for name in ("one", "two")} == {first.id}
    for wrong in ("first", 5, "../x"):
        with pytest.raises(UsageError, match="'parent' must be"):
            gittrack.Run("three", parent=wrong)  # type: ignore[arg-type]


def test_nested_without_a_parent_is_a_run_like_any_other(repo_dir: Path) -> None:
    """A script runs alone as it runs within a search."""
    with gittrack.Run("alone", nested=True, quiet=True):
        pass
    assert read_recorded(repo_dir, "alone").meta.parent_run is None


def test_a_notebook_shows_a_run() -> None:
    """Its name, status and last values; nothing in them is taken for HTML."""
    with gittrack.Run("x", description="<script>alert(1)</script>", quiet=True) as run:
        run.log_metrics({f"m{number}": number for number in range(60)})
        run.log_metric("<b>loss</b>", 0.5)
        shown = run._repr_html_()
        assert "<strong>x</strong>" in shown
        assert "running" in shown
        assert "&lt;script&gt;alert(1)" in shown
        assert "<script>" not in shown
        assert "and 11 more" in shown
    shown = run._repr_html_()
    assert "completed" in shown
    assert run.commit is not None
    assert run.commit in shown
