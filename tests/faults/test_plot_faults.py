"""Plots of runs that are killed at any moment, and on disks that are full."""

from __future__ import annotations

import random
import sys
import time
from typing import TYPE_CHECKING

import pytest

from gittrack.experiments.plots import find_plot, read_content
from gittrack.experiments.store import list_tips, read_record
from gittrack.workspace.workspace import Workspace
from tests.support.git_repository import make_repository, open_repository
from tests.support.recorded import read_all, read_recorded, run_script, settle, start_script
from tests.support.small_disk import fill, small_disk

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals and mounts of POSIX")

LOG_UNTIL_KILLED = """
import gittrack, sys
for number in range(10**9):
    name = f"{sys.argv[1]}-{number}"
    run = gittrack.Run(name, quiet=True)
    for step in range(4):
        run.log_text("said", f"{name} {step} " * (200_000 if step == 3 else 10), step)
        print("logged", name, step, flush=True)
    run.end()
"""

FULL_WHILE_LOGGING = """
import gittrack
with gittrack.Run("x", quiet=True) as run:
    run.log_text("before", "here")
    run.log_text("large", "x" * 20_000_000)
    run.log_text("larger", "x" * 20_000_000)
    run.log_text("after", "here")
    run.log_metric("loss", 1)
"""

FULL_AT_THE_END = """
import gittrack, time
run = gittrack.Run("x", quiet=True)
run.log_text("large", "y" * 1_500_000)
run.log_metric("loss", 1)
run.flush()
print("logged", flush=True)
time.sleep(60)
run.end()
"""


def text_of(folder: Path, name: str, step: int | None = None, plot: str = "said") -> str:
    """Return the content of a text of an experiment."""
    repository = open_repository(folder)
    (tip,) = [tip for tip in list_tips(repository) if tip.experiment.name == name]
    entry = find_plot(read_record(repository, tip.commit).plots, plot, step)
    with Workspace.open(repository) as workspace:
        return read_content(repository, tip.commit, entry, workspace.cache).decode()


@pytest.mark.parametrize("n_kills", [8, pytest.param(100, marks=pytest.mark.slow)], ids=["short", "long"])
def test_a_kill_at_any_moment_loses_no_plot(repo_dir: Path, n_kills: int) -> None:
    """What a call had returned from is whole in the experiment, in git or in the cache."""
    moments = random.Random(n_kills)
    for number in range(n_kills):
        process = start_script(repo_dir, LOG_UNTIL_KILLED, f"k{number}")
        time.sleep(0.1 + moments.random() * 0.6)
        process.kill()
        stdout, _ = process.communicate()
        settle(repo_dir)
        for line in stdout.splitlines() if stdout.endswith("\n") else stdout.splitlines()[:-1]:
            _, name, step = line.split(" ")
            said = text_of(repo_dir, name, int(step))
            assert said == f"{name} {step} " * (200_000 if step == "3" else 10)
    assert all(record.meta.status in {"completed", "killed"} for record in read_all(repo_dir).values())


def test_a_plot_that_finds_no_room_is_a_problem(tmp_path: Path) -> None:
    """The training goes on with one warning; the rest is recorded, and no half file stays."""
    with small_disk(tmp_path / "repo", "8m") as disk:
        make_repository(disk, "--template=")
        done = run_script(disk, FULL_WHILE_LOGGING)
        assert done.returncode == 0, done.stderr
        assert done.stderr.count("is not recorded: No space left on device; training goes on") == 1
        record = read_recorded(disk, "x")
        assert [plot.name for plot in record.plots] == ["before", "after"]
        assert [problem.partition(" is not")[0] for problem in record.meta.problems] == [
            "the plot 'large'",
            "the plot 'larger'",
        ]
        assert record.metrics["loss"].last == 1
        settle(disk)


def test_a_plot_waits_in_the_runs_folder_for_room(tmp_path: Path) -> None:
    """No room for it in the cache when the run ends: the next command records it, once there is room."""
    with small_disk(tmp_path / "repo", "8m") as disk:
        make_repository(disk, "--template=")
        process = start_script(disk, FULL_AT_THE_END)
        assert process.stdout is not None
        assert process.stdout.readline() == "logged\n"
        time.sleep(1)  # for the first commit
        ballast = fill(disk)
        process.terminate()
        _, stderr = process.communicate()
        assert "could not be recorded in git" in stderr
        ballast.unlink()
        settle(disk)
        assert text_of(disk, "x", plot="large") == "y" * 1_500_000
        assert read_recorded(disk, "x").meta.status == "killed"
