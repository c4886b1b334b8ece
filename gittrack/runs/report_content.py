"""What the report of a run or an experiment says."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from gittrack.artifacts.digest import render_digest
from gittrack.errors import GittrackError
from gittrack.experiments.format import format_time
from gittrack.experiments.series import parse_series
from gittrack.reports.content import (
    MAX_IMAGE_BYTES,
    MAX_IMAGES_BYTES,
    MAX_PIECES,
    MAX_TEXT,
    Content,
    Drawing,
    Image,
    Pairs,
    Table,
    Text,
    shorten,
)
from gittrack.reports.thinned import ThinnedSeries
from gittrack.runs.plot_document import read_plot
from gittrack.values import format_number

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from gittrack.experiments.format import Meta, Record
    from gittrack.experiments.plot_files import PlotEntry
    from gittrack.reports.content import Piece

_DOCUMENT = "+json"
_MAX_DOCUMENT_BYTES = 64 << 20
_MAX_SERIES = 200
_FIELDS = ("status", "message", "description", "group", "branch", "baseline", "remote_url", "author", "host")


def thin_series(data: bytes | None) -> dict[str, ThinnedSeries]:
    """Return the series of an experiment, thinned for charts.

    Args:
        data: The content of ``series.tsv``.

    Raises:
        GittrackError: It is damaged.
    """
    thinned: dict[str, ThinnedSeries] = {}
    for name, points in parse_series(data).items() if data else ():
        series = thinned[name] = ThinnedSeries()
        for step, value in zip(points.steps, points.values, strict=True):
            try:
                series.add(float(step), float(value))
            except OverflowError:  # an integer that no chart can hold
                continue
    return thinned


def report_content(
    record: Record,
    series: Mapping[str, ThinnedSeries],
    read_piece: Callable[[PlotEntry], Piece | None],
    *,
    commit: str | None = None,
) -> Content:
    """Return what a report says.

    Args:
        record: What is known of the experiment.
        series: Its series.
        read_piece: Returns the piece that a plot makes; None for one that is not here.
        commit: The experiment's commit.
    """
    pieces = [*_tables(record, commit), *_charts(series), *_plots(record.plots, read_piece)]
    return Content(record.meta.name, pieces, is_final=record.meta.status != "running")


def plot_piece(entry: PlotEntry, read: Callable[[], bytes]) -> Piece:
    """Return the piece that a plot makes.

    Args:
        entry: What is said of it.
        read: Returns its content.

    Raises:
        OSError: Its content cannot be read.
        GittrackError: The same.
    """
    title = _title(entry)
    if entry.media_type.endswith(_DOCUMENT) and entry.size <= _MAX_DOCUMENT_BYTES:
        figure = read_plot(read()).get("figure")
        values = ", ".join(f"{key} {_rounded(value)}" for key, value in entry.values.items())
        return Drawing(title, figure if isinstance(figure, dict) else {}, shorten(values))
    if entry.media_type.startswith("image/") and entry.size <= MAX_IMAGE_BYTES:
        return Image(title, entry.media_type, read())
    if entry.media_type.startswith("text/") and entry.size <= MAX_IMAGE_BYTES:
        return Text(title, shorten(read().decode("utf-8", "replace"), MAX_TEXT))
    return Text(title, f"{entry.media_type}, {entry.size:,} bytes")


def _tables(record: Record, commit: str | None) -> Iterator[Piece]:
    yield Pairs("", _about(record.meta, commit))
    yield Pairs("Params", [(name, _value(value)) for name, value in sorted(record.params.items())])
    if record.metrics:
        rows = [
            (name, *map(_rounded, (one.last, one.min, one.max, one.count)))
            for name, one in sorted(record.metrics.items())
        ]
        yield Table("Metrics", ("name", "last", "lowest", "highest", "points"), rows)
    yield Pairs("Tags", [(name, _value(value)) for name, value in record.meta.tags.items()])
    yield Pairs("Notes", [(str(number), note) for number, note in enumerate(record.meta.notes, 1)])
    alerts = [(str(one.get("level")), f"{one.get('title')} {one.get('text', '')}") for one in record.meta.alerts]
    yield Pairs("Alerts", alerts)
    named = {"Artifacts": record.artifacts, "Inputs": record.inputs, "Outputs": record.outputs}
    for title, entries in named.items():
        if entries:
            rows = [
                (one.path, one.name or "", one.type or "", f"{one.size:,}", render_digest(one.digest)[:15])
                for one in entries
            ]
            yield Table(title, ("path", "name", "type", "bytes", "digest"), rows)


def _about(meta: Meta, commit: str | None) -> list[tuple[str, str]]:
    pairs = [(name.replace("_", " "), str(getattr(meta, name))) for name in _FIELDS if getattr(meta, name)]
    if commit:
        pairs.append(("commit", commit))
    if meta.command:
        pairs.append(("command", " ".join(meta.command)))
    times = (("started", meta.started), ("ended", meta.ended))
    pairs += [(name, format_time(seconds)[:19].replace("T", " ") + " UTC") for name, seconds in times if seconds]
    if meta.duration_s is not None and meta.ended is not None:
        pairs.append(("duration", f"{meta.duration_s:.1f} s"))
    return pairs


def _charts(series: Mapping[str, ThinnedSeries]) -> Iterator[Piece]:
    shown = sorted((name, one) for name, one in list(series.items()) if one.n_seen > 1)
    for name, one in shown[:_MAX_SERIES]:
        yield Drawing(name, one.figure(name))
    if len(shown) > _MAX_SERIES:
        yield Text("more metrics", f"and {len(shown) - _MAX_SERIES} more, which are in the experiment")


def _plots(entries: tuple[PlotEntry, ...], read_piece: Callable[[PlotEntry], Piece | None]) -> Iterator[Piece]:
    """Yield the newest plots, as many as a page can bear."""
    n_bytes = 0
    for entry in entries[-MAX_PIECES:]:
        if entry.media_type.startswith("image/"):
            n_bytes += min(entry.size, MAX_IMAGE_BYTES)
            if n_bytes > MAX_IMAGES_BYTES:
                yield Text(_title(entry), "one image too many for this page; it is in the experiment")
                continue
        try:
            piece = read_piece(entry)
        except (OSError, ValueError, GittrackError) as error:
            yield Text(_title(entry), f"not here: {error}")
            continue
        if piece is not None:
            yield piece
    if len(entries) > MAX_PIECES:
        yield Text("more plots", f"and {len(entries) - MAX_PIECES} older ones, which are in the experiment")


def _title(entry: PlotEntry) -> str:
    title = entry.title or entry.name
    return title if entry.step is None else f"{title} (step {entry.step})"


def _rounded(value: Any) -> str:
    """Return a value for reading: a float with six digits."""
    return f"{value:.6g}" if isinstance(value, float) else _value(value)


def _value(value: Any) -> str:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return format_number(value)
    return value if isinstance(value, str) else shorten(json.dumps(value, ensure_ascii=False, default=str))
