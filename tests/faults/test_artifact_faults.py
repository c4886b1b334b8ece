"""Artifacts of a run under fire: kills while content is copied, full disks, and files that never hold still."""

from __future__ import annotations

import os
import random
import signal
import sys
import threading
import time
from typing import TYPE_CHECKING

import pytest

import gittrack
from gittrack.runs import artifact_log
from gittrack.workspace.workspace import Workspace
from tests.support.git_repository import make_repository, open_repository
from tests.support.recorded import read_all, read_recorded, run_script, settle, start_script
from tests.support.small_disk import small_disk

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals and mounts of POSIX")

LOG_UNTIL_KILLED = """
import gittrack, os, pathlib, sys
run = gittrack.Run("x", quiet=True)
for number in range(10**9):
    path = pathlib.Path(f"m{number}.pt")
    path.write_bytes(os.urandom(2 << 20))
    run.log_artifact(path)
    if number % 3 == 2:
        run.flush()
        print(number, flush=True)
"""

FILL_THE_DISK = """
import gittrack, os, pathlib
with gittrack.Run("x", quiet=True) as run:
    for number in range(6):
        pathlib.Path(f"m{number}.pt").write_bytes(os.urandom(2 << 20))
        run.log_artifact(f"m{number}.pt")
        run.log_metric("m", number)
    run.flush()
print("trained to the end")
"""

TERMINATED = """
import gittrack, os, pathlib, time
run = gittrack.Run("x", quiet=True)
pathlib.Path("m.pt").write_bytes(os.urandom(64 << 20))
run.log_artifact("m.pt")
print("logged", flush=True)
while True:
    run.note("still here")
"""


def test_a_killed_run_keeps_what_was_kept(tmp_path: Path) -> None:
    """Whenever the kill comes: each recorded artifact is whole, and what `flush` returned for is recorded."""
    rng = random.Random(7)
    for number in range(6):
        folder = make_repository(tmp_path / f"{number}")
        (folder / ".gitignore").write_text("*.pt\n")
        process = start_script(folder, LOG_UNTIL_KILLED)
        assert process.stdout is not None
        flushed = [int(process.stdout.readline()) for _ in range(1 + number % 2)]
        time.sleep(rng.uniform(0, 0.05))
        process.kill()
        rest, _ = process.communicate()
        flushed += [int(line) for line in rest.split()]
        repository = settle(folder)
        record = read_recorded(folder, "x")
        assert record.meta.status == "killed"
        cache = Workspace.open(repository).cache
        assert [entry.path for entry in record.artifacts] == [f"m{i}.pt" for i in range(len(record.artifacts))]
        assert len(record.artifacts) > flushed[-1]
        assert all(cache.is_intact(entry.digest) for entry in record.artifacts)
        assert list(cache.scratch_root.iterdir()) == []


def test_sigterm_waits_for_what_was_logged(repo_dir: Path) -> None:
    """Wherever the script is at that moment."""
    process = start_script(repo_dir, TERMINATED)
    assert process.stdout is not None
    assert process.stdout.readline() == "logged\n"
    process.terminate()
    assert process.wait(timeout=60) == -signal.SIGTERM
    process.communicate()
    record = read_recorded(repo_dir, "x")
    assert (record.meta.status, [entry.size for entry in record.artifacts]) == ("killed", [64 << 20])


ENDED = """
import gittrack, os, pathlib
run = gittrack.Run("x", quiet=True)
pathlib.Path("m.pt").write_bytes(b"small")
run.log_artifact("m.pt")
run.flush()
pathlib.Path("large.pt").write_bytes(bytes(1 << 30))
run.log_artifact("large.pt")
print("ends", flush=True)
run.end()
"""


def test_a_run_that_is_killed_while_it_waits_has_ended(repo_dir: Path) -> None:
    """What it said of its end counts; the artifact that was not kept yet is not recorded."""
    process = start_script(repo_dir, ENDED)
    assert process.stdout is not None
    assert process.stdout.readline() == "ends\n"
    time.sleep(0.1)
    process.kill()
    process.communicate()
    settle(repo_dir)
    record = read_recorded(repo_dir, "x")
    assert (record.meta.status, [entry.path for entry in record.artifacts]) == ("completed", ["m.pt"])


def test_a_full_disk_is_a_problem_and_training_goes_on(tmp_path: Path) -> None:
    """Warned of once; what fitted is recorded, and nothing half copied is left."""
    with small_disk(tmp_path / "disk", "9m") as disk:
        folder = make_repository(tmp_path / "repo")
        (folder / ".gitignore").write_text("*.pt\n")
        with (folder / ".git" / "config").open("a") as config:
            config.write(f"[gittrack]\n\tcache = {disk / 'cache'}\n")
        done = run_script(folder, FILL_THE_DISK)
        assert (done.returncode, done.stdout) == (0, "trained to the end\n")
        assert done.stderr.count("is not recorded") == 1
        record = read_recorded(folder, "x")
        assert [entry.path for entry in record.artifacts] == ["m0.pt", "m1.pt", "m2.pt", "m3.pt"]
        assert [problem for problem in record.meta.problems if "No space left" in problem][1:]
        cache = Workspace.open(open_repository(folder)).cache
        assert all(cache.is_intact(entry.digest) for entry in record.artifacts)
        assert list(cache.scratch_root.iterdir()) == []
        assert record.metrics["m"].count == 6


def test_a_file_that_never_holds_still_is_given_up(repo_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The experiment says so; nothing torn is recorded."""
    monkeypatch.chdir(repo_dir)
    monkeypatch.setattr(artifact_log, "_PATIENCE_S", 1.0)
    monkeypatch.setattr(artifact_log, "_LAST_PATIENCE_S", 1.0)
    path = repo_dir / "m.pt"
    path.write_bytes(bytes(2 << 20))
    stop = threading.Event()

    def scribble() -> None:
        with path.open("r+b", buffering=0) as file:
            while not stop.wait(0.002):
                file.seek(0)
                file.write(os.urandom(100))

    thread = threading.Thread(target=scribble)
    thread.start()
    try:
        with gittrack.Run("x", quiet=True) as run:
            run.log_artifact("m.pt")
    finally:
        stop.set()
        thread.join()
    record = read_recorded(repo_dir, "x")
    assert record.artifacts == ()
    assert any("changed all the time" in problem for problem in record.meta.problems)


def test_a_repository_on_a_full_disk_records_later_what_was_kept(tmp_path: Path) -> None:
    """The training ends as if nothing was wrong, and the next command records it once there is room."""
    with small_disk(tmp_path / "disk", "12m") as disk:
        folder = make_repository(disk / "repo")
        (folder / ".gitignore").write_text("*.pt\n")
        (disk / "ballast").write_bytes(bytes(3 << 20))
        done = run_script(
            folder,
            FILL_THE_DISK.replace("pathlib.Path(f", "pathlib.Path(f'{os.environ[\"OUT\"]}/' f").replace(
                "log_artifact(f", "log_artifact(f'{os.environ[\"OUT\"]}/' f"
            ),
            OUT=str(tmp_path),
        )
        assert (done.returncode, done.stdout) == (0, "trained to the end\n"), done.stderr
        (disk / "ballast").unlink()
        repository = settle(folder)
        record = read_recorded(folder, "x")
        assert record.metrics["m"].count == 6
        assert [entry.path for entry in record.artifacts][:2] == ["m0.pt", "m1.pt"]
        assert len(record.artifacts) < 6
        cache = Workspace.open(repository).cache
        assert all(cache.is_intact(entry.digest) for entry in record.artifacts)


def test_what_stands_in_the_pointers_place_stays(repo_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder, here; the experiment has the pointer all the same, and says that the workspace has none."""
    monkeypatch.chdir(repo_dir)
    (repo_dir / "out").mkdir()
    (repo_dir / "out" / "m.pt").write_bytes(bytes(3 << 20))
    (repo_dir / "out" / "m.pt.gittrack").mkdir()
    with gittrack.Run("x", quiet=True) as run:
        run.log_artifact("out/m.pt")
    record = read_recorded(repo_dir, "x")
    assert [(entry.path, entry.pointer) for entry in record.artifacts] == [("out/m.pt", True)]
    assert any("no pointer beside it" in problem for problem in record.meta.problems)
    assert len(read_all(repo_dir)) == 1
