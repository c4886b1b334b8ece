"""How any command starts and ends: dispatch, errors, exit codes, reports."""

from __future__ import annotations

import os
import re
import stat
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click
import pytest

import gittrack
from gittrack.cli.entry import run
from gittrack.cli.errors import run_guarded
from gittrack.errors import DivergedError, GittrackError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

BIN = Path(sys.executable).parent
TOKEN = "ghp_0123456789abcdef0123456789abcdef0123"


def fail_with(error: BaseException) -> Callable[[], int]:
    def action() -> int:
        raise error

    return action


def test_version_is_that_of_the_package(capsys: pytest.CaptureFixture[str]) -> None:
    """`gittrack --version` prints one line."""
    assert run(["--version"], {}) == 0
    assert capsys.readouterr().out == f"gittrack {gittrack.__version__}\n"


def test_git_finds_the_command(repo_dir: Path, git: Callable[..., str], monkeypatch: pytest.MonkeyPatch) -> None:
    """`git exp` is `gittrack exp`."""
    monkeypatch.setenv("PATH", f"{BIN}{os.pathsep}{os.environ['PATH']}")
    assert git("exp", cwd=repo_dir).startswith("usage: gittrack exp")


def test_the_module_is_the_command() -> None:
    """`python -m gittrack` works where no script is on PATH."""
    done = subprocess.run([sys.executable, "-m", "gittrack", "--version"], check=True, capture_output=True, text=True)
    assert done.stdout == f"gittrack {gittrack.__version__}\n"


@pytest.mark.parametrize(
    ("typed", "meant"),
    [("exp shwo", "exp show"), ("show", "exp show"), ("stats", "status"), ("rename", "exp rename")],
)
def test_a_mistyped_command_names_the_one_meant(typed: str, meant: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Also a command without its group."""
    assert run(typed.split(), {}) == 2
    assert capsys.readouterr().err.endswith(f"\nhint: did you mean 'gittrack {meant}'?\n")


def test_a_strange_command_points_to_the_list(capsys: pytest.CaptureFixture[str]) -> None:
    """With nothing alike, the way out is the help."""
    assert run(["xyzzy"], {}) == 2
    assert capsys.readouterr().err == (
        "error: no command 'xyzzy'\nhint: run 'gittrack --help' for the list of commands\n"
    )


def test_a_wrong_option_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    """click's errors are told in the same words as ours."""
    assert run(["--no-such-option"], {}) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: no such option")
    assert error.endswith("\nhint: run 'gittrack --help'\n")


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (GittrackError("a", hint="b"), 1),
        (UsageError("a", hint="b"), 2),
        (DivergedError("a", hint="b"), 4),
    ],
)
def test_an_error_gives_message_hint_and_exit_code(
    error: BaseException, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing on stdout; on stderr what was wrong and what to do."""
    assert run_guarded(fail_with(error), {}) == code
    assert capsys.readouterr() == ("", "error: a\nhint: b\n")


def test_an_error_cannot_write_to_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    """Escape sequences in a name from a repository are shown, not sent."""
    run_guarded(fail_with(GittrackError("no experiment '\x1b[2J'")), {})
    assert capsys.readouterr().err == "error: no experiment '\\x1b[2J'\n"


@pytest.mark.parametrize("error", [KeyboardInterrupt(), click.Abort()])
def test_an_interruption_is_quiet(error: BaseException, capsys: pytest.CaptureFixture[str]) -> None:
    """Ctrl-C ends with 130 and without a word."""
    assert run_guarded(fail_with(error), {}) == 130
    assert capsys.readouterr() == ("", "")


def test_a_traceback_is_shown_on_request(capsys: pytest.CaptureFixture[str]) -> None:
    """`GITTRACK_DEBUG=1` shows where an error comes from."""
    run_guarded(fail_with(GittrackError("a")), {"GITTRACK_DEBUG": "1"})
    error = capsys.readouterr().err
    assert error.startswith("Traceback")
    assert error.endswith("error: a\n")


def test_an_unexpected_error_leaves_a_report(
    repo_dir: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 3, a short message, and a file with versions and traceback, private and without credentials."""
    monkeypatch.chdir(repo_dir)
    url = f"https://me:{TOKEN}@example.org/x.git"
    assert run_guarded(fail_with(RuntimeError(f"cannot reach {url}")), dict(os.environ)) == 3
    error = capsys.readouterr().err
    assert error.startswith("error: unexpected RuntimeError: cannot reach https://")
    report = repo_dir / ".git" / "gittrack" / "last-error.md"
    assert f"'{report}'" in error
    text = report.read_text(encoding="utf-8")
    assert re.search(r"gittrack \d.*Python \d.*git version.*dulwich \d.*Traceback", text, re.DOTALL)
    assert TOKEN not in text + error
    assert stat.S_IMODE(report.stat().st_mode) == 0o600
    assert [path.name for path in report.parent.iterdir()] == ["last-error.md"]


def test_a_report_outside_a_repository_is_temporary(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without a repository the report goes to the folder for temporary files."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert run_guarded(fail_with(ZeroDivisionError()), dict(os.environ)) == 3
    (report,) = tmp_path.glob("gittrack-error-*.md")
    assert str(report) in capsys.readouterr().err


def test_a_reader_that_leaves_is_no_error() -> None:
    """`gittrack --help | true` is quiet."""
    program = "import sys; from gittrack.cli.entry import run; sys.stdin.read(); sys.exit(run([], {}))"
    process = subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    process.stdout.close()
    process.stdin.close()
    assert (process.wait(), process.stderr.read()) == (141, b"")
    process.stderr.close()


def test_completion_lists_commands(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """The completion that click offers to shells knows the commands, groups included."""
    monkeypatch.setenv("COMP_WORDS", "gittrack ")
    monkeypatch.setenv("COMP_CWORD", "1")
    assert run(["unused"], {"_GITTRACK_COMPLETE": "bash_complete"}) == 0
    assert {"plain,exp", "plain,push"} <= set(capsys.readouterr().out.split())
