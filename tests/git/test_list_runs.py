"""Runs are listed page by page."""

from __future__ import annotations

import base64
import json
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

import pytest

import gittrack
from gittrack import SortByType, SortOrderType
from gittrack.errors import UsageError
from tests.support.experiments import STARTED, add_experiment

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from gittrack.git.repository import Repository


@pytest.fixture(autouse=True)
def _in_repository(repo_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(repo_dir)


def names(**wanted: Any) -> list[str]:
    return [run.name for run in gittrack.list_runs(**wanted)]


def pages(size: int, **wanted: Any) -> list[list[str]]:
    page = gittrack.list_runs(max_results=size, **wanted)
    found = [page]
    while page.next_token is not None:
        page = gittrack.list_runs(max_results=size, next_token=page.next_token, **wanted)
        found.append(page)
    return [[run.name for run in page] for page in found]


def test_a_run_says_what_it_is(repository: Repository) -> None:
    """Name, group, times, params, metrics and tags come from the experiment."""
    commit = add_experiment(
        repository, "a", params={"lr": 0.1}, metrics={"loss": 0.5}, group="g", tags={"k": 1}, duration_s=2.5
    )
    (run,) = gittrack.list_runs("g")
    assert (run.name, run.experiment_name, run.status, run.source) == ("a", "g", "completed", "local")
    assert (run.params, run.metrics, run.tags) == ({"lr": 0.1}, {"loss": 0.5}, {"k": 1})
    assert (run.created, run.duration_s, run.commit) == (STARTED, 2.5, commit)
    with gittrack.load_run(run.reference) as loaded:
        assert loaded.name == "a"


@pytest.mark.parametrize(
    ("by", "order", "expected"),
    [
        (SortByType.CREATION_TIME, SortOrderType.DESCENDING, ["b", "ab", "a", "c"]),
        (SortByType.CREATION_TIME, SortOrderType.ASCENDING, ["a", "c", "ab", "b"]),
        (SortByType.NAME, SortOrderType.ASCENDING, ["a", "ab", "b", "c"]),
        ("Name", "Descending", ["c", "b", "ab", "a"]),
    ],
)
def test_the_order_and_its_pages(repository: Repository, by: Any, order: Any, expected: list[str]) -> None:
    """Pages of every size put together are the whole list, in every order; runs of the same time go by name."""
    for name, started in (("c", 0), ("b", 2), ("a", 0), ("ab", 1)):
        add_experiment(repository, name, started=STARTED + started)
    assert names(sort_by=by, sort_order=order) == expected
    for size in (1, 2, 3, 4, 5):
        split = pages(size, sort_by=by, sort_order=order)
        assert [name for page in split for name in page] == expected
        assert [len(page) for page in split[:-1]] == [size] * (len(split) - 1)


def test_a_cap_is_true_and_the_last_page_has_no_token(repository: Repository) -> None:
    """`max_results` counts what is returned, after all filters; no page is empty."""
    for number in range(4):
        add_experiment(repository, f"r{number}", group="g" if number % 2 else "h")
    page = gittrack.list_runs("g", max_results=2)
    assert ([run.name for run in page], page.next_token) == (["r1", "r3"], None)


def test_a_token_holds_when_runs_come_and_go(repository: Repository, git: Callable[..., str]) -> None:
    """The next page begins after the last run, whether or not that is still there, and repeats none."""
    for number in range(6):
        add_experiment(repository, f"r{number}", started=STARTED + number)
    page = gittrack.list_runs(max_results=2)
    assert [run.name for run in page] == ["r5", "r4"]
    add_experiment(repository, "newer", started=STARTED + 10)
    head = git("rev-parse", "HEAD")
    git("update-ref", "-d", f"refs/gittrack/exps/{head}/r4")
    git("update-ref", "-d", f"refs/gittrack/exps/{head}/r2")
    assert names(next_token=page.next_token) == ["r3", "r1", "r0"]


def test_runs_of_one_name_and_time_are_told_apart(repository: Repository, git: Callable[..., str]) -> None:
    """The same name under three baselines: one page each, none twice, none lost."""
    starts = set()
    for _ in range(3):
        git("commit", "-q", "--allow-empty", "-m", "More")
        starts.add(git("rev-parse", "HEAD"))
        add_experiment(repository, "same", baseline=git("rev-parse", "HEAD"))
    found: list[str] = []
    page = gittrack.list_runs(max_results=1)
    while True:
        found += [run.baseline for run in page]
        if page.next_token is None:
            break
        page = gittrack.list_runs(max_results=1, next_token=page.next_token)
    assert sorted(found) == sorted(starts)


def test_times_are_strict_bounds(repository: Repository) -> None:
    """Before and after leave out the instant itself; datetimes with and without a zone mean the same."""
    for number in range(3):
        add_experiment(repository, f"r{number}", started=STARTED + number)
    assert names(created_after=STARTED, created_before=STARTED + 2) == ["r1"]
    instant = STARTED + 1
    aware = datetime.fromtimestamp(instant, timezone.utc)
    naive = datetime.fromtimestamp(instant)  # noqa: DTZ006  local time is what a naive one means
    assert names(created_after=aware) == names(created_after=naive) == ["r2"]
    assert names(created_before=aware) == names(created_before=naive) == ["r0"]


def test_a_run_under_way_is_listed_with_its_values() -> None:
    """The journal says what the commit does not say yet."""
    with gittrack.Run("live", group="g") as run:
        run.log_metric("loss", 0.5)
        run.flush()
        (listed,) = gittrack.list_runs("g")
        assert (listed.name, listed.status, listed.metrics) == ("live", "running", {"loss": 0.5})
    (listed,) = gittrack.list_runs("g")
    assert listed.status == "completed"


def test_experiments_of_remotes_are_listed_once(repository: Repository) -> None:
    """One that a remote has as well is the local one; one that only the remote has says so."""
    head = repository.git.text("rev-parse", "HEAD")
    commit = add_experiment(repository, "both")
    repository.git.run("update-ref", f"refs/gittrack/remotes/origin/exps/{head}/both", commit)
    add_experiment(repository, "theirs", remote="origin")
    assert sorted((run.name, run.source) for run in gittrack.list_runs()) == [("both", "local"), ("theirs", "origin")]


def test_a_damaged_experiment_does_not_hide_the_others(repository: Repository, git: Callable[..., str]) -> None:
    """It is listed as broken."""
    add_experiment(repository, "good")
    head = git("rev-parse", "HEAD")
    git("update-ref", f"refs/gittrack/exps/{head}/bad", head)
    assert {run.name: run.status for run in gittrack.list_runs()} == {"good": "completed", "bad": "broken"}


def _token(*values: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(values).encode()).decode()


@pytest.mark.parametrize(
    "token",
    [
        "",
        "nonsense",
        "ä",
        "A" * 5000,
        _token(1),
        _token(1, "CreationTime", "Descending", "x", "a", "b", ""),
        _token(1, "CreationTime", "Descending", 1.0, "a", 3, ""),
        base64.urlsafe_b64encode(b"[" * 1500).decode(),
    ],
)
def test_a_forged_token_is_refused(token: str) -> None:
    """A token is checked before anything is done with it."""
    with pytest.raises(UsageError, match="no page has the token"):
        gittrack.list_runs(next_token=token)


def test_a_token_of_another_order_is_refused(repository: Repository) -> None:
    """A place in one order says nothing in another."""
    add_experiment(repository, "a")
    add_experiment(repository, "b")
    token = gittrack.list_runs(max_results=1).next_token
    with pytest.raises(UsageError, match="of a listing in another order"):
        gittrack.list_runs(next_token=token, sort_by="Name")


@pytest.mark.parametrize(
    "wanted",
    [
        {"max_results": 0},
        {"max_results": True},
        {"max_results": 1.5},
        {"sort_by": "Size"},
        {"sort_order": "Up"},
        {"created_before": "2026-01-01"},
        {"created_after": float("nan")},
        {"experiment_name": 3},
        {"next_token": 3},
    ],
)
def test_a_wrong_argument_is_named(wanted: dict[str, Any]) -> None:
    """Each argument is checked at once."""
    with pytest.raises(UsageError):
        gittrack.list_runs(**wanted)


def test_an_empty_repository_has_no_runs() -> None:
    """Nothing is not an error."""
    page = gittrack.list_runs()
    assert (page, page.next_token) == ([], None)
