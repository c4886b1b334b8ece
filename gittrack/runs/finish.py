"""Turn a run's folder into the experiment's commit: at its end, or later for a run whose process died."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from gittrack.experiments import store
from gittrack.experiments.format import MetricSummary, Record
from gittrack.experiments.names import ExperimentRef
from gittrack.experiments.series import merge_series, parse_series, render_series, summarise
from gittrack.git.objects import read_object
from gittrack.git.prune_watch import PruneWatch
from gittrack.git.refs import RefChangedError, RefExistsError, read_ref
from gittrack.git.state import Identity, read_identity
from gittrack.runs.claims import claim_numbered_name, release_name
from gittrack.runs.command import cap_log
from gittrack.runs.folder import NO_COMMIT, RecordedTip
from gittrack.runs.outcome import Outcome, parse_outcome
from gittrack.warn import warn

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gittrack.experiments.format import Meta
    from gittrack.experiments.plot_files import PlotEntry
    from gittrack.git.repository import Repository
    from gittrack.runs.folder import RunFolder
    from gittrack.runs.journal_reader import JournalContents
    from gittrack.values import PlainValue

_N_PUBLISH_TRIES = 8
_LINEAGE = frozenset({"artifact", "input", "output"})
KILLED_MESSAGE = "the process ended without a word"


def build_record(meta: Meta, contents: JournalContents, *, outcome: Outcome | None = None) -> Record:
    """Return the record of a run from its description and all that was logged.

    Args:
        meta: The description.
        contents: What the journals hold.
        outcome: How the run ended; by default as its journal says, and ``killed`` when that says nothing.
    """
    told = _Told(contents)
    # A script may give its points any times; those ahead of the clock say nothing of the end.
    last_time = min(told.last_time, time.time())
    outcome = outcome or told.outcome or Outcome("killed", KILLED_MESSAGE, last_time)
    ended = max(outcome.ended or last_time, meta.started)
    meta = meta._replace(
        status=outcome.status,
        message=outcome.message or meta.message,
        ended=ended,
        duration_s=(meta.duration_s or 0.0) + round(ended - meta.started, 6),
        exit_code=outcome.exit_code,
        peak_memory_bytes=outcome.peak_memory_bytes,
        tags={**meta.tags, **told.tags},
        notes=(*meta.notes, *told.notes),
        description=told.description or meta.description,
        problems=(*meta.problems, *told.problems),
        alerts=(*meta.alerts, *(alert for alert in told.alerts if isinstance(alert, dict))),
    )
    metrics: dict[str, MetricSummary] = {**told.declared_metrics, **summarise(contents.series)}
    for name, value in told.summary.items():
        metrics[name] = metrics.get(name, single_value(value))._replace(last=value, set=True)
    series = render_series(contents.series) if contents.series else None
    return Record(meta, told.params, metrics, series, told.requirements, plots=told.plots(), **told.lineage())


def extend_record(previous: Record, record: Record) -> Record:
    """Return the record of a resumed experiment: what was there, continued by what came.

    Args:
        previous: The record at the time of resuming.
        record: The record of the run that continued it.
    """
    parts = [parse_series(data) for data in (previous.series, record.series) if data]
    joined = merge_series(parts)
    meta = record.meta._replace(
        started=previous.meta.started,
        duration_s=(previous.meta.duration_s or 0.0) + (record.meta.duration_s or 0.0),
        tags={**previous.meta.tags, **record.meta.tags},
        notes=(*previous.meta.notes, *record.meta.notes),
        description=record.meta.description or previous.meta.description,
        group=record.meta.group or previous.meta.group,
        landed=previous.meta.landed,
        alerts=(*previous.meta.alerts, *record.meta.alerts),
        extra={**previous.meta.extra, **record.meta.extra},
    )
    return Record(
        meta=meta,
        params={**previous.params, **record.params},
        metrics={**previous.metrics, **record.metrics, **summarise(joined, previous.metrics, record.metrics)},
        series=render_series(joined) if joined else None,
        requirements=record.requirements or previous.requirements,
        log=cap_log((previous.log or b"") + (record.log or b"")) or None,
        artifacts=previous.artifacts + record.artifacts,
        inputs=previous.inputs + tuple(entry for entry in record.inputs if entry not in previous.inputs),
        outputs=previous.outputs + record.outputs,
        plots=_later_plots(previous.plots, record.plots),
        plot_files=record.plot_files,
    )


def _later_plots(before: tuple[PlotEntry, ...], after: tuple[PlotEntry, ...]) -> tuple[PlotEntry, ...]:
    if not before or not after:
        return before + after
    from gittrack.experiments.plot_files import latest_plots

    return latest_plots(before + after)


def publish(
    repository: Repository,
    folder: RunFolder,
    record: Record,
    resumes: str | None = None,
    watch: PruneWatch | None = None,
) -> tuple[Record, str]:
    """Write a run's record as the next commit of its experiment and move the ref.

    Somebody may have edited the experiment meanwhile (tags, notes): their commit becomes the parent and their
    additions stay. A name that another experiment took meanwhile gets a number.

    Args:
        repository: The repository.
        folder: The run's folder.
        record: What the run says.
        resumes: The commit of the experiment that the run continued.
        watch: What has watched the code since it was recorded; by default a ref holds the code, or nothing will.

    Returns:
        The record as it was written, and its commit.

    Raises:
        RefChangedError: Others kept changing the experiment, or git kept removing it, faster than this could.
        OSError: The disk is full or broken; nothing is lost, the folder stays.
        GittrackError: git failed; the same.
    """
    tip = folder.read_tip()
    ours = resumes if tip is None or tip.commit == NO_COMMIT else tip.commit
    code_tree = tip.code_tree if tip is not None else tree_of(repository, record.meta.baseline)
    baseline = record.meta.baseline or repository.zero_id
    author = author_of(repository, record.meta)
    with watch or PruneWatch(repository) as active_watch:
        for _ in range(_N_PUBLISH_TRIES):
            experiment = ExperimentRef(baseline, record.meta.name)
            current = read_ref(repository, experiment.ref)
            if current is not None and current != ours:
                edited = store.read_record(repository, current).meta
                if ours is None and edited.id != record.meta.id:
                    record = renamed(repository, record, baseline)
                    continue
                record = _with_edits(record, edited)
            parent = current or ours or record.meta.baseline
            commit = store.write_record(
                repository,
                record,
                code_tree=code_tree,
                parents=[parent] if parent else [],
                message=commit_message(record.meta),
                author=author,
            )
            if not _move(repository, experiment, commit, current):
                continue
            if active_watch.has_lost(commit, parent):
                store.withdraw(repository, experiment, commit, current)
                continue
            folder.write_tip(RecordedTip(commit, tree_of(repository, commit)))
            return record, commit
    raise RefChangedError(f"'{experiment.ref}' changed, or git removed its objects, {_N_PUBLISH_TRIES} times meanwhile")


def _move(repository: Repository, experiment: ExperimentRef, commit: str, current: str | None) -> bool:
    """Move an experiment's ref, and return False where somebody else was quicker."""
    try:
        if current is None:
            store.create_experiment(repository, experiment, commit)
        else:
            store.advance_experiment(repository, experiment, commit, current)
    except (RefExistsError, RefChangedError):
        return False
    return True


def commit_message(meta: Meta) -> str:
    """Return the message of an experiment's commit: its name and status, then what the user said."""
    body = meta.description or meta.message
    subject = f"gittrack: {meta.name} {meta.status}"
    return f"{subject}\n\n{body}" if body else subject


def renamed(repository: Repository, record: Record, baseline: str) -> Record:
    """Return a record under the first free number of its name, which another experiment took meanwhile.

    Args:
        repository: The repository.
        record: The record.
        baseline: Its baseline, or zeros.
    """
    old = record.meta
    name = claim_numbered_name(repository, baseline, old.name, old.id)
    release_name(repository, baseline, old.name)
    warn("experiment '%s' appeared meanwhile; recording as '%s'", old.name, name)
    return record._replace(meta=old._replace(name=name))


def _with_edits(record: Record, edited: Meta) -> Record:
    """Return the record with what others added to the experiment since the run last wrote it."""
    meta = record.meta._replace(
        tags={**edited.tags, **record.meta.tags},
        notes=tuple(dict.fromkeys((*edited.notes, *record.meta.notes))),
        landed=tuple(dict.fromkeys((*edited.landed, *record.meta.landed))),
    )
    return record._replace(meta=meta)


def tree_of(repository: Repository, commit: str | None) -> str:
    """Return a commit's tree, or the empty one where there is no commit.

    Args:
        repository: The repository.
        commit: The commit.
    """
    if commit is None:
        return repository.git.run("mktree", input=b"").stdout.decode().strip()
    return read_object(repository, commit, "commit")[5 : 5 + repository.id_length].decode()


def author_of(repository: Repository, meta: Meta) -> Identity:
    """Return who an experiment's description names, without asking git again."""
    if meta.author and meta.author.endswith(">"):
        name, _, email = meta.author[:-1].rpartition(" <")
        return Identity(name, email)
    return read_identity(repository)


class _Told:
    """What a run's events say; later ones win."""

    def __init__(self, contents: JournalContents) -> None:
        self.params: dict[str, PlainValue] = {}
        self.tags: dict[str, PlainValue] = {}
        self.notes: list[str] = []
        self.problems: list[str] = []
        self.alerts: list[Any] = []
        self.description: str | None = None
        self.outcome: Outcome | None = None
        self.declared_metrics: dict[str, MetricSummary] = {}
        self.requirements: bytes | None = None
        self.summary: dict[str, int | float] = {}
        self._lineage: list[tuple[str, Any]] = []
        self._plots: list[Any] = []
        self.last_time = max((series.times[-1] for series in contents.series.values() if series.times), default=0.0)
        declared: dict[str, PlainValue] = {}
        for event in contents.events:
            self.last_time = max(self.last_time, event.time)
            if event.kind in _LINEAGE:
                self._lineage.append((event.kind, event.data))
            else:
                self._add(event.kind, event.data, declared)
        self.params = merge_params(self.params, declared)

    def _add(self, kind: str, data: Any, declared: dict[str, PlainValue]) -> None:
        mappings: dict[str, dict[str, Any]] = {
            "params": self.params,
            "declared": declared,
            "tags": self.tags,
            "summary": self.summary,
        }
        if kind in mappings and isinstance(data, dict):
            mappings[kind].update(data)
        elif kind == "outputs" and isinstance(data, dict):
            self.declared_metrics.update({name: single_value(value) for name, value in data.items()})
        elif kind in {"note", "problem"}:
            (self.notes if kind == "note" else self.problems).append(str(data))
        elif kind in {"plot", "alert"}:
            (self._plots if kind == "plot" else self.alerts).append(data)
        elif kind == "description":
            self.description = None if data is None else str(data)
        elif kind == "requirements":
            self.requirements = str(data).encode()
        elif kind == "end":
            self.outcome = parse_outcome(data)

    def plots(self) -> tuple[PlotEntry, ...]:
        """Return the last version of each plot; most runs have none."""
        if not self._plots:
            return ()
        from gittrack.runs.told_plots import read_plot_events

        return read_plot_events(self._plots)

    def lineage(self) -> dict[str, Any]:
        """Return the artifacts, inputs and outputs, as arguments of a record; most runs have none."""
        if not self._lineage:
            return {}
        from gittrack.runs.told_artifacts import read_lineage

        return read_lineage(self._lineage)


def single_value(value: float) -> MetricSummary:
    """Return the summary of a metric that has one value and no series."""
    return MetricSummary(last=value, min=value, max=value, count=1, step=None)


def merge_params(logged: Mapping[str, PlainValue], declared: Mapping[str, PlainValue]) -> dict[str, PlainValue]:
    """Return logged and declared params in one mapping; where both differ, the file's is named ``file:<key>``.

    Args:
        logged: What the script logged.
        declared: What the declared files hold.
    """
    clashes = {f"file:{key}": value for key, value in declared.items() if key in logged and logged[key] != value}
    return {**declared, **logged, **clashes}
