"""Scripts that record runs, and what they recorded."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from gittrack.experiments import store
from gittrack.runs.recovery import close_dead_runs
from tests.support.git_repository import find_locks, fsck, open_repository

if TYPE_CHECKING:
    from gittrack.experiments.format import Record
    from gittrack.git.repository import Repository

ROOT = Path(__file__).parents[2]


def start_script(folder: Path, script: str, *arguments: str, **environ: str) -> subprocess.Popen[str]:
    """Start a Python script in a folder; its output can be read.

    Args:
        folder: The folder to run in.
        script: Its text.
        arguments: Its arguments.
        environ: Variables on top of those of the test.
    """
    return subprocess.Popen(
        [sys.executable, "-c", script, *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environ},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def run_script(folder: Path, script: str, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run a Python script in a folder to its end; see `start_script`."""
    process = start_script(folder, script, *arguments, **environ)
    stdout, stderr = process.communicate(timeout=180)  # the import of a framework may take a minute of a busy machine
    return subprocess.CompletedProcess(process.args, process.returncode, stdout, stderr)


def read_recorded(folder: Path, name: str) -> Record:
    """Return the record of the only experiment of a name."""
    repository = open_repository(folder)
    (tip,) = [tip for tip in store.list_tips(repository) if tip.experiment.name == name]
    return store.read_record(repository, tip.commit)


def read_all(folder: Path) -> dict[str, Record]:
    """Return the records of all local experiments by name."""
    repository = open_repository(folder)
    return {tip.experiment.name: store.read_record(repository, tip.commit) for tip in store.list_tips(repository)}


def refs_of(folder: Path) -> dict[str, str]:
    """Return the ref of each local experiment by name."""
    return {tip.experiment.name: tip.experiment.ref for tip in store.list_tips(open_repository(folder))}


def settle(folder: Path) -> Repository:
    """Do what the next gittrack command does first, and assert that nothing is left of runs and that git is content."""
    repository = open_repository(folder)
    close_dead_runs(repository)
    runs = repository.state_dir / "runs"
    assert not [path for path in runs.glob("*") if not path.name.startswith(".")]
    assert [path for path in find_locks(repository) if path.name.endswith(".lock")] == []
    assert fsck(folder) == ""
    return repository
