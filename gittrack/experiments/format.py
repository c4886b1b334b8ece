"""The files of an experiment's commit: the one place that knows how they are written and read.

The normative description is docs/design/format.md. A reader meets three kinds of surprise: keys it does not know
(kept for a rewrite), a newer version (refused by name), and damage (refused by name). All three concern one
experiment only, never the others.
"""

from __future__ import annotations

import json
from datetime import datetime, timezone
from math import isfinite
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, get_args

from gittrack.errors import GittrackError
from gittrack.values import dump_json, load_json

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gittrack.experiments.artifact_files import ArtifactEntry
    from gittrack.experiments.plot_files import PlotEntry
    from gittrack.values import PlainValue

FORMAT_VERSION = 1
FOLDER = ".gittrack"
META_FILE = "meta.json"
PARAMS_FILE = "params.json"
METRICS_FILE = "metrics.json"
SERIES_FILE = "series.tsv"
REQUIREMENTS_FILE = "requirements.txt"
LOG_FILE = "log.txt"
ARTIFACTS_FILE = "artifacts.json"
INPUTS_FILE = "inputs.json"
OUTPUTS_FILE = "outputs.json"
PLOTS_FILE = "plots.json"
PLOTS_FOLDER = "plots"
LINEAGE_FILES = (ARTIFACTS_FILE, INPUTS_FILE, OUTPUTS_FILE)
MAX_FILE_BYTES = 16 << 20  # of one metadata file; a larger one is hostile or broken

Status = Literal["running", "completed", "failed", "killed", "stale"]
Source = Literal["run", "save", "command", "commit", "import"]

_NOTHING: Mapping[str, Any] = MappingProxyType({})


class FormatError(GittrackError):
    """The files of an experiment are damaged."""


class NewerFormatError(FormatError):
    """The experiment was recorded by a newer gittrack."""


class Meta(NamedTuple):
    """What ``meta.json`` says of an experiment.

    Attributes:
        name: Its name.
        id: The run that wrote it: 16 hex digits, new for every run.
        status: ``running``, ``completed``, ``failed``, ``killed`` or ``stale``.
        source: What recorded it: a ``run`` in a script, ``save`` of the workspace, a ``command``, a ``commit``,
            or an ``import``.
        started: When the run started, UTC epoch seconds.
        ended: When it ended, UTC epoch seconds; None while it runs.
        baseline: The commit it starts from; None before the first commit.
        code_tree: The tree of the code snapshot, without the ``.gittrack`` folder.
        branch: The branch that HEAD was on; None when detached.
        dirty: Whether the code differed from the baseline.
        operation: A rebase, merge, … that was in progress.
        remote_url: The URL of the default remote, without credentials.
        author: ``Name <email>``.
        host: The machine's name.
        command: The command line, secrets masked.
        directory: The folder it ran in, relative to the top of the repository.
        group: A name that ties experiments together.
        tags: Keys and values set by the user.
        notes: Texts added by the user, in order.
        description: One text that says what the experiment is about.
        message: Why it failed or was killed, or what the user said when saving.
        parent_run: The experiment within which it ran.
        exit_code: Of the command, when one was run.
        duration_s: Seconds from start to end.
        peak_memory_bytes: The largest resident size of the process.
        environment: Python, packages, machine.
        left_out: What the snapshot does not hold: path, reason, size in bytes.
        files: The declared params and metrics files that were read.
        problems: What could not be read or kept, one sentence each.
        landed: The commits that contain its code.
        origin: Of one that another tracker recorded: the ``tool`` and the ``id`` that the run has there.
        alerts: What the script wanted somebody to know at once: title, level, time (UTC epoch seconds), and text and
            step where there are any.
        extra: Keys that this version does not know, kept for a rewrite.
    """

    name: str
    id: str
    status: Status
    source: Source = "run"
    started: float = 0.0
    ended: float | None = None
    baseline: str | None = None
    code_tree: str | None = None
    branch: str | None = None
    dirty: bool = False
    operation: str | None = None
    remote_url: str | None = None
    author: str | None = None
    host: str | None = None
    command: tuple[str, ...] = ()
    directory: str = ""
    group: str | None = None
    tags: Mapping[str, PlainValue] = _NOTHING
    notes: tuple[str, ...] = ()
    description: str | None = None
    message: str | None = None
    parent_run: str | None = None
    exit_code: int | None = None
    duration_s: float | None = None
    peak_memory_bytes: int | None = None
    environment: Mapping[str, PlainValue] = _NOTHING
    left_out: tuple[Mapping[str, PlainValue], ...] = ()
    files: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()
    landed: tuple[str, ...] = ()
    origin: Mapping[str, PlainValue] = _NOTHING
    alerts: tuple[Mapping[str, PlainValue], ...] = ()
    extra: Mapping[str, PlainValue] = _NOTHING


class MetricSummary(NamedTuple):
    """One metric in a few numbers.

    Attributes:
        last: The value at the highest step; the latest one when that step was logged twice.
        min: The smallest value; NaN only when there is no other.
        max: The largest value; NaN only when there is no other.
        count: How many points were logged.
        step: The step of `last`; None for a value without steps.
        set: True when a script set `last`, whatever the last point says; else None.
    """

    last: int | float
    min: int | float
    max: int | float
    count: int  # type: ignore[assignment]  # the field's word, in place of a method of tuples
    step: int | None
    set: bool | None = None


class Record(NamedTuple):
    """Everything that an experiment's ``.gittrack`` folder holds.

    Attributes:
        meta: The description.
        params: Dotted names and their values.
        metrics: Names and their summaries.
        series: The content of ``series.tsv``.
        requirements: The content of ``requirements.txt``.
        log: The output of the command, when one was run, or of a script that wanted it kept; secrets masked.
        artifacts: What the run logged as artifacts, every version, in the order of logging.
        inputs: The artifacts that the run said it uses.
        outputs: Artifacts whose pointers changed while the command ran, or since the baseline.
        plots: What the run logged to look at; name and step are those of one.
        plot_files: The contents of plots that are not in git yet, by the names of their files; never read back.
    """

    meta: Meta
    params: Mapping[str, PlainValue] = _NOTHING
    metrics: Mapping[str, MetricSummary] = _NOTHING
    series: bytes | None = None
    requirements: bytes | None = None
    log: bytes | None = None
    artifacts: tuple[ArtifactEntry, ...] = ()
    inputs: tuple[ArtifactEntry, ...] = ()
    outputs: tuple[ArtifactEntry, ...] = ()
    plots: tuple[PlotEntry, ...] = ()
    plot_files: Mapping[str, bytes] = _NOTHING


_TIMES = ("started", "ended")
_YEAR_10000 = 253_402_300_800.0
_TIME_LENGTH = len("1970-01-01T00:00:00.000000Z")
_NUMBER_TYPES = frozenset({int, float})
_FIELDS = frozenset(Meta._fields) - {"extra"}
_NUMBERS = frozenset({"exit_code", "duration_s", "peak_memory_bytes"})
_TUPLES = frozenset({"command", "notes", "left_out", "files", "problems", "landed", "alerts"})
_MAPPINGS = frozenset({"tags", "environment", "origin"})


def render_files(record: Record) -> dict[str, bytes]:
    """Return the files of a record's ``.gittrack`` folder by name.

    Args:
        record: What to write.
    """
    files = {
        META_FILE: render_meta(record.meta),
        PARAMS_FILE: dump_json(dict(record.params)).encode(),
        METRICS_FILE: render_metrics(record.metrics),
    }
    optional = {SERIES_FILE: record.series, REQUIREMENTS_FILE: record.requirements, LOG_FILE: record.log}
    files.update({name: data for name, data in optional.items() if data})
    lineage = zip(LINEAGE_FILES, (record.artifacts, record.inputs, record.outputs), strict=True)
    files.update({name: render_entries(entries) for name, entries in lineage if entries})
    if record.plots:
        files[PLOTS_FILE] = render_plots(record.plots)
    return files


def parse_files(files: Mapping[str, bytes]) -> Record:
    """Return the record that the files of a ``.gittrack`` folder hold.

    Args:
        files: Contents by name; all but ``meta.json`` may be absent.

    Raises:
        NewerFormatError: A newer gittrack wrote them.
        FormatError: They are damaged.
    """
    if META_FILE not in files:
        raise FormatError("no meta.json: not the commit of an experiment")
    return Record(
        meta=parse_meta(files[META_FILE]),
        params=parse_params(files.get(PARAMS_FILE, b"{}")),
        metrics=parse_metrics(files.get(METRICS_FILE, b"{}")),
        series=files.get(SERIES_FILE),
        requirements=files.get(REQUIREMENTS_FILE),
        log=files.get(LOG_FILE),
        artifacts=_entries(files, ARTIFACTS_FILE),
        inputs=_entries(files, INPUTS_FILE),
        outputs=_entries(files, OUTPUTS_FILE),
        plots=parse_plots(files[PLOTS_FILE]) if PLOTS_FILE in files else (),
    )


def render_meta(meta: Meta) -> bytes:
    """Return ``meta.json``: canonical JSON; values that say nothing are left out."""
    # An exit code of 0 says something: the command succeeded.
    empty: tuple[object, ...] = (None, (), {}, "")
    document = {key: value for key, value in meta._asdict().items() if value is not False and value not in empty}
    extra = document.pop("extra", {})
    for key in _TIMES:
        if key in document:
            document[key] = format_time(document[key])
    listed = {key: list(value) if isinstance(value, tuple) else value for key, value in document.items()}
    return dump_json({**extra, **listed, "format": FORMAT_VERSION}).encode()


def parse_meta(data: bytes) -> Meta:
    """Return what ``meta.json`` says.

    Args:
        data: The content of the file.

    Raises:
        NewerFormatError: A newer gittrack wrote it.
        FormatError: It is damaged.
    """
    document = _load_object(data, META_FILE)
    version = document.pop("format", None)
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise FormatError(f"{META_FILE}: no format version")
    if version > FORMAT_VERSION:
        raise NewerFormatError(
            f"recorded in format {version} by a newer gittrack; this one reads up to {FORMAT_VERSION}",
            hint="upgrade gittrack: pip install -U gittrack",
        )
    if document.get("status") not in get_args(Status):
        raise FormatError(f"{META_FILE}: unknown status {document.get('status')!r}")
    try:
        known = {key: _read_field(key, document.pop(key)) for key in list(document) if key in _FIELDS}
        return Meta(**known, extra=document)
    except (TypeError, ValueError) as error:
        raise FormatError(f"{META_FILE}: {error}") from error


def render_metrics(metrics: Mapping[str, MetricSummary]) -> bytes:
    """Return ``metrics.json``: the summary of each metric."""
    return dump_json({name: _summary_document(summary) for name, summary in metrics.items()}).encode()


def parse_metrics(data: bytes) -> dict[str, MetricSummary]:
    """Return the summaries that ``metrics.json`` holds.

    Raises:
        FormatError: It is damaged.
    """
    metrics = {}
    for name, summary in _load_object(data, METRICS_FILE).items():
        if not isinstance(summary, dict) or not _is_number(summary.get("last")):
            raise FormatError(f"{METRICS_FILE}: no last value of {name!r}")
        last: Any = summary["last"]
        metrics[name] = MetricSummary(
            last=last,
            min=_number_or(summary.get("min"), last),
            max=_number_or(summary.get("max"), last),
            count=_whole_or(summary.get("count"), 1),
            step=_whole_or(summary.get("step"), None),
            set=True if summary.get("set") is True else None,
        )
    return metrics


def parse_last_values(data: bytes) -> dict[str, int | float]:
    """Return the last value of each metric that ``metrics.json`` holds; tables need no more, of many experiments.

    Raises:
        FormatError: It is damaged.
    """
    document = _load_object(data, METRICS_FILE)
    try:
        values = {name: summary["last"] for name, summary in document.items()}
    except (TypeError, KeyError):
        values = {"": None}
    if set(map(type, values.values())) <= _NUMBER_TYPES:
        return values
    return {name: summary.last for name, summary in parse_metrics(data).items()}  # which says what is wrong


def parse_params(data: bytes) -> dict[str, Any]:
    """Return the params that ``params.json`` holds, by dotted name.

    Raises:
        FormatError: It is damaged.
    """
    return _load_object(data, PARAMS_FILE)


def render_entries(entries: Sequence[ArtifactEntry]) -> bytes:
    """Return the content of a file of `LINEAGE_FILES`."""
    from gittrack.experiments.artifact_files import render_entry  # here: most experiments have none

    return dump_json([render_entry(entry) for entry in entries]).encode()


def parse_entries(data: bytes, file: str) -> tuple[ArtifactEntry, ...]:
    """Return the entries that a file of `LINEAGE_FILES` holds.

    Args:
        data: Its content.
        file: Its name, for messages.

    Raises:
        FormatError: It is damaged, or holds a path or digest that must not be trusted.
    """
    from gittrack.experiments.artifact_files import parse_entry

    document = _load(data, file)
    if not isinstance(document, list):
        raise FormatError(f"{file}: not a list")
    try:
        return tuple(parse_entry(item) for item in document)
    except GittrackError as error:
        raise FormatError(f"{file}: {error.message}") from error


def render_plots(entries: Sequence[PlotEntry]) -> bytes:
    """Return the content of ``plots.json``."""
    from gittrack.experiments.plot_files import render_plot_entry  # here: most experiments have none

    return dump_json([render_plot_entry(entry) for entry in entries]).encode()


def parse_plots(data: bytes) -> tuple[PlotEntry, ...]:
    """Return the entries that ``plots.json`` holds.

    Raises:
        FormatError: It is damaged, or names a file or digest that must not be trusted.
    """
    from gittrack.experiments.plot_files import parse_plot_entry

    document = _load(data, PLOTS_FILE)
    if not isinstance(document, list):
        raise FormatError(f"{PLOTS_FILE}: not a list")
    try:
        return tuple(parse_plot_entry(item) for item in document)
    except GittrackError as error:
        raise FormatError(f"{PLOTS_FILE}: {error.message}") from error


def format_time(seconds: float) -> str:
    """Return UTC epoch seconds in ISO 8601 with microseconds.

    Example:
        >>> format_time(0.5)
        '1970-01-01T00:00:00.500000Z'
    """
    return datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def parse_time(text: object) -> float:
    """Return UTC epoch seconds of an ISO 8601 time.

    Raises:
        ValueError: It is of another form.
    """
    if not isinstance(text, str) or len(text) != _TIME_LENGTH or text[-1] != "Z":
        raise ValueError(f"not a time in UTC with microseconds: {text!r:.40}")
    seconds = datetime.fromisoformat(f"{text[:-1]}+00:00").timestamp()  # eight times as fast as strptime
    if seconds >= _YEAR_10000:  # the last microseconds before it are rounded up, and no date can be made of them
        raise ValueError(f"not a time before the year 10000: {text}")
    return seconds


def _entries(files: Mapping[str, bytes], file: str) -> tuple[ArtifactEntry, ...]:
    return parse_entries(files[file], file) if file in files else ()


def _load_object(data: bytes, file: str) -> dict[str, Any]:
    document = _load(data, file)
    if not isinstance(document, dict):
        raise FormatError(f"{file}: not an object")
    return document


def _load(data: bytes, file: str) -> Any:
    """Return what JSON holds, by the standard library's fast way unless special floats need ours."""
    if len(data) > MAX_FILE_BYTES:
        raise FormatError(f"{file}: larger than {MAX_FILE_BYTES >> 20} MiB")
    try:
        return load_json(data.decode()) if b'"$' in data else json.loads(data)
    except (ValueError, RecursionError, GittrackError) as error:
        raise FormatError(f"{file}: {error}") from error


def _read_field(key: str, value: Any) -> Any:
    if key in _TIMES:
        return parse_time(value)
    if key in _TUPLES:
        if not isinstance(value, list):
            raise TypeError(f"'{key}' is not a list")
        return tuple(value)
    wanted: type | tuple[type, ...] = str
    if key in _MAPPINGS:
        wanted = dict
    elif key in _NUMBERS:
        wanted = (int, float)
    elif key == "dirty":
        wanted = bool
    if not isinstance(value, wanted):
        raise TypeError(f"'{key}' has a value of a wrong type")
    return value


def _summary_document(summary: MetricSummary) -> dict[str, Any]:
    return {key: value for key, value in summary._asdict().items() if value is not None}


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _number_or(value: Any, default: Any) -> Any:
    return value if _is_number(value) else default


def _whole_or(value: Any, default: Any) -> Any:
    return int(value) if _is_number(value) and isfinite(value) else default


__all__ = [
    "ARTIFACTS_FILE",
    "FOLDER",
    "FORMAT_VERSION",
    "INPUTS_FILE",
    "LINEAGE_FILES",
    "LOG_FILE",
    "MAX_FILE_BYTES",
    "META_FILE",
    "METRICS_FILE",
    "OUTPUTS_FILE",
    "PARAMS_FILE",
    "PLOTS_FILE",
    "PLOTS_FOLDER",
    "REQUIREMENTS_FILE",
    "SERIES_FILE",
    "FormatError",
    "Meta",
    "MetricSummary",
    "NewerFormatError",
    "Record",
    "Source",
    "Status",
    "format_time",
    "parse_entries",
    "parse_files",
    "parse_last_values",
    "parse_meta",
    "parse_metrics",
    "parse_params",
    "parse_plots",
    "parse_time",
    "render_entries",
    "render_files",
    "render_meta",
    "render_metrics",
    "render_plots",
]
