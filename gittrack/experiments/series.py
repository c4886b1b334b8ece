r"""The values of metrics over steps, and ``series.tsv``, the file that keeps them.

The file is UTF-8 text. Its first line names the columns; every other line is one point::

    metric	step	time	value
    loss	0	1760000000.25	0.693

Points are sorted by metric (code points), then step, then time, then the order in which they were logged. Steps are
integers, times UTC epoch seconds of at most six decimals. Numbers are written by `gittrack.values.format_number`, names
by `gittrack.values.escape_field`, so that a name with tabs or line feeds still takes one field.
"""

from __future__ import annotations

import re
from itertools import groupby, islice
from operator import itemgetter, le
from typing import TYPE_CHECKING, NamedTuple

from gittrack.errors import GittrackError
from gittrack.experiments.format import MetricSummary
from gittrack.values import escape_field, format_number, parse_number, unescape_field

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

HEADER = "metric\tstep\ttime\tvalue"

_POINT = re.compile(
    r"^([^\t\n]+)\t(-?\d+)\t(-?\d+(?:\.\d+)?(?:e[-+]?\d+)?)\t(-?(?:0x[0-9a-f]+|\d+(?:\.\d+)?(?:e[-+]?\d+)?|inf)|nan)$",
    re.MULTILINE | re.ASCII,
)
_TICKS = 1e6  # per second: a double holds the seconds of this century to a quarter of a microsecond


class SeriesFormatError(GittrackError):
    """A ``series.tsv`` is damaged."""


class Series(NamedTuple):
    """The points of one metric, one per index of the three lists.

    Attributes:
        steps: The steps.
        times: When each was logged, UTC epoch seconds.
        values: The values, shape (n_points,).
    """

    steps: list[int]
    times: list[float]
    values: list[int | float]


def render_series(series: Mapping[str, Series]) -> bytes:
    r"""Write the content of a ``series.tsv``.

    Args:
        series: The points of each metric, in the order in which they were logged.

    Returns:
        The file's bytes; the same points give the same bytes.

    Example:
        >>> render_series({"loss": Series([0, 1], [10.0, 11.5], [0.5, float("nan")])})
        b'metric\tstep\ttime\tvalue\nloss\t0\t10.0\t0.5\nloss\t1\t11.5\tnan\n'
    """
    lines = [HEADER]
    for name in sorted(series):
        lines += _render_points(escape_field(name), sort_points(series[name]))
    lines.append("")
    return "\n".join(lines).encode("utf-8", "backslashreplace")


def parse_series(data: bytes) -> dict[str, Series]:
    r"""Read the content of a ``series.tsv``.

    Args:
        data: The file's bytes.

    Returns:
        The points of each metric, in the order of the file.

    Raises:
        SeriesFormatError: It is not UTF-8, or a line has not the form of a point.

    Example:
        >>> parse_series(b"metric\tstep\ttime\tvalue\nloss\t0\t10.0\t0.5\n")
        {'loss': Series(steps=[0], times=[10.0], values=[0.5])}
    """
    try:
        header, _, text = data.decode().partition("\n")
    except UnicodeDecodeError as error:
        raise SeriesFormatError(f"series.tsv: not UTF-8 at byte {error.start}") from error
    if header != HEADER:
        raise SeriesFormatError(f"series.tsv: the first line is {header[:100]!r}, not {HEADER!r}")
    points = _POINT.findall(text)
    if len(points) != text.count("\n") or text[-1:] not in {"", "\n"}:
        raise SeriesFormatError(_first_problem(text))
    series: dict[str, Series] = {}
    for field, run in groupby(points, key=itemgetter(0)):
        parsed = _parse_points(list(run))
        known = series.setdefault(unescape_field(field), parsed)
        if known is not parsed:
            _extend(known, parsed)
    return series


def summarise(series: Mapping[str, Series], *told: Mapping[str, MetricSummary]) -> dict[str, MetricSummary]:
    """Sum up every metric that has a point.

    Args:
        series: The points of each metric, in the order in which they were logged.
        told: Earlier summaries, the latest one last: a value that a script set in them stays.

    Returns:
        The summaries in the order of `series`.

    Example:
        >>> summarise({"loss": Series([0, 1, 2], [1.0, 2.0, 3.0], [0.9, 0.3, 0.4])})
        {'loss': MetricSummary(last=0.4, min=0.3, max=0.9, count=3, step=2, set=None)}
    """
    summaries = {name: _summarise_points(points) for name, points in series.items() if points.values}
    set_values = {name: one.last for summary in told for name, one in summary.items() if one.set and name in summaries}
    for name, value in set_values.items():
        summaries[name] = summaries[name]._replace(last=value, set=True)
    return summaries


def merge_series(parts: Iterable[Mapping[str, Series]]) -> dict[str, Series]:
    """Join the points that several processes logged; of one metric in order of time.

    Args:
        parts: What each of them logged.

    Returns:
        New lists; points of equal time keep the order of `parts`.
    """
    merged: dict[str, Series] = {}
    shared = set()
    for part in parts:
        for name, points in part.items():
            if name in merged:
                shared.add(name)
            _extend(merged.setdefault(name, Series([], [], [])), points)
    for name in shared:
        times = merged[name].times
        merged[name] = _in_order(merged[name], sorted(range(len(times)), key=times.__getitem__))
    return merged


def sort_points(points: Series) -> Series:
    """Put points in the order of the file: by step, then time, then as they were logged.

    Args:
        points: The points of one metric.

    Returns:
        The same object when it is in order, as it nearly always is.
    """
    if _is_sorted(points.steps) and _is_sorted(points.times):
        return points
    keys = list(zip(points.steps, points.times, strict=True))
    return _in_order(points, sorted(range(len(keys)), key=keys.__getitem__))


def _is_sorted(numbers: Sequence[float]) -> bool:
    return all(map(le, numbers, islice(numbers, 1, None)))


def _in_order(points: Series, order: list[int]) -> Series:
    return Series(*([column[index] for index in order] for column in points))  # type: ignore[arg-type]


def _extend(points: Series, more: Series) -> None:
    points.steps.extend(more.steps)
    points.times.extend(more.times)
    points.values.extend(more.values)


def _render_points(field: str, points: Series) -> list[str]:
    # for floats `repr` is what `format_number` gives, at a quarter of the time
    write = repr if set(map(type, points.values)) == {float} else format_number
    values = map(write, points.values)
    # `round(time, 6)` goes through text and takes half a microsecond more
    return [
        f"{field}\t{step}\t{round(time * _TICKS) / _TICKS!r}\t{value}"
        for step, time, value in zip(points.steps, points.times, values, strict=True)
    ]


def _parse_points(points: list[tuple[str, str, str, str]]) -> Series:
    _, steps, times, values = zip(*points, strict=True)
    try:
        return Series(
            steps=list(map(int, steps)),
            times=list(map(float, times)),
            values=[float(value) if "." in value else parse_number(value) for value in values],
        )
    except (ValueError, GittrackError) as error:  # an integer of more digits than Python reads
        raise SeriesFormatError(f"series.tsv: {error}") from error


def _first_problem(text: str) -> str:
    for number, line in enumerate(text.split("\n"), start=2):
        if not _POINT.fullmatch(line):
            return f"series.tsv: line {number} is not a point: {line[:100]!r}"
    return "series.tsv: the last line is cut off"


def _summarise_points(points: Series) -> MetricSummary:
    ordered = sort_points(points)
    numbers = [value for value in ordered.values if value == value] or ordered.values  # noqa: PLR0124  false for NaN
    return MetricSummary(
        last=ordered.values[-1],
        min=min(numbers),
        max=max(numbers),
        count=len(ordered.values),
        step=ordered.steps[-1],
    )
