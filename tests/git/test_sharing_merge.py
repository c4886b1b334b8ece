"""Experiments of one name on two sides: merged key by key, or both kept; nothing is lost."""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

import gittrack
from gittrack.errors import DivergedError
from gittrack.experiments import store
from gittrack.experiments.format import Meta, MetricSummary, Record
from gittrack.experiments.merge import MergeConflictError, merge_records
from gittrack.experiments.names import NAMESPACE, ExperimentRef
from gittrack.experiments.plot_files import PlotEntry, file_name
from gittrack.experiments.plots import find_plot
from gittrack.experiments.publishing import push
from gittrack.experiments.series import Series, parse_series, render_series
from gittrack.experiments.sharing import pull
from gittrack.git.refs import list_refs, read_ref
from gittrack.git.state import read_head
from tests.support.experiments import add_experiment
from tests.support.git_repository import fsck, run_git
from tests.support.remotes import make_pair

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from gittrack.git.repository import Repository
    from tests.support.remotes import Pair

BASE = Record(
    Meta(name="calm-owl", id="1" * 16, status="running", started=1.0, tags={"a": 1, "b": 2}, notes=("first",)),
    params={"lr": 0.1},
    metrics={"loss": MetricSummary(0.5, 0.5, 0.9, 2, 1)},
    series=render_series({"loss": Series([0, 1], [1.0, 2.0], [0.9, 0.5])}),
)


def edit(repository: Repository, name: str, **changes: Any) -> str:
    """Give an experiment a further commit with other fields in its description, and return it."""
    experiment = ExperimentRef(read_head(repository).sha or "", name)
    commit = read_ref(repository, experiment.ref) or ""
    record = store.read_record(repository, commit)
    record = record._replace(meta=record.meta._replace(**changes))
    return store.rewrite_meta(repository, store.Tip(experiment, commit), record.meta, "Edit")


def tip(repository: Repository, name: str) -> str:
    """Return the commit of an experiment of HEAD."""
    commit = read_ref(repository, ExperimentRef(read_head(repository).sha or "", name).ref)
    assert commit is not None
    return commit


@pytest.fixture
def shared(tmp_path: Path) -> Pair:
    """Two clones that both have the experiment calm-owl."""
    pair = make_pair(tmp_path)
    add_experiment(pair.ada, "calm-owl", metrics={"acc": 0.5}, notes=("first",), tags={"kept": 1})
    push(pair.ada, "origin")
    pull(pair.bob, "origin")
    return pair


def test_merge_of_different_keys() -> None:
    """Changes of different keys come together; a removed key stays removed; lists are united in order."""
    ours = BASE._replace(meta=BASE.meta._replace(tags={"a": 1, "b": 3}, notes=("first", "ours")))
    theirs = BASE._replace(
        meta=BASE.meta._replace(tags={"b": 2, "c": 4}, notes=("first", "theirs"), description="best", status="failed"),
        params={"lr": 0.1, "epochs": 3},
    )
    merged = merge_records(BASE, ours, theirs)
    assert merged.meta.tags == {"b": 3, "c": 4}
    assert merged.meta.notes == ("first", "ours", "theirs")
    assert (merged.meta.description, merged.meta.status) == ("best", "failed")
    assert merged.params == {"lr": 0.1, "epochs": 3}
    assert merge_records(BASE, theirs, ours) == merged._replace(
        meta=merged.meta._replace(notes=("first", "theirs", "ours"))
    )


def test_merge_of_one_key() -> None:
    """Different changes of one key are a conflict that names it; equal ones are not, NaN included."""
    ours = BASE._replace(meta=BASE.meta._replace(tags={"a": 2, "b": 2}), params={"lr": math.nan})
    theirs = BASE._replace(meta=BASE.meta._replace(tags={"a": 3, "b": 2}), params={"lr": float("nan")})
    with pytest.raises(MergeConflictError) as raised:
        merge_records(BASE, ours, theirs)
    assert raised.value.names == ("tags.a",)


def test_merge_of_outcomes() -> None:
    """What the run reported wins over what somebody concluded from its silence."""
    killed = BASE._replace(meta=BASE.meta._replace(status="killed", ended=5.0, message="silent"))
    completed = BASE._replace(meta=BASE.meta._replace(status="completed", ended=9.0))
    for merged in (merge_records(BASE, killed, completed), merge_records(BASE, completed, killed)):
        assert (merged.meta.status, merged.meta.ended, merged.meta.message) == ("completed", 9.0, None)


def test_merge_of_series() -> None:
    """Points are united and summed up anew; a step with two different values is a conflict."""

    def with_points(points: Series) -> Record:
        return BASE._replace(series=render_series({"loss": points}))

    ours = with_points(Series([0, 1, 2], [1.0, 2.0, 3.0], [0.9, 0.5, 0.4]))
    theirs = with_points(Series([0, 1, 3], [1.0, 2.0, 4.0], [0.9, 0.5, 0.2]))
    merged = merge_records(BASE, ours, theirs)
    assert parse_series(merged.series or b"")["loss"].values == [0.9, 0.5, 0.4, 0.2]
    assert merged.metrics["loss"] == MetricSummary(0.2, 0.2, 0.9, 4, 3)
    clash = with_points(Series([0, 1, 2], [1.0, 2.0, 3.0], [0.9, 0.5, 0.3]))
    with pytest.raises(MergeConflictError, match=r"loss\.2"):
        merge_records(BASE, ours, clash)


def test_fast_forward_both_ways(shared: Pair) -> None:
    """What one side continued arrives on the other as the same commit."""
    commit = edit(shared.ada, "calm-owl", description="better")
    assert [ref.name for ref in push(shared.ada, "origin").moved] == ["calm-owl"]
    assert [ref.name for ref in pull(shared.bob, "origin")[1].advanced] == ["calm-owl"]
    assert tip(shared.bob, "calm-owl") == commit


def test_local_ahead_stays(shared: Pair) -> None:
    """A pull does not move an experiment that only this side continued."""
    commit = edit(shared.bob, "calm-owl", description="better")
    adopted = pull(shared.bob, "origin")[1]
    assert adopted == ([], [], [], [], [])
    assert tip(shared.bob, "calm-owl") == commit


def test_diverged_edits_are_merged(shared: Pair) -> None:
    """A push that finds the experiment continued fetches, merges and pushes again; both edits are there."""
    theirs = edit(shared.ada, "calm-owl", notes=("first", "from ada"))
    push(shared.ada, "origin")
    ours = edit(shared.bob, "calm-owl", tags={"kept": 1, "by": "bob"})
    sent = push(shared.bob, "origin")
    assert [ref.name for ref in sent.merged] == ["calm-owl"]
    merged = tip(shared.bob, "calm-owl")
    assert run_git("rev-parse", f"{merged}^1", f"{merged}^2", cwd=shared.remote).split() == [ours, theirs]
    record = store.read_record(shared.bob, merged)
    assert record.meta.notes == ("first", "from ada")
    assert record.meta.tags == {"kept": 1, "by": "bob"}
    pull(shared.ada, "origin")
    assert tip(shared.ada, "calm-owl") == merged
    assert fsck(shared.remote) == ""


def test_conflicting_edits_are_both_kept(shared: Pair) -> None:
    """Different values of one key: the published one keeps the name, the other gets a second; both are shared."""
    theirs = edit(shared.ada, "calm-owl", description="from ada")
    push(shared.ada, "origin")
    ours = edit(shared.bob, "calm-owl", description="from bob")
    sent = push(shared.bob, "origin")
    assert [(entry.experiment.name, entry.kept.name) for entry in sent.renamed] == [("calm-owl", "calm-owl-2")]
    pull(shared.ada, "origin")
    for repository in (shared.ada, shared.bob):
        assert (tip(repository, "calm-owl"), tip(repository, "calm-owl-2")) == (theirs, ours)
    assert push(shared.bob, "origin").n_same == 2
    assert pull(shared.bob, "origin")[1] == ([], [], [], [], [])


def test_same_name_recorded_twice(tmp_path: Path) -> None:
    """Two experiments recorded under one name are both shared; the remote's own never changes its commit."""
    pair = make_pair(tmp_path)
    first = add_experiment(pair.ada, "calm-owl", metrics={"acc": 0.1})
    push(pair.ada, "origin")
    second = add_experiment(pair.bob, "calm-owl", metrics={"acc": 0.2})
    push(pair.bob, "origin")
    assert (tip(pair.bob, "calm-owl"), tip(pair.bob, "calm-owl-2")) == (first, second)
    published = list_refs(pair.bob, "refs/gittrack/remotes/origin/exps")
    assert {ref.rpartition("/")[2]: oid for ref, oid in published.items()} == {"calm-owl": first, "calm-owl-2": second}


def test_running_experiment_keeps_its_name(tmp_path: Path) -> None:
    """A live run never loses its name: the push says so, exits as diverged, and sends all others."""
    pair = make_pair(tmp_path)
    add_experiment(pair.ada, "calm-owl")
    push(pair.ada, "origin")
    running = add_experiment(pair.bob, "calm-owl", status="running")
    add_experiment(pair.bob, "brave-fox")
    with pytest.raises(DivergedError, match="still running"):
        push(pair.bob, "origin")
    assert tip(pair.bob, "calm-owl") == running
    assert any(ref.endswith("/brave-fox") for ref in list_refs(pair.bob, "refs/gittrack/remotes/origin/exps"))


def test_plots_survive_a_merge(shared: Pair) -> None:
    """Files beside those of the record are merged by name."""
    for repository, name in ((shared.ada, "ada.json"), (shared.bob, "bob.json")):
        commit = tip(repository, "calm-owl")
        blob = run_git("hash-object", "-w", "--stdin", cwd=repository.work_tree, input="{}")
        env = {"GIT_INDEX_FILE": str(repository.git_dir / "merge-test-index")}
        run_git("read-tree", commit, cwd=repository.work_tree, env=env)
        run_git(
            "update-index", "--add", "--cacheinfo", f"100644,{blob},.gittrack/{name}", cwd=repository.work_tree, env=env
        )
        tree = run_git("write-tree", cwd=repository.work_tree, env=env)
        new = run_git("commit-tree", tree, "-p", commit, "-m", name, cwd=repository.work_tree)
        run_git(
            "update-ref", ExperimentRef(read_head(repository).sha or "", "calm-owl").ref, new, cwd=repository.work_tree
        )
    push(shared.ada, "origin")
    assert len(push(shared.bob, "origin").merged) == 1
    files = run_git("ls-tree", "--name-only", f"{tip(shared.bob, 'calm-owl')}:.gittrack", cwd=shared.remote).split()
    assert {"ada.json", "bob.json", "meta.json"} <= set(files)


def resume(repository: Repository, monkeypatch: pytest.MonkeyPatch, log: Callable[[gittrack.Run], None]) -> None:
    """Continue the experiment calm-owl by a run."""
    monkeypatch.chdir(repository.work_tree or "")
    with gittrack.Run("calm-owl", resume=True, quiet=True) as run:
        log(run)


def plot_text(repository: Repository, commit: str, name: str, step: int | None = None) -> str:
    """Return the text of a plot, as the list of plots and git hold it."""
    entry = find_plot(store.read_record(repository, commit).plots, name, step)
    return run_git("cat-file", "blob", f"{commit}:.gittrack/plots/{entry.file}", cwd=repository.work_tree)


def test_plots_of_two_clones_come_together(shared: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two runs that resumed one experiment and logged different plots are one experiment, with all of them."""

    def log(who: str, step: int) -> Callable[[gittrack.Run], None]:
        def log_to(run: gittrack.Run) -> None:
            run.log_text(f"by {who}", who)
            run.log_text("series", f"step {step}", step=step)
            run.log_text("same", "both")
            run.log_metric("acc", step / 10, step=step)

        return log_to

    resume(shared.ada, monkeypatch, log("ada", 1))
    resume(shared.bob, monkeypatch, log("bob", 2))
    before = [store.read_record(side, tip(side, "calm-owl")).meta for side in (shared.ada, shared.bob)]
    push(shared.ada, "origin")
    adopted = pull(shared.bob, "origin")[1]
    assert ([one.name for one in adopted.merged], adopted.renamed) == (["calm-owl"], [])
    commit = tip(shared.bob, "calm-owl")
    record = store.read_record(shared.bob, commit)
    assert {plot.key for plot in record.plots} == {
        ("by ada", None), ("by bob", None), ("same", None), ("series", 1), ("series", 2)
    }  # fmt: skip
    assert [plot_text(shared.bob, commit, name) for name in ("by ada", "by bob", "same")] == ["ada", "bob", "both"]
    assert [plot_text(shared.bob, commit, "series", step) for step in (1, 2)] == ["step 1", "step 2"]
    assert parse_series(record.series or b"")["acc"].values == [0.1, 0.2]
    assert (record.meta.id, record.meta.status) == (before[1].id, "completed")  # what the later one was
    assert (record.meta.duration_s or 0) > max(one.duration_s or 0 for one in before)
    assert fsck(shared.bob.work_tree or shared.remote) == ""


def test_a_plot_of_two_contents_keeps_both_experiments(shared: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    """The one on the remote keeps the name, and the reason names the plot."""
    for side, text in ((shared.ada, "from ada"), (shared.bob, "from bob")):
        resume(side, monkeypatch, lambda run, text=text: run.log_text("said", text))  # type: ignore[misc]
    push(shared.ada, "origin")
    (renamed,) = pull(shared.bob, "origin")[1].renamed
    assert renamed.kept.name == "calm-owl-2"
    assert "plots" in renamed.reason
    assert "said" in renamed.reason
    texts = [plot_text(shared.bob, tip(shared.bob, name), "said") for name in ("calm-owl", "calm-owl-2")]
    assert texts == ["from ada", "from bob"]


def test_merge_of_plots() -> None:
    """By name and step, which no name can imitate; a newer version, and a removed plot, are those of the side's."""

    def text(name: str, size: int = 1, step: int | None = None, time: float = 1.0) -> PlotEntry:
        return PlotEntry(name, "text", file_name(name, ".txt", step), "text/plain", size, step, time)

    base = BASE._replace(plots=(text("a"), text("b"), text("c")))
    ours = BASE._replace(plots=(text("a"), text("b"), text("d", step=1, time=2.0)))
    theirs = BASE._replace(plots=(text("a", 2, time=3.0), text("b"), text("c"), text("'d' of step 1")))
    merged = merge_records(base, ours, theirs).plots
    assert merged == (text("a", 2, time=3.0), text("b"), text("d", step=1, time=2.0), text("'d' of step 1"))
    with pytest.raises(MergeConflictError, match=r"plots\.'a'"):
        merge_records(base, BASE._replace(plots=(text("a", 3),)), theirs)


def test_two_clones_push_the_same_name_at_once(tmp_path: Path) -> None:
    """Twenty rounds of two pushes at the same moment: every commit is on the remote, under some name, unchanged."""
    pair = make_pair(tmp_path)
    commits: set[str] = set()
    with ThreadPoolExecutor(2) as pool:
        for number in range(20):
            for repository, accuracy in ((pair.ada, 0.1), (pair.bob, 0.2)):
                commits.add(add_experiment(repository, f"round-{number}", metrics={"acc": accuracy}))
            list(pool.map(lambda repository: push(repository, "origin"), (pair.ada, pair.bob)))
    on_remote = run_git("for-each-ref", "--format=%(objectname)", NAMESPACE, cwd=pair.remote).split()
    assert set(on_remote) == commits
    for repository in (pair.ada, pair.bob):
        pull(repository, "origin")
        assert set(list_refs(repository, NAMESPACE).values()) == commits
    assert fsck(pair.remote) == ""
