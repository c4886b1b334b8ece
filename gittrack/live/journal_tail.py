"""What is new in the journals of a run, read a piece at a time, in the form of the live protocol."""

from __future__ import annotations

import json
import time
from itertools import groupby
from math import isfinite
from operator import itemgetter
from typing import TYPE_CHECKING, Any, NamedTuple

from gittrack.errors import GittrackError
from gittrack.live.plain import TEXT_NUMBERS
from gittrack.runs.journal import events_path
from gittrack.values import load_json

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

METRICS_FILE = ".gittrack/metrics.json"
PARAMS_FILE = ".gittrack/params.json"
PLOTS_FOLDER = ".gittrack/plots/metrics"
PARAM_KINDS = frozenset({"declared", "params"})
PLOT_KIND = "plot"

_CHUNK_BYTES = 128 << 10
_ROWS_AT_ONCE = 32  # between two of which the training may have the interpreter
_OWN_COLUMNS = frozenset({"step", "timestamp"})


class News(NamedTuple):
    """What was read of one journal.

    Attributes:
        plots: Plots of the protocol: the new points of each metric.
        n_points: How many points.
        end: Where reading goes on: bytes from the beginning of the file.
    """

    plots: dict[str, dict[str, Any]]
    n_points: int
    end: int


class JournalTail:
    """Reads one journal from where the last reader stopped.

    Args:
        path: The journal.
        position: How many of its bytes were read already.

    Attributes:
        position: Where to go on.
        latest: Each metric's value at its highest step, with the step.
    """

    def __init__(self, path: Path, position: int) -> None:
        self._path = path
        self._groups: dict[int, list[str]] = {}
        self.position = 0
        self.latest: dict[str, tuple[int, Any]] = {}
        if position:
            self._catch_up(position)

    @property
    def name(self) -> str:
        """The name of the file."""
        return self._path.name

    def read(self, max_points: int) -> News | None:
        """Return what is new, up to about so many points; None when nothing is.

        The position stays; `accept` moves it.

        Args:
            max_points: With the line that reaches this number reading stops.

        Raises:
            OSError: The file cannot be read.
        """
        plots: dict[str, dict[str, Any]] = {}
        n_points, end = 0, self.position
        for line, line_end in self._lines(self.position):
            n_points += self._take(line, plots)
            end = line_end
            if n_points >= max_points:
                break
        return News(plots, n_points, end) if end > self.position else None

    def accept(self, news: News) -> None:
        """Go on behind what was read, because the receiver has it."""
        self.position = news.end

    def _catch_up(self, position: int) -> None:
        """Learn from what was posted already which metrics there are, and their last values."""
        for line, end in self._lines(0):
            if end > position:
                break
            self._take(line, None)
            self.position = end
        self.position = position

    def _lines(self, start: int) -> Iterator[tuple[bytes, int]]:
        """Yield whole lines, each with where it ends in the file."""
        with self._path.open("rb") as file:
            file.seek(start)
            rest = b""
            while chunk := file.read(_CHUNK_BYTES):
                *lines, rest = (rest + chunk).split(b"\n")
                for line in lines:
                    start += len(line) + 1
                    yield line, start

    def _take(self, line: bytes, plots: dict[str, dict[str, Any]] | None) -> int:
        """Add a line's points to plots, and return how many; a damaged line is passed over."""
        try:
            content = json.loads(line)
            if isinstance(content, dict):
                if "names" in content:
                    self._groups[content["group"]] = content["names"]
                return 0
            n_points = 0
            for start in range(0, len(content), _ROWS_AT_ONCE):
                n_points += self._take_rows(content[start : start + _ROWS_AT_ONCE], plots)
                time.sleep(0)  # lets the training go on
        except (ValueError, TypeError, LookupError, RecursionError):
            return 0
        return n_points

    def _take_rows(self, rows: list[list[Any]], plots: dict[str, dict[str, Any]] | None) -> int:
        n_points = 0
        for group, its_rows in groupby(rows, key=itemgetter(0)):
            _, steps, times, *columns = zip(*its_rows, strict=True)
            stamps = [str(int(seconds * 1000)) for seconds in times]
            for name, values in zip(self._groups[group], columns, strict=True):
                self._keep_latest(name, steps, values)
                if plots is not None:
                    _add_points(plots, name, (stamps, steps, values))
                n_points += len(values)
        return n_points

    def _keep_latest(self, name: str, steps: Sequence[int], values: Sequence[Any]) -> None:
        highest = max(steps)
        if name not in self.latest or highest >= self.latest[name][0]:
            last = len(steps) - 1 - steps[::-1].index(highest)
            self.latest[name] = (highest, values[last])


class TailedEvent(NamedTuple):
    """An event that was read.

    Attributes:
        kind: What it is.
        content: What it says; None when that is damaged.
        end: Where it ends: bytes from the beginning of the file.
    """

    kind: str
    content: Any
    end: int


class EventsTail:
    """Reads those events beside a journal that are posted.

    Args:
        path: The journal.
    """

    def __init__(self, path: Path) -> None:
        self._path = events_path(path)
        self._position = 0

    @property
    def name(self) -> str:
        """The name of the file."""
        return self._path.name

    def read(self) -> list[TailedEvent]:
        """Return the events that are new: `PARAM_KINDS` and `PLOT_KIND`.

        Raises:
            OSError: The file cannot be read.
        """
        events: list[TailedEvent] = []
        if not self._path.exists():
            return events
        with self._path.open("rb") as file:
            file.seek(self._position)
            for line in file:
                if not line.endswith(b"\n"):
                    break
                self._position += len(line)
                word, _, rest = line.partition(b"\t")
                kind = word.decode("ascii", "replace")
                if kind in PARAM_KINDS or kind == PLOT_KIND:
                    events.append(TailedEvent(kind, _load(rest.partition(b"\t")[2]), self._position))
        return events


def _load(content: bytes) -> Any:
    try:
        return load_json(content)
    except GittrackError:
        return None


def _add_points(plots: dict[str, dict[str, Any]], name: str, points: tuple[Sequence[Any], ...]) -> None:
    stamps, steps, values = points
    column = name.rpartition("/")[2]
    plot = plots.get(file := f"{PLOTS_FOLDER}/{name}.tsv")
    if plot is None:
        plot = plots[file] = {"data": []}
    if column in _OWN_COLUMNS:
        column = "value"
    if not _are_plain(values):
        values = [repr(value) if type(value) is float and not isfinite(value) else value for value in values]
        if str in map(type, values):  # so are integers of too many digits for JSON
            plot["props"] = {TEXT_NUMBERS: [column]}
    plot["data"] += [
        {"timestamp": stamp, "step": step, column: value}
        for stamp, step, value in zip(stamps, steps, values, strict=True)
    ]


def _are_plain(values: Sequence[Any]) -> bool:
    """Say whether all are finite numbers, for most quicker than by asking each; False where only that would tell."""
    try:
        return isfinite(sum(values))
    except (TypeError, OverflowError):
        return False
