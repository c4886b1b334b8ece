"""Runs under fire: kills at any moment, full and read-only disks, and many recorders while git collects garbage."""

from __future__ import annotations

import os
import random
import sys
import time
from typing import TYPE_CHECKING

import pytest

from gittrack.runs.capture import save_workspace
from gittrack.runs.context import RunContext
from gittrack.runs.folder import list_folders
from gittrack.runs.recovery import close_dead_runs
from tests.support.git_repository import looping, make_repository, open_repository, run_git
from tests.support.recorded import read_all, read_recorded, run_script, settle, start_script
from tests.support.small_disk import fill, set_read_only, small_disk
from tests.support.untouched import untouched

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PACK = (["gc", "-q"], ["pack-refs", "--all"])
PRUNE = (["gc", "-q", "--prune=now"],)
PRUNE_PAUSE_S = 0.2  # without a pause, a loaded machine never gets an object from its writing to its ref

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals and mounts of POSIX")

RECORD_UNTIL_KILLED = """
import gittrack, sys
for number in range(10**9):
    name = f"{sys.argv[1]}-{number}"
    run = gittrack.Run(name, quiet=True)
    for step in range(3):
        run.log_metric("m", step)
        if run.flush():
            print("logged", name, step, flush=True)
    run.end()
    print("ended", name, run.commit, flush=True)
"""

RECORD = """
import gittrack, sys
for number in range(int(sys.argv[2])):
    with gittrack.Run(f"{sys.argv[1]}-{number}", params={"number": number}, quiet=True) as run:
        run.log_metric("m", number)
    print(run.name, run.commit, flush=True)
"""

TRAIN_ON_A_FULL_DISK = """
import gittrack, pathlib, sys
disk = pathlib.Path(sys.argv[1])
run = gittrack.Run("full", params={"a": 1})
if sys.argv[2] == "recorded":
    run._opened.starter.wait()
run.log_metric("m", 1)
assert run.flush()
with (disk / "ballast").open("wb", buffering=0) as file:
    try:
        while True:
            file.write(bytes(4096))
    except OSError:
        pass
for step in range(5000):
    run.log_metric("m", step, step=step + 1)
run.log_param("late", 1)
assert not run.flush()
if sys.argv[3] == "freed":
    (disk / "ballast").unlink()
run.end("failed", "it diverged")
print("trained to the end")
"""


@pytest.fixture(params=["git folder", "whole repository"])
def full_disk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Path, Path]]:
    """A repository with its `.git`, or all of it, on a small disk; yields the repository and the disk."""
    folder = tmp_path / "repo"
    with small_disk(folder / ".git" if request.param == "git folder" else folder) as disk:
        yield make_repository(folder, "--template="), disk


def _check_kill(folder: Path, output: str) -> None:
    """Assert that what a killed recorder had said is true."""
    records = read_all(folder)
    commits = set(run_git("rev-list", "--glob=refs/gittrack", cwd=folder).split())
    for line in output.splitlines():
        if line.count(" ") != 2 or not output.endswith("\n"):
            continue
        word, name, value = line.split(" ")
        if word == "logged":
            assert records[name].metrics["m"].last >= int(value)
        elif word == "ended":
            assert value in commits
            assert records[name].meta.status == "completed"
    assert all(record.meta.status != "running" for record in records.values())


@pytest.mark.parametrize("n_kills", [20, pytest.param(200, marks=pytest.mark.slow)], ids=["short", "long"])
def test_a_kill_at_any_moment_loses_nothing_acknowledged(repo_dir: Path, n_kills: int) -> None:
    """SIGKILL in the middle of recording: acknowledged data is there, no lock stays, the next command closes all."""
    (repo_dir / "untracked.py").write_text("new\n", encoding="utf-8")
    moments = random.Random(n_kills)
    for number in range(n_kills):
        with untouched(repo_dir):
            process = start_script(repo_dir, RECORD_UNTIL_KILLED, f"k{number}")
            time.sleep(0.08 + moments.random() * 0.3)
            process.kill()
            stdout, stderr = process.communicate()
            assert "Traceback" not in stderr
            repository = settle(repo_dir)
        _check_kill(repo_dir, stdout)
        for name in ("tmp", "refs"):
            assert list((repository.state_dir / name).glob("*")) == []


@pytest.mark.parametrize(
    ("commands", "n_processes", "n_runs"),
    [
        pytest.param(PACK, 6, 15, id="pack"),
        pytest.param(PACK, 32, 100, id="pack long", marks=pytest.mark.slow),
        pytest.param(PRUNE, 4, 15, id="prune now"),
        pytest.param(PRUNE, 6, 50, id="prune now long", marks=pytest.mark.slow),
    ],
)
def test_many_record_while_git_collects_garbage(
    repo_dir: Path, commands: tuple[list[str], ...], n_processes: int, n_runs: int
) -> None:
    """Every run is recorded, without a warning, while git packs, prunes and packs refs in a loop."""
    (repo_dir / "untracked.py").write_text("new\n", encoding="utf-8")
    (repo_dir / "sub").mkdir()
    (repo_dir / "sub/more.py").write_text("more\n", encoding="utf-8")
    with looping(repo_dir, *commands, pause_s=PRUNE_PAUSE_S if commands is PRUNE else 0):
        processes = [start_script(repo_dir, RECORD, f"p{number}", str(n_runs)) for number in range(n_processes)]
        answers = [process.communicate(timeout=1800) for process in processes]
    assert [stderr for _, stderr in answers] == [""] * n_processes
    acknowledged = dict(line.split() for stdout, _ in answers for line in stdout.splitlines())
    assert len(acknowledged) == n_processes * n_runs
    settle(repo_dir)
    records = read_all(repo_dir)
    assert set(records) == set(acknowledged)
    for name, record in records.items():
        assert record.params["number"] == record.metrics["m"].last == int(name.partition("-")[2])


@pytest.mark.parametrize("end", ["run.end()", "run.flush(); os._exit(1)"])
def test_pruning_during_a_run_harms_nothing(repo_dir: Path, end: str) -> None:
    """What a run recorded at its start is still there at its end, and for the next command after its death."""
    (repo_dir / "sub").mkdir()
    (repo_dir / "sub/new.py").write_text("new\n", encoding="utf-8")
    script = (
        "import gittrack, os, pathlib, subprocess\nrun = gittrack.Run('long', quiet=True)\n"
        "run.log_metric('m', 1)\nrun._opened.starter.wait()\npathlib.Path('sub/new.py').unlink()\n"
        "pathlib.Path('metrics.json').write_text('{\"accuracy\": 1}')\n"
        f"subprocess.run(['git', 'gc', '-q', '--prune=now'], check=True)\n{end}"
    )
    assert run_script(repo_dir, script).stderr == ""
    settle(repo_dir)
    record = read_recorded(repo_dir, "long")
    assert record.metrics["m"].last == 1
    assert record.meta.problems == ()
    ref = f"refs/gittrack/exps/{run_git('rev-parse', 'HEAD', cwd=repo_dir)}/long"
    assert run_git("show", f"{ref}:sub/new.py", cwd=repo_dir) == "new"


def test_code_that_git_removed_is_named(repo_dir: Path) -> None:
    """A run that dies before a ref names its code, and whose objects are pruned, is recorded and says so."""
    (repo_dir / "sub").mkdir()
    (repo_dir / "sub/new.py").write_text("new\n", encoding="utf-8")
    script = (
        "import gittrack, os\nimport gittrack.runs.start as start\n"
        "start.Starter._publish = lambda *_: None\nrun = gittrack.Run('cut')\nrun._opened.starter.wait()\n"
        "run.log_metric('m', 1)\nrun.flush()\nos._exit(1)"
    )
    run_script(repo_dir, script)
    (repo_dir / "sub/new.py").unlink()
    run_git("gc", "-q", "--prune=now", cwd=repo_dir)
    settle(repo_dir)
    record = read_recorded(repo_dir, "cut")
    assert (record.meta.status, record.metrics["m"].last) == ("killed", 1)
    assert record.meta.problems == ("the code could not be recorded in time; the baseline's stands in its place",)


def test_saving_survives_pruning(repo_dir: Path) -> None:
    """The workspace is recorded whole while `git gc --prune=now` loops."""
    repository = open_repository(repo_dir)
    context = RunContext(dict(os.environ), (), repo_dir)
    with looping(repo_dir, *PRUNE, pause_s=PRUNE_PAUSE_S):
        for number in range(15):
            (repo_dir / "new.py").write_text(f"{number}\n", encoding="utf-8")
            save_workspace(repository, context, name=f"s{number}")
    settle(repo_dir)
    for number in range(15):
        ref = f"refs/gittrack/exps/{run_git('rev-parse', 'HEAD', cwd=repo_dir)}/s{number}"
        assert run_git("show", f"{ref}:new.py", cwd=repo_dir) == str(number)


@pytest.mark.parametrize("when", ["recorded", "at once"])
def test_a_full_disk_does_not_stop_training(full_disk: tuple[Path, Path], when: str) -> None:
    """The script ends as ever; with space again the next command records what was acknowledged, and how it ended."""
    folder, disk = full_disk
    done = run_script(folder, TRAIN_ON_A_FULL_DISK, str(disk), when, "full")
    assert (done.returncode, done.stdout) == (0, "trained to the end\n"), done.stderr
    assert "Traceback" not in done.stderr
    assert done.stderr.count("could not be recorded in git") == 1
    repository = open_repository(folder)
    assert close_dead_runs(repository) == []
    (disk / "ballast").unlink()
    settle(folder)
    record = read_recorded(folder, "full")
    assert (record.meta.status, record.meta.message) == ("failed", "it diverged")
    assert record.params["a"] == 1
    assert record.metrics["m"].min == 1 or record.metrics["m"].count > 1
    if when == "recorded":
        assert record.params["train.lr"] == 0.1


@pytest.mark.parametrize("when", ["recorded", "at once"])
def test_a_disk_with_room_again_loses_nothing(full_disk: tuple[Path, Path], when: str) -> None:
    """What waited in memory while the disk was full is recorded by the run itself."""
    folder, disk = full_disk
    done = run_script(folder, TRAIN_ON_A_FULL_DISK, str(disk), when, "freed")
    assert (done.returncode, done.stdout) == (0, "trained to the end\n"), done.stderr
    record = read_recorded(folder, "full")
    assert (record.meta.status, record.metrics["m"].count) == ("failed", 5001)
    assert record.params["late"] == 1
    assert record.params["train.lr"] == 0.1
    settle(folder)


def test_a_disk_that_was_full_before_the_run(full_disk: tuple[Path, Path], tmp_path: Path) -> None:
    """The run is kept in a folder where there is room, with one warning, and nothing is half made."""
    folder, disk = full_disk
    places = tmp_path / "temporary"
    places.mkdir()
    ballast = fill(disk)
    script = "import gittrack\nwith gittrack.Run('full') as run:\n    run.log_metric('m', 1)\n    assert run.flush()\n"
    done = run_script(folder, script, TMPDIR=str(places))
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("the run is kept in") == 1
    kept = [
        *list_folders(folder / "gittrack-runs"),
        *(one for path in places.iterdir() for one in list_folders(path / "gittrack-runs")),
    ]
    assert [one.read_journals().series["m"].values for one in kept] == [[1]]
    ballast.unlink()
    settle(folder)
    assert run_script(folder, script).returncode == 0
    assert set(read_all(folder)) == {"full"}


def test_no_room_anywhere(tmp_path: Path) -> None:
    """Where nothing can be kept at all, one warning says so and every method does nothing."""
    with small_disk(tmp_path / "repo") as disk:
        make_repository(disk, "--template=")
        set_read_only(disk)
        script = (
            "import gittrack\nwith gittrack.Run('none') as run:\n    run.log_metric('m', 1)\n    run.note('n')\n"
            "    assert not run.flush()\nprint(run.name, run.status)"
        )
        done = run_script(disk, script, TMPDIR=str(disk))
        assert (done.returncode, done.stdout) == (0, "none completed\n"), done.stderr
        assert done.stderr.count("nothing of this run can be kept") == 1


def test_a_read_only_repository(tmp_path: Path) -> None:
    """Training goes on, the run is kept elsewhere, and commands that find dead runs do not fail."""
    with small_disk(tmp_path / "repo") as disk:
        make_repository(disk, "--template=")
        run_script(
            disk, "import gittrack, os\nrun = gittrack.Run('dead')\nrun.log_metric('m', 1)\nrun.flush()\nos._exit(1)"
        )
        set_read_only(disk)
        places = tmp_path / "temporary"
        places.mkdir()
        script = "import gittrack\nwith gittrack.Run('elsewhere') as run:\n    run.log_metric('m', 1)\n"
        done = run_script(disk, script, TMPDIR=str(places))
        assert done.returncode == 0, done.stderr
        assert "the repository cannot be written (Read-only file system)" in done.stderr
        (place,) = places.iterdir()
        assert len(list_folders(place / "gittrack-runs")) == 1
        close_dead_runs(open_repository(disk))
        set_read_only(disk, is_read_only=False)
        settle(disk)
        assert read_recorded(disk, "dead").meta.status == "killed"


def test_a_killed_command_leaves_no_worktree(repo_dir: Path) -> None:
    """The throw-away worktree of a dead `gittrack exp run` is removed, folder and registration; a living one stays."""
    script = (
        "import os, pathlib, sys, time\nfrom gittrack.git.repository import Repository\n"
        "from gittrack.git.throw_away import throw_away_worktree\n"
        "repository = Repository.discover(pathlib.Path.cwd(), os.environ)\n"
        "with throw_away_worktree(repository, 'HEAD', 'HEAD^{tree}') as worktree:\n"
        "    print(worktree.work_tree, flush=True)\n    time.sleep(30)\n"
    )
    processes = [start_script(repo_dir, script) for _ in range(2)]
    folders = [process.stdout.readline().rstrip("\n") for process in processes if process.stdout is not None]
    processes[0].kill()
    processes[0].communicate()
    settle(repo_dir)
    assert [os.path.exists(folder) for folder in folders] == [False, True]  # noqa: PTH110  text as git prints it
    listed = run_git("worktree", "list", cwd=repo_dir)
    assert [folder in listed for folder in folders] == [False, True]
    processes[1].terminate()
    processes[1].communicate()
