from __future__ import annotations

import os
import signal
import time
from typing import TYPE_CHECKING

import pytest

from tests.support.git_repository import open_repository
from tests.support.recorded import read_all, read_recorded, run_script, settle, start_script
from tests.support.untouched import untouched

if TYPE_CHECKING:
    import subprocess
    from pathlib import Path

    from gittrack.experiments.format import Meta

IMPORTS = "import gittrack, os, signal, sys, time\n"
IN_A_BLOCK = IMPORTS + "with gittrack.Run('run') as run:\n    run.log_metric('m', 1)\n    "
BY_HAND = IMPORTS + "run = gittrack.Run('run')\nrun.log_metric('m', 1)\n"
WAIT = "print('open', flush=True); time.sleep(30)"


def _wait_until_open(process: subprocess.Popen[str]) -> None:
    assert process.stdout is not None
    assert process.stdout.readline() == "open\n"


def _meta(folder: Path) -> Meta:
    record = read_recorded(folder, "run")
    assert record.metrics["m"].last == 1
    settle(folder)
    return record.meta


@pytest.mark.parametrize(
    ("script", "code", "status", "message"),
    [
        (IN_A_BLOCK + "pass", 0, "completed", None),
        (IN_A_BLOCK + "raise ValueError('too high')", 1, "failed", "ValueError: too high"),
        (IN_A_BLOCK + "raise KeyError", 1, "failed", "KeyError"),
        (IN_A_BLOCK + "sys.exit()", 0, "completed", None),
        (IN_A_BLOCK + "sys.exit(0)", 0, "completed", None),
        (IN_A_BLOCK + "sys.exit(3)", 3, "failed", "exit code 3"),
        (IN_A_BLOCK + "sys.exit('no data')", 1, "failed", "no data"),
        (IN_A_BLOCK + "raise KeyboardInterrupt", -signal.SIGINT, "killed", "interrupted (SIGINT)"),
        (IN_A_BLOCK + "os.kill(os.getpid(), signal.SIGINT)", -signal.SIGINT, "killed", "interrupted (SIGINT)"),
        (BY_HAND + "run.end()", 0, "completed", None),
        (BY_HAND + "run.end('killed', 'enough')", 0, "killed", "enough"),
        (BY_HAND, 0, "completed", None),
        (BY_HAND + "1 / 0", 1, "failed", "ZeroDivisionError: division by zero"),
        # CPython dies of the signal unless modules are loaded at exit, as in a run of a few milliseconds.
        (BY_HAND + "time.sleep(1); raise KeyboardInterrupt", -signal.SIGINT, "killed", "interrupted (SIGINT)"),
        (BY_HAND + "run.end(); 1 / 0", 1, "completed", None),
        (BY_HAND + "def f():\n yield run.end\nf()", 0, "completed", None),
    ],
    ids=range(16),
)
def test_the_status_says_how_it_ended(repo_dir: Path, script: str, code: int, status: str, message: str | None) -> None:
    """Normal ends, exceptions, exits and Ctrl-C, in a block and without; the script's own exit code stays."""
    with untouched(repo_dir):
        done = run_script(repo_dir, script)
    assert done.returncode == code, done.stderr
    meta = _meta(repo_dir)
    assert (meta.status, meta.message) == (status, message)
    assert meta.ended is not None
    assert meta.ended >= meta.started


@pytest.mark.parametrize("script", [IN_A_BLOCK + WAIT, BY_HAND + WAIT], ids=["block", "by hand"])
def test_sigterm_is_killed(repo_dir: Path, script: str) -> None:
    """The run is recorded before the process dies of the signal, as it would have without gittrack."""
    process = start_script(repo_dir, script)
    _wait_until_open(process)
    process.terminate()
    process.communicate(timeout=60)
    assert process.returncode == -signal.SIGTERM
    meta = _meta(repo_dir)
    assert (meta.status, meta.message) == ("killed", "terminated (SIGTERM)")


@pytest.mark.parametrize("before", [True, False])
def test_a_handler_of_the_script_stays(repo_dir: Path, before: bool) -> None:
    """SIGTERM reaches the handler that the script set, before or after the run began; that decides."""
    handler = "import signal\nsignal.signal(signal.SIGTERM, lambda *_: exit(7))\n"
    rest = handler.replace("\n", "\n    ")
    script = handler + IN_A_BLOCK + WAIT if before else IN_A_BLOCK + rest + WAIT
    process = start_script(repo_dir, script)
    _wait_until_open(process)
    process.terminate()
    process.communicate(timeout=60)
    assert process.returncode == 7
    meta = _meta(repo_dir)
    assert (meta.status, meta.message) == ("failed", "exit code 7")


@pytest.mark.parametrize("how", ["os._exit(0)", "os.kill(os.getpid(), signal.SIGKILL)", "os.abort()"])
def test_a_sudden_death_is_closed_by_the_next_command(repo_dir: Path, how: str) -> None:
    """Without a word of the process the run is killed, with everything that is older than a second."""
    script = IN_A_BLOCK + (
        "run.log_param('p', 2); run.note('n'); start = time.time()\n"
        "    while time.time() < start + 1.2:\n        run.log_metric('t', time.time()); time.sleep(0.01)\n"
        f"    print(time.time())\n    {how}"
    )
    with untouched(repo_dir):
        done = start_script(repo_dir, script)
        _, stderr = done.communicate(timeout=30)
        died = time.time()
        assert "Traceback" not in stderr
        if how == "os._exit(0)":
            with_running = read_recorded(repo_dir, "run")
            assert with_running.meta.status == "running"
        settle(repo_dir)
    record = read_recorded(repo_dir, "run")
    assert (record.meta.status, record.meta.message) == ("killed", "the process ended without a word")
    assert record.params["p"] == 2
    assert record.meta.notes == ("n",)
    assert record.metrics["m"].last == 1
    assert died - record.metrics["t"].last < 1.0
    assert record.meta.ended is not None
    assert died - 1.0 < record.meta.ended <= died


def test_two_commands_close_a_dead_run_once(repo_dir: Path) -> None:
    """Recovery at the same moment from several processes makes one experiment, without a warning."""
    run_script(repo_dir, BY_HAND + "run.flush(); os._exit(1)")
    script = (
        "import pathlib, os\nfrom gittrack.git.repository import Repository\n"
        "from gittrack.runs.recovery import close_dead_runs\n"
        "print(len(close_dead_runs(Repository.discover(pathlib.Path.cwd(), os.environ))))"
    )
    processes = [start_script(repo_dir, script) for _ in range(4)]
    answers = [process.communicate(timeout=30) for process in processes]
    assert sorted(stdout for stdout, _ in answers) == ["0\n", "0\n", "0\n", "1\n"]
    assert [stderr for _, stderr in answers] == [""] * 4
    assert _meta(repo_dir).status == "killed"


def test_a_kill_while_it_is_recorded_keeps_the_status(repo_dir: Path) -> None:
    """A run that had said how it ended is recorded with that, also when its process died before git had it."""
    script = BY_HAND + (
        "import gittrack.runs.start as start\n"
        "start.finish_run = lambda *_: os._exit(9)\n"
        "run.end('failed', 'it diverged')"
    )
    assert run_script(repo_dir, script).returncode == 9
    settle(repo_dir)
    meta = _meta(repo_dir)
    assert (meta.status, meta.message) == ("failed", "it diverged")


def test_a_living_run_is_left_alone(repo_dir: Path) -> None:
    """Neither a command nor another run closes a run whose process lives."""
    process = start_script(repo_dir, BY_HAND + WAIT)
    _wait_until_open(process)
    run_script(repo_dir, "import gittrack\ngittrack.Run('other').end()")
    from gittrack.runs.recovery import close_dead_runs

    assert close_dead_runs(open_repository(repo_dir)) == []
    process.kill()
    process.communicate()
    settle(repo_dir)
    assert {name: record.meta.status for name, record in read_all(repo_dir).items()} == {
        "run": "killed",
        "other": "completed",
    }


def test_half_made_folders_are_swept(repo_dir: Path) -> None:
    """What a kill left of a folder that came into being, or was being removed, goes after a minute."""
    runs = repo_dir / ".git/gittrack/runs"
    for name, age_s in ((".new-1", 100), (".done-2", 100), (".new-3", 1)):
        (runs / name).mkdir(parents=True)
        os.utime(runs / name, (time.time() - age_s,) * 2)
    settle(repo_dir)
    assert [path.name for path in runs.iterdir()] == [".new-3"]
