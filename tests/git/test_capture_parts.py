"""The parts of recording a command: the log that keeps both ends, links, params that are set all or none."""

from __future__ import annotations

import io
import os
import signal
import sys
from pathlib import Path

import pytest

from gittrack.errors import UsageError
from gittrack.experiments.overrides import OverrideError, parse_override
from gittrack.runs.command import CappedLog, CommandError, Ended, Output, execute, read_log, require_program
from gittrack.runs.links import linked, paths_to_link
from gittrack.runs.set_params import set_params
from tests.support.needs import need


@pytest.mark.parametrize("size", [1, 7, 64, 1000])
def test_a_log_keeps_both_ends(tmp_path: Path, size: int) -> None:
    """However it is written, the first and the last bytes stay, and the number of those between is said."""
    data = bytes(index % 251 for index in range(1000))
    with CappedLog(tmp_path / "log", max_bytes=100) as log:
        for start in range(0, len(data), size):
            log.write(data[start : start + size])
    expected = data[:50] + b"\n[900 bytes are left out here]\n" + data[-50:]
    assert read_log(tmp_path / "log") == expected


def test_a_short_log_is_whole(tmp_path: Path) -> None:
    """Up to its limit a log is what was written; what comes after its end is let go."""
    with CappedLog(tmp_path / "log", max_bytes=100) as log:
        log.write(b"a" * 60)
        log.write(b"b" * 40)
    log.write(b"late")
    assert read_log(tmp_path / "log") == b"a" * 60 + b"b" * 40


def test_a_full_disk_does_not_end_the_command(tmp_path: Path) -> None:
    """The output goes on to the terminal, although the log cannot take it."""
    need(is_there=Path("/dev/full").exists(), what="/dev/full, a device of Linux")
    (tmp_path / "log").symlink_to("/dev/full")
    output = Output(io.BytesIO(), io.BytesIO())
    ended = execute(["echo", "hello"], tmp_path, dict(os.environ), output, tmp_path / "log")
    assert (ended.returncode, output.stdout.getvalue()) == (0, b"hello\n")  # type: ignore[attr-defined]


def test_much_output_on_both_pipes(tmp_path: Path) -> None:
    """Megabytes on both at once neither block nor get lost or mixed."""
    script = "import os\nfor _ in range(64): os.write(1, b'o' * 32768); os.write(2, b'e' * 32768)"
    stdout, stderr = io.BytesIO(), io.BytesIO()
    execute([sys.executable, "-c", script], tmp_path, dict(os.environ), Output(stdout, stderr), tmp_path / "log")
    assert (stdout.getvalue(), stderr.getvalue()) == (b"o" * (2 << 20), b"e" * (2 << 20))
    assert (tmp_path / "log").stat().st_size == 4 << 20


def test_signal_handlers_are_put_back(tmp_path: Path) -> None:
    """Afterwards signals do what they did before."""
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    execute(["true"], tmp_path, dict(os.environ), Output(io.BytesIO(), io.BytesIO()), tmp_path / "log")
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before


@pytest.mark.parametrize(
    ("returncode", "received", "name", "is_killed", "exit_code"),
    [
        (0, None, None, False, 0),
        (0, signal.SIGINT, None, False, 0),
        (1, None, None, False, 1),
        (1, signal.SIGTERM, "SIGTERM", True, 1),
        (-11, None, "SIGSEGV", False, 139),
        (-9, None, "SIGKILL", True, 137),
        (130, None, "SIGINT", True, 130),
        (137, None, "SIGKILL", True, 137),
        (139, None, None, False, 139),
        (255, None, None, False, 255),
        (-60, None, "signal 60", False, 188),
    ],
)
def test_how_a_command_ended(
    returncode: int, received: signal.Signals | None, name: str | None, *, is_killed: bool, exit_code: int
) -> None:
    """A signal to gittrack, to the command or to what a shell ran for it is told from a failure."""
    ended = Ended(returncode, received)
    assert (ended.signal_name, ended.is_killed, ended.exit_code) == (name, is_killed, exit_code)


def test_programs_are_looked_up_as_they_will_be_run(tmp_path: Path) -> None:
    """A bare name on the PATH of the command, a path from its folder."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/mine").write_text("#!/bin/sh\n")
    (tmp_path / "bin/mine").chmod(0o755)
    require_program("mine", tmp_path, {"PATH": str(tmp_path / "bin")})
    require_program("bin/mine", tmp_path, {"PATH": ""})
    require_program(str(tmp_path / "bin/mine"), tmp_path, {})
    for program in ("mine", "./mine", "./bin"):
        with pytest.raises(CommandError):
            require_program(program, tmp_path, {"PATH": "/nonexistent"})


def test_links_are_taken_away_and_nothing_else(tmp_path: Path) -> None:
    """What the command put in a link's place stays; the workspace's files are never touched."""
    workspace, worktree = tmp_path / "workspace", tmp_path / "worktree"
    for folder in (workspace / "data", workspace / "gone", worktree):
        folder.mkdir(parents=True)
    (workspace / "data/x").write_text("x")
    with linked(workspace, worktree, paths_to_link(workspace, workspace / "data", [".", "../gone"])):
        assert (worktree / "data/x").read_text() == "x"
        (worktree / "gone").unlink()
        (worktree / "gone").mkdir()
    assert sorted(path.name for path in worktree.iterdir()) == ["gone"]
    assert (workspace / "data/x").read_text() == "x"
    with pytest.raises(UsageError):
        paths_to_link(workspace, workspace, ["data/../.."])


def test_params_are_set_all_or_none(tmp_path: Path) -> None:
    """A mistake in the second file leaves the first as it was; modes and line ends are kept."""
    (tmp_path / "a.yaml").write_bytes(b"x: 1\r\ny: 2\r\n")
    (tmp_path / "a.yaml").chmod(0o640)
    with pytest.raises(OverrideError):
        set_params(tmp_path, [parse_override("a.yaml:x=3"), parse_override("b.yaml:x=3")])
    assert (tmp_path / "a.yaml").read_bytes() == b"x: 1\r\ny: 2\r\n"
    set_params(tmp_path, [parse_override("a.yaml:x=3"), parse_override("a.yaml:y=4")])
    assert (tmp_path / "a.yaml").read_bytes() == b"x: 3\r\ny: 4\r\n"
    assert (tmp_path / "a.yaml").stat().st_mode & 0o777 == 0o640
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.yaml"]


def test_a_file_too_large_is_not_replaced(tmp_path: Path) -> None:
    """Only what could be read whole is written."""
    (tmp_path / "a.yaml").write_bytes(b"x: 1\n" + b"# filler\n" * 600_000)
    size = (tmp_path / "a.yaml").stat().st_size
    with pytest.raises(OverrideError, match="no file of params"):
        set_params(tmp_path, [parse_override("a.yaml:x=3")])
    assert (tmp_path / "a.yaml").stat().st_size == size
