"""The series of a run under way, read on from where the last reading stopped, and thinned for charts."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from gittrack.errors import GittrackError
from gittrack.reports.thinned import ThinnedSeries
from gittrack.runs.journal import find_journals
from gittrack.runs.journal_reader import load_line

if TYPE_CHECKING:
    from pathlib import Path

_CHUNK_BYTES = 1 << 20


class SeriesTail:
    """The thinned series of all journals in a run's folder.

    Args:
        folder: The run's folder.

    Attributes:
        series: The series by the names of metrics.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._journals: dict[Path, _Place] = {}
        self.series: dict[str, ThinnedSeries] = {}

    def read(self) -> None:
        """Take in what is new; a line that is cut off waits.

        Raises:
            OSError: A journal cannot be read.
        """
        for path in find_journals(self._folder):
            place = self._journals.setdefault(path, _Place())
            with path.open("rb") as file:
                file.seek(place.position)
                rest = b""
                while chunk := file.read(_CHUNK_BYTES):
                    *lines, rest = (rest + chunk).split(b"\n")
                    for line in lines:
                        place.position += len(line) + 1
                        with suppress(ValueError, TypeError, LookupError, RecursionError, GittrackError):
                            self._take(load_line(line), place)

    def _take(self, content: Any, place: _Place) -> None:
        if isinstance(content, list):
            for group, step, _, *values in content:
                for series, value in zip(place.groups[group], values, strict=True):
                    with suppress(OverflowError):  # an integer that no chart can hold
                        series.add(float(step), float(value))
        elif "names" in content:
            names = content["names"]
            place.groups[content["group"]] = [self.series.setdefault(name, ThinnedSeries()) for name in names]


class _Place:
    """How far a journal was read, and what its groups of columns are."""

    def __init__(self) -> None:
        self.position = 0
        self.groups: dict[int, list[ThinnedSeries]] = {}
