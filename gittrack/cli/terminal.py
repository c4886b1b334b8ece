"""The terminal that a command writes to: its size, colours, pager and progress line."""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager, suppress
from io import TextIOWrapper
from typing import TYPE_CHECKING, Final, NamedTuple, TextIO

from gittrack.cli.text import display_width, shorten, style
from gittrack.visible import sanitise

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from subprocess import Popen

__all__ = ["Progress", "Terminal", "display_width", "sanitise", "shorten", "style"]

_SHELL_CHARACTERS: Final = frozenset("|&;<>()$`\\\"'*?[#~=%")
_NOT_FOUND: Final = frozenset({126, 127})  # what a shell returns for a command that it cannot run
_PROGRESS_INTERVAL_S: Final = 0.1


class Terminal(NamedTuple):
    """Where a command's output goes and what can be shown there.

    Args:
        stdout: The stream of results.
        stderr: The stream of messages and progress.
        is_tty: Whether a person reads `stdout`.
        width: Columns of the terminal; None when lines may be of any length, as in a pipe.
        height: Lines of the terminal.
        colour: Whether colours are wanted on `stdout`.
        unicode: Whether `stdout` takes characters beyond ASCII.
        environ: The process environment.
    """

    stdout: TextIO
    stderr: TextIO
    is_tty: bool
    width: int | None
    height: int
    colour: bool
    unicode: bool
    environ: Mapping[str, str]

    @classmethod
    def detect(cls, environ: Mapping[str, str], stdout: TextIO | None = None, stderr: TextIO | None = None) -> Terminal:
        """Return the terminal of this process, or of the given streams.

        Colours: none with `NO_COLOR`; always with `FORCE_COLOR` or `CLICOLOR_FORCE`; else on a terminal, unless
        `CLICOLOR=0` or `TERM=dumb`. Size: `COLUMNS` and `LINES`, else what the terminal says, else 80 by 24.

        Args:
            environ: The process environment.
            stdout: Instead of `sys.stdout`.
            stderr: Instead of `sys.stderr`.
        """
        stdout = _accept_any_text(sys.stdout if stdout is None else stdout)
        is_tty = stdout.isatty()
        width, height = _size(stdout, environ)
        return cls(
            stdout=stdout,
            stderr=_accept_any_text(sys.stderr if stderr is None else stderr),
            is_tty=is_tty,
            width=width,
            height=height,
            colour=_wants_colour(environ, is_tty=is_tty),
            unicode=(stdout.encoding or "").lower().replace("-", "") == "utf8",
            environ=environ,
        )

    def style(self, text: str, *names: str) -> str:
        """Return `text` in the named styles when colours are wanted; see `gittrack.cli.text.style`."""
        return style(text, *names, colour=self.colour)

    def echo(self, text: str = "") -> None:
        """Write one line of result; a reader that went away is no error."""
        with self.output() as stream:
            stream.write(text + "\n")

    def note(self, text: str) -> None:
        """Write one line for the person, beside the result: to stderr."""
        try:
            self.stderr.write(text + "\n")
            self.stderr.flush()
        except BrokenPipeError:
            _discard(self.stderr)

    @contextmanager
    def output(self) -> Iterator[TextIO]:
        """Give the stream for results, and end quietly when its reader goes away (`gittrack exp show | head`)."""
        try:
            yield self.stdout
            self.stdout.flush()
        except BrokenPipeError:
            _discard(self.stdout)

    def page(self, lines: Iterable[str]) -> None:
        """Write lines, through a pager when a person reads them and they are taller than the terminal.

        The pager is `GITTRACK_PAGER`, else `PAGER`, else `less -FRSX`; empty or `cat` means none. When it is
        missing the lines are written as they are; when it is left early the rest is dropped.

        Args:
            lines: Without their newline.
        """
        lines = [f"{line}\n" for line in lines]
        # One line is left for the prompt, so that what fits is really seen whole.
        if not (self.is_tty and len(lines) >= self.height and self._page_through(lines)):
            with self.output() as stream:
                stream.writelines(lines)

    @contextmanager
    def progress(self, label: str) -> Iterator[Progress]:
        """Give a progress line on stderr that is gone at the end; silent when no person reads it.

        Args:
            label: What is being done, such as `Sending experiments`.
        """
        visible = self.stderr.isatty() and self.environ.get("TERM") != "dumb"
        progress = Progress(label, self.stderr if visible else None, self.width or 80)
        try:
            yield progress
        finally:
            progress.clear()

    def _page_through(self, lines: list[str]) -> bool:
        """Show lines in the pager until the person leaves it; False when there is none."""
        import shlex
        import subprocess

        command = self.environ.get("GITTRACK_PAGER", self.environ.get("PAGER", "less -FRSX")).strip()
        if command in {"", "cat"}:
            return False
        # As git: the shell only where the command needs it, and a plain `less` set up for coloured tables.
        arguments = ["sh", "-c", command] if _SHELL_CHARACTERS & set(command) else shlex.split(command)
        environment = {"LESS": "FRSX", "LV": "-c", **self.environ}
        self.stdout.flush()
        try:
            pager = subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=self.stdout, env=environment)
        except OSError:
            return False
        _feed(pager, "".join(lines).encode(errors="backslashreplace"))
        return pager.returncode not in _NOT_FOUND


class Progress:
    """A line that says how far a transfer is.

    Args:
        label: What is being done.
        stream: A terminal; None shows nothing.
        width: Columns of the terminal.
    """

    def __init__(self, label: str, stream: TextIO | None, width: int) -> None:
        self._label = label
        self._stream = stream
        self._width = width
        self._next_s = 0.0

    def update(self, done: int, total: int | None = None, detail: str = "") -> None:
        """Show `done` of `total`; calls within a tenth of a second of the last one shown are skipped.

        Args:
            done: How many are finished.
            total: Of how many; None when unknown.
            detail: What else to say, such as `12 MiB`.
        """
        if self._stream is None:
            return
        from time import monotonic

        now_s = monotonic()
        if now_s < self._next_s and done != total:
            return
        self._next_s = now_s + _PROGRESS_INTERVAL_S
        share = f" {100 * done // total:3d}% ({done}/{total})" if total else f" {done}"
        line = shorten(sanitise(f"{self._label}{share} {detail}".rstrip()), self._width - 1, ellipsis="...", end=True)
        self._write(f"\r{line}\x1b[K")

    def clear(self) -> None:
        """Remove the line."""
        if self._next_s:
            self._write("\r\x1b[K")

    def _write(self, text: str) -> None:
        if self._stream is not None:
            self._stream.write(text)
            self._stream.flush()


def _size(stream: TextIO, environ: Mapping[str, str]) -> tuple[int | None, int]:
    """Return columns and lines: what the environment says, else the terminal, else 80 by 24 on a terminal."""
    columns, lines = _positive(environ.get("COLUMNS")), _positive(environ.get("LINES"))
    if not stream.isatty():
        return columns, lines or 24
    try:
        size = os.get_terminal_size(stream.fileno())
    except (OSError, ValueError):
        size = os.terminal_size((0, 0))
    return columns or size.columns or 80, lines or size.lines or 24


def _positive(text: str | None) -> int | None:
    return int(text) or None if text and text.isascii() and text.isdigit() else None


def _wants_colour(environ: Mapping[str, str], *, is_tty: bool) -> bool:
    """Decide by https://no-color.org and https://bixense.com/clicolors."""
    if environ.get("NO_COLOR"):
        return False
    if any(environ.get(name, "0") not in {"", "0"} for name in ("FORCE_COLOR", "CLICOLOR_FORCE")):
        return True
    return is_tty and environ.get("CLICOLOR") != "0" and environ.get("TERM") != "dumb"


def _accept_any_text(stream: TextIO) -> TextIO:
    """Let the stream write out what its encoding lacks: a byte of a path that is not UTF-8 must not end a command."""
    if isinstance(stream, TextIOWrapper):
        stream.reconfigure(errors="backslashreplace")
    return stream


def _discard(stream: TextIO) -> None:
    """Send the stream to nowhere, else Python complains at exit about what it could not flush."""
    with suppress(OSError, ValueError):
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, stream.fileno())
        os.close(null)


def _feed(pager: Popen[bytes], text: bytes) -> None:
    """Send text to a pager and wait until the person leaves it; Ctrl-C is the pager's own (it ends a search)."""
    try:
        pager.communicate(text)  # to which a pager that was left early is no error
    except KeyboardInterrupt:
        with suppress(OSError):
            pager.stdin.close()  # type: ignore[union-attr]
    while pager.returncode is None:
        with suppress(KeyboardInterrupt):
            pager.wait()
