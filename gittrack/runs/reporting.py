"""The report of a run: written, or shown in a notebook, beside the training and at its end.

It is a file of this machine, ``.git/gittrack/reports/<name>-<id>.html``: all that it says is in the experiment, from
which ``gittrack exp report`` makes it anew. A thread writes it and then rests a hundred times as long as that took, so
that the training has 99 % of the time, however much there is to show.
"""

from __future__ import annotations

import os
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from gittrack.errors import GittrackError
from gittrack.warn import warn

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from gittrack.git.repository import Repository
    from gittrack.reports.content import Content
    from gittrack.runs.opening import OpenedRun
    from gittrack.runs.report_file import LiveContent

REPORTS = "reports"
_FIRST_S = 1.0
_LEAST_REST_S = 2.0
_REST = 100  # what a report took is rested this many times
_MAX_KEPT = 100  # reports of earlier runs; `gittrack exp report` makes any of them again


class Reporting:
    """Writes the report of one run.

    Args:
        opened: The run.
        mode: ``html``, ``md`` or ``notebook``.
        display: Shows a piece of HTML in the notebook, in place of what it showed before; None outside of one.
    """

    def __init__(self, opened: OpenedRun, mode: str, display: Callable[[str], object] | None = None) -> None:
        self.mode = mode
        self.path = None if mode == "notebook" else report_path(opened, mode)
        self._opened = opened
        self._display = display
        self._live: LiveContent | None = None
        self._lock = threading.Lock()
        self._ending = threading.Event()
        self._thread: threading.Thread | None = None
        self._has_warned = False

    def start(self) -> None:
        """Begin to write the report from time to time."""
        self._thread = threading.Thread(target=self._write_regularly, name="gittrack-report", daemon=True)
        self._thread.start()

    def write(self) -> None:
        """Write the report of what has been logged so far; what fails is a warning."""
        with self._lock:
            self._guarded(self._read_live)

    def stop(self) -> None:
        """End the regular writing."""
        self._ending.set()
        if self._thread is not None:
            self._thread.join()

    def finish(self, find_repository: Callable[[], Repository]) -> None:
        """Write the last report, of what the run recorded.

        Args:
            find_repository: Returns the repository.
        """

        def read() -> Content:
            from gittrack.runs.report_file import recorded_content

            record, commit = self._opened.record, self._opened.commit
            if record is None or commit is None:
                return self._read_live()._replace(is_final=True)
            return recorded_content(find_repository(), record, commit)

        with self._lock:
            self._guarded(read)

    def _write_regularly(self) -> None:
        rest = _FIRST_S
        while not self._ending.wait(rest):
            start = time.monotonic()
            self._opened.journal.flush()
            self.write()
            rest = max(_LEAST_REST_S, _REST * (time.monotonic() - start))

    def _read_live(self) -> Content:
        if self._live is None:
            from gittrack.runs.report_file import LiveContent  # here: it takes its time, beside the training

            self._live = LiveContent(self._opened.folder)
        return self._live.read()

    def _guarded(self, read: Callable[[], Content]) -> None:
        from gittrack.runs.report_file import render_report

        try:
            text = render_report(read(), self.mode)
            if self._display is not None:
                self._display(text)
            elif self.path is not None:
                write_report(self.path, text)
        except (OSError, GittrackError, ValueError) as error:
            if not self._has_warned:
                self._has_warned = True
                warn("the report of '%s' cannot be made: %s; training goes on", self._opened.meta.name, error)


def report_path(opened: OpenedRun, mode: str) -> Path:
    """Return where the report of a run goes: to its repository's state, else into the run's folder.

    Args:
        opened: The run.
        mode: ``html`` or ``md``.
    """
    if opened.starter is None:
        return opened.folder.path / f"report.{mode}"
    folder = opened.folder.path.parent.parent / REPORTS
    return folder / f"{opened.meta.name}-{opened.meta.id[:8]}.{mode}"


def write_report(path: Path, text: str) -> None:
    """Write a report in place of the one before, whole at any moment; the oldest of a hundred in the folder go.

    Args:
        path: Where to.
        text: The report.

    Raises:
        OSError: The disk refuses.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.parent.name == REPORTS and not path.exists():
        _drop_oldest(path.parent)
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        aside.write_bytes(text.encode("utf-8", "replace"))
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)


def _drop_oldest(folder: Path) -> None:
    with suppress(OSError):
        found = sorted(((entry.stat().st_mtime, entry.path) for entry in os.scandir(folder)), reverse=True)
        for _, path in found[_MAX_KEPT - 1 :]:
            os.unlink(path)  # noqa: PTH108  what scandir gave
