"""`capture_console` keeps what a script prints, and never stands in its way."""

from __future__ import annotations

import io
import os
import sys
import threading
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

import gittrack
from gittrack.runs.command import CappedLog, cap_log, read_log
from gittrack.runs.console import ConsoleCapture
from tests.support.recorded import read_recorded, run_script, settle

if TYPE_CHECKING:
    from pathlib import Path

PRINTING = """
import gittrack, sys, os
with gittrack.Run("a", capture_console=True, quiet=True):
    print("to stdout", end="\\n\\n")
    print("to stderr", file=sys.stderr)
    sys.stdout.buffer.write("bytes \u00fc\\n".encode())
    sys.stdout.writelines(["one\\n", "two\\n"])
    print("password=hunter2 https://ada:pw@example.org")
    {extra}
print("after the run")
"""


def log_of(folder: Path, name: str = "a") -> str:
    return (read_recorded(folder, name).log or b"").decode()


@pytest.fixture
def streams() -> SimpleNamespace:
    return SimpleNamespace(stdout=io.TextIOWrapper(io.BytesIO(), "utf-8"), stderr=io.StringIO())


def test_both_streams_are_kept_and_shown(repo_dir: Path) -> None:
    """In their order, with bytes; secrets are masked in the copy alone; what comes after the run is not kept."""
    done = run_script(repo_dir, PRINTING.format(extra="pass"), PYTHONIOENCODING="utf-8")
    assert done.returncode == 0
    kept = "bytes \u00fc\none\ntwo\n"
    assert log_of(repo_dir) == f"to stdout\n\nto stderr\n{kept}password=*** https://***@example.org\n"
    assert "password=hunter2 https://ada:pw@example.org" in done.stdout
    assert "after the run" in done.stdout
    assert done.stderr == "to stderr\n"


def test_a_failure_is_kept_with_its_traceback(repo_dir: Path) -> None:
    """Although the interpreter prints it after the run's end."""
    done = run_script(repo_dir, PRINTING.format(extra="raise ValueError('token=abc')"))
    assert "ValueError: token=abc" in done.stderr
    assert log_of(repo_dir).endswith("ValueError: token=***\n")
    assert "Traceback (most recent call last)" in log_of(repo_dir)


def test_a_failure_nobody_catches_is_kept(repo_dir: Path) -> None:
    """Also of a script without a block."""
    run_script(repo_dir, "import gittrack\ngittrack.Run('a', capture_console=True)\nraise ValueError('x')")
    assert log_of(repo_dir).endswith("ValueError: x\n")


def test_a_killed_script_keeps_what_it_printed(repo_dir: Path) -> None:
    """The copy has left the process when print returns."""
    done = run_script(repo_dir, PRINTING.format(extra="os.kill(os.getpid(), 9)"))
    assert done.returncode == -9
    settle(repo_dir)
    assert "password=***" in log_of(repo_dir)


def test_without_the_option_nothing_is_kept(repo_dir: Path) -> None:
    """And the streams are those of the interpreter."""
    run_script(repo_dir, PRINTING.format(extra="assert type(sys.stdout).__name__ != '_Tee'").replace("True", "False"))
    assert read_recorded(repo_dir, "a").log is None


def test_the_streams_are_given_back(repo_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The very same objects."""
    monkeypatch.chdir(repo_dir)
    before = sys.stdout, sys.stderr
    with gittrack.Run("a", capture_console=True):
        assert sys.stdout is not before[0]
        assert sys.stdout.fileno is not None
        assert sys.stdout.isatty() == before[0].isatty()
    assert (sys.stdout, sys.stderr) == before


def test_a_stream_that_somebody_wrapped_stays_theirs(streams: SimpleNamespace, tmp_path: Path) -> None:
    """Theirs goes on, and what it writes reaches the stream beneath, unheard."""
    original = streams.stdout
    capture = ConsoleCapture(streams, tmp_path / "log")
    theirs = SimpleNamespace(beneath=streams.stdout)
    streams.stdout = theirs
    capture.close()
    assert streams.stdout is theirs
    theirs.beneath.write("late")
    original.flush()
    assert original.buffer.getvalue() == b"late"
    assert (tmp_path / "log").read_bytes() == b""


def test_a_long_output_keeps_its_ends(repo_dir: Path) -> None:
    """The log is bounded: the first and the last 4 MiB, and how much is missing; also that of a killed script."""
    script = """
import gittrack, os
gittrack.Run("a", capture_console=True)
for number in range(200_000):
    print(f"{number:099d}")
print("last words", flush=True)
os.kill(os.getpid(), 9)
"""
    run_script(repo_dir, script)
    settle(repo_dir)
    log = log_of(repo_dir)
    beginning, _, rest = log.partition("\n[")
    number, _, end = rest.partition(" bytes are left out here]\n")
    assert (len(beginning), len(end)) == (4 << 20, 4 << 20)
    assert int(number) + len(beginning) + len(end) == 200_000 * 100 + len("last words\n")
    assert beginning.startswith("0" * 99 + "\n")
    assert end.endswith("199999\nlast words\n")


@pytest.mark.parametrize("n_bytes", [0, 5, 10, 11, 20, 21, 30, 31, 99, 100, 101])
@pytest.mark.parametrize("at_once", [1, 7, 200])
def test_a_log_is_the_beginning_and_the_end(tmp_path: Path, n_bytes: int, at_once: int) -> None:
    """For every length and every size of a write, and never more than two pieces beside the file."""
    data = bytes(range(n_bytes))
    with CappedLog(tmp_path / "log", max_bytes=20) as log:
        for start in range(0, n_bytes, at_once):
            log.write(data[start : start + at_once])
    n_dropped = max(0, n_bytes - 20)
    note = f"\n[{n_dropped} bytes are left out here]\n".encode() if n_dropped else b""
    expected = data[:10] + note + data[max(10, n_bytes - 10) :]
    assert read_log(tmp_path / "log") == expected
    assert len(list(tmp_path.iterdir())) <= 3


def test_bytes_are_kept_as_they_are(streams: SimpleNamespace, tmp_path: Path) -> None:
    """Whatever a program prints is no error, and texts that UTF-8 cannot hold are marked."""
    original = streams.stdout.buffer
    capture = ConsoleCapture(streams, tmp_path / "log")
    streams.stdout.buffer.write(b"\xff\n")
    streams.stderr.write("\udcff\n")
    capture.close()
    assert original.getvalue() == b"\xff\n"
    assert (tmp_path / "log").read_bytes() == b"\xff\n?\n"


@pytest.mark.parametrize("n_bytes", [0, 19, 20, 21, 200])
def test_logs_that_follow_one_another_are_bounded(n_bytes: int) -> None:
    """An experiment that is continued for years has no longer log than another one."""
    data = bytes(range(n_bytes))
    note = f"\n[{n_bytes - 20} bytes are left out here]\n".encode()
    assert cap_log(data, 20) == (data if n_bytes <= 20 else data[:10] + note + data[-10:])


def test_a_run_that_goes_on_adds_to_its_log(repo_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it printed before stays."""
    monkeypatch.chdir(repo_dir)
    for number in range(2):
        with gittrack.Run("a", resume=number == 1, capture_console=True):
            sys.stdout.write(f"part {number}\n")
    assert log_of(repo_dir) == "part 0\npart 1\n"


def test_a_process_without_a_console(tmp_path: Path) -> None:
    """Has no streams, and nothing to keep."""
    holder = SimpleNamespace(stdout=None, stderr=None)
    ConsoleCapture(holder, tmp_path / "log").close()
    assert holder.stdout is None


def test_threads_print_whole_lines(streams: SimpleNamespace, tmp_path: Path) -> None:
    """No line is lost or torn in the copy."""
    capture = ConsoleCapture(streams, tmp_path / "log")

    def work(name: str) -> None:
        for _ in range(500):
            streams.stderr.write(f"{name * 20}\n")

    threads = [threading.Thread(target=work, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    capture.close()
    lines = (tmp_path / "log").read_text(encoding="utf-8").splitlines()
    assert sorted(set(lines)) == [name * 20 for name in "abcd"]
    assert len(lines) == 2000


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # Python 3.12 and newer warn of forks beside threads
def test_a_forked_child_prints_and_is_not_kept(streams: SimpleNamespace, tmp_path: Path) -> None:
    """A lock that another thread held at the fork must not stop it."""
    capture = ConsoleCapture(streams, tmp_path / "log")
    with capture._log._lock:
        child = os.fork()
        if child == 0:
            streams.stderr.write("child")
            os._exit(0 if streams.stderr.getvalue() == "child" else 1)
        assert os.waitpid(child, 0)[1] == 0
    capture.close()
    assert (tmp_path / "log").read_bytes() == b""


def test_a_script_within_a_command_leaves_the_log_to_it(repo_dir: Path) -> None:
    """`gittrack exp run` keeps the output already; each line is there once, secrets masked."""
    (repo_dir / "print.py").write_text(PRINTING.format(extra="pass"), encoding="utf-8")
    words = [sys.executable, "-m", "gittrack", "exp", "run", "-n", "a", "--", sys.executable, "print.py"]
    done = run_script(repo_dir, f"import subprocess, sys; sys.exit(subprocess.run({words!r}).returncode)")
    assert done.returncode == 0, done.stderr
    log = log_of(repo_dir)
    assert (log.count("to stdout"), log.count("password=***"), log.count("hunter2")) == (1, 1, 0)
    assert "hunter2" in done.stdout


def test_a_log_that_cannot_be_written_is_a_warning(
    repo_dir: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Training goes on, with its streams."""
    monkeypatch.chdir(repo_dir)

    def refuse(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("gittrack.runs.console.CappedLog", refuse)
    before = sys.stdout
    with gittrack.Run("a", capture_console=True):
        assert sys.stdout is before
    assert "what is printed cannot be kept: No space left on device" in caplog.text
