"""The journal of a live run: what a training script logs, on disk within a second, at a few microseconds a call.

A journal is two files that only grow. ``<name>.journal`` holds the metrics in lines of JSON, of three forms::

    {"group":0,"names":["loss","accuracy"]}     numbers a set of metrics that are logged together
    [[0,12,1760000000.25,0.69,0.51],…]          rows: group, step, time, then the values in the order of the names
    {"checkpoint":[[["loss",…],[0,12,…]],…]}    every so often: all groups so far, each with its row of the highest step

``<name>.events`` holds all else, one event per line: kind, time and JSON, with tabs between. Times are UTC epoch
seconds. A log call appends one tuple to a list; a thread turns the list into one line twice a second. A line without
its line feed is what a crash cut off. Integers too wide for decimal JSON are texts such as ``"0x1f"``.
`gittrack.runs.journal_reader` reads both files, also while they grow.
"""

from __future__ import annotations

import os
import threading
import time
import weakref
from json import JSONEncoder
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Literal

from gittrack.runs.line_file import LineFile
from gittrack.values import dump_json, format_number, to_number, validate_metric_name
from gittrack.warn import warn

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from gittrack.values import PlainValue

SUFFIX = ".journal"

_FLUSH_INTERVAL_S = 0.5
_MAX_ROWS_PER_LINE = 1024  # encoding them holds the interpreter's lock for about three milliseconds
_MAX_POINTS_PER_LINE = 8192
_CHECKPOINT_BYTES = 256 << 10  # what `read_latest` must read at most, but for the length of a line
_MAX_PENDING_BYTES = 64 << 20
_NO_POINTS = 3  # columns of a row before its values

_encode = JSONEncoder(check_circular=False, separators=(",", ":")).encode
_writers: weakref.WeakSet[JournalWriter] = weakref.WeakSet()


def find_journals(folder: Path) -> list[Path]:
    """Return the journals that the processes of one run wrote.

    Args:
        folder: The folder of the run.
    """
    return sorted(folder.glob(f"*{SUFFIX}"))


def events_path(path: Path) -> Path:
    """Return the file that holds the events of a journal.

    Args:
        path: The journal, ``….journal``.
    """
    return path.with_suffix(".events")


class JournalWriter:
    """Write the journal of one process; every method may be called from any thread, and a full disk fails none.

    What the disk refuses stays in memory, up to 64 MiB of encoded data, and is tried again with every flush; beyond
    that the oldest points are dropped and counted. A child made by `os.fork` records nothing: the journal stays its
    parent's.

    Args:
        path: The file to create, ``….journal``; its events go beside it.
        durability: ``buffered``: on disk half a second after the call; ``step``: before the call returns. Both against
            the death of the process; against that of the machine, only after `close`.

    Attributes:
        problem: Why the disk refused the last flush; None when all is written.
        n_dropped: How many points did not fit into memory while the disk was full.

    Raises:
        OSError: A file exists or cannot be created.
    """

    def __init__(self, path: Path, *, durability: Literal["buffered", "step"] = "buffered") -> None:
        self.problem: OSError | None = None
        self.n_dropped = 0
        self._path = path
        self._metrics = LineFile(path)
        self._events = LineFile(events_path(path))
        self._rows: list[tuple[Any, ...]] = []
        self._groups: dict[tuple[str, ...], int] = {}
        self._latest: dict[int, tuple[Any, ...]] = {}
        self._bytes_to_checkpoint = _CHECKPOINT_BYTES
        self._max_rows = _MAX_ROWS_PER_LINE if durability == "buffered" else 1
        self._refusal = ""
        self._warnings: set[str] = set()
        self._lock = threading.RLock()  # a signal handler may log while its thread flushes
        self._stop = threading.Event()
        _writers.add(self)
        if durability == "buffered":
            self._start_flusher()

    @property
    def path(self) -> Path:
        """The file that holds the metrics."""
        return self._path

    def metrics(self, values: Mapping[str, int | float], step: int, time: float) -> None:
        """Record the values of some metrics at one step.

        Args:
            values: Names and numbers, or what `gittrack.values.to_number` takes; not kept.
            step: The step.
            time: UTC epoch seconds.

        Raises:
            InvalidValueError: A value is not a number, or a name not a text.
        """
        # the hot path of gittrack: each line of it was measured
        group = self._groups.get(tuple(values))
        numbers: Any = values.values()
        for number in numbers:
            if type(number) is not float and type(number) is not int:
                numbers = [to_number(value, name=name) for name, value in values.items()]
                break
        if group is None:
            group = self._add_group(tuple(values))
        rows = self._rows
        rows.append((group, step, time, *numbers))
        if len(rows) >= self._max_rows:
            self.flush()

    def event(self, kind: str, data: PlainValue) -> None:
        """Record anything else, with the time; it has reached the kernel when the call returns.

        Args:
            kind: One word for what it is.
            data: Its content.

        Raises:
            InvalidValueError: The content has no plain form.
        """
        line = f"{kind}\t{time.time()!r}\t{dump_json(data)}".replace("\n", "") + "\n"
        with self._lock:
            self._events.append(line.encode())
            self.flush()

    def flush(self) -> None:
        """Hand everything recorded so far to the kernel, or keep it in memory if the disk refuses."""
        with self._lock:
            if self._refusal:
                self._rows.clear()
                self._warn(self._refusal)
                return
            self._encode_rows()
            try:
                self._events.write_pending()
                self._metrics.write_pending()
            except OSError as error:
                self._keep_pending(error)
            else:
                self.problem = None

    def close(self, *, sync: bool = True) -> None:
        """Flush and close the files; closing twice does nothing.

        Args:
            sync: Whether to bring them to the disk itself first; not needed when git takes the content at once.
        """
        self._stop.set()
        with self._lock:
            if self._refusal:
                return
            self.flush()
            if self.problem is not None:
                self._warn(f"the disk still refuses {self._path.name}: what was logged last is lost")
            self._refusal = "the run has ended: what is logged from now on is not recorded"
            self._max_rows = 0
            self._events.close(sync=sync)
            self._metrics.close(sync=sync)
        _writers.discard(self)

    def _start_flusher(self) -> None:
        try:
            threading.Thread(target=self._flush_regularly, name="gittrack-journal", daemon=True).start()
        except RuntimeError:  # no thread is to be had: the system's limit, or the interpreter is ending
            self._max_rows = 1

    def _flush_regularly(self) -> None:
        while not self._stop.wait(_FLUSH_INTERVAL_S):
            if self._rows or self.problem:
                self.flush()

    def _add_group(self, names: tuple[str, ...]) -> int:
        with self._lock:
            if names not in self._groups:
                group = {"group": len(self._groups), "names": [validate_metric_name(name) for name in names]}
                self._metrics.append(_encode(group).encode() + b"\n")
                self._max_rows = min(self._max_rows, max(1, _MAX_POINTS_PER_LINE // max(1, len(names))))
                self._groups[names] = len(self._groups)
            return self._groups[names]

    def _encode_rows(self) -> None:
        rows = self._rows
        max_rows = self._max_rows
        for _ in range(0, len(rows), max_rows):
            batch = rows[:max_rows]
            line = _encode_batch(batch)
            n_points = sum(map(len, batch)) - _NO_POINTS * len(batch)
            # a handler of a signal may have flushed them since they were taken
            if batch and rows and rows[0] is batch[0]:
                self._metrics.append(line, n_points)
                del rows[: len(batch)]
                self._add_checkpoint(batch, len(line))

    def _add_checkpoint(self, batch: list[tuple[Any, ...]], n_bytes: int) -> None:
        latest = self._latest
        for group, row in {row[0]: row for row in sorted(batch, key=itemgetter(1))}.items():
            if group not in latest or row[1] >= latest[group][1]:
                latest[group] = row
        self._bytes_to_checkpoint -= n_bytes
        if self._bytes_to_checkpoint <= 0:
            groups = [[names, latest.get(group, (group,))] for names, group in self._groups.items()]
            line = b'{"checkpoint":' + _encode_batch(groups)[:-1] + b"}\n"
            self._metrics.append(line)
            self._bytes_to_checkpoint = max(_CHECKPOINT_BYTES, 4 * len(line))

    def _keep_pending(self, error: OSError) -> None:
        self.problem = error
        max_bytes = max(0, _MAX_PENDING_BYTES - self._events.pending_bytes)
        self.n_dropped += self._metrics.drop_oldest(max_bytes)
        self._warn(f"cannot write {self._path.name} ({error.strerror}): the run goes on and keeps its data in memory")

    def _warn(self, message: str) -> None:
        if message not in self._warnings:
            self._warnings.add(message)
            warn(message)

    def _leave_to_parent(self) -> None:
        """Become inert: this process is a fork of the one that writes, and only that thread goes on."""
        self._lock = threading.RLock()
        self._rows.clear()
        self._max_rows = 0
        self._refusal = "metrics logged in a forked process are not recorded; log them in the process that has the run"
        self._events.abandon()
        self._metrics.abandon()


def _encode_batch(batch: list[Any]) -> bytes:
    try:
        return _encode(batch).encode() + b"\n"
    except ValueError:  # Python refuses to write an integer of so many digits
        return _encode(_with_texts(batch)).encode() + b"\n"


def _with_texts(value: Any) -> Any:
    if isinstance(value, (list, tuple)):
        return [_with_texts(item) for item in value]
    return format_number(value) if isinstance(value, int) and format_number(value).startswith(("0x", "-0x")) else value


def _after_fork() -> None:
    for writer in list(_writers):
        writer._leave_to_parent()  # noqa: SLF001  the hook is a part of the class that cannot be a method
    _writers.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
