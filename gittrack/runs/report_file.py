"""The report of an experiment as a text: of one in git, or of a run that is under way."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gittrack.errors import UsageError
from gittrack.experiments.format import MetricSummary
from gittrack.reports.kept_pieces import KeptPieces
from gittrack.reports.markdown import render_markdown
from gittrack.reports.page import render_fragment, render_page
from gittrack.runs.finish import build_record
from gittrack.runs.folder import PLOTS
from gittrack.runs.journal_reader import JournalContents, read_events
from gittrack.runs.plot_document import unpack_plot
from gittrack.runs.report_content import plot_piece, report_content, thin_series
from gittrack.runs.series_tail import SeriesTail

if TYPE_CHECKING:
    from gittrack.experiments.format import Record
    from gittrack.experiments.plot_files import PlotEntry
    from gittrack.git.repository import Repository
    from gittrack.reports.content import Content, Piece
    from gittrack.runs.folder import RunFolder

MODES = ("html", "md", "notebook")


def check_mode(mode: str | None) -> None:
    """Check what kind of report is asked for.

    Args:
        mode: ``html``, ``md``, ``notebook`` or None.

    Raises:
        UsageError: It is something else.
    """
    if mode is not None and mode not in MODES:
        raise UsageError(f"unknown report {mode!r:.60}", hint='use "html", "md", "notebook" or None')


def render_report(content: Content, mode: str) -> str:
    """Return a report as text.

    Args:
        content: The report.
        mode: ``html`` for a page, ``md`` for Markdown, ``notebook`` for a piece of HTML.
    """
    if mode == "md":
        return render_markdown(content)
    return render_page(content) if mode == "html" else render_fragment(content)


def recorded_content(repository: Repository, record: Record, commit: str) -> Content:
    """Return the report of an experiment that is in git.

    Args:
        repository: The repository.
        record: What the experiment holds.
        commit: Its commit.

    Raises:
        GittrackError: Its series is damaged.
    """
    from gittrack.experiments.plots import read_content
    from gittrack.workspace.workspace import Workspace

    with Workspace.open(repository) as workspace:

        def read_piece(entry: PlotEntry) -> Piece:
            return plot_piece(entry, lambda: read_content(repository, commit, entry, workspace.cache))

        return report_content(record, thin_series(record.series), read_piece, commit=commit)


class LiveContent:
    """The report of a run under way, each time with what is new; points that were read are not read again.

    Args:
        folder: The run's folder.
    """

    def __init__(self, folder: RunFolder) -> None:
        self._folder = folder
        self._tail = SeriesTail(folder.path)
        self._kept = KeptPieces()

    def read(self) -> Content:
        """Return the report as it is now.

        Raises:
            OSError: The folder cannot be read.
            GittrackError: The run's description is damaged.
        """
        self._tail.read()
        events = read_events(self._folder.path)
        record = build_record(self._folder.read_meta(), JournalContents(events, {}, 0))
        if self._folder.is_alive() or record.meta.status == "killed":
            record = record._replace(meta=record.meta._replace(status="running", ended=None, message=None))
        return report_content(record._replace(metrics=self._metrics(record)), self._tail.series, self._read_piece)

    def _metrics(self, record: Record) -> dict[str, MetricSummary]:
        metrics = dict(record.metrics)
        for name, one in self._tail.series.items():
            if one.last is not None and name not in metrics:
                step, value = one.last
                low, high = (value if end is None else end for end in (one.low, one.high))
                metrics[name] = MetricSummary(last=value, min=low, max=high, count=one.n_seen, step=int(step))
        return metrics

    def _read_piece(self, entry: PlotEntry) -> Piece | None:
        path = self._folder.path / PLOTS / entry.file
        return self._kept.get(path, lambda: plot_piece(entry, lambda: unpack_plot(path.read_bytes())))
