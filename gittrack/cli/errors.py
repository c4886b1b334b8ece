"""From an exception to a message and an exit code.

| exit code | meaning |
|---|---|
| 0 | ok |
| 1 | an error that a person can act upon |
| 2 | the call is wrong |
| 3 | an unexpected error: a defect of gittrack, with a report to hand in |
| 4 | two sides changed the same experiment |
| 130 | interrupted by Ctrl-C |
| 141 | the reader of the output went away, as in `gittrack exp show | head -1` |
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress

from gittrack.errors import GittrackError

TYPE_CHECKING = False  # as in `typing`, whose import would break the start-up budget
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

USAGE = 2
UNEXPECTED = 3
INTERRUPTED = 130  # 128 + SIGINT, as shells count
BROKEN_PIPE = 141  # 128 + SIGPIPE


def run_guarded(action: Callable[[], int], environ: Mapping[str, str]) -> int:
    """Run a command; report what it raises and return the exit code.

    Args:
        action: The command; returns its exit code.
        environ: The environment: `GITTRACK_DEBUG=1` shows the traceback of every error.
    """
    try:
        code = action()
        sys.stdout.flush()
    except KeyboardInterrupt:
        return INTERRUPTED
    except Exception as error:  # noqa: BLE001  the end of the line: whatever it is, it is reported
        if isinstance(error, BrokenPipeError) and _is_stdout_gone():
            return BROKEN_PIPE
        code = _report(error, environ)
        _drop_unwritable_output()
    return code


def _report(error: Exception, environ: Mapping[str, str]) -> int:
    """Say what went wrong on stderr and return the exit code."""
    if environ.get("GITTRACK_DEBUG", "0") not in {"", "0"}:
        import traceback

        traceback.print_exception(error)
    if isinstance(error, GittrackError):
        say_error(error.message, error.hint, environ)
        return error.exit_code
    if "click" in sys.modules:
        from click import Abort, ClickException

        if isinstance(error, Abort):  # Ctrl-C at a question
            return INTERRUPTED
        if isinstance(error, ClickException):
            return _report_click(error, environ)
    if isinstance(error, OSError) and (reason := explain_os_error(error)):
        say_error(*reason, environ)
        return GittrackError.exit_code
    from gittrack.cli.crash_report import describe, write_report

    path = write_report(error, environ)
    hint = f"this is a defect of gittrack; please hand in the report '{path}'" if path else None
    say_error(f"unexpected {describe(error)}", hint, environ)
    return UNEXPECTED


def explain_os_error(error: OSError) -> tuple[str, str | None] | None:
    """Return a message and a hint for what a disk or the system refused; None where we may have asked for nonsense.

    Args:
        error: What was raised.

    Example:
        >>> explain_os_error(OSError(30, "Read-only file system", "/srv/data"))
        ("read-only file system: '/srv/data'", 'make it writable, or work in a copy that is')
    """
    import errno

    full, denied = {errno.ENOSPC, errno.EDQUOT}, {errno.EROFS, errno.EACCES, errno.EPERM}
    if error.errno not in full | denied | {errno.EIO, errno.EMFILE, errno.ENFILE, errno.ESTALE}:
        return None
    reason = os.strerror(error.errno)
    place = f": '{os.fsdecode(error.filename)}'" if isinstance(error.filename, (str, bytes)) else ""
    hint = None
    if error.errno in full:
        hint = "free some space; what was recorded before is kept"
    elif error.errno in denied:
        hint = "make it writable, or work in a copy that is"
    return f"{reason[:1].lower()}{reason[1:]}{place}", hint


def _report_click(error: Exception, environ: Mapping[str, str]) -> int:
    """Put click's own errors, nearly all of them about usage, into our words."""
    from click import ClickException, NoSuchOption
    from click import UsageError as ClickUsageError

    assert isinstance(error, ClickException)  # noqa: S101  the caller checked; click is not imported at module level
    message = error.format_message().rstrip(".")
    context = error.ctx if isinstance(error, ClickUsageError) else None
    hint = f"run '{context.command_path} --help'" if context else None
    if isinstance(error, NoSuchOption):
        message = f"no such option '{error.option_name}'"
        alike = [name for name in error.possibilities or () if name.startswith(error.option_name)]
        alike = alike or list(error.possibilities or ())[:1]
        if alike:
            hint = f"did you mean {' or '.join(repr(name) for name in alike)}?"
    say_error(message[:1].lower() + message[1:], hint, environ)
    return error.exit_code


def say_error(message: str, hint: str | None, environ: Mapping[str, str]) -> None:
    """Write an error, and the way out of it, to stderr.

    Args:
        message: What was wrong; no final full stop.
        hint: What to do.
        environ: The environment, for colours.
    """
    from gittrack.cli.terminal import Terminal, sanitise, style

    colour = Terminal.detect(environ, sys.stderr).colour
    sys.stderr.write(f"{style('error:', 'bold', 'red', colour=colour)} {sanitise(message, multiline=True)}\n")
    if hint:
        sys.stderr.write(f"{style('hint:', 'bold', 'cyan', colour=colour)} {sanitise(hint, multiline=True)}\n")


def _is_stdout_gone() -> bool:
    """Say whether it was our own output that nobody reads, not the input of a program that we ran.

    What could not be written is thrown away, else Python complains about it at exit.
    """
    from select import POLLERR, POLLHUP, poll

    poller = poll()
    try:
        poller.register(sys.stdout.fileno(), 0)
    except (OSError, ValueError):  # no file at all
        return False
    if not any(event & (POLLERR | POLLHUP) for _, event in poller.poll(0)):
        return False
    _discard_stdout()
    return True


def _drop_unwritable_output() -> None:
    """Throw away what a full disk does not take, else Python complains at exit with an exit code of its own."""
    try:
        sys.stdout.flush()
    except (OSError, ValueError):
        _discard_stdout()


def _discard_stdout() -> None:
    with suppress(OSError, ValueError):  # no file at all
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, sys.stdout.fileno())
        os.close(null)
