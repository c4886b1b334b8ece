"""The runs of this process that are not ended yet, and the ways in which a process can end on them.

A run that nobody ends is ended here: at the interpreter's exit (``completed``), by an exception nobody caught
(``failed``), by Ctrl-C or SIGTERM (``killed``). A forked child owns none of its parent's runs.
"""

from __future__ import annotations

import atexit
import os
import signal
import sys
import threading
from contextvars import ContextVar
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from types import FrameType, TracebackType

    from gittrack.runs.run import Run

    EndStatus = Literal["completed", "failed", "killed"]

_MAX_MESSAGE_LENGTH = 4000  # some libraries print whole tensors
_SIGNAL_NAMES = {signal.SIGTERM: "SIGTERM", signal.SIGINT: "SIGINT"}


class RunEnd(NamedTuple):
    """How the block or process around a run ended: arguments of ``Run.end``."""

    status: EndStatus
    message: str | None


class _Process:
    """What is open in this process; replaced in a forked child."""

    def __init__(self) -> None:
        self.pid = os.getpid()
        self.runs: dict[int, Run] = {}
        self.last_error: BaseException | None = None


_process = _Process()
# The blocks around the caller: each run, and whether the block is that of who made it.
_entered: ContextVar[tuple[tuple[Run, bool], ...]] = ContextVar("entered", default=())
_taken: ContextVar[Run | None] = ContextVar("taken", default=None)
_is_watching = False


def add(run: Run) -> None:
    """Remember an open run and watch for the ends of the process."""
    global _is_watching, _process  # noqa: PLW0603  one set of hooks for the one process
    if _process.pid != os.getpid():
        _process = _Process()
    if not _is_watching:
        _is_watching = True
        atexit.register(_end_all_at_exit)
        _watch_exceptions()
    _watch_termination()
    _process.runs[id(run)] = run


def discard(run: Run) -> None:
    """Forget a run that ended."""
    _process.runs.pop(id(run), None)


def is_open(run_id: str | None) -> bool:
    """Return whether a run of this id is open in this process."""
    return any(run.id == run_id for run in _process.runs.values())


def list_open() -> list[Run]:
    """Return the runs that this process made and has not ended, the newest last."""
    return [run for run in _process.runs.values() if is_own_process(run)]


def take(run: Run) -> None:
    """Say that the next block of an open run is of somebody who did not make it, and must not end it."""
    _taken.set(run)


def enter(run: Run) -> None:
    """Make a run that of the ``with`` block that begins."""
    is_owned = _taken.get() is not run
    _taken.set(None)
    _entered.set((*_entered.get(), (run, is_owned)))


def leave(run: Run) -> bool:
    """Take back the last `enter` of a run, and return whether that ends it: no block around has it, too."""
    entered = list(_entered.get())
    places = [place for place, (one, _) in enumerate(entered) if one is run]
    _, is_owned = entered.pop(places[-1]) if places else (run, True)
    _entered.set(tuple(entered))
    return is_owned and len(places) <= 1


def current_run() -> Run | None:
    """Return the run of the innermost ``with`` block around the caller that goes on; None outside of any."""
    return next((run for run, _ in reversed(_entered.get()) if run.status == "running" and is_own_process(run)), None)


def newest() -> Run | None:
    """Return the run of this process that was opened last and is still open; None when there is none."""
    runs = [run for run in _process.runs.values() if is_own_process(run)]
    return runs[-1] if runs else None


def is_own_process(run: Run) -> bool:
    """Return whether this process made the run, rather than a parent before a fork."""
    return run.pid == os.getpid()


def status_after(error: BaseException | None) -> RunEnd:
    """Return how a run ends when its block or process ends with an exception, or with none.

    Args:
        error: The exception that left the block.
    """
    if error is None or isinstance(error, GeneratorExit):
        return RunEnd("completed", None)
    if isinstance(error, KeyboardInterrupt):
        return RunEnd("killed", "interrupted (SIGINT)")
    if isinstance(error, SystemExit):
        if error.code in (None, 0):
            return RunEnd("completed", None)
        return RunEnd("failed", f"exit code {error.code}" if isinstance(error.code, int) else str(error.code))
    from gittrack.secrets import mask_secrets  # here: few runs fail, and its patterns take a while to compile

    kind = type(error).__name__
    try:
        text = mask_secrets(str(error).strip())
    except Exception:  # noqa: BLE001  an exception whose text cannot be made
        text = ""
    if len(text) > _MAX_MESSAGE_LENGTH:
        text = text[:_MAX_MESSAGE_LENGTH] + "…"
    return RunEnd("failed", f"{kind}: {text}" if text else kind)


def _end_all(end: RunEnd) -> None:
    for run in list(_process.runs.values()):
        if is_own_process(run):
            run.end(*end)


def _end_all_at_exit() -> None:
    _end_all(status_after(_process.last_error))


def _watch_exceptions() -> None:
    previous = sys.excepthook

    def remember(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        _process.last_error = error
        previous(kind, error, trace)

    sys.excepthook = remember


def _watch_termination() -> None:
    """Take SIGTERM where nobody else does; a script's or launcher's own handler stays."""
    is_main = threading.current_thread() is threading.main_thread()
    if is_main and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        signal.signal(signal.SIGTERM, _terminate)


def _terminate(number: int, _frame: FrameType | None) -> None:
    signal.signal(number, signal.SIG_DFL)
    _end_all(RunEnd("killed", f"terminated ({_SIGNAL_NAMES.get(signal.Signals(number), str(number))})"))
    os.kill(os.getpid(), number)
