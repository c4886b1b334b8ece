"""Run a command to its end: show its output as it comes, keep a log of it, hand signals on."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import threading
from typing import IO, TYPE_CHECKING, Any, NamedTuple

from gittrack.errors import GittrackError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path
    from types import FrameType, TracebackType

    from typing_extensions import Self

MAX_LOG_BYTES = 8 << 20
COMMAND_NOT_FOUND = 127  # what a shell answers
SIGNAL_BASE = 128  # a shell's exit code for a command that a signal ended is this plus the signal's number
_CHUNK_BYTES = 1 << 16
_N_PIECES_KEPT = 2  # of a log's end
_LINGER_S = 1.0
# What a terminal or a supervisor sends to every process of a group reaches the command without our help, and some
# programs take the second signal as an order to stop their clean-up.
_RELAY_DELAY_S = 0.5
_RELAYED = [signal.SIGINT, signal.SIGTERM, *([signal.SIGHUP] if sys.platform != "win32" else [])]


class CommandError(GittrackError):
    """The command could not be started."""

    exit_code = COMMAND_NOT_FOUND


class Output(NamedTuple):
    """Where the command's output goes while it runs."""

    stdout: IO[bytes]
    stderr: IO[bytes]


class Ended(NamedTuple):
    """How a command ended.

    Attributes:
        returncode: Its exit code; a signal that ended it is negative.
        received: The signal that was sent to this process meanwhile, such as that of Ctrl-C; None when none was.
    """

    returncode: int
    received: signal.Signals | None = None

    @property
    def exit_code(self) -> int:
        """The exit code that a shell would give it."""
        return SIGNAL_BASE - self.returncode if self.returncode < 0 else self.returncode

    @property
    def signal_name(self) -> str | None:
        """The signal that ended the command, or a program that the command ran and speaks for; None when none did."""
        if self.received is not None and self.returncode:
            return self.received.name
        number = -self.returncode if self.returncode < 0 else self.returncode - SIGNAL_BASE
        is_told = self.returncode < 0 or number in _KILLERS
        return _signal_name(number) if is_told else None

    @property
    def is_killed(self) -> bool:
        """Whether somebody stopped it, which is no failure of its own."""
        return self.signal_name in {killer.name for killer in _KILLERS}


_KILLERS = frozenset(_RELAYED) | ({signal.SIGKILL} if sys.platform != "win32" else set())


def require_program(program: str, directory: Path, environ: Mapping[str, str]) -> None:
    """Raise when there is no such program, before anything is done for it.

    Args:
        program: Its name, or a path relative to the folder it shall run in.
        directory: That folder.
        environ: The environment, for PATH.

    Raises:
        CommandError: There is none, or it cannot be executed.
    """
    if os.path.dirname(program):  # noqa: PTH120  "./x" and "x" are different programs, and the same path
        path = directory / program
        if not path.is_file():
            raise CommandError(f"cannot run '{program}': there is no such file in '{directory}'")
        if not os.access(path, os.X_OK):
            raise CommandError(f"cannot run '{program}': it is not executable", hint=f"chmod +x {program}")
    elif shutil.which(program, path=environ.get("PATH")) is None:
        raise CommandError(f"cannot run '{program}': there is no such program on PATH")


def execute(
    command: Sequence[str], directory: Path, environ: Mapping[str, str], output: Output, log_path: Path
) -> Ended:
    """Run a command to its end; its output goes to the terminal and into a log, its input is that of this process.

    Args:
        command: The program and its arguments; no shell.
        directory: The folder to run in.
        environ: Its environment.
        output: Where its output goes.
        log_path: The log.

    Raises:
        OSError: It cannot be started.
    """
    with CappedLog(log_path) as log, _SignalRelay() as relay:
        process = subprocess.Popen(
            list(command), cwd=directory, env=dict(environ), stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        assert process.stdout is not None and process.stderr is not None  # noqa: S101, PT018  both are pipes
        copies = [_Copy(process.stdout, output.stdout, log), _Copy(process.stderr, output.stderr, log)]
        relay.attach(process)
        returncode = process.wait()
        relay.detach()
        for copy in copies:
            copy.finish()
        return Ended(returncode, relay.received)


class CappedLog:
    """A log that keeps the beginning and the end of what is written to it, from any thread.

    Everything is in files when `write` returns, so that a killed process keeps it: the beginning in the file itself,
    what comes after in pieces beside it, of which only the last two stay. `read_log` puts them together.

    Args:
        path: The file.
        max_bytes: How much is kept.

    Raises:
        OSError: It cannot be written.
    """

    def __init__(self, path: Path, max_bytes: int = MAX_LOG_BYTES) -> None:
        self._path = path
        self._lock = threading.RLock()  # a handler of a signal may print while its thread prints
        self._piece_bytes = max_bytes - max_bytes // 2
        self._room = max_bytes // 2
        self._n_pieces = 0
        self._is_closed = False
        self._file = path.open("wb", buffering=0)

    def write(self, chunk: bytes) -> None:
        """Add to the log; a full disk is no reason to disturb the command."""
        with self._lock, contextlib.suppress(OSError, ValueError):
            while chunk and not self._is_closed:
                if not self._room:
                    self._begin_piece()
                some, chunk = chunk[: self._room], chunk[self._room :]
                self._file.write(some)
                self._room -= len(some)

    def close(self) -> None:
        """Close the file; what is written from then on is lost."""
        with self._lock:
            self._is_closed = True
            self._file.close()

    def _begin_piece(self) -> None:
        following = _piece(self._path, self._n_pieces).open("wb", buffering=0)
        self._file.close()
        self._file, self._room = following, self._piece_bytes
        self._n_pieces += 1
        if self._n_pieces > _N_PIECES_KEPT:
            _piece(self._path, self._n_pieces - 1 - _N_PIECES_KEPT).unlink()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def read_log(path: Path) -> bytes:
    """Return the content of a `CappedLog`, also of one whose process was killed.

    Args:
        path: The file.

    Raises:
        OSError: There is none.
    """
    beginning = path.read_bytes()
    suffixes = [found.suffix[1:] for found in path.parent.glob(f"{path.name}.*")]
    number = max((int(suffix) for suffix in suffixes if suffix.isascii() and suffix.isdecimal()), default=-1)
    if number < 0:
        return beginning
    last = _piece(path, number).read_bytes()
    before = _piece(path, number - 1).read_bytes() if number else b""
    if not before:
        return beginning + last
    end = (before + last)[-len(before) :]
    return _with_gap(beginning, (number - 1) * len(before) + len(last), end)


def cap_log(data: bytes, max_bytes: int = MAX_LOG_BYTES) -> bytes:
    """Return the beginning and the end of what would be too long for a log.

    Args:
        data: The logs of several runs of an experiment, one after the other.
        max_bytes: How much is kept.
    """
    n_dropped = len(data) - max_bytes
    return (
        data if n_dropped <= 0 else _with_gap(data[: max_bytes // 2], n_dropped, data[-(max_bytes - max_bytes // 2) :])
    )


def _with_gap(beginning: bytes, n_dropped: int, end: bytes) -> bytes:
    note = f"\n[{n_dropped} bytes are left out here]\n".encode() if n_dropped else b""
    return beginning + note + end


def _piece(path: Path, number: int) -> Path:
    return path.with_name(f"{path.name}.{number}")


class _Copy:
    """Copies a pipe to a stream and to the log, in a thread.

    Args:
        source: The pipe.
        sink: The stream.
        log: The log.
    """

    def __init__(self, source: IO[bytes], sink: IO[bytes], log: CappedLog) -> None:
        self._source = source
        self._sink: IO[bytes] | None = sink
        self._log = log
        self._is_waiting = False
        self._thread = threading.Thread(target=self._copy, name="gittrack-output", daemon=True)
        self._thread.start()

    def finish(self) -> None:
        """Wait until all is copied; a process that the command left behind may hold the pipe open for ever."""
        while self._thread.is_alive():
            self._thread.join(_LINGER_S)
            if self._is_waiting:
                return
        self._source.close()

    def _copy(self) -> None:
        while chunk := self._read():
            self._log.write(chunk)
            if self._sink is None:
                continue
            try:
                self._sink.write(chunk)
                self._sink.flush()
            except (OSError, ValueError):  # a closed terminal does not end the command
                self._sink = None

    def _read(self) -> bytes:
        self._is_waiting = True
        chunk = os.read(self._source.fileno(), _CHUNK_BYTES)
        self._is_waiting = False
        return chunk


class _SignalRelay:
    """Hands signals on to the command instead of dying of them, so that its end is recorded."""

    def __init__(self) -> None:
        self.received: signal.Signals | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._previous: dict[signal.Signals, Any] = {}
        self._timers: list[threading.Timer] = []

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            # One that is ignored (nohup, a background job) is ignored by the command too.
            relayed = [number for number in _RELAYED if signal.getsignal(number) is not signal.SIG_IGN]
            self._previous = {number: signal.signal(number, self._receive) for number in relayed}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.detach()
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    def attach(self, process: subprocess.Popen[bytes]) -> None:
        """Name the process that signals are for; one that came before it was started is handed on too."""
        self._process = process
        if self.received is not None:
            self._hand_on(self.received)

    def detach(self) -> None:
        """Hand nothing on any more."""
        for timer in self._timers:
            timer.cancel()

    def _receive(self, number: int, _frame: FrameType | None) -> None:
        self.received = signal.Signals(number)
        if self._process is not None and not (number == signal.SIGINT and _has_terminal()):
            self._hand_on(self.received)

    def _hand_on(self, number: signal.Signals) -> None:
        timer = threading.Timer(_RELAY_DELAY_S, self._send, (number,))
        timer.daemon = True
        self._timers.append(timer)
        timer.start()

    def _send(self, number: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(number)  # does nothing when the process has ended


def _has_terminal() -> bool:
    """Return whether a terminal sends Ctrl-C to this process and the command alike."""
    try:
        with open("/dev/tty", "rb", buffering=0) as terminal:  # noqa: PTH123  a device
            return os.tcgetpgrp(terminal.fileno()) == os.getpgrp()
    except (OSError, AttributeError):
        return False


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:  # a real-time signal
        return f"signal {number}"
