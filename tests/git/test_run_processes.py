from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

import gittrack
from gittrack.errors import UsageError
from gittrack.experiments.series import parse_series
from gittrack.experiments.store import ExperimentMissingError
from gittrack.runs.opening import RunActiveError
from tests.support.git_repository import run_git
from tests.support.recorded import ROOT, read_all, read_recorded, refs_of, run_script, settle, start_script

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Git = Callable[..., str]

CHILD = """\
import gittrack
with gittrack.Run() as run:
    run.log_metric('child', 2)
    run.log_param('from', 'child')
"""


@pytest.fixture(autouse=True)
def _in_repository(repo_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(repo_dir)


def _call(script: str) -> None:
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, "-c", script], check=True, env=environ, timeout=60)


def test_the_variables_last_as_long_as_the_run(git: Git) -> None:
    """Children see run, name and baseline; afterwards the environment is what it was."""
    outer = gittrack.Run("outer", quiet=True)
    wanted = {"GITTRACK_RUN": outer.id, "GITTRACK_EXP_NAME": "outer", "GITTRACK_BASELINE": git("rev-parse", "HEAD")}
    assert {name: os.environ.get(name) for name in wanted} == wanted
    inner = gittrack.Run("inner", quiet=True)
    assert os.environ["GITTRACK_EXP_NAME"] == "inner"
    outer.end()
    assert os.environ["GITTRACK_EXP_NAME"] == "inner"
    inner.end()
    assert not any(name in os.environ for name in wanted)


def test_a_child_process_joins_the_run(repo_dir: Path) -> None:
    """A program that the script starts logs into the same experiment, and does not end it."""
    with gittrack.Run("parent", quiet=True) as run:
        run.log_metric("parent", 1)
        _call(CHILD)
        assert run.status == "running"
        run.log_metric("parent", 3)
    records = read_all(repo_dir)
    assert set(records) == {"parent"}
    assert {name: summary.last for name, summary in records["parent"].metrics.items()} == {"parent": 3, "child": 2}
    assert records["parent"].params["from"] == "child"
    settle(repo_dir)


def test_a_child_with_another_name_is_a_run_of_its_own(repo_dir: Path) -> None:
    """It names its parent run."""
    with gittrack.Run("parent", quiet=True) as run:
        _call(CHILD.replace("Run()", "Run('trial')"))
    records = read_all(repo_dir)
    assert set(records) == {"parent", "trial"}
    assert records["trial"].meta.parent_run == run.id
    with gittrack.Run("trial", resume=True, quiet=True) as trial:
        trial.log_metric("more", 1)
    assert read_all(repo_dir)["trial"].meta.parent_run == run.id


def test_spawned_workers_join_and_forked_ones_break_nothing(repo_dir: Path) -> None:
    """A spawned worker that calls `Run()` joins; a forked one that uses its parent's run records nothing."""
    (repo_dir / "work.py").write_text(
        "import gittrack, multiprocessing as mp, sys\n"
        "def spawned(number):\n"
        "    with gittrack.Run() as run:\n"
        "        run.log_metric(f'spawned{number}', number)\n"
        "def forked(run):\n"
        "    run.log_metric('forked', 1)\n"
        "    run.log_param('forked', 1)\n"
        "    run.end('failed')\n"
        "if __name__ == '__main__':\n"
        "    with gittrack.Run('workers') as run:\n"
        "        spawn, fork = mp.get_context('spawn'), mp.get_context('fork')\n"
        "        some = [spawn.Process(target=spawned, args=(n,)) for n in range(2)]\n"
        "        some.append(fork.Process(target=forked, args=(run,)))\n"
        "        [one.start() for one in some]\n"
        "        [one.join() for one in some]\n"
        "        assert [one.exitcode for one in some] == [0, 0, 0]\n"
        "        run.log_metric('parent', 5)\n",
        encoding="utf-8",
    )
    done = subprocess.run(
        [sys.executable, "work.py"],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    record = read_recorded(repo_dir, "workers")
    assert set(record.metrics) == {"spawned0", "spawned1", "parent"}
    assert record.meta.status == "completed"
    assert "forked" not in record.params


def test_a_fork_that_exits_the_block_ends_nothing(repo_dir: Path) -> None:
    """A forked child that leaves the `with` block, by an end, an exit or an error, leaves the run to its parent."""
    for number, end in enumerate(("pass", "sys.exit(1)", "raise ValueError")):
        script = (
            f"import gittrack, os, sys\nwith gittrack.Run('fork{number}') as run:\n    pid = os.fork()\n"
            f"    if not pid:\n        {end}\n    else:\n        os.waitpid(pid, 0)\n        run.log_metric('m', 1)\n"
        )
        done = run_script(repo_dir, script)
        assert done.returncode == 0, done.stderr
        record = read_recorded(repo_dir, f"fork{number}")
        assert (record.meta.status, record.metrics["m"].last) == ("completed", 1)


def test_a_parent_may_end_before_its_child(repo_dir: Path) -> None:
    """The child goes on with one warning; what it had logged before is recorded."""
    child = CHILD.replace("    run.log_param", "    run.flush(); print('open', flush=True); input()\n    run.log_param")
    with gittrack.Run("parent", quiet=True):
        process = subprocess.Popen(
            [sys.executable, "-c", child],
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        assert process.stdout.readline() == "open\n"
    _, stderr = process.communicate("\n", timeout=30)
    assert process.returncode == 0
    assert stderr.count("the run that this process joined ended first") == 1
    assert read_recorded(repo_dir, "parent").metrics["child"].last == 2
    settle(repo_dir)


def test_a_dead_parent_is_not_joined(repo_dir: Path) -> None:
    """Variables that outlived their run give a name and a baseline, and a run of its own."""
    stale = {"GITTRACK_RUN": "0" * 16, "GITTRACK_EXP_NAME": "given"}
    assert run_script(repo_dir, CHILD, **stale).returncode == 0
    assert read_recorded(repo_dir, "given").meta.parent_run == "0" * 16


def test_the_environment_gives_name_and_baseline(repo_dir: Path, git: Git, monkeypatch: pytest.MonkeyPatch) -> None:
    """GITTRACK_EXP_NAME and GITTRACK_BASELINE from outside are used; a wrong baseline is refused at once."""
    first = git("rev-parse", "HEAD")
    git("commit", "-q", "--allow-empty", "-m", "Second")
    monkeypatch.setenv("GITTRACK_EXP_NAME", "named")
    monkeypatch.setenv("GITTRACK_BASELINE", first[:10])
    gittrack.Run(quiet=True).end()
    assert refs_of(repo_dir) == {"named": f"refs/gittrack/exps/{first}/named"}
    for wrong in ("nonsense", "--all", "f" * 40):
        monkeypatch.setenv("GITTRACK_BASELINE", wrong)
        with pytest.raises(UsageError, match="GITTRACK_BASELINE"):
            gittrack.Run("never")
    assert set(refs_of(repo_dir)) == {"named"}


@pytest.mark.parametrize("variable", ["RANK", "LOCAL_RANK", "SLURM_PROCID"])
def test_other_ranks_write_nothing(repo_dir: Path, monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    """Every method works on every rank, and only rank 0 records."""
    monkeypatch.setenv(variable, "1")
    with gittrack.Run("ranks") as run:
        run.log_metric("m", 1)
        run.log_params({"a": 1})
        run.set_tag("t")
        run.note("n")
        run.description = "d"
        assert run.next_step() == 1
        assert run.flush() is False
        assert (run.is_writer, run.id, run.baseline, run.record, run.commit) == (False, None, None, None, None)
        assert run.name == "ranks"
    assert run.status == "completed"
    assert "GITTRACK_RUN" not in os.environ
    assert not (repo_dir / ".git/gittrack").exists()
    monkeypatch.setenv(variable, "0")
    with gittrack.Run("ranks", quiet=True) as run:
        run.log_metric("m", 1)
    assert set(read_all(repo_dir)) == {"ranks"}


def test_many_processes_record_at_once(repo_dir: Path) -> None:
    """Four processes with one name at the same moment: four experiments, four names, nothing mixed."""
    script = "import gittrack, sys\nwith gittrack.Run('same') as run:\n    run.log_metric('m', int(sys.argv[1]))\n"
    processes = [start_script(repo_dir, script, str(number)) for number in range(4)]
    for process in processes:
        _, stderr = process.communicate(timeout=60)
        assert process.returncode == 0, stderr
    records = read_all(repo_dir)
    assert set(records) == {"same", "same-2", "same-3", "same-4"}
    assert sorted(record.metrics["m"].last for record in records.values()) == [0, 1, 2, 3]
    assert all(record.meta.name == name for name, record in records.items())
    settle(repo_dir)


def test_resume_continues_an_experiment(repo_dir: Path, git: Git) -> None:
    """A further commit: the series go on, params are merged, steps continue, tags and notes stay."""
    with gittrack.Run("long", params={"a": 1, "b": 1}, tags={"t": 1}, description="D", quiet=True) as run:
        for value in (3, 2):
            run.log_metric("loss", value)
        run.note("first")
    first = run.commit
    with gittrack.Run("long", resume=True, params={"b": 2, "c": 3}, quiet=True) as run:
        assert run.step == 2
        run.log_metric("loss", 1)
        run.note("second")
    record = read_recorded(repo_dir, "long")
    assert record.series is not None
    points = parse_series(record.series)["loss"]
    assert (points.steps, points.values) == ([0, 1, 2], [3, 2, 1])
    assert (record.metrics["loss"].count, record.metrics["loss"].max) == (3, 3)
    assert {key: record.params[key] for key in "abc"} == {"a": 1, "b": 2, "c": 3}
    meta = record.meta
    assert (meta.notes, meta.tags, meta.description) == (("first", "second"), {"t": 1}, "D")
    assert first in git("rev-list", refs_of(repo_dir)["long"]).split()
    with gittrack.Run(resume="long", quiet=True) as run:
        run.log_metric("loss", 0)
    assert read_recorded(repo_dir, "long").metrics["loss"].count == 4
    assert set(read_all(repo_dir)) == {"long"}
    settle(repo_dir)


def test_resume_refuses_what_runs_and_closes_what_died(repo_dir: Path) -> None:
    """A living run cannot be resumed by another; a killed one is closed first, with all it had logged."""
    script = "import gittrack, os, time\nrun = gittrack.Run('long')\nrun.log_metric('m', 1)\nrun.flush()\n"
    process = start_script(repo_dir, script + "print('open', flush=True)\ntime.sleep(30)")
    assert process.stdout is not None
    assert process.stdout.readline() == "open\n"
    while not refs_of(repo_dir):
        pass
    with pytest.raises(RunActiveError, match="still running"):
        gittrack.Run("long", resume=True)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    with gittrack.Run("long", resume=True, quiet=True) as run:
        run.log_metric("m", 2)
    record = read_recorded(repo_dir, "long")
    assert record.series is not None
    assert parse_series(record.series)["m"].values == [1, 2]
    assert record.meta.status == "completed"
    messages = run_git("log", "--format=%s", refs_of(repo_dir)["long"], cwd=repo_dir).splitlines()
    assert "gittrack: long killed" in messages
    settle(repo_dir)


def test_a_resumed_run_that_dies_is_closed(repo_dir: Path) -> None:
    """What it added is there, once, after what was there before."""
    with gittrack.Run("long", quiet=True) as run:
        run.log_metric("m", 1)
    script = (
        "import gittrack, os, time\nrun = gittrack.Run(resume='long')\nrun.log_metric('m', 2)\nrun.flush()\n"
        "run._opened.starter.wait()\nos._exit(1)"
    )
    run_script(repo_dir, script)
    settle(repo_dir)
    record = read_recorded(repo_dir, "long")
    assert record.series is not None
    points = parse_series(record.series)["m"]
    assert (points.steps, points.values) == ([0, 1], [1, 2])
    assert record.meta.status == "killed"


def test_resume_of_an_ambiguous_name_lists_the_candidates(git: Git) -> None:
    """Of several experiments of other baselines none is guessed; a single one is found."""
    for message in ("One", "Two"):
        git("commit", "-q", "--allow-empty", "-m", message)
        gittrack.Run("same", quiet=True).end()
    git("commit", "-q", "--allow-empty", "-m", "Three")
    with pytest.raises(ExperimentMissingError, match="several experiments are called 'same'"):
        gittrack.Run("same", resume=True)
    git("checkout", "-q", "HEAD~1")
    with gittrack.Run("same", resume=True, quiet=True) as run:
        assert run.baseline == git("rev-parse", "HEAD")
