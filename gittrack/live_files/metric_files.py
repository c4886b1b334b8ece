r"""The points of metrics, one file for each metric: ``[timestamp\t]step\t<name>``, written in blocks, only appended.

A call appends a tuple to a list; `MetricFiles.flush` turns the list into one write for each file. A row has the columns
that the file's first row made, also where a script logs a time once and not the next time.
"""

from __future__ import annotations

import csv
import errno
import io
import os
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from gittrack.live_files.layout import METRICS, check_name
from gittrack.live_files.writing import write_text

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gittrack.live_files.layout import Layout

_TIME, _STEP = "timestamp", "step"
_MAX_PENDING = 2_000_000  # points, while the disk is full


class Metric:
    """A metric that has been logged.

    Args:
        name: Its name, checked.
        layout: Where its file goes.
        is_resumed: Whether its file may hold points of an earlier script.
    """

    def __init__(self, name: str, layout: Layout, *, is_resumed: bool = False) -> None:
        self.name = name
        self.is_resumed = is_resumed
        self.keys = Path(os.path.normpath(check_name(name))).parts
        self.path = layout.plot(METRICS, name, ".tsv")
        self.column = os.path.basename(name)  # noqa: PTH119
        self.columns: tuple[str, ...] = ()  # of the file, once it is known


class Point(NamedTuple):
    """One value.

    Attributes:
        metric: Whose.
        step: Its step.
        value: A number or text.
        time: UTC epoch seconds.
        has_time: Whether the time goes into the file.
        is_plotted: Whether it goes into the file at all.
    """

    metric: Metric
    step: Any
    value: Any
    time: float
    has_time: bool
    is_plotted: bool


class MetricFiles:
    """Keep points and write them; the caller holds a lock while it flushes.

    Attributes:
        pending: The points that are not written yet; append to it.
    """

    def __init__(self) -> None:
        self.pending: list[tuple[Any, ...]] = []

    def take(self) -> list[Point]:
        """Return the points that wait, oldest first, and forget them."""
        batch = self.pending[: len(self.pending)]
        del self.pending[: len(batch)]  # what another thread appended meanwhile stays
        return list(map(Point._make, batch))

    def flush(self, points: Iterable[Point]) -> list[Point]:
        """Append points to their files.

        Args:
            points: What `take` returned.

        Returns:
            What could not be written, because the disk refuses; the oldest are dropped beyond two million.
        """
        by_metric: dict[Metric, list[Point]] = {}
        for point in points:
            if point.is_plotted:
                by_metric.setdefault(point.metric, []).append(point)
        refused: list[Point] = []
        for metric, rows in by_metric.items():
            try:
                _append(metric, rows)
            except OSError:
                metric.columns = ()
                refused += rows
        return refused[-_MAX_PENDING:]


def _append(metric: Metric, points: list[Point]) -> None:
    text = io.StringIO()
    writer = csv.writer(text, delimiter="\t", lineterminator=os.linesep)
    if metric.is_resumed:
        _cut(metric, points[0].step)
        metric.is_resumed = False
    if not metric.columns or not metric.path.exists():
        metric.columns = _read_columns(metric) or ()
    if not metric.columns:
        metric.columns = (*((_TIME,) if points[0].has_time else ()), _STEP, metric.column)
        writer.writerow(metric.columns)
    writer.writerows(map(_row_maker(metric.columns), points))
    metric.path.parent.mkdir(parents=True, exist_ok=True)
    _append_whole(os.fspath(metric.path), text.getvalue().encode("utf-8", "surrogatepass"))


def _row_maker(columns: tuple[str, ...]) -> Any:
    if _TIME not in columns:
        return itemgetter(1, 2)
    is_first = columns[0] == _TIME

    def row(point: Point) -> tuple[Any, ...]:
        time = int(point.time * 1000) if point.has_time else ""
        return (time, point.step, point.value) if is_first else (point.step, point.value, time)

    return row


def _read_columns(metric: Metric) -> tuple[str, ...] | None:
    """Return the columns of a file that a run resumed from left, or None."""
    try:
        with metric.path.open(encoding="utf-8", newline="") as file:
            columns = tuple(next(csv.reader(file, delimiter="\t"), ()))
    except (OSError, ValueError, csv.Error):
        return None
    return columns if _STEP in columns else None


def _cut(metric: Metric, first_step: Any) -> None:
    """Drop the points that the resumed script logs again, for it continues from an earlier checkpoint."""
    columns = _read_columns(metric)
    if columns is None:
        return
    with metric.path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file, delimiter="\t"))
    column = columns.index(_STEP)
    kept = [row for row in rows[1:] if len(row) <= column or _is_before(row[column], first_step)]
    if len(kept) < len(rows) - 1:
        text = io.StringIO()
        csv.writer(text, delimiter="\t", lineterminator=os.linesep).writerows([rows[0], *kept])
        write_text(metric.path, text.getvalue())


def _is_before(text: str, step: Any) -> bool:
    try:
        return bool(float(text) < step)
    except (TypeError, ValueError):
        return True


def _append_whole(path: str, data: bytes) -> None:
    """Append bytes, or none of them where the disk is full.

    Raises:
        OSError: The disk refuses.
    """
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | getattr(os, "O_BINARY", 0)
    fd = os.open(path, flags, 0o666)
    try:
        size = os.fstat(fd).st_size
        if os.write(fd, data) < len(data):
            os.ftruncate(fd, size)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    finally:
        os.close(fd)
