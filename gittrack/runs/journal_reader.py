"""Reading journals, of runs that go on, have ended or were killed."""

from __future__ import annotations

import json
from itertools import groupby
from operator import attrgetter, itemgetter
from typing import TYPE_CHECKING, Any, NamedTuple

from gittrack.errors import GittrackError
from gittrack.experiments.series import Series, merge_series
from gittrack.runs.journal import events_path, find_journals
from gittrack.values import load_json, parse_number

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from gittrack.values import PlainValue

_CHECKPOINT = b'\n{"checkpoint":'
_TAIL_BYTES = 512 << 10


class Event(NamedTuple):
    """Anything but metrics that a run recorded.

    Attributes:
        kind: One word for what it is.
        time: UTC epoch seconds.
        data: Its content.
    """

    kind: str
    time: float
    data: PlainValue


class Point(NamedTuple):
    """The value of a metric at one moment.

    Attributes:
        value: The value.
        step: The step.
        time: UTC epoch seconds.
    """

    value: int | float
    step: int
    time: float


class JournalContents(NamedTuple):
    """All that a journal holds.

    Attributes:
        events: In the order in which they were recorded.
        series: The points of each metric, in the order in which they were logged.
        n_skipped: How many damaged lines were passed over.
    """

    events: list[Event]
    series: dict[str, Series]
    n_skipped: int


class LatestContents(NamedTuple):
    """What a journal says of now.

    Attributes:
        events: In the order in which they were recorded.
        values: Each metric at its highest step.
        n_skipped: How many damaged lines were passed over.
    """

    events: list[Event]
    values: dict[str, Point]
    n_skipped: int


def read_journal(path: Path) -> JournalContents:
    """Read a journal whole.

    A last line that is cut off, as a crash or a writer at work leaves it, is ignored; damaged lines are counted.

    Args:
        path: The journal, ``….journal``.

    Raises:
        OSError: It cannot be read.
    """
    events, n_skipped = _read_events(path)
    series: dict[str, Series] = {}
    groups: dict[int, list[Series]] = {}
    for line in _whole_lines(path.read_bytes()):
        try:
            content = load_line(line)
            if isinstance(content, list):
                _add_rows(groups, content)
            elif "names" in content:
                groups[content["group"]] = [series.setdefault(name, Series([], [], [])) for name in content["names"]]
        except (ValueError, TypeError, LookupError, RecursionError, GittrackError):
            n_skipped += 1
    return JournalContents(events, {name: points for name, points in series.items() if points.steps}, n_skipped)


def read_latest(path: Path) -> LatestContents:
    """Read the last values and the events of a journal; the time it takes does not grow with the number of points.

    Args:
        path: The journal, ``….journal``.

    Raises:
        OSError: It cannot be read.
    """
    events, n_skipped = _read_events(path)
    names: dict[int, list[str]] = {}
    rows: dict[int, list[Any]] = {}
    for line in _whole_lines(_read_tail(path)):
        try:
            _add_latest(names, rows, load_line(line))
        except (ValueError, TypeError, LookupError, RecursionError, GittrackError):
            n_skipped += 1
    values: dict[str, Point] = {}
    for group, (_, step, time, *numbers) in rows.items():
        for name, number in zip(names.get(group, ()), numbers, strict=False):
            _keep_later(values, name, Point(number, step, time))
    return LatestContents(events, values, n_skipped)


def read_journals(folder: Path) -> JournalContents:
    """Return everything that the journals of a run's folder hold, ordered by time.

    Args:
        folder: The run's folder.
    """
    return merge_journals(read_journal(path) for path in find_journals(folder))


def read_events(folder: Path) -> list[Event]:
    """Return the events of all journals in a run's folder, ordered by time, without the points.

    Args:
        folder: The run's folder.
    """
    events = (event for path in find_journals(folder) for event in _read_events(path)[0])
    return sorted(events, key=attrgetter("time"))


def merge_journals(parts: Iterable[JournalContents]) -> JournalContents:
    """Join what the processes of one run recorded, in order of time.

    Args:
        parts: The journal of each process.
    """
    journals = list(parts)
    return JournalContents(
        sorted((event for journal in journals for event in journal.events), key=attrgetter("time")),
        merge_series(journal.series for journal in journals),
        sum(journal.n_skipped for journal in journals),
    )


def merge_latest(parts: Iterable[LatestContents]) -> LatestContents:
    """Join what the journals of one run say of now.

    Args:
        parts: The journal of each process.
    """
    journals = list(parts)
    values: dict[str, Point] = {}
    for journal in journals:
        for name, point in journal.values.items():
            _keep_later(values, name, point)
    return LatestContents(
        sorted((event for journal in journals for event in journal.events), key=attrgetter("time")),
        values,
        sum(journal.n_skipped for journal in journals),
    )


def _read_events(path: Path) -> tuple[list[Event], int]:
    try:
        data = events_path(path).read_bytes()
    except FileNotFoundError:  # killed between the making of the two files
        return [], 0
    events = []
    n_skipped = 0
    for line in _whole_lines(data):
        try:
            kind, time, content = line.decode().split("\t", 2)
            events.append(Event(kind, float(time), load_json(content)))
        except (ValueError, GittrackError):
            n_skipped += 1
    return events, n_skipped


def _read_tail(path: Path) -> bytes:
    """Return what follows the last checkpoint, and the checkpoint; all when there is none."""
    with path.open("rb") as file:
        size = file.seek(0, 2)
        n_bytes = _TAIL_BYTES
        while True:
            file.seek(max(0, size - n_bytes))
            tail = file.read(size)
            start = tail.rfind(_CHECKPOINT, 0, tail.rfind(b"\n") + 1)
            if start >= 0 or n_bytes >= size:
                return tail[start + 1 :]
            n_bytes *= 4


def _whole_lines(data: bytes) -> Iterator[bytes]:
    # as a list the lines of a long journal would double the memory
    start = 0
    while (end := data.find(b"\n", start)) >= 0:
        yield data[start:end]
        start = end + 1


def load_line(line: bytes) -> Any:
    """Return what a line of a journal holds: rows, or a mapping.

    Raises:
        ValueError: It is damaged.
    """
    content = json.loads(line)
    return _with_numbers(content) if b'"0x' in line or b'"-0x' in line else content


def _with_numbers(content: Any) -> Any:
    """Turn the wide integers in rows from texts to numbers."""
    if isinstance(content, list):
        return [[parse_number(item) if isinstance(item, str) else item for item in row] for row in content]
    if "checkpoint" in content:
        return {"checkpoint": [[names, _with_numbers([row])[0]] for names, row in content["checkpoint"]]}
    return content


def _add_rows(groups: dict[int, list[Series]], rows: list[list[Any]]) -> None:
    for group, run in groupby(rows, key=itemgetter(0)):
        _, steps, times, *columns = zip(*run, strict=True)
        for points, values in zip(groups[group], columns, strict=True):
            points.steps.extend(steps)
            points.times.extend(times)
            points.values.extend(values)


def _add_latest(names: dict[int, list[str]], rows: dict[int, list[Any]], content: Any) -> None:
    if isinstance(content, list):
        for group, row in {row[0]: row for row in sorted(content, key=itemgetter(1))}.items():
            if group not in rows or row[1] >= rows[group][1]:
                rows[group] = row
    elif "names" in content:
        names[content["group"]] = content["names"]
    elif "checkpoint" in content:
        for its_names, row in content["checkpoint"]:
            names[row[0]] = its_names
            if len(row) > 1:
                rows[row[0]] = row


def _keep_later(values: dict[str, Point], name: str, point: Point) -> None:
    known = values.get(name)
    if known is None or (point.step, point.time) >= (known.step, known.time):
        values[name] = point
