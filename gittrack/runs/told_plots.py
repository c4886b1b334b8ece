"""What a run's journal says of plots, and how their files get from the run's folder into git or the cache."""

from __future__ import annotations

import contextlib
import os
import stat
from typing import TYPE_CHECKING, Any

from gittrack.errors import GittrackError
from gittrack.experiments.plot_files import latest_plots, parse_plot_entry, render_plot_entry
from gittrack.runs.folder import PLOTS
from gittrack.runs.plot_document import is_packed, unpack_plot
from gittrack.values import dump_json

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from gittrack.artifacts.intake import Intake
    from gittrack.experiments.format import Record
    from gittrack.experiments.plot_files import PlotEntry
    from gittrack.git.repository import Repository

MAX_FILE_BYTES_IN_GIT = 1 << 20  # what is larger goes to the cache
MAX_BYTES_IN_GIT = 32 << 20  # of all plots of one run; what comes after goes to the cache
MAX_LIST_BYTES = 12 << 20  # of what is said of them; a reader refuses a list above 16 MiB
MAX_PACKED_BYTES = 1 << 30  # a larger one is of nobody's making but an attacker's, and stays as it is
_PEEKED = 16
_OPEN = os.O_RDONLY
for _flag in ("O_NOFOLLOW", "O_NONBLOCK", "O_CLOEXEC", "O_BINARY"):  # not every system has each of them
    _OPEN |= getattr(os, _flag, 0)


def read_plot_events(events: Iterable[Any]) -> tuple[PlotEntry, ...]:
    """Return the last version of each plot that events tell of; what cannot be read is passed over.

    Args:
        events: The data of events ``plot``, in order.
    """
    entries = []
    for data in events:
        with contextlib.suppress(GittrackError):
            entries.append(parse_plot_entry(data))
    return latest_plots(entries)


def collect_plots(repository: Repository, folder: Path, record: Record) -> Record:
    """Return a record with the contents of its plots; large ones are in the cache, durable, when this returns.

    No link in the folder is followed: it may come from anywhere.

    Args:
        repository: The repository.
        folder: The run's folder.
        record: What the run says. A plot whose file is not there is left out, and a problem says so.

    Raises:
        OSError: The disk is full.
        GittrackError: The settings of the cache make no sense.
    """
    with contextlib.ExitStack() as stack:
        collector = _Collector(repository, stack)
        listed = _listable(record.plots)
        for entry in listed:
            collector.take(folder / PLOTS / entry.file, entry)
    problems = [*record.meta.problems, *collector.problems]
    if len(listed) < len(record.plots):
        problems.append(f"the list of plots is full: {len(record.plots) - len(listed)} of them are not recorded")
    meta = record.meta._replace(problems=tuple(problems))
    return record._replace(meta=meta, plots=tuple(collector.entries), plot_files=collector.files)


def _listable(plots: Sequence[PlotEntry]) -> Sequence[PlotEntry]:
    """Return as many plots as fit into their list, from the first one on."""
    n_bytes = 0
    for place, entry in enumerate(plots):
        n_bytes += len(dump_json(render_plot_entry(entry)).encode())
        if n_bytes > MAX_LIST_BYTES:
            return plots[:place]
    return plots


class _Collector:
    """Sorts the plots of one run into those for git and those for the cache."""

    def __init__(self, repository: Repository, stack: contextlib.ExitStack) -> None:
        self.entries: list[PlotEntry] = []
        self.files: dict[str, bytes] = {}
        self.problems: list[str] = []
        self._repository = repository
        self._stack = stack
        self._intake: Intake | None = None
        self._n_bytes = 0

    def take(self, path: Path, entry: PlotEntry) -> None:
        try:
            source = os.open(path, _OPEN)
        except OSError as error:
            self.problems.append(f"the plot '{entry.name}' is lost: {error.strerror}")
            return
        with os.fdopen(source, "rb") as file:
            info = os.fstat(source)
            if not stat.S_ISREG(info.st_mode):
                self.problems.append(f"the plot '{entry.name}' is lost: its file is not a regular one")
                return
            if is_packed(file.peek(_PEEKED)) and info.st_size <= MAX_PACKED_BYTES:
                self._take_packed(file.read(), entry)
            elif entry.digest is not None or self._is_for_cache(info.st_size):
                digest = self._cache().add_open_file(source, entry.file).digest
                self.entries.append(entry._replace(size=info.st_size, digest=digest))
            else:
                self._keep(file.read(), entry)

    def _take_packed(self, packed: bytes, entry: PlotEntry) -> None:
        try:
            data = unpack_plot(packed)
        except (ValueError, GittrackError) as error:
            self.problems.append(f"the plot '{entry.name}' is lost: {error}")
            return
        if self._is_for_cache(len(data)):
            self.entries.append(entry._replace(size=len(data), digest=self._cache().add_bytes(data)))
        else:
            self._keep(data, entry)

    def _keep(self, data: bytes, entry: PlotEntry) -> None:
        self.files[entry.file] = data
        self._n_bytes += len(data)
        self.entries.append(entry._replace(size=len(data), digest=None))

    def _is_for_cache(self, size: int) -> bool:
        return size > MAX_FILE_BYTES_IN_GIT or self._n_bytes + size > MAX_BYTES_IN_GIT

    def _cache(self) -> Intake:
        if self._intake is None:
            from gittrack.artifacts.intake import Intake
            from gittrack.workspace.workspace import Workspace

            workspace = self._stack.enter_context(Workspace.open(self._repository))
            # With a cache elsewhere this folder is what tells a push that there may be something to send.
            (self._repository.state_dir / "cache").mkdir(parents=True, exist_ok=True)
            self._intake = self._stack.enter_context(Intake(workspace.cache))
        return self._intake
