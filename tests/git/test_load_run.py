"""Runs are found by name, block or environment, and never made up."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any

import pytest

import gittrack
from gittrack.errors import GittrackError, UsageError
from gittrack.runs.loading import find_target
from tests.support.recorded import read_all, read_recorded, run_script, settle

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from gittrack.runs.loading import Target

CHILD = """
import gittrack
with gittrack.load_run() as run:
    run.log_metric("child", 3)
    print(run.name, run.group)
"""


@pytest.fixture(autouse=True)
def _in_repository(repo_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(repo_dir)


def test_the_run_of_the_block_is_the_same_object(repo_dir: Path) -> None:
    """Inside `with`, load_run returns the object itself, and leaving the inner block does not end it."""
    with gittrack.Run("a") as run:
        with gittrack.load_run() as inner:
            assert inner is run
            inner.log_metric("loss", 1)
        assert run.status == "running"
        run.log_metric("loss", 0.5)
    assert read_recorded(repo_dir, "a").metrics["loss"].count == 2


def test_the_innermost_block_wins() -> None:
    """Nested blocks are a stack."""
    with gittrack.Run("outer") as outer:
        with gittrack.Run("inner") as inner:
            assert gittrack.load_run() is inner
        assert gittrack.load_run() is outer


def test_a_thread_finds_the_run_that_is_open() -> None:
    """A thread starts outside of every block; the environment still names the run."""
    found: list[object] = []
    with gittrack.Run("a") as run:
        thread = threading.Thread(target=lambda: found.append(gittrack.load_run()))
        thread.start()
        thread.join()
    assert found == [run]


def test_names_win_over_the_block(repo_dir: Path) -> None:
    """What the script says comes first."""
    with gittrack.Run("other", group="g"):
        pass
    with gittrack.Run("here"), gittrack.load_run("other", "g") as run:
        assert run.name == "other"
        run.log_metric("late", 1)
    assert read_recorded(repo_dir, "other").metrics["late"].last == 1
    assert "late" not in read_recorded(repo_dir, "here").metrics


def test_a_program_that_a_script_starts_finds_the_run(repo_dir: Path) -> None:
    """A child process joins the run that its parent has open."""
    with gittrack.Run("a", group="g"):
        done = run_script(repo_dir, CHILD)
        assert (done.returncode, done.stdout.split()) == (0, ["a", "g"]), done.stderr
    assert read_recorded(repo_dir, "a").metrics["child"].last == 3
    assert list(read_all(repo_dir)) == ["a"]


def test_a_command_that_is_recorded_finds_its_run(repo_dir: Path) -> None:
    """`gittrack exp run` names the run to its command, with the group."""
    (repo_dir / "load.py").write_text(CHILD, encoding="utf-8")
    words = [sys.executable, "-m", "gittrack", "exp", "run", "-n", "a", "--group", "g", "--", sys.executable, "load.py"]
    done = run_script(repo_dir, f"import subprocess, sys; sys.exit(subprocess.run({words!r}).returncode)")
    assert (done.returncode, done.stdout.split()) == (0, ["a", "g"]), done.stderr
    record = read_recorded(repo_dir, "a")
    assert (record.meta.group, record.metrics["child"].last) == ("g", 3)


def test_the_configuration_alone_names_a_run(repo_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`experiment_config` in the environment is enough for a job that shares nothing but the repository."""
    with gittrack.Run("a", group="g") as run:
        config = run.experiment_config
    assert config == {"ExperimentName": "g", "TrialName": "Default-Run-Group-g", "RunName": "a"}
    monkeypatch.setenv("GITTRACK_EXPERIMENT_CONFIG", json.dumps(config))
    with gittrack.load_run() as again:
        again.log_metric("more", 1)
        assert again.group == "g"
    assert read_recorded(repo_dir, "a").metrics["more"].last == 1


def test_a_run_is_continued_with_its_steps(repo_dir: Path) -> None:
    """Metrics without a step go on after the last one."""
    with gittrack.Run("a") as run:
        run.log_metric("loss", 1)
    with gittrack.load_run("a") as run:
        run.log_metric("loss", 2)
    assert read_recorded(repo_dir, "a").metrics["loss"].step == 1


def test_the_run_under_head_comes_before_a_newer_one(git: Callable[..., str]) -> None:
    """Of several of a name the one that starts from HEAD is meant; `name@baseline` means exactly one."""
    first = git("rev-parse", "HEAD")
    gittrack.Run("a", quiet=True).end()
    git("commit", "-q", "--allow-empty", "-m", "Second")
    second = git("rev-parse", "HEAD")
    gittrack.Run("a", quiet=True).end()
    git("checkout", "-q", first)
    for name, baseline in (("a", first), (f"a@{second}", second), (f"a@{second[:9]}", second), ("a@main", second)):
        run = gittrack.load_run(name)
        assert run.baseline == baseline, name
        run.end()
    git("commit", "-q", "--allow-empty", "-m", "Third")
    with gittrack.load_run("a") as run:
        assert run.baseline == second


@pytest.mark.parametrize(("name", "group"), [("no-such", None), ("a", "other"), ("a@0123456", None)])
def test_a_run_that_does_not_exist_is_an_error(name: str, group: str | None, repo_dir: Path) -> None:
    """Nothing is made up: a run that is loaded exists."""
    gittrack.Run("a", group="g", quiet=True).end()
    with pytest.raises(GittrackError, match=f"there is no run '{name}'"):
        gittrack.load_run(name, group)
    assert list(read_all(repo_dir)) == ["a"]


def test_nothing_to_load_is_an_error(repo_dir: Path) -> None:
    """Without names, block and environment there is no run; an experiment's name alone is of no use."""
    with pytest.raises(GittrackError, match="no run to load"):
        gittrack.load_run()
    with pytest.raises(GittrackError, match="no run to load"):
        gittrack.load_run(experiment_name="g")
    assert read_all(repo_dir) == {}


def test_a_run_that_has_ended_is_not_that_of_its_block() -> None:
    """A block whose run was ended early names none."""
    with gittrack.Run("a") as run:
        run.end()
        with pytest.raises(GittrackError, match="no run to load"):
            gittrack.load_run()


def test_a_broken_configuration_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the environment holds is checked."""
    monkeypatch.setenv("GITTRACK_EXPERIMENT_CONFIG", "[1]")
    with pytest.raises(GittrackError, match="GITTRACK_EXPERIMENT_CONFIG is not a JSON object"):
        gittrack.load_run()


@pytest.mark.parametrize("arguments", [(3,), ("a", 3)])
def test_names_are_texts(arguments: tuple[str, ...]) -> None:
    """Another type is named at once."""
    with pytest.raises(UsageError, match="must be a string, not int"):
        gittrack.load_run(*arguments)


def test_another_rank_loads_a_run_that_does_nothing(repo_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In distributed training every rank may call it, and only the first one writes."""
    gittrack.Run("a", quiet=True).end()
    monkeypatch.setenv("RANK", "1")
    with gittrack.load_run("a") as run:
        assert not run.is_writer
        run.log_metric("loss", 1)
    assert read_recorded(repo_dir, "a").metrics == {}


def test_a_run_that_ends_while_it_is_loaded_is_continued(repo_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between the look at the run and the join nothing is made up in its place."""
    script = "import gittrack, sys\nrun = gittrack.Run('a')\nprint('on', flush=True)\nsys.stdin.read()\nrun.end()"
    process = subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"on\n"
    looked: list[Target] = []

    def find(*arguments: Any) -> Target:
        looked.append(find_target(*arguments))
        if process.poll() is None:
            process.communicate()
        return looked[-1]

    monkeypatch.setattr("gittrack.runs.loading.find_target", find)
    with gittrack.load_run("a") as run:
        run.log_metric("late", 1)
    assert [(target.joins is not None, target.resumes is not None) for target in looked] == [
        (True, False),
        (False, True),
    ]
    assert list(read_all(repo_dir)) == ["a"]
    assert read_recorded(repo_dir, "a").metrics["late"].last == 1


def test_a_killed_run_is_recorded_first_and_then_continued(repo_dir: Path) -> None:
    """What it had logged by then stays."""
    script = "import gittrack, os; r = gittrack.Run('a'); r.log_metric('m', 1); r.flush(); os.kill(os.getpid(), 9)"
    run_script(repo_dir, script)
    with gittrack.load_run("a") as run:
        run.log_metric("m", 2)
    assert read_recorded(repo_dir, "a").metrics["m"].count == 2
    settle(repo_dir)
