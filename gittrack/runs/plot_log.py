"""Keep what a run logs to look at: each thing a file in the run's folder, whole from the moment it is there."""

from __future__ import annotations

import os
import re
import shutil
import time
from itertools import count
from typing import TYPE_CHECKING, Any, NamedTuple

from gittrack.experiments.plot_files import PlotEntry, file_name, render_plot_entry
from gittrack.runs.folder import PLOTS
from gittrack.values import dump_json
from gittrack.warn import warn

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from gittrack.artifacts.digest import Digest
    from gittrack.runs.opening import OpenedRun
    from gittrack.values import PlainValue

_SUFFIX = re.compile(r"\.[a-z0-9]{1,16}")
_MAX_TITLE = 1000  # characters in the list of plots
_MAX_VALUES = 4096
_numbers = count()  # one step is one bytecode, so threads never get the same number


class Logged(NamedTuple):
    """One thing to keep.

    Attributes:
        name: What the script calls it.
        kind: What it is.
        suffix: Of its file.
        media_type: The kind of its content.
        content: The content, or the file to copy it from.
        step: The step it belongs to.
        title: What stands above it.
        values: The numbers that sum it up.
        is_cached: Whether the cache gets it whatever its size.
    """

    name: str
    kind: str
    suffix: str
    media_type: str
    content: bytes | str
    step: int | None = None
    title: str | None = None
    values: Mapping[str, PlainValue] = {}
    is_cached: bool = False


class PlotLog:
    """What one process logs to look at.

    Args:
        opened: The run.
    """

    def __init__(self, opened: OpenedRun) -> None:
        self._journal = opened.journal
        self._folder = opened.folder.path / PLOTS
        self._told: set[str] = set()

    def add(self, logged: Logged) -> None:
        """Keep one thing; in the place of an earlier one of its name and step. A disk that refuses warns.

        Args:
            logged: The thing.

        Raises:
            FileNotFoundError: It is a file that is not there.
        """
        file = file_name(logged.name, logged.suffix, logged.step)
        try:
            size = self._write(file, logged.content)
            digest = _hash(self._folder / file) if logged.is_cached else None
        except FileNotFoundError as error:
            if error.filename == logged.content:
                raise
            self._report(logged.name, "the run's folder is gone")
            return
        except OSError as error:
            self._report(logged.name, error.strerror or str(error))
            return
        entry = PlotEntry(
            name=logged.name,
            kind=logged.kind,
            file=file,
            media_type=logged.media_type,
            size=size,
            step=logged.step,
            time=time.time(),
            title=logged.title and logged.title[:_MAX_TITLE],
            values=_short(logged.values),
            digest=digest,
        )
        self._journal.event("plot", render_plot_entry(entry))

    def _write(self, file: str, content: bytes | str) -> int:
        self._folder.mkdir(exist_ok=True)  # not its parents: the folder of a run that has ended must not come back
        temporary = self._folder / f".{os.getpid()}-{next(_numbers)}"
        try:
            _writer(content)(temporary)
            size = temporary.stat().st_size
            temporary.replace(self._folder / file)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        return size

    def _report(self, name: str, reason: str) -> None:
        """Record a problem, and warn of the first of its kind."""
        self._journal.event("problem", f"the plot '{name}' is not recorded: {reason}")
        if reason not in self._told:
            self._told.add(reason)
            warn("the plot '%s' is not recorded: %s; training goes on", name, reason)


def _hash(path: Path) -> Digest:
    from gittrack.artifacts.digest import hash_stream

    with path.open("rb") as file:
        return hash_stream(file.fileno())


def _short(values: Mapping[str, PlainValue]) -> Mapping[str, PlainValue]:
    """Return what sums a plot up; what is too long for a list of plots is in its file alone."""
    return values if len(dump_json(values)) <= _MAX_VALUES else {}


def _writer(content: bytes | str) -> Callable[[Path], Any]:
    if isinstance(content, str):
        return lambda path: shutil.copyfile(content, path)
    return lambda path: path.write_bytes(content)


def suffix_and_type(path: str) -> tuple[str, str]:
    """Return the suffix that a copy of a file gets, and the kind of content that the file's name tells.

    Args:
        path: The file.

    Example:
        >>> suffix_and_type("report.HTML"), suffix_and_type("Makefile")
        (('.html', 'text/html'), ('.bin', 'application/octet-stream'))
    """
    import mimetypes

    suffix = os.path.splitext(path)[1].lower()  # noqa: PTH122  a text
    guessed = mimetypes.guess_type(path, strict=False)[0]
    return suffix if _SUFFIX.fullmatch(suffix) else ".bin", guessed or "application/octet-stream"
