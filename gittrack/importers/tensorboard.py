"""Read TensorBoard's event files: scalars, hparams, images, histograms, curves and texts, of both styles.

A folder with event files is a run, as in TensorBoard. The messages are those of TensorFlow's `event.proto`,
`summary.proto` and TensorBoard's `plugins/hparams/plugin_data.proto`.
"""

from __future__ import annotations

import contextlib
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from gittrack.errors import GittrackError
from gittrack.importers import protobuf, tensor
from gittrack.importers.foreign import ForeignFile, ForeignRun, SeriesBuilder, UnreadableStoreError, clean_time
from gittrack.importers.local_files import MAX_DEPTH, list_folder
from gittrack.importers.plots import PlotBuilder
from gittrack.importers.tensorboard_plots import take_plugin
from gittrack.importers.tfrecord import read_records

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from gittrack.experiments.format import Status
    from gittrack.importers.protobuf import Fields
    from gittrack.values import PlainValue

TOOL = "tensorboard"
_MARK = "tfevents"
_OPEN = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_HPARAMS_FOLDER = re.compile(r"[0-9]{9,11}(?:\.[0-9]+)?")  # what `add_hparams` makes inside the folder of its run
_HPARAMS_PREFIX = "_hparams_/"
_STATUSES: dict[int, Status] = {1: "completed", 2: "failed", 3: "running"}  # hparams/api.proto: Status
_WALL_TIME, _STEP, _SUMMARY = 1, 2, 5
_TAG, _SIMPLE_VALUE, _TENSOR, _METADATA = 1, 2, 8, 9


def read_runs(path: Path) -> Iterator[ForeignRun]:
    """Yield the runs below a folder.

    Args:
        path: A folder, at any height above event files.

    Raises:
        UnreadableStoreError: There is no event file.
    """
    root = path.parent if path.is_file() else path
    folders = dict(_find([path.name], path.parent) if path.is_file() else _find_all(root))
    if not folders:
        raise UnreadableStoreError(f"no event files of TensorBoard in '{path}'", hint="name the folder with the runs")
    merged: dict[Path, list[Path]] = {}
    for folder in folders:
        is_part = _HPARAMS_FOLDER.fullmatch(folder.name) and folder.parent in folders
        merged.setdefault(folder.parent if is_part else folder, []).append(folder)
    for folder, parts in merged.items():
        files = [file for part in sorted(parts) for file in folders[part]]
        yield _read_run(root, folder, files)


def _find_all(folder: Path, depth: int = 0) -> Iterator[tuple[Path, list[Path]]]:
    entries = list_folder(folder)
    yield from _find([entry.name for entry in entries if entry.is_file(follow_symlinks=False)], folder)
    for entry in entries:
        if entry.is_dir(follow_symlinks=False) and depth < MAX_DEPTH:
            yield from _find_all(Path(entry.path), depth + 1)


def _find(names: Sequence[str], folder: Path) -> Iterator[tuple[Path, list[Path]]]:
    files = [folder / name for name in sorted(names) if _MARK in name]
    if files:
        yield folder, files


def _read_run(root: Path, folder: Path, files: Sequence[Path]) -> ForeignRun:
    reader = _Reader()
    for file in files:
        try:
            with open(os.open(file, _OPEN), "rb") as stream:  # noqa: PTH123  a link is refused
                for record in read_records(stream):
                    reader.take(record)
        except (GittrackError, OSError) as error:
            reason = error.message if isinstance(error, GittrackError) else error.strerror
            reader.problems.append(f"{file.name}: {reason}; what stands before was read")
    first, last = reader.points.span()
    relative = folder.relative_to(root).as_posix()
    return ForeignRun(
        tool=TOOL,
        id=f"{folder.absolute().name}/{files[0].name}/{reader.first_time!r}",
        name=folder.absolute().name if relative == "." else relative,
        status=reader.status,
        started=clean_time(reader.started) or clean_time(reader.first_time) or first,
        ended=clean_time(reader.ended) or last or clean_time(reader.first_time),
        params=reader.params,
        series=reader.points.series,
        group=reader.group,
        files=tuple(_artifact(root, folder, file) for file in files),
        problems=(*reader.problems, *reader.plots.problems()),
        plots=tuple(reader.plots.plots),
    )


def _artifact(root: Path, folder: Path, file: Path) -> ForeignFile:
    """Return an event file as an artifact: what nothing here understands, such as images, stays at hand."""
    name = file.name if file.parent == folder else f"{file.parent.name}-{file.name}"
    return ForeignFile(name, root, file.relative_to(root).as_posix(), "tensorboard")


class _Reader:
    """What the events of a run say."""

    def __init__(self) -> None:
        self.points = SeriesBuilder()
        self.params: dict[str, PlainValue] = {}
        self.plots = PlotBuilder()
        self.problems: list[str] = []
        self.status: Status = "completed"
        self.group: str | None = None
        self.first_time: float | None = None
        self.started: float | None = None
        self.ended: float | None = None
        self._plugins: dict[str, str] = {}  # only the first value of a tag has to name its plugin

    def take(self, record: bytes) -> None:
        """Take an event.

        Raises:
            MalformedMessageError: It is none.
        """
        event = protobuf.parse_message(record)
        time = protobuf.double(event, _WALL_TIME) or 0.0
        if self.first_time is None:
            self.first_time = time
        if _SUMMARY not in event:
            return
        step = protobuf.integer(event, _STEP)
        for value in protobuf.messages(protobuf.message(event, _SUMMARY), 1):
            self._take_value(value, step, time)

    def _take_value(self, value: Fields, step: int, time: float) -> None:
        tag = protobuf.text(value, _TAG)
        if _SIMPLE_VALUE in value:
            number: float | None = protobuf.single(value, _SIMPLE_VALUE)
        else:
            number = None
            plugin, content = self._plugin(tag, value)
            if plugin == "scalars":
                number = tensor.scalar(protobuf.message(value, _TENSOR))
            elif plugin == "hparams" and tag.startswith(_HPARAMS_PREFIX):
                self._take_hparams(protobuf.parse_message(content))
            elif tag:
                take_plugin(self.plots, plugin, tag, value, (step, time))
        if number is not None and tag:
            self.points.add(tag, step, time, number)

    def _plugin(self, tag: str, value: Fields) -> tuple[str, bytes]:
        if _METADATA not in value:
            return self._plugins.get(tag, ""), b""
        data = protobuf.message(protobuf.message(value, _METADATA), 1)
        plugin = protobuf.text(data, 1)
        return self._plugins.setdefault(tag, plugin), protobuf.raw(data, 2)

    def _take_hparams(self, data: Fields) -> None:
        start, end = protobuf.message(data, 3), protobuf.message(data, 4)
        for entry in protobuf.messages(start, 1):
            name, value = protobuf.text(entry, 1), protobuf.message(entry, 2)
            if name:
                self.params[name] = _plain(value)
        self.group = protobuf.text(start, 4) or self.group
        self.started = protobuf.double(start, 5) or self.started
        self.ended = protobuf.double(end, 2) or self.ended
        if end:
            self.status = _STATUSES.get(protobuf.integer(end, 1), self.status)


def _plain(value: Fields) -> PlainValue:
    """Return what a ``google.protobuf.Value`` is; a whole number, of which it makes a double, is one again."""
    number = protobuf.double(value, 2)
    if number is not None:
        with contextlib.suppress(ValueError, OverflowError):
            if number == int(number) and abs(number) < 1 << 53:
                return int(number)
        return number
    if 4 in value:  # noqa: PLR2004  bool_value
        return bool(protobuf.integer(value, 4))
    return protobuf.text(value, 3) if 3 in value else None  # noqa: PLR2004  string_value
