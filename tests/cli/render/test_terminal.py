"""The terminal: what it shows, how it pages, and that it never breaks a command."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from io import BytesIO, StringIO, TextIOWrapper

import pytest

from gittrack.cli.terminal import Progress, Terminal

PAGE = """
import os
from gittrack.cli.terminal import Terminal
terminal = Terminal.detect(os.environ)
terminal.page(f"line {number}" for number in range(50_000))
terminal.echo("end")
"""


class Tty(StringIO):
    """A stream that says it is a terminal."""

    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


def run_in_pty(code: str, **environ: str) -> tuple[int, str]:
    """Run Python code on a pseudo-terminal; return its exit code and all that the terminal received."""
    leader, follower = pty.openpty()
    environment = {key: value for key, value in os.environ.items() if key not in {"PAGER", "GITTRACK_PAGER"}}
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdin=follower, stdout=follower, stderr=follower, env=environment | environ
    )
    os.close(follower)
    received = bytearray()
    while True:
        try:
            piece = os.read(leader, 65536)
        except OSError:  # Linux reports the end of a pseudo-terminal as an error
            break
        if not piece:
            break
        received += piece
    os.close(leader)
    return process.wait(), received.decode().replace("\r\n", "\n")


@pytest.mark.parametrize("pager", ["cat", "", "no-such-pager", "A=1 no-such-pager", "/"])
def test_missing_pager_shows_everything(pager: str) -> None:
    """Where the pager cannot run, the lines come as they are."""
    code, text = run_in_pty(PAGE, PAGER=pager, LINES="24")
    assert code == 0
    assert text.endswith("line 49999\nend\n")


def test_pager_left_early_is_silent() -> None:
    """A pager that reads two lines and quits is no error."""
    assert run_in_pty(PAGE, PAGER="head -n 2", LINES="24") == (0, "line 0\nline 1\nend\n")


def test_own_pager_goes_first() -> None:
    """`GITTRACK_PAGER` wins over `PAGER`, and may be a shell command."""
    assert run_in_pty(PAGE, GITTRACK_PAGER="head -n 3 | tail -n 1", PAGER="cat") == (0, "line 2\nend\n")


def test_short_text_is_not_paged() -> None:
    """What fits the terminal goes straight to it."""
    code = PAGE.replace("50_000", "22")
    assert run_in_pty(code, PAGER="false", LINES="24")[1].count("line") == 22


def test_closed_pipe_is_silent() -> None:
    """`gittrack exp show | head -n 1` ends without a word."""
    process = subprocess.Popen([sys.executable, "-c", PAGE], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"line 0\n"
    process.stdout.close()
    assert process.stderr is not None
    assert (process.stderr.read(), process.wait()) == (b"", 0)
    process.stderr.close()


@pytest.mark.parametrize(
    ("environ", "is_tty", "expected"),
    [
        ({}, True, True),
        ({}, False, False),
        ({"NO_COLOR": "1"}, True, False),
        ({"NO_COLOR": ""}, True, True),
        ({"NO_COLOR": "1", "FORCE_COLOR": "1"}, True, False),
        ({"FORCE_COLOR": "1"}, False, True),
        ({"FORCE_COLOR": "0"}, False, False),
        ({"CLICOLOR_FORCE": "1"}, False, True),
        ({"CLICOLOR": "0"}, True, False),
        ({"TERM": "dumb"}, True, False),
    ],
)
def test_colours_are_as_asked(environ: dict[str, str], is_tty: bool, expected: bool) -> None:
    """The conventions of no-color.org and bixense.com/clicolors."""
    stream = Tty() if is_tty else StringIO()
    assert Terminal.detect(environ, stream, StringIO()).colour is expected


def test_a_pipe_has_no_width_unless_told() -> None:
    """Lines in a pipe may be of any length; `COLUMNS` sets one."""
    assert Terminal.detect({}, StringIO(), StringIO()).width is None
    assert Terminal.detect({"COLUMNS": "90"}, StringIO(), StringIO()).width == 90
    assert Terminal.detect({"COLUMNS": "x"}, Tty(), StringIO()).width == 80


def test_text_that_the_encoding_lacks_is_written_out() -> None:
    """An ASCII terminal and a name that is not UTF-8 do not end a command."""
    raw = BytesIO()
    terminal = Terminal.detect({}, TextIOWrapper(raw, encoding="ascii"), StringIO())
    terminal.echo("caf\xe9 \udcff")
    assert raw.getvalue() == b"caf\\xe9 \\udcff\n"
    assert not terminal.unicode


def test_progress_is_seen_on_a_terminal_only() -> None:
    """The line is drawn over and removed; into a file nothing is written."""
    stderr = Tty()
    with Terminal.detect({}, StringIO(), stderr).progress("Sending") as progress:
        progress.update(1, 4)
        progress.update(2, 4)
        progress.update(4, 4)
    assert stderr.getvalue() == "\rSending  25% (1/4)\x1b[K\rSending 100% (4/4)\x1b[K\r\x1b[K"
    silent = StringIO()
    with Terminal.detect({}, StringIO(), silent).progress("Sending") as progress:
        progress.update(1)
    assert silent.getvalue() == ""


def test_progress_fits_its_line() -> None:
    """A long detail is cut, else the line could not be drawn over."""
    stderr = Tty()
    Progress("Sending", stderr, 20).update(3, None, "x" * 50)
    assert stderr.getvalue() == "\rSending 3 xxxxxx...\x1b[K"
