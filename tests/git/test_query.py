"""The table holds every experiment, in the right place, under the right label, with the right status."""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING, Any

import pytest

from gittrack.experiments import store
from gittrack.experiments.cells import Live
from gittrack.experiments.format import Meta, Record
from gittrack.experiments.index import Index
from gittrack.experiments.names import NAMESPACE
from gittrack.experiments.query import build_listing
from gittrack.experiments.resolve import UnknownRevisionError
from gittrack.experiments.selection import select_baselines
from gittrack.experiments.summaries import ATTRIBUTES
from gittrack.experiments.table import MISSING
from gittrack.git.repository import Repository
from gittrack.git.rewrites import append_rewrites
from tests.support.experiments import STARTED, add_experiment
from tests.support.git_repository import ZERO_ID

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from gittrack.experiments.query import Listing

NOW = STARTED + 3600


def listing(repository: Repository, **options: Any) -> Listing:
    index = Index(repository)
    try:
        return build_listing(repository, index, now_s=NOW, **options)
    finally:
        index.close()


def column(found: Listing, name: str) -> list[Any]:
    return found.table.cells[found.table.position(name)]


def commit(git: Callable[..., str], repo_dir: Path, subject: str) -> str:
    (repo_dir / "train.py").write_text(f"print({subject!r})\n", encoding="utf-8")
    git("commit", "-q", "-a", "-m", subject)
    return git("rev-parse", "HEAD")


def test_an_empty_repository_has_an_empty_table(repository: Repository) -> None:
    """No experiment, no row."""
    assert listing(repository).table.n_rows == 0


def test_groups_and_experiments_stand_newest_first(
    repository: Repository, git: Callable[..., str], repo_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each baseline heads its experiments, and the newest of both stand first."""
    first = git("rev-parse", "HEAD")
    monkeypatch.setenv("GIT_COMMITTER_DATE", "4000000000 +0000")
    second = commit(git, repo_dir, "Second")
    add_experiment(repository, "old", baseline=first, started=STARTED)
    add_experiment(repository, "new", baseline=first, started=STARTED + 9)
    add_experiment(repository, "top", baseline=second, started=STARTED - 9)
    found = listing(repository)
    assert column(found, "kind") == ["baseline", "experiment", "baseline", "experiment", "experiment"]
    assert column(found, "experiment")[1] == "top"
    assert column(found, "experiment")[3:] == ["new", "old"]
    assert column(found, "baseline") == [second, second, first, first, first]


def test_a_baseline_shows_its_own_declared_values(repository: Repository, git: Callable[..., str]) -> None:
    """The row of a baseline has the params of its params.yaml, and its time and subject."""
    add_experiment(repository, "one", params={"train.lr": 0.2, "seed": 1})
    found = listing(repository)
    assert column(found, "train.lr") == [0.1, 0.2]
    assert column(found, "train.epochs") == [3, MISSING]
    assert column(found, "seed") == [MISSING, 1]
    assert column(found, "created")[0] == int(git("log", "-1", "--format=%ct"))
    assert column(found, "experiment")[0] == f"main (HEAD)  {git('rev-parse', 'HEAD')[:7]}  First model"


def test_further_declared_files_are_read(repository: Repository, repo_dir: Path, git: Callable[..., str]) -> None:
    """Files that gittrack.yaml and dvc.yaml name count, and a broken one does not hide the others."""
    (repo_dir / "gittrack.yaml").write_text("params: [conf/model.json, broken.yaml]\nmetrics: out.json\n")
    (repo_dir / "conf").mkdir()
    (repo_dir / "conf" / "model.json").write_text('{"depth": 4}')
    (repo_dir / "broken.yaml").write_text("[: :")
    (repo_dir / "out.json").write_text('{"acc": 0.5}')
    git("add", "-A")
    git("commit", "-q", "-m", "Declare")
    add_experiment(repository, "one")
    for _ in range(2):  # from git, from the index
        found = listing(repository)
        assert column(found, "depth") == [4, MISSING]
        assert column(found, "acc")[0] == 0.5


def test_directions_come_from_the_settings_then_from_the_name(repository: Repository, repo_dir: Path) -> None:
    """gittrack.yaml says which side is better; a common word does where it is silent."""
    (repo_dir / "gittrack.yaml").write_text("directions: {odd: max, loss: max}\n", encoding="utf-8")
    add_experiment(repository, "one", metrics={"odd": 1, "loss": 2, "accuracy": 3, "other": 4})
    for _ in range(2):
        directions = {c.name: c.direction for c in listing(repository).table.columns if c.kind == "metric"}
        assert directions == {"odd": "max", "loss": "max", "accuracy": "max", "other": None}


def test_labels_name_branches_and_tags(repository: Repository, git: Callable[..., str], repo_dir: Path) -> None:
    """Local branches, light and annotated tags are named; a remote branch only without a local one."""
    first = git("rev-parse", "HEAD")
    git("tag", "light")
    git("tag", "-a", "heavy", "-m", "x")
    git("update-ref", "refs/remotes/origin/main", first)
    second = commit(git, repo_dir, "Second")
    git("update-ref", "refs/remotes/origin/next", second)
    git("checkout", "-q", "--detach")
    git("branch", "-q", "-D", "main")
    add_experiment(repository, "a", baseline=first)
    add_experiment(repository, "b", baseline=second)
    for _ in range(2):
        shown = [label.split("  ") for label in column(listing(repository), "experiment")]
        names = {parts[-1]: parts[0] for parts in shown}
        assert names["First model"] == "origin/main, heavy, light"
        assert names["Second"] == "HEAD, origin/next"


def test_nothing_disappears_when_history_is_rewritten(repository: Repository, git: Callable[..., str]) -> None:
    """After an amend the old baseline says what it became; when it is collected it says that, too."""
    old = git("rev-parse", "HEAD")
    add_experiment(repository, "kept", baseline=old)
    git("commit", "-q", "--amend", "-m", "Reworded")
    new = git("rev-parse", "HEAD")
    append_rewrites(str(repository.state_dir), [(old, new)])
    label = column(listing(repository), "experiment")[0]
    assert label == f"{old[:7]}  (rewritten as {new[:7]} on main (HEAD))  First model"
    add_experiment(repository, "orphan", baseline="ab" * 20)
    assert "abababa  (commit not in this repository)" in column(listing(repository), "experiment")
    assert "orphan" in column(listing(repository), "experiment")


def test_an_experiment_before_the_first_commit_is_shown(tmp_path: Path, git: Callable[..., str]) -> None:
    """Zeros as the baseline have a label of their own, and no row of git is asked for."""
    git("init", "-q", str(tmp_path / "empty"), cwd=tmp_path)
    empty = Repository.discover(tmp_path / "empty", dict(os.environ))
    tree = git("hash-object", "-t", "tree", "-w", "--stdin", cwd=tmp_path / "empty", input="")
    record = Record(Meta("early", "0" * 16, "completed", started=STARTED), {"lr": 1})
    made = store.write_record(empty, record, code_tree=tree, parents=[], message="x")
    git("update-ref", f"{NAMESPACE}/{ZERO_ID}/early", made, cwd=tmp_path / "empty")
    assert column(listing(empty), "experiment") == ["(before the first commit)", "early"]


def test_remote_experiments_stand_beside_local_ones(repository: Repository, git: Callable[..., str]) -> None:
    """The same commit is shown once; another one of the same name stands as that of its remote."""
    same = add_experiment(repository, "same", params={"lr": 1})
    base = git("rev-parse", "HEAD")
    git("update-ref", f"refs/gittrack/remotes/origin/exps/{base}/same", same)
    git("update-ref", f"refs/gittrack/remotes/fork/exps/{base}/same", same)
    add_experiment(repository, "moved", params={"lr": 1})
    add_experiment(repository, "moved", params={"lr": 2}, remote="origin")
    add_experiment(repository, "theirs", params={"lr": 3}, remote="origin")
    found = listing(repository)
    pairs = sorted(zip(column(found, "source")[1:], column(found, "experiment")[1:], strict=True))
    assert pairs == [("local", "moved"), ("local", "same"), ("origin", "moved"), ("origin", "theirs")]


def test_a_broken_experiment_is_a_row_that_says_so(repository: Repository, git: Callable[..., str]) -> None:
    """Damage and newer formats concern one row only, also once it is indexed."""
    add_experiment(repository, "fine", params={"lr": 1})
    base = git("rev-parse", "HEAD")
    git("update-ref", f"{NAMESPACE}/{base}/no-record", base)
    for name, text in (("newer", '{"format": 99}'), ("torn", '{"format"')):
        blob = git("hash-object", "-w", "--stdin", input=text)
        folder = git("mktree", input=f"100644 blob {blob}\tmeta.json\n")
        tree = git("mktree", input=f"040000 tree {folder}\t.gittrack\n")
        git("update-ref", f"{NAMESPACE}/{base}/{name}", git("commit-tree", tree, "-m", "x"))
    for _ in range(2):
        found = listing(repository)
        statuses = dict(zip(column(found, "experiment")[1:], column(found, "status")[1:], strict=True))
        assert statuses == {"fine": "completed", "newer": "broken", "torn": "broken", "no-record": "broken"}
        assert set(found.problems) == {"newer", "torn", "no-record"}
        assert "newer gittrack" in found.problems["newer"]


def tree(found: Listing) -> list[tuple[object, ...]]:
    names = ("experiment", "parent", "kind")
    rows = zip(*(column(found, name) for name in names), found.table.depths, strict=True)
    return [(name, parent, depth) for name, parent, kind, depth in rows if kind == "experiment"]


def test_parents_in_a_circle_lose_no_experiment(repository: Repository) -> None:
    """Records made by hand: two that are each other's parents, one below them, one that is its own parent."""
    add_experiment(repository, "below", id="c" * 16, parent_run="a" * 16, started=STARTED + 4)
    add_experiment(repository, "one", id="a" * 16, parent_run="b" * 16, started=STARTED + 3)
    add_experiment(repository, "two", id="b" * 16, parent_run="a" * 16, started=STARTED + 2)
    add_experiment(repository, "self", id="d" * 16, parent_run="d" * 16, started=STARTED + 1)
    expected = [("self", MISSING, 0), ("one", "two", 0), ("below", "one", 1), ("two", "one", 1)]
    for _ in range(2):
        assert tree(listing(repository)) == expected


def test_a_parent_on_another_baseline_is_named_only(repository: Repository, git: Callable[..., str]) -> None:
    """Its child stays in the group of its own commit, also below one that has the parent's name."""
    add_experiment(repository, "same", id="a" * 16)
    git("commit", "-q", "--allow-empty", "-m", "Next")
    add_experiment(repository, "same", id="b" * 16, started=STARTED + 3)
    add_experiment(repository, "child", id="c" * 16, parent_run="a" * 16, started=STARTED + 2)
    add_experiment(repository, "grandchild", id="d" * 16, parent_run="c" * 16, started=STARTED + 1)
    newer = [("same", MISSING, 0), ("child", "same", 0), ("grandchild", "child", 1)]
    older = [("same", MISSING, 0)]  # both commits may be of one second, and then either is the first
    assert tree(listing(repository)) in ([*newer, *older], [*older, *newer])


def test_a_child_stands_below_the_parent_of_its_own_remote(repository: Repository) -> None:
    """A run that is here and, rewritten, on a remote is there twice; each child belongs to the one beside it."""
    for remote in (None, "origin"):
        is_here = remote is None
        add_experiment(repository, "up", id="a" * 16, remote=remote, started=STARTED + is_here, notes=(str(remote),))
        add_experiment(repository, "down", id="b" * 16, parent_run="a" * 16, remote=remote, notes=(str(remote),))
    found = listing(repository)
    assert tree(found) == [("up", MISSING, 0), ("down", "up", 1)] * 2
    assert column(found, "source")[1:] == ["local", "local", "origin", "origin"]


def test_a_table_without_nested_runs_has_no_depths(repository: Repository) -> None:
    """Nothing is paid where nothing is nested, also when the parent is not there."""
    add_experiment(repository, "alone", id="a" * 16, parent_run="b" * 16)
    assert listing(repository).table.depths == ()
    assert column(listing(repository), "parent") == [MISSING, MISSING]


def live(name: str, baseline: str, **values: Any) -> Live:
    attributes = dict.fromkeys(ATTRIBUTES) | {"status": "running", "started": STARTED + 60}
    return Live(baseline, name, tuple(attributes.values()), values.get("metrics", {}), values.get("params", {}))


def test_live_values_lie_over_recorded_ones(repository: Repository, git: Callable[..., str]) -> None:
    """A run under way shows what it logged, with and without a ref of its own."""
    base = git("rev-parse", "HEAD")
    add_experiment(repository, "begun", params={"lr": 1}, metrics={"loss": 9.0, "old": 1}, status="running")
    runs = [
        live("begun", base, metrics={"loss": 0.5}),
        live("fresh", base, metrics={"loss": 0.7, "new": 1}, params={"seed": 4}),
    ]
    found = listing(repository, live=runs)
    rows = {
        row[0]: row
        for row in zip(*(column(found, name) for name in ("experiment", "status", "loss", "rev")), strict=True)
    }
    assert rows["begun"][1:3] == ("running", 0.5)
    assert rows["fresh"][1:] == ("running", 0.7, MISSING)
    assert column(found, "old").count(1) == column(found, "new").count(1) == column(found, "seed").count(4) == 1


@pytest.mark.parametrize(
    ("host", "age_s", "remote", "status"),
    [
        (socket.gethostname(), 60, None, "stale"),
        ("elsewhere", 60, None, "running"),
        ("elsewhere", 25 * 3600, None, "stale"),
        (socket.gethostname(), 60, "origin", "running"),
        ("elsewhere", 25 * 3600, "origin", "stale"),
    ],
)
def test_what_runs_no_more_is_stale(
    repository: Repository, host: str, age_s: float, remote: str | None, status: str
) -> None:
    """`running` is believed of another machine for a day, and of this one only while the process lives."""
    add_experiment(repository, "one", status="running", host=host, started=NOW - age_s, remote=remote)
    assert column(listing(repository), "status")[1] == status


def test_baselines_can_be_chosen(repository: Repository, git: Callable[..., str], repo_dir: Path) -> None:
    """By branch, by tag, by id, also of a commit that is gone; and a number of commits, with or without experiments."""
    first = git("rev-parse", "HEAD")
    git("tag", "v1")
    second = commit(git, repo_dir, "Second")
    third = commit(git, repo_dir, "Third")
    add_experiment(repository, "a", baseline=first)
    add_experiment(repository, "gone", baseline="ab" * 20)
    assert select_baselines(repository, (), None) is None
    assert select_baselines(repository, ("v1",), None) == [first]
    assert select_baselines(repository, ("main", "v1"), None) == [third, first]
    assert select_baselines(repository, (), 2) == [third, second]
    assert select_baselines(repository, (), -1) == [third, second, first]
    assert select_baselines(repository, ("ababab",), None) == ["ab" * 20]
    found = listing(repository, baselines=[third, first])
    assert (
        column(found, "kind") == ["baseline", "baseline", "experiment"] or column(found, "kind").count("baseline") == 2
    )
    assert column(found, "experiment").count("gone") == 0


def test_a_revision_that_looks_like_an_option_is_refused(repository: Repository) -> None:
    """What git would take for an option, or for two lines, never reaches it."""
    for text in ("--all", "-n1", "", "main\n--all", "a\0b", "no-such"):
        with pytest.raises(UnknownRevisionError):
            select_baselines(repository, (text,), None)


def test_packed_refs_are_seen_as_loose_ones(repository: Repository, git: Callable[..., str]) -> None:
    """`git pack-refs` and `git gc` change nothing in the table."""
    add_experiment(repository, "one", params={"lr": 1})
    add_experiment(repository, "two", params={"lr": 2}, remote="origin")
    before = listing(repository)
    git("pack-refs", "--all")
    git("gc", "-q", "--prune=now")
    assert listing(repository) == before
