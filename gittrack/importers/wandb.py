"""Read the runs that Weights & Biases keeps in folders: ``wandb/offline-run-<time>-<id>/run-<id>.wandb``.

The records are messages of its `wandb_internal.proto`; the numbers of their fields are below. What a folder holds is
read, and the files of artifacts where they are staged.
"""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from gittrack.errors import GittrackError
from gittrack.importers import protobuf
from gittrack.importers.foreign import ForeignFile, ForeignRun, SeriesBuilder, UnreadableStoreError, clean_time
from gittrack.importers.leveldb_log import read_records
from gittrack.importers.local_files import list_folder, read_file, real_folder
from gittrack.importers.plots import PlotBuilder
from gittrack.importers.wandb_artifacts import read_artifact
from gittrack.importers.wandb_media import split_media, take_media
from gittrack.values import flatten, to_plain

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from gittrack.experiments.format import Status
    from gittrack.importers.protobuf import Fields
    from gittrack.values import PlainValue

TOOL = "wandb"
_FOLDER = re.compile(r"(?:offline-)?run-[0-9]{8}_[0-9]{6}-(.+)")
_SUFFIX = ".wandb"
_OPEN = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_MAX_LOG_BYTES = 64 << 20
_MAX_JSON_BYTES = 1 << 20
_MAX_TAG = 1000
# What has a place of its own in an experiment.
_TOLD_FILES = frozenset({"config.yaml", "wandb-metadata.json", "wandb-summary.json", "output.log", "requirements.txt"})
_HISTORY, _SUMMARY, _OUTPUT, _CONFIG, _ARTIFACT, _OUTPUT_RAW, _RUN, _EXIT, _ENVIRONMENT = 2, 3, 4, 5, 8, 13, 17, 18, 26
_UPDATE, _REMOVE = 1, 2
_KEY, _NESTED_KEY, _VALUE_JSON = 1, 2, 16
_NO_VALUE = object()


def read_runs(path: Path) -> Iterator[ForeignRun]:
    """Yield the runs of a folder.

    Args:
        path: A folder ``wandb``, one above it, the folder of a run, or its record file.

    Raises:
        UnreadableStoreError: There is no run.
    """
    runs: dict[str, list[Path]] = {}
    for file in _find(path):
        # a run that was resumed offline has several folders
        runs.setdefault(file.name.removeprefix("run-").removesuffix(_SUFFIX), []).append(file)
    if not runs:
        raise UnreadableStoreError(
            f"no runs of Weights & Biases in '{path}'", hint="name a folder 'wandb', or one 'offline-run-…' in it"
        )
    for run_id, files in runs.items():
        yield _read_run(run_id, files)


def _find(path: Path) -> list[Path]:
    if path.suffix == _SUFFIX and path.is_file():
        return [path]
    places = [path] if _records_in(path) else [Path(entry.path) for entry in _run_folders(path)]
    if not places:
        places = [Path(entry.path) for entry in _run_folders(path / "wandb")]
    return [file for place in places for file in _records_in(place)]


def _run_folders(path: Path) -> list[os.DirEntry[str]]:
    folders = [
        entry for entry in list_folder(path) if entry.is_dir(follow_symlinks=False) and _FOLDER.fullmatch(entry.name)
    ]
    return sorted(folders, key=lambda entry: entry.name.removeprefix("offline-"))  # by time


def _records_in(path: Path) -> list[Path]:
    return [
        path / entry.name
        for entry in list_folder(path)
        if entry.name.endswith(_SUFFIX) and entry.is_file(follow_symlinks=False)
    ]


def _read_run(run_id: str, files: Sequence[Path]) -> ForeignRun:
    reader = _Reader()
    for file in files:
        reader.folder = file.parent
        reader.status = "running"  # until an exit is read
        try:
            with open(os.open(file, _OPEN), "rb") as stream:  # noqa: PTH123  a link is refused
                for record in read_records(stream):
                    reader.take(protobuf.parse_message(record))
        except (GittrackError, OSError) as error:
            reason = error.message if isinstance(error, GittrackError) else error.strerror
            reader.problems.append(f"{file.name}: {reason}; what stands before was read")
    return reader.describe(run_id, [file.parent for file in files])


class _Reader:
    """What the records of a run say; later ones win."""

    def __init__(self) -> None:
        self.status: Status = "running"
        self.problems: list[str] = []
        self.folder = Path()
        self._plots = PlotBuilder()
        self._files: list[ForeignFile] = []
        self._output: list[bytes] = []
        self._points = SeriesBuilder()
        self._config: dict[str, Any] = {}
        self._summary: dict[str, Any] = {}
        self._texts: dict[str, str] = {}
        self._run: Fields = {}
        self._environment: dict[str, PlainValue] = {}
        self._command: tuple[str, ...] = ()
        self._commit = ""
        self._exit_code: int | None = None
        self._started: float | None = None
        self._ended: float | None = None

    def take(self, record: Fields) -> None:
        """Take a record.

        Raises:
            MalformedMessageError: A part of it is no message.
        """
        if _HISTORY in record:
            self._take_history(protobuf.message(record, _HISTORY))
        elif _SUMMARY in record:
            _change(self._summary, protobuf.message(record, _SUMMARY))
        elif _CONFIG in record:
            _change(self._config, protobuf.message(record, _CONFIG))
        elif _RUN in record:
            self._take_run(protobuf.message(record, _RUN))
        elif _EXIT in record:
            self._exit_code = protobuf.integer(protobuf.message(record, _EXIT), 1)
            self.status = "failed" if self._exit_code else "completed"
        elif _ENVIRONMENT in record:
            self._take_environment(protobuf.message(record, _ENVIRONMENT))
        elif _ARTIFACT in record:
            files, problems = read_artifact(protobuf.message(record, _ARTIFACT))
            self._files += files
            self.problems += problems
        elif _OUTPUT in record or _OUTPUT_RAW in record:
            number = _OUTPUT if _OUTPUT in record else _OUTPUT_RAW
            self._output.append(protobuf.raw(protobuf.message(record, number), 3))

    def describe(self, run_id: str, folders: Sequence[Path]) -> ForeignRun:
        """Return the run.

        Args:
            run_id: Its id, as its file is named.
            folders: Its folders, the last one of its latest process.
        """
        run, folder = self._run, folders[-1]
        last = self._points.span()[1]
        project, group = protobuf.text(run, 3), protobuf.text(run, 6)
        fields = {"project": project, "entity": protobuf.text(run, 2), "job_type": protobuf.text(run, 7)}
        fields["sweep"] = protobuf.text(run, 12)
        tags: dict[str, PlainValue] = {f"wandb.{key}": value for key, value in fields.items() if value}
        tags.update(dict.fromkeys(filter(None, protobuf.texts(run, 10)), True))
        values = self._summary_values(tags)
        told = _read_metadata(folder)
        log = _read_own(folder, "output.log", _MAX_LOG_BYTES)
        return ForeignRun(
            tool=TOOL,
            id=f"{project}/{run_id}" if project else run_id,
            name=protobuf.text(run, 8) or run_id,
            status=self.status,
            started=self._started,
            ended=max(filter(None, (self._ended, last)), default=None),
            params=_flat({key: value for key, value in self._config.items() if key != "_wandb"}, self.problems),
            series=self._points.series,
            values=values,
            tags=tags,
            description=protobuf.text(run, 9) or None,
            group=group or project or None,
            commit=self._commit or told.commit or None,
            host=protobuf.text(run, 13) or told.host or None,
            command=self._command or told.command,
            environment={**told.environment, **self._environment},
            exit_code=self._exit_code,
            requirements=_read_own(folder, "requirements.txt", _MAX_JSON_BYTES),
            log=log or b"".join(self._output)[-_MAX_LOG_BYTES:] or None,
            files=(*(file for one in folders for file in _files_of(one)), *self._files),
            problems=(*self.problems, *self._plots.problems()),
            plots=tuple(self._plots.plots),
        )

    def _take_run(self, run: Fields) -> None:
        self._run = {**self._run, **run}
        _change(self._config, protobuf.message(run, 4))
        started = clean_time(protobuf.seconds(run, 17))
        self._started = min(filter(None, (self._started, started)), default=None)
        self._commit = protobuf.text(protobuf.message(run, 21), 2) or self._commit

    def _take_environment(self, told: Fields) -> None:
        self._commit = protobuf.text(protobuf.message(told, 9), 2) or self._commit
        program = protobuf.text(told, 6)
        if program:
            self._command = (program, *protobuf.texts(told, 5))
        python = protobuf.text(told, 2).rpartition(" ")[2]
        facts: dict[str, PlainValue] = {
            "os": protobuf.text(told, 1),
            "python": python,
            "cpu": protobuf.text(protobuf.message(told, 22), 1),
            "n_cpus": protobuf.integer(told, 17),
            "executable": protobuf.text(told, 14).rpartition("/")[2],
        }
        self._environment.update({key: value for key, value in facts.items() if value})

    def _take_history(self, history: Fields) -> None:
        items = {_name(item): _value(item) for item in protobuf.messages(history, 1)}
        values, media = split_media(items)
        step = items.get("_step")
        if type(step) is not int:
            step = protobuf.integer(protobuf.message(history, 2), 1)
        time = clean_time(items.get("_timestamp"), 0.0) or 0.0
        self._ended = max(self._ended or 0.0, time) or None
        for name, value in values.items():
            if not name.startswith("_"):
                self._add(name, step, time, value)
        for name, told in media.items():
            take_media(self._plots, self.folder, name, told, (step, time))

    def _add(self, name: str, step: int, time: float, value: Any) -> None:
        if isinstance(value, (int, float)):
            self._points.add(name, step, time, int(value) if isinstance(value, bool) else value)
        elif isinstance(value, str) and value in {"NaN", "Infinity", "-Infinity"}:
            self._points.add(name, step, time, float(value))
        elif isinstance(value, dict) and "_type" not in value:
            for key, inner in _flat(value, self.problems).items():
                self._add(f"{name}.{key}", step, time, inner)
        elif isinstance(value, str):
            self._texts[name] = value

    def _summary_values(self, tags: dict[str, PlainValue]) -> dict[str, int | float]:
        """Return the numbers of the summary that have no points; texts, also those that were logged, become tags."""
        values: dict[str, int | float] = {}
        summary = {key: value for key, value in _without_media(self._summary).items() if not key.startswith("_")}
        for name, value in {**self._texts, **_flat(summary, self.problems)}.items():
            if name in self._points.series:
                continue
            if isinstance(value, (int, float)):
                values[name] = int(value) if isinstance(value, bool) else value
            elif isinstance(value, str) and value in {"NaN", "Infinity", "-Infinity"}:
                values[name] = float(value)
            elif isinstance(value, str) and len(value) <= _MAX_TAG:
                tags.setdefault(name, value)
        if self._texts:
            names = ", ".join(sorted(self._texts))
            self.problems.append(f"texts logged as metrics: of {names[:500]} only the last one was kept, as a tag")
        return values


def _without_media(values: dict[str, Any]) -> dict[str, Any]:
    """Return values without the descriptions of media, at any depth that a record can have."""
    return {
        key: _without_media(value) if isinstance(value, dict) else value
        for key, value in values.items()
        if not (isinstance(value, dict) and "_type" in value)
    }


def _flat(values: dict[str, Any], problems: list[str]) -> dict[str, PlainValue]:
    try:
        plain = to_plain(values)
        return flatten(plain) if isinstance(plain, dict) else {}
    except GittrackError as error:
        problems.append(f"values cannot be read: {error.message}")
        return {}


def _change(values: dict[str, Any], record: Fields) -> None:
    """Carry out the updates and removals of a record of the summary or config."""
    for item in protobuf.messages(record, _UPDATE):
        value, path = _value(item), _path(item)
        if value is not _NO_VALUE and path:
            inside = values
            for part in path[:-1]:
                below = inside.get(part)
                if not isinstance(below, dict):
                    below = inside[part] = {}
                inside = below
            inside[path[-1]] = value
    for item in protobuf.messages(record, _REMOVE):
        gone: Any = values
        *folders, last = _path(item) or [""]
        for part in folders:
            gone = gone.get(part) if isinstance(gone, dict) else None
        if isinstance(gone, dict):
            gone.pop(last, None)


def _path(item: Fields) -> list[str]:
    return protobuf.texts(item, _NESTED_KEY) or list(filter(None, [protobuf.text(item, _KEY)]))


def _name(item: Fields) -> str:
    return ".".join(_path(item))


def _value(item: Fields) -> Any:
    try:
        return json.loads(protobuf.text(item, _VALUE_JSON))
    except (ValueError, RecursionError):
        return _NO_VALUE


class _Metadata(NamedTuple):
    """What ``wandb-metadata.json`` says, where a version wrote it there rather than into the records."""

    commit: str = ""
    host: str = ""
    command: tuple[str, ...] = ()
    environment: Mapping[str, PlainValue] = {}


def _read_metadata(folder: Path) -> _Metadata:
    try:
        told = json.loads(_read_own(folder, "wandb-metadata.json", _MAX_JSON_BYTES) or b"{}")
    except (ValueError, RecursionError):
        return _Metadata()
    if not isinstance(told, dict):
        return _Metadata()
    git, arguments = told.get("git"), told.get("args")
    program = _text_of(told, "program")
    command = [program, *(arguments if isinstance(arguments, list) else [])] if program else []
    facts = {"os": _text_of(told, "os"), "python": _text_of(told, "python"), "gpu": _text_of(told, "gpu")}
    return _Metadata(
        _text_of(git, "commit") if isinstance(git, dict) else "",
        _text_of(told, "host"),
        tuple(str(word) for word in command),
        {key: value for key, value in facts.items() if value},
    )


def _text_of(told: dict[str, Any], key: str) -> str:
    value = told.get(key)
    return value if isinstance(value, str) else ""


def _read_own(folder: Path, name: str, max_bytes: int) -> bytes | None:
    """Return what wandb itself wrote into the folder of a run's files."""
    files = real_folder(folder, "files")
    return None if files is None else read_file(files / name, max_bytes)


def _files_of(folder: Path) -> tuple[ForeignFile, ...]:
    files = real_folder(folder, "files")
    return tuple(
        ForeignFile(entry.name, folder, f"files/{entry.name}")
        for entry in (list_folder(files) if files else ())
        if entry.name not in _TOLD_FILES
        and (entry.is_file(follow_symlinks=False) or entry.is_dir(follow_symlinks=False))
    )
