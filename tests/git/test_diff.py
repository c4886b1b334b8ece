"""The difference of two experiments: params, metrics and code."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from gittrack.experiments.diff import Difference, NothingToCompareError, Side, diff_code, diff_sides, read_sides
from gittrack.experiments.store import ExperimentMissingError
from gittrack.experiments.table import MISSING
from tests.support.experiments import STARTED, add_experiment

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from gittrack.git.repository import Repository

NAN, INF = float("nan"), float("inf")


def side(**values: dict[str, object]) -> Side:
    return Side("x", None, None, values.get("params", {}), values.get("metrics", {}))


def test_what_changed_came_and_went_is_listed() -> None:
    """Metrics first, then params, each by name; equal values only when asked for."""
    old = side(params={"lr": 0.1, "gone": 1, "same": 2}, metrics={"loss": 1.0})
    new = side(params={"lr": 0.2, "new": 3, "same": 2}, metrics={"loss": 0.5})
    assert diff_sides(old, new) == [
        Difference("metric", "loss", 1.0, 0.5),
        Difference("param", "gone", 1, MISSING),
        Difference("param", "lr", 0.1, 0.2),
        Difference("param", "new", MISSING, 3),
    ]
    assert Difference("param", "same", 2, 2) in diff_sides(old, new, include_same=True)


def test_nan_does_not_differ_from_nan_and_flags_are_no_numbers() -> None:
    """NaN twice is no change; true is not 1."""
    assert not diff_sides(side(metrics={"loss": NAN}), side(metrics={"loss": NAN}))
    assert diff_sides(side(params={"on": True}), side(params={"on": 1}))


@pytest.mark.parametrize(
    ("old", "new", "delta"),
    [
        (1, 3, 2),
        (1.5, 1.0, -0.5),
        (True, 3, None),
        ("a", 1, None),
        (NAN, 1, None),
        (INF, INF, None),
        (MISSING, 1, None),
    ],
)
def test_the_delta_is_that_of_finite_numbers(old: object, new: object, delta: float | None) -> None:
    """Only two numbers have a difference."""
    assert Difference("metric", "x", old, new).delta == delta


def test_wide_integers_have_no_float_delta() -> None:
    """An integer beyond the range of floats does not end in an overflow."""
    assert Difference("param", "x", 10**400, 0.5).delta is None


def test_the_defaults_are_the_newest_experiment_of_head_and_its_baseline(
    repository: Repository, git: Callable[..., str]
) -> None:
    """No text, one experiment, one commit, and two texts."""
    add_experiment(repository, "old", params={"train.lr": 0.3}, started=STARTED)
    add_experiment(repository, "new", params={"train.lr": 0.2}, started=STARTED + 1)
    head = git("rev-parse", "HEAD")
    assert [one.label for one in read_sides(repository, ())] == [head[:7], "new"]
    assert [one.label for one in read_sides(repository, ("old",))] == [head[:7], "old"]
    assert [one.label for one in read_sides(repository, ("main",))] == [f"main ({head[:7]})", "new"]
    assert [one.label for one in read_sides(repository, ("old", "new"))] == ["old", "new"]
    base, new = read_sides(repository, ())
    assert Difference("param", "train.lr", 0.1, 0.2) in diff_sides(base, new)


def test_errors_say_what_is_missing(repository: Repository, git: Callable[..., str]) -> None:
    """No experiment at HEAD, an unknown name, a baseline that is gone, a broken experiment."""
    with pytest.raises(NothingToCompareError):
        read_sides(repository, ())
    with pytest.raises(ExperimentMissingError):
        read_sides(repository, ("nothing", "here"))
    add_experiment(repository, "orphan", baseline="ab" * 20)
    with pytest.raises(NothingToCompareError, match="abababa"):
        read_sides(repository, ("orphan",))
    base = git("rev-parse", "HEAD")
    git("update-ref", f"refs/gittrack/exps/{base}/broken", base)
    with pytest.raises(NothingToCompareError, match="cannot be read"):
        read_sides(repository, ("broken", "orphan"))


def test_code_differs_without_gittracks_files_and_runs_no_program(
    repository: Repository, git: Callable[..., str], repo_dir: Path, tmp_path: Path
) -> None:
    """External diff and textconv of the repository's settings are not run."""
    marker = tmp_path / "ran"
    git("config", "diff.external", f"touch {marker}; true")
    git("config", "diff.evil.textconv", f"touch {marker}; cat")
    git("config", "core.fsmonitor", f"touch {marker}")
    (repo_dir / ".git" / "info").mkdir(exist_ok=True)
    (repo_dir / ".git" / "info" / "attributes").write_text("* diff=evil\n", encoding="utf-8")
    first = git("rev-parse", "HEAD")
    (repo_dir / "train.py").write_text("print('better')\n", encoding="utf-8")
    git("commit", "-q", "-a", "-m", "Second")
    marker.unlink(missing_ok=True)
    add_experiment(repository, "one")
    add_experiment(repository, "zero", baseline=first)
    text = diff_code(repository, *read_sides(repository, ("zero", "one")), colour=False)
    assert "+print('better')" in text
    assert ".gittrack" not in text
    assert "\x1b[" in diff_code(repository, *read_sides(repository, ("zero", "one")), colour=True)
    assert not marker.exists()
