from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from gittrack.runs.journal_reader import read_journal, read_latest

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals, limits and forks of POSIX")

LOG_UNTIL_KILLED = """
import pathlib, sys, time
from gittrack.runs.journal import JournalWriter
journal = JournalWriter(pathlib.Path(sys.argv[1]), durability=sys.argv[2])
journal.event("params", {"lr": 0.1})
print("open", flush=True)
for step in range(10**9):
    journal.metrics({"loss": step / 7, "accuracy": step / 9}, step, time.time())
    if sys.argv[2] == "step":
        sys.stdout.write(f"{step}\\n")
        sys.stdout.flush()
"""

LOG_ON_A_FULL_DISK = """
import pathlib, resource, signal, sys
from gittrack.runs.journal import JournalWriter
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
journal = JournalWriter(pathlib.Path(sys.argv[1]))
hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
for step in range(20_000):
    if step == 1000:
        journal.flush()
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    journal.metrics({"loss": step / 7}, step, float(step))
journal.flush()
assert journal.problem is not None
if sys.argv[2] == "freed":
    resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    journal.flush()
    assert journal.problem is None
assert journal.n_dropped == 0
journal.close()
"""

DROP_WHEN_FULL = """
import pathlib, resource, signal, sys
from gittrack.runs import journal as module
module._MAX_PENDING_BYTES = 200_000
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
journal = module.JournalWriter(pathlib.Path(sys.argv[1]))
resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
journal.event("params", {"lr": 0.1})
for step in range(20_000):
    journal.metrics({"loss": step / 7}, step, float(step))
journal.flush()
resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
journal.close()
print(journal.n_dropped)
"""

LOG_IN_A_CHILD = """
import os, pathlib, sys, threading, time
from gittrack.runs.journal import JournalWriter
journal = JournalWriter(pathlib.Path(sys.argv[1]))
busy = threading.Thread(target=lambda: [journal.metrics({"busy": 1}, step, 1.0) for step in range(200_000)])
busy.start()
for number in range(10):
    journal.metrics({"parent": number}, number, 1.0)
    child = os.fork()
    if not child:
        for step in range(5000):
            journal.metrics({"child": step}, step, 1.0)
        journal.event("note", "from the child")
        journal.flush()
        journal.close()
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
busy.join()
journal.close()
"""

INTERRUPTED = """
import pathlib, signal, sys, time
from gittrack.runs.journal import JournalWriter
journal = JournalWriter(pathlib.Path(sys.argv[1]), durability=sys.argv[2])
step = n_interrupts = 0
is_logging = False
def interrupt(*_):
    global is_logging, n_interrupts
    if is_logging:  # never where nobody catches it
        is_logging = False
        n_interrupts += 1
        raise KeyboardInterrupt
signal.signal(signal.SIGALRM, interrupt)
signal.setitimer(signal.ITIMER_REAL, 0.001, 0.0007)
while n_interrupts < 300:
    try:
        is_logging = True
        while True:
            journal.metrics({"loss": step}, step, 1.0)
            step += 1
    except KeyboardInterrupt:
        pass
signal.setitimer(signal.ITIMER_REAL, 0)
journal.close()
print(step)
"""

ENDED_BY_A_HANDLER = """
import os, pathlib, signal, sys, time
from gittrack.runs.journal import JournalWriter
journal = JournalWriter(pathlib.Path(sys.argv[1]), durability=sys.argv[2])
def end(number, frame):
    journal.event("end", "terminated")
    journal.close()
    os._exit(7)
signal.signal(signal.SIGTERM, end)
print("open", flush=True)
for step in range(10**9):
    journal.metrics({"loss": step}, step, 1.0)
"""


def _run(script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", "-c", script, *arguments],
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    )


def _start(script: str, *arguments: str) -> subprocess.Popen[bytes]:
    process = subprocess.Popen([sys.executable, "-c", script, *arguments], stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"open\n"
    return process


@pytest.mark.parametrize("seed", range(10))
def test_a_kill_loses_no_acknowledged_step(tmp_path: Path, seed: int) -> None:
    """With `durability="step"` what the process said it logged before SIGKILL is in the journal."""
    path = tmp_path / "run.journal"
    process = _start(LOG_UNTIL_KILLED, str(path), "step")
    assert process.stdout is not None
    lines = [process.stdout.readline() for _ in range(random.Random(seed).randrange(1, 3000))]
    process.kill()
    lines += process.stdout.read().splitlines(keepends=True)
    process.wait()
    process.stdout.close()
    contents = read_journal(path)
    acknowledged = int([line for line in lines if line.endswith(b"\n")][-1])
    assert contents.series["loss"].steps[: acknowledged + 1] == list(range(acknowledged + 1))
    assert contents.series["loss"].values[acknowledged] == acknowledged / 7
    assert contents.n_skipped == 0
    assert contents.events[0].data == {"lr": 0.1}


@pytest.mark.parametrize("delay_s", [0.05, 0.3, 1.2])
def test_a_kill_loses_at_most_the_last_second(tmp_path: Path, delay_s: float) -> None:
    """Buffered points older than a second are in the journal, without gaps."""
    path = tmp_path / "run.journal"
    process = _start(LOG_UNTIL_KILLED, str(path), "buffered")
    time.sleep(delay_s)
    before = time.time()
    process.kill()
    process.communicate()
    contents = read_journal(path)
    assert contents.n_skipped == 0
    points = contents.series.get("loss")
    if delay_s > 1:
        assert points is not None
        assert points.times[-1] > before - 1
    if points is not None:
        assert points.steps == list(range(len(points.steps)))
        assert read_latest(path).values["loss"].step == points.steps[-1]


def test_training_goes_on_while_the_disk_is_full(tmp_path: Path) -> None:
    """What was written before stays whole, one warning says what is wrong, no call fails."""
    path = tmp_path / "run.journal"
    done = _run(LOG_ON_A_FULL_DISK, str(path), "full")
    assert done.stderr.count("the run goes on and keeps its data in memory") == 1
    contents = read_journal(path)
    assert contents.n_skipped == 0
    assert contents.series["loss"].steps[:1000] == list(range(1000))
    assert path.read_bytes().endswith(b"\n")
    assert done.stderr.count("what was logged last is lost") == 1


def test_nothing_is_lost_when_the_disk_has_room_again(tmp_path: Path) -> None:
    """What waited in memory is written, once, and in order."""
    path = tmp_path / "run.journal"
    _run(LOG_ON_A_FULL_DISK, str(path), "freed")
    contents = read_journal(path)
    assert contents.n_skipped == 0
    assert contents.series["loss"].steps == list(range(20_000))


def test_memory_is_bounded_while_the_disk_is_full(tmp_path: Path) -> None:
    """The oldest points go and are counted; events and names stay."""
    path = tmp_path / "run.journal"
    n_dropped = int(_run(DROP_WHEN_FULL, str(path)).stdout)
    contents = read_journal(path)
    assert 0 < n_dropped < 20_000
    assert contents.series["loss"].steps == list(range(n_dropped, 20_000))
    assert contents.events[0].data == {"lr": 0.1}


def test_a_forked_child_neither_writes_nor_hangs(tmp_path: Path) -> None:
    """Children of a busy, threaded parent end, warn once each, and leave its journal alone."""
    path = tmp_path / "run.journal"
    done = _run(LOG_IN_A_CHILD, str(path))
    assert done.stderr.count("metrics logged in a forked process are not recorded") == 10
    contents = read_journal(path)
    assert contents.series["parent"].steps == list(range(10))
    assert contents.series["busy"].steps == list(range(200_000))
    assert set(contents.series) == {"parent", "busy"}
    assert contents.events == []
    assert contents.n_skipped == 0


@pytest.mark.parametrize("durability", ["buffered", "step"])
def test_interrupts_at_any_moment_lose_nothing(tmp_path: Path, durability: str) -> None:
    """KeyboardInterrupt out of hundreds of log calls: every call that returned is there, and no line is torn."""
    path = tmp_path / "run.journal"
    n_steps = int(_run(INTERRUPTED, str(path), durability).stdout)
    contents = read_journal(path)
    assert contents.n_skipped == 0
    assert set(range(n_steps)) <= set(contents.series["loss"].steps)


@pytest.mark.parametrize("durability", ["buffered", "step"])
@pytest.mark.parametrize("delay_ms", range(1, 40, 4))
def test_a_signal_handler_can_end_the_run(tmp_path: Path, durability: str, delay_ms: int) -> None:
    """A handler that closes the journal in the middle of a call neither deadlocks nor loses a point."""
    path = tmp_path / "run.journal"
    process = _start(ENDED_BY_A_HANDLER, str(path), durability)
    time.sleep(delay_ms / 1000)
    process.terminate()
    process.communicate(timeout=20)
    assert process.returncode == 7
    contents = read_journal(path)
    assert [event.kind for event in contents.events] == ["end"]
    steps = contents.series["loss"].steps if contents.series else []
    assert steps == list(range(len(steps)))
    assert contents.n_skipped == 0


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root mounts a tmpfs")
def test_a_full_file_system_keeps_what_it_took(tmp_path: Path) -> None:
    """On a real full disk no line is torn, and the rest follows when there is room."""
    folder = tmp_path / "small"
    folder.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", folder], check=False).returncode:
        pytest.skip("no mount in this container")
    try:
        from gittrack.runs.journal import JournalWriter

        (folder / "ballast").write_bytes(b"x" * 900_000)
        journal = JournalWriter(folder / "run.journal")
        for step in range(9000):
            journal.metrics({"loss": step / 7}, step, float(step))
        journal.flush()
        assert journal.problem is not None
        n_written = len(read_journal(folder / "run.journal").series["loss"].steps)
        assert 0 < n_written < 9000
        (folder / "ballast").unlink()
        journal.close()
        assert read_journal(folder / "run.journal").series["loss"].steps == list(range(9000))
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)
