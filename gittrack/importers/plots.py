"""Make plots, images, tables and texts of an experiment from those of a foreign run."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from gittrack.errors import GittrackError
from gittrack.experiments.plot_files import PlotEntry, file_name, latest_plots
from gittrack.figures import Labels
from gittrack.importers.foreign import ForeignPlot, clean_time
from gittrack.runs import plots
from gittrack.runs.media import IMAGE_TYPES
from gittrack.runs.plot_document import MEDIA_TYPE, SUFFIX, Plot, render_plot
from gittrack.runs.told_plots import MAX_BYTES_IN_GIT, MAX_FILE_BYTES_IN_GIT
from gittrack.values import clean_text

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from gittrack.artifacts.intake import Intake
    from gittrack.values import PlainValue

MAX_NAME = 1000
_MAX_TITLE = 1000
_MAX_PLOTS = 10_000
_MAX_BYTES = 256 << 20  # of one run, all of them in memory
_MAGIC = (
    (b"\x89PNG\r\n\x1a\n", ".png"),
    (b"\xff\xd8\xff", ".jpg"),
    (b"GIF87a", ".gif"),
    (b"GIF89a", ".gif"),
    (b"BM", ".bmp"),
    (b"II*\0", ".tif"),
    (b"MM\0*", ".tif"),
)
_RIFF, _WEBP = b"RIFF", b"WEBP"


class PlotBuilder:
    """The plots of a run, as they are read, and what of them cannot be kept."""

    def __init__(self) -> None:
        self.plots: list[ForeignPlot] = []
        self._n_bytes = 0
        self._left_out: Counter[str] = Counter()

    def add_image(self, name: str, data: bytes, step: int | None, time: float = 0, title: str | None = None) -> None:
        """Add an image in the form of its file.

        Args:
            name: What the run calls it.
            data: The file.
            step: The step it belongs to.
            time: UTC epoch seconds; 0 when that is not known.
            title: What stands above it.
        """
        suffix = image_suffix(data)
        if suffix is None:
            self.leave_out("image that is no PNG, JPEG, GIF, WebP, BMP or TIFF")
        else:
            self._add(ForeignPlot(name, "image", data, IMAGE_TYPES[suffix], suffix, step, time, title))

    def add_text(self, name: str, text: str, step: int | None, time: float = 0) -> None:
        """Add a text.

        Args:
            name: What the run calls it.
            text: The text.
            step: The step it belongs to.
            time: UTC epoch seconds.
        """
        data = clean_text(text).encode()
        self._add(ForeignPlot(name, "text", data, "text/plain; charset=utf-8", ".txt", step, time))

    def add_plot(self, name: str, make: Callable[[], Plot], step: int | None, time: float = 0) -> None:
        """Add a plot, unless its data are damaged.

        Args:
            name: What the run calls it.
            make: Returns the plot.
            step: The step it belongs to.
            time: UTC epoch seconds.
        """
        name = _clean_name(name)
        try:
            plot = make()
            data = render_plot(plot, name, step)
        except (GittrackError, ValueError, TypeError, LookupError, OverflowError, RecursionError):
            self.leave_out("plot whose data make no sense")
            return
        self._add(ForeignPlot(name, plot.kind, data, MEDIA_TYPE, SUFFIX, step, time, values=plot.values))

    def add_input(self, name: str, value: PlainValue) -> None:
        """Add a value that went in, such as what is known of a data set.

        Args:
            name: What to call it.
            value: A plain value.
        """
        self.add_plot(name, lambda: Plot("input", {}, {}, {"value": value}), None)

    def leave_out(self, kind: str, number: int = 1) -> None:
        """Note that something is not taken.

        Args:
            kind: What it is, in the singular.
            number: How many there are.
        """
        self._left_out[kind] += number

    def problems(self) -> list[str]:
        """Return what was left out, one sentence for each kind."""
        return [f"left out, {number:,} in all: {kind}" for kind, number in sorted(self._left_out.items())]

    def _add(self, plot: ForeignPlot) -> None:
        if len(self.plots) >= _MAX_PLOTS or self._n_bytes + len(plot.content) > _MAX_BYTES:
            self.leave_out(f"{plot.kind} after the first {_MAX_PLOTS:,} plots or {_MAX_BYTES >> 20} MiB")
            return
        self._n_bytes += len(plot.content)
        self.plots.append(plot._replace(name=_clean_name(plot.name)))


def image_suffix(data: bytes) -> str | None:
    """Return the suffix of an image's file by how it begins; None when it is none that a browser shows.

    Args:
        data: The file, or its first 12 bytes.
    """
    if data.startswith(_RIFF) and data[8:12] == _WEBP:
        return ".webp"
    return next((suffix for magic, suffix in _MAGIC if data.startswith(magic)), None)


def histogram(counts: Sequence[float], edges: Sequence[float], name: str, more: Mapping[str, PlainValue]) -> Plot:
    """Return a histogram of counts; ranges without a width go into the next one.

    Args:
        counts: How many values each range has.
        edges: The borders, one more than there are counts.
        name: What was counted.
        more: Numbers that sum up the values.

    Raises:
        InvalidPlotError: The edges fall, or there is no count for each of them.
    """
    if len(edges) != len(counts) + 1:
        raise plots.InvalidPlotError(f"{len(counts)} counts need {len(counts) + 1} edges, not {len(edges)}")
    borders, kept, carried = [edges[0]], [], 0.0
    for count, high in zip(counts, edges[1:], strict=True):
        if high > borders[-1]:
            borders.append(high)
            kept.append(count + carried)
            carried = 0.0
        else:
            carried += count
    if not kept:
        borders, kept, carried = [edges[0] - 0.5, edges[0] + 0.5], [carried], 0.0
    kept[-1] += carried
    plot = plots.histogram(kept, len(kept), borders, Labels(None, name, "count"))
    return plot._replace(values={**plot.values, **more})


def table(columns: Any, rows: Any) -> Plot:
    """Return a table of rows.

    Args:
        columns: The names of the columns.
        rows: The rows.

    Raises:
        InvalidValueError: These are no rows of one length.
    """
    return plots.table(rows, [str(name) for name in columns], None)


def take_plots(
    found: Sequence[ForeignPlot], intake: Intake | None
) -> tuple[tuple[PlotEntry, ...], dict[str, bytes], list[str]]:
    """Sort plots into those for git and those for the cache; the latter are there when the intake is published.

    Args:
        found: The plots of a run.
        intake: The cache; None leaves large ones out.

    Returns:
        The entries, the contents for git by the names of their files, and what was left out.

    Raises:
        OSError: The disk is full.
    """
    entries: list[PlotEntry] = []
    files: dict[str, bytes] = {}
    n_bytes = n_large = 0
    last = {(plot.name, plot.step): plot for plot in found}
    for plot in last.values():
        size = len(plot.content)
        file = file_name(plot.name, plot.suffix, plot.step)
        is_large = size > MAX_FILE_BYTES_IN_GIT or n_bytes + size > MAX_BYTES_IN_GIT
        if is_large and intake is None:
            n_large += 1
            continue
        if not is_large:
            files[file] = plot.content
            n_bytes += size
        entries.append(
            PlotEntry(
                plot.name,
                plot.kind,
                file,
                plot.media_type,
                size,
                plot.step,
                clean_time(plot.time),
                plot.title and plot.title[:_MAX_TITLE],
                plot.values,
                digest=intake.add_bytes(plot.content) if is_large and intake is not None else None,
            )
        )
    problems = [f"left out, {n_large:,} in all: plot that is too large for git, without artifacts"] if n_large else []
    return latest_plots(entries), files, problems


def _clean_name(name: str) -> str:
    return clean_text(name)[:MAX_NAME] or "plot"
