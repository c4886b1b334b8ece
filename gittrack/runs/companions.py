"""What works beside a run from its start to its end: the monitor of the machine, the console's copy, the alerts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gittrack.warn import warn

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from gittrack.runs.alerts import Alert, AlertSender, Destination
    from gittrack.runs.console import ConsoleCapture
    from gittrack.runs.context import RunContext
    from gittrack.runs.monitor import SystemMonitor
    from gittrack.runs.opening import OpenedRun


class Companions:
    """The companions of one run in one process; each is made when it is wanted.

    Args:
        opened: The run.
        context: The process.
    """

    def __init__(self, opened: OpenedRun, context: RunContext) -> None:
        self._opened = opened
        self._context = context
        self._monitor: SystemMonitor | None = None
        self._console: ConsoleCapture | None = None
        self._alerts: AlertSender | None = None

    def start(self, *, console: Any, is_monitored: bool) -> None:
        """Begin those that go on all the time.

        Args:
            console: What has the streams ``stdout`` and ``stderr`` to keep a copy of; None for no copy.
            is_monitored: Whether to log what the machine does. A run that was joined has a process that can.
        """
        if console is not None:
            self._capture(console)
        if is_monitored and self._opened.lock is not None:
            from gittrack.runs.monitor import SystemMonitor

            opened, folders = self._opened, {"main": str(self._context.directory)}
            self._monitor = SystemMonitor(opened.journal.metrics, folders, first_step=opened.first_system_step)
            self._monitor.start()

    def send(self, alert: Alert, about: Callable[[], Mapping[str, Any]]) -> None:
        """Send an alert in the background.

        Args:
            alert: The alert.
            about: Returns which run it is of.
        """
        if self._alerts is None:
            from gittrack.runs.alerts import AlertSender

            self._alerts = AlertSender(self._destination, about)
        self._alerts.put(alert)

    def note_error(self, error: BaseException) -> None:
        """Add an exception that leaves the run's block to what is kept of the console."""
        if self._console is not None:
            self._console.note_error(error)

    def close(self) -> None:
        """End all of them; the journal and the log are complete then."""
        for companion in (self._monitor, self._alerts, self._console):
            if companion is not None:
                companion.close()

    def _capture(self, console: Any) -> None:
        from gittrack.runs.console import ConsoleCapture

        path = self._opened.folder.log_path
        if self._opened.lock is None and path.exists():
            return  # what this process prints reaches the log of the run that it joined
        try:
            self._console = ConsoleCapture(console, path)
        except OSError as error:
            warn("what is printed cannot be kept: %s; training goes on", error.strerror or error)

    def _destination(self) -> Destination:
        from gittrack.runs.alerts import read_destination
        from gittrack.runs.artifact_log import find_repository

        repository = find_repository(self._opened, self._context)
        return read_destination(repository, self._context.environ, self._context.directory)
