"""`gittrack exp show`, `list` and `diff` as a person calls them."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from gittrack.experiments.format import Meta
from gittrack.experiments.series import Series
from gittrack.runs.folder import create_folder
from gittrack.runs.journal import JournalWriter
from tests.support.experiments import STARTED, add_experiment

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from gittrack.git.repository import Repository

    Gittrack = Callable[..., list[str]]

LIVE_SCRIPT = """
import gittrack
with gittrack.Run("live", params={"lr": 0.1}) as run:
    run.log_param("late", 1)
    for step in range(4):
        run.log_metric("loss", 1 / (step + 1), step)
    input()
"""
NESTED_SCRIPT = """
import gittrack
with gittrack.Run("sweep") as sweep:
    for fold in range(2):
        with gittrack.Run(f"fold-{fold}", nested=True) as run:
            run.log_metric("loss", 1 - fold / 2, 0)
            if fold == 0:
                with gittrack.Run("head", nested=True) as head:
                    head.log_metric("loss", 0.75, 0)
with gittrack.Run("late"):
    pass
"""
SERIES = {f"metric{i}": Series([0, 1, 2], [1.0, 2.0, 3.0], [1.0, float("nan"), 3.0]) for i in range(8)}


@pytest.fixture
def three(repository: Repository) -> Repository:
    """Three experiments of HEAD."""
    add_experiment(repository, "low", params={"train.lr": 0.1, "same": 1}, metrics={"acc": 0.5}, started=STARTED)
    add_experiment(
        repository,
        "high",
        params={"train.lr": 0.2, "same": 1},
        metrics={"acc": 0.9},
        started=STARTED + 1,
        tags={"team": "vision"},
        notes=("a note",),
        left_out=({"path": "big.bin", "reason": "size", "size": 9},),
        command=("python", "train.py", "a b"),
        series=SERIES,
    )
    add_experiment(repository, "bad", status="failed", message="ValueError: x\x1b[31m", started=STARTED + 2)
    return repository


def test_the_table_has_every_experiment(three: Repository, repo_dir: Path, gittrack: Gittrack) -> None:
    """All names, their group and their status are there, without any control character."""
    assert three
    text = "\n".join(gittrack("exp", "show", cwd=repo_dir))
    assert all(name in text for name in ("low", "high", "bad", "failed", "main (HEAD)", "First model"))
    assert "\x1b" not in text


def test_sorting_choosing_and_dropping_columns(three: Repository, repo_dir: Path, gittrack: Gittrack) -> None:
    """The options of the table do what they say."""
    assert three
    rows = list(csv.DictReader(gittrack("exp", "show", "--csv", "--sort-by", "acc", cwd=repo_dir)))
    assert [row["experiment"] for row in rows[1:]] == ["high", "low", "bad"]
    rows = list(
        csv.DictReader(gittrack("exp", "show", "--csv", "--sort-by", "acc", "--sort-order", "asc", cwd=repo_dir))
    )
    assert [row["experiment"] for row in rows[1:]] == ["low", "high", "bad"]
    (header, *_) = gittrack("exp", "show", "--csv", "--keep", "lr", "--drop", "created", cwd=repo_dir)
    assert "created" not in header
    assert "acc" not in header
    assert header.endswith("train.lr")
    (header, *_) = gittrack("exp", "show", "--csv", "--all-columns", cwd=repo_dir)
    assert "author" in header


def test_what_a_monitor_logged_is_shown_when_it_is_asked_for(
    repository: Repository, repo_dir: Path, gittrack: Gittrack
) -> None:
    """A dozen columns about the machine would hide what was trained; programs get them all."""
    add_experiment(repository, "a", metrics={"acc": 0.5, "system/cpu/usage (%)": 71.5})
    assert "system/cpu" not in "\n".join(gittrack("exp", "show", cwd=repo_dir))
    for arguments in (["--keep", "cpu"], ["--all-columns"], ["--csv"], ["--md"]):
        assert "system/cpu" in "\n".join(gittrack("exp", "show", *arguments, cwd=repo_dir))


def test_only_changed_leaves_out_constants(
    repository: Repository, repo_dir: Path, gittrack: Gittrack, git: Callable[..., str]
) -> None:
    """What is the same everywhere is not shown."""
    git("rm", "-q", "params.yaml")
    git("commit", "-q", "-m", "No params")
    add_experiment(repository, "a", params={"same": 1, "lr": 1}, metrics={})
    add_experiment(repository, "b", params={"same": 1, "lr": 2}, metrics={})
    rows = gittrack("exp", "show", "--csv", "--only-changed", cwd=repo_dir)
    assert rows[0].endswith(",lr") or "lr" in rows[0]


def test_the_data_formats_parse(three: Repository, repo_dir: Path, gittrack: Gittrack) -> None:
    """JSON, JSON lines and Markdown hold the same rows."""
    assert three
    table = json.loads("\n".join(gittrack("exp", "show", "--json", cwd=repo_dir)))
    assert [row["experiment"] for row in table[1:]] == ["bad", "high", "low"]
    assert [json.loads(line) for line in gittrack("exp", "show", "--jsonl", cwd=repo_dir)] == table
    assert gittrack("exp", "show", "--md", cwd=repo_dir)[0].startswith("| experiment |")


def test_one_experiment_in_full(three: Repository, repo_dir: Path, gittrack: Gittrack) -> None:
    """Everything recorded is shown, the first six series drawn and the rest named."""
    assert three
    text = "\n".join(gittrack("exp", "show", "high", cwd=repo_dir))
    for part in ("completed", "tag team", "vision", "a note", "big.bin", "python train.py 'a b'", "train.lr", "0.2"):
        assert part in text
    assert "2 more series" in text
    assert "git show refs/gittrack/exps/" in text
    document = json.loads("\n".join(gittrack("exp", "show", "high", "--json", cwd=repo_dir)))
    assert document["series"]["metric0"] == {"steps": [0, 1, 2], "times": [1.0, 2.0, 3.0], "values": [1.0, "nan", 3.0]}
    assert document["tags"] == {"team": "vision"}
    assert document["params"] == {"same": 1, "train.lr": 0.2}
    assert "\\x1b" in "\n".join(gittrack("exp", "show", "bad", cwd=repo_dir))


def test_a_run_without_a_commit_is_shown_live(
    repository: Repository, repo_dir: Path, gittrack: Gittrack, git: Callable[..., str]
) -> None:
    """A run that has just begun is in the table, in the list and in full."""
    meta = Meta("quick-fox", "0123456789abcdef", "running", started=STARTED, baseline=git("rev-parse", "HEAD"))
    folder, lock = create_folder(repository.state_dir / "runs", meta)
    journal = JournalWriter(folder.journal_path)
    for step in range(3):
        journal.metrics({"loss": 1 / (step + 1)}, step, STARTED + step)
    journal.flush()
    (row,) = [
        row for row in csv.DictReader(gittrack("exp", "show", "--csv", cwd=repo_dir)) if row["kind"] == "experiment"
    ]
    assert (row["experiment"], row["status"], row["loss"], row["rev"]) == ("quick-fox", "running", repr(1 / 3), "")
    assert any("quick-fox" in line and "running" in line for line in gittrack("exp", "list", cwd=repo_dir))
    assert "loss" in "\n".join(gittrack("exp", "show", "quick-fox", cwd=repo_dir))
    journal.close()
    lock.release()


def test_a_real_run_is_shown_with_what_it_has_logged(
    repository: Repository, repo_dir: Path, gittrack: Gittrack
) -> None:
    """From another process, over the commit of its start: params, metrics and the series so far."""

    def row() -> dict[str, str]:
        lines = gittrack("exp", "show", "--csv", cwd=repo_dir)
        return next((row for row in csv.DictReader(lines) if row["experiment"] == "live"), {})

    assert repository.work_tree == repo_dir
    (repo_dir / "params.yaml").write_text("seed: 7\nlr: 0.5\n", encoding="utf-8")
    with subprocess.Popen([sys.executable, "-c", LIVE_SCRIPT], cwd=repo_dir, stdin=subprocess.PIPE) as script:
        try:
            deadline_s = time.monotonic() + 20
            while not (row().get("rev") and row().get("loss") and row().get("seed")):
                assert time.monotonic() < deadline_s, row()
                time.sleep(0.05)
            live = row()
            full = json.loads("".join(gittrack("exp", "show", "live", "--json", cwd=repo_dir)))
            drawn = "\n".join(gittrack("exp", "show", "live", cwd=repo_dir))
        finally:
            script.communicate(b"end\n")
    assert (live["status"], live["loss"]) == ("running", "0.25")
    assert (live["lr"], live["file:lr"], live["late"], live["seed"]) == ("0.1", "0.5", "1", "7")
    assert list(live)[-1] == "file:lr"
    assert full["params"] == {"file:lr": 0.5, "late": 1, "lr": 0.1, "seed": 7}
    assert full["series"]["loss"]["values"] == [1.0, 0.5, 1 / 3, 0.25]
    assert "── live 0.25" in drawn
    ended = row()
    assert (ended["status"], ended["loss"]) == ("completed", "0.25")


@pytest.fixture
def nested(repository: Repository, repo_dir: Path) -> Repository:
    """Real runs in three levels, and one that is newer than all of them."""
    subprocess.run([sys.executable, "-c", NESTED_SCRIPT], cwd=repo_dir, check=True, capture_output=True)
    return repository


def names_of(lines: list[str]) -> list[str]:
    """Return the first column of a table without its heading and legend."""
    return [line.split("  rev", maxsplit=1)[0][:18].rstrip() for line in lines if "─ " in line]


def parents_of(gittrack: Gittrack, repo_dir: Path) -> dict[str, str | None]:
    rows = json.loads("\n".join(gittrack("exp", "show", "--json", cwd=repo_dir)))
    return {row["experiment"]: row["parent"] for row in rows if row["kind"] == "experiment"}


def test_runs_within_runs_stand_below_their_parent(nested: Repository, repo_dir: Path, gittrack: Gittrack) -> None:
    """Three levels are drawn as a tree, from git and from the index; data formats name the parent."""
    assert nested
    for _ in range(2):
        tree = ["├─ late", "└─ sweep", "   ├─ fold-1", "   └─ fold-0", "      └─ head"]
        assert names_of(gittrack("exp", "show", cwd=repo_dir)) == tree
    parents = {"late": None, "sweep": None, "fold-1": "sweep", "fold-0": "sweep", "head": "fold-0"}
    assert parents_of(gittrack, repo_dir) == parents
    rows = list(csv.DictReader(gittrack("exp", "show", "--csv", cwd=repo_dir)))[1:]
    assert {row["experiment"]: row["parent"] or None for row in rows} == parents
    assert [row["experiment"] for row in rows] == list(parents)


def test_a_sorted_table_is_flat(nested: Repository, repo_dir: Path, gittrack: Gittrack) -> None:
    """Who asks for an order gets it across levels; choosing columns leaves the tree as it is."""
    assert nested
    lines = gittrack("exp", "show", "--sort-by", "loss", "--drop", "rev", cwd=repo_dir)
    assert names_of(lines)[:3] == ["├─ fold-1", "├─ head", "├─ fold-0"]
    assert not any(name.startswith(" ") for name in names_of(lines))
    lines = gittrack("exp", "show", "--keep", "nothing", "--drop", "parent", "--only-changed", cwd=repo_dir)
    assert names_of(lines)[-1] == "      └─ head"


def test_children_of_a_removed_parent_stand_by_themselves(
    nested: Repository, repo_dir: Path, gittrack: Gittrack
) -> None:
    """Without its parent a run is like any other, and its own children stay with it."""
    assert nested
    gittrack("exp", "remove", "sweep", "--yes", cwd=repo_dir)
    assert names_of(gittrack("exp", "show", cwd=repo_dir)) == ["├─ late", "├─ fold-1", "└─ fold-0", "   └─ head"]
    assert parents_of(gittrack, repo_dir) == {"late": None, "fold-1": None, "fold-0": None, "head": "fold-0"}


def test_a_parent_under_way_has_its_children_below_it(
    repository: Repository, repo_dir: Path, gittrack: Gittrack, git: Callable[..., str]
) -> None:
    """A parent without a commit yet, and a child that runs, are found by what they say now."""
    base = git("rev-parse", "HEAD")
    add_experiment(repository, "done", id="1" * 16, parent_run="0123456789abcdef")
    meta = Meta("parent", "0123456789abcdef", "running", started=STARTED + 9, baseline=base)
    child = Meta("runs", "2" * 16, "running", started=STARTED + 8, baseline=base, parent_run="1" * 16)
    locks = [create_folder(repository.state_dir / "runs", one)[1] for one in (meta, child)]
    assert names_of(gittrack("exp", "show", cwd=repo_dir)) == ["└─ parent ● runnin", "   └─ done", "      └─ runs ● ru"]
    for lock in locks:
        lock.release()


def test_a_dead_run_is_closed_by_the_next_command(
    repository: Repository, repo_dir: Path, gittrack: Gittrack, git: Callable[..., str]
) -> None:
    """Showing records what a process that died had logged, as killed."""
    import socket

    host = socket.gethostname()
    meta = Meta(
        "dead-fox", "0123456789abcdef", "running", started=STARTED, baseline=git("rev-parse", "HEAD"), host=host
    )
    folder, lock = create_folder(repository.state_dir / "runs", meta)
    journal = JournalWriter(folder.journal_path)
    journal.metrics({"loss": 0.5}, 0, STARTED)
    journal.close()
    lock.release()
    (row,) = [
        row for row in csv.DictReader(gittrack("exp", "show", "--csv", cwd=repo_dir)) if row["kind"] == "experiment"
    ]
    assert (row["status"], row["loss"]) == ("killed", "0.5")
    assert not folder.path.exists()


def test_problems_are_said_once_and_do_not_fail(
    three: Repository, repo_dir: Path, gittrack: Gittrack, git: Callable[..., str]
) -> None:
    """A broken experiment is a row and a warning; the exit code is 0."""
    assert three
    base = git("rev-parse", "HEAD")
    git("update-ref", f"refs/gittrack/exps/{base}/odd", base)
    lines = gittrack("exp", "show", "--csv", cwd=repo_dir)
    assert sum(line.startswith("warning: experiment 'odd'") for line in lines) == 1
    assert any(line.startswith("odd,") and "broken" in line for line in lines)


def test_an_empty_repository_gets_advice(repository: Repository, repo_dir: Path, gittrack: Gittrack) -> None:
    """No experiments: a sentence for people, an empty table for programs."""
    assert repository
    assert "no experiments yet" in gittrack("exp", "show", cwd=repo_dir)[0]
    assert gittrack("exp", "show", "--json", cwd=repo_dir) == ["[]"]
    assert "no experiments yet" in gittrack("exp", "list", cwd=repo_dir)[0]
    assert gittrack("exp", "diff", cwd=repo_dir, code=1)[0].startswith("error: the current commit has no experiments")


def test_showing_changes_nothing_of_the_users(
    three: Repository, repo_dir: Path, gittrack: Gittrack, git: Callable[..., str]
) -> None:
    """HEAD, refs, index and work tree are as before; only gittrack's own folder may differ."""

    def state() -> tuple[object, ...]:
        index = (three.git_dir / "index").read_bytes()
        return git("for-each-ref"), git("status", "--porcelain"), (three.git_dir / "HEAD").read_text(), index

    git("status")
    before = state()
    for words in (("show",), ("show", "high"), ("list",), ("diff", "low", "high"), ("diff", "--code")):
        gittrack("exp", *words, cwd=repo_dir)
    assert state() == before


def test_the_list_and_its_formats(three: Repository, repo_dir: Path, gittrack: Gittrack) -> None:
    """Grouped for people, one name a line or JSON for programs."""
    assert three
    lines = gittrack("exp", "list", cwd=repo_dir)
    assert lines[0].startswith("main (HEAD)")
    assert [line.split() for line in lines[1:]] == [["bad", "failed"], ["high"], ["low"]]
    assert gittrack("exp", "list", "--names-only", cwd=repo_dir) == ["bad", "high", "low"]
    facts = json.loads("\n".join(gittrack("exp", "list", "--json", cwd=repo_dir)))
    assert {one["experiment"]: one["status"] for one in facts} == {
        "bad": "failed",
        "high": "completed",
        "low": "completed",
    }


def test_a_remote_is_asked_without_fetching(
    three: Repository, repo_dir: Path, gittrack: Gittrack, git: Callable[..., str], tmp_path: Path
) -> None:
    """What is on the remote is listed, what is here is told from what is not, and no ref changes."""
    git("init", "-q", "--bare", str(tmp_path / "hub.git"))
    git("remote", "add", "origin", str(tmp_path / "hub.git"))
    base = git("rev-parse", "HEAD")
    git("push", "-q", "origin", f"refs/gittrack/exps/{base}/high", f"HEAD:refs/gittrack/exps/{base}/theirs")
    refs = git("for-each-ref")
    facts = json.loads("\n".join(gittrack("exp", "list", "origin", "--json", cwd=repo_dir)))
    assert {one["experiment"]: one["here"] for one in facts} == {"high": True, "theirs": False}
    assert any("not fetched" in line for line in gittrack("exp", "list", "origin", cwd=repo_dir))
    assert git("for-each-ref") == refs
    assert three
    assert gittrack("exp", "list", "nowhere", cwd=repo_dir, code=1)[0].startswith("error: remote 'nowhere'")
    assert gittrack("exp", "list", "--", "--upload-pack=touch x", cwd=repo_dir, code=1)
    assert not (repo_dir / "x").exists()


def test_differences_for_people_and_programs(three: Repository, repo_dir: Path, gittrack: Gittrack) -> None:
    """Values, deltas and verdicts; JSON and Markdown."""
    assert three
    text = "\n".join(gittrack("exp", "diff", "low", "high", cwd=repo_dir))
    assert "0.5 → 0.9" in text
    assert "better" in text
    document = json.loads("\n".join(gittrack("exp", "diff", "low", "high", "--json", cwd=repo_dir)))
    assert document["params"] == {"train.lr": {"from": 0.1, "to": 0.2, "delta": 0.1}}
    assert "same" in "\n".join(gittrack("exp", "diff", "low", "high", "--all", cwd=repo_dir))
    assert gittrack("exp", "diff", "low", "high", "--md", cwd=repo_dir)[0] == "| kind | name | low | high | delta |"


def test_wrong_calls_are_explained(three: Repository, repo_dir: Path, gittrack: Gittrack) -> None:
    """Unknown names, columns, revisions and patterns: an error, a hint, the right exit code."""
    assert three
    assert "did you mean 'high'" in gittrack("exp", "show", "hihg", cwd=repo_dir, code=1)[1]
    assert gittrack("exp", "show", "--sort-by", "nope", cwd=repo_dir, code=2)
    assert gittrack("exp", "show", "--rev", "nope", cwd=repo_dir, code=1)
    assert gittrack("exp", "show", "--keep", "(", cwd=repo_dir, code=2)
    assert gittrack("exp", "show", "high", "--csv", cwd=repo_dir, code=2)
