"""Merge two continuations of one experiment, key by key against what they have in common.

A change on one side is taken. The same change on both is one change. Different changes of the same key are a
conflict, and a conflict decides nothing: the caller keeps both experiments.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gittrack.errors import GittrackError
from gittrack.experiments import format as fmt
from gittrack.experiments.series import Series, parse_series, render_series, summarise
from gittrack.experiments.store import read_record
from gittrack.git import objects
from gittrack.git.state import read_identity

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gittrack.experiments.plot_files import PlotEntry
    from gittrack.git.repository import Repository

_FILE_MODE = 0o100644
_FOLDER_MODE = 0o040000
_FOLDER_NAME = fmt.FOLDER.encode()
_ABSENT = object()
_OUTCOME = ("status", "ended", "duration_s", "exit_code", "message", "peak_memory_bytes")
_PROCESS = ("id", "source", "host", "command", "directory", "author", "environment")  # of the run that wrote it
_N_SIDES = 3
_LISTS = ("notes", "problems", "landed", "files", "left_out", "alerts")
_MAPPINGS = ("tags", "environment", "extra")
# What the run itself reported counts more than what others concluded from its silence.
_FINALITY = {"running": 0, "stale": 1, "killed": 2, "failed": 3, "completed": 3}
_RENDERED = frozenset(
    {
        fmt.META_FILE,
        fmt.PARAMS_FILE,
        fmt.METRICS_FILE,
        fmt.SERIES_FILE,
        fmt.REQUIREMENTS_FILE,
        fmt.LOG_FILE,
        *fmt.LINEAGE_FILES,
        fmt.PLOTS_FILE,
        fmt.PLOTS_FOLDER,
    }
)


class MergeConflictError(GittrackError):
    """Both sides changed the same thing to different values.

    Attributes:
        names: What they changed, such as ``tags.best``.
    """

    def __init__(self, names: Sequence[str]) -> None:
        super().__init__(f"both sides changed {', '.join(names)}")
        self.names = tuple(names)


def merge_records(base: fmt.Record, ours: fmt.Record, theirs: fmt.Record) -> fmt.Record:
    """Return what both continuations of a record say together.

    Args:
        base: The record that both started from.
        ours: One continuation.
        theirs: The other.

    Raises:
        MergeConflictError: Both changed the same key, or the same point of a series, to different values.
    """
    merge = _Merge()
    series = merge.series(base.series, ours.series, theirs.series)
    summaries = [
        {name: summary for name, summary in record.metrics.items() if name not in series}
        for record in (base, ours, theirs)
    ]
    merged = fmt.Record(
        meta=merge.meta(base.meta, ours.meta, theirs.meta),
        params=merge.mapping("params", base.params, ours.params, theirs.params),
        metrics={**merge.mapping("metrics", *summaries), **summarise(series, ours.metrics, theirs.metrics)},
        series=render_series(series) if series else None,
        requirements=merge.value(fmt.REQUIREMENTS_FILE, base.requirements, ours.requirements, theirs.requirements),
        log=merge.value(fmt.LOG_FILE, base.log, ours.log, theirs.log),
        artifacts=_union(base.artifacts, ours.artifacts, theirs.artifacts),
        inputs=_union(base.inputs, ours.inputs, theirs.inputs),
        outputs=_union(base.outputs, ours.outputs, theirs.outputs),
        plots=merge.plots(base.plots, ours.plots, theirs.plots),
    )
    merge.finish()
    return merged


def merge_commits(repository: Repository, base: str, ours: str, theirs: str) -> str:
    """Write the commit that continues two continuations of an experiment, and return it; no ref moves.

    Args:
        repository: The repository.
        base: The commit that both started from.
        ours: The commit on this side, the first parent.
        theirs: The other commit.

    Raises:
        MergeConflictError: They cannot be merged.
        FormatError: One of them is damaged or from a newer gittrack.
    """
    commits = (base, ours, theirs)
    record = merge_records(*(read_record(repository, commit) for commit in commits))
    trees = [objects.read_tree(repository, objects.read_commit(repository, commit).tree) for commit in commits]
    merge = _Merge()
    code = merge.value("code", *(_code(tree) for tree in trees))
    files = merge.mapping(fmt.FOLDER, *(_other_files(repository, tree) for tree in trees))
    plots = merge.mapping(fmt.PLOTS_FOLDER, *(_plot_files(repository, tree) for tree in trees))
    merge.finish()
    if plots:
        written = objects.write_tree(repository, plots.values())
        files[fmt.PLOTS_FOLDER] = objects.TreeEntry(fmt.PLOTS_FOLDER.encode(), _FOLDER_MODE, written)
    for name, data in fmt.render_files(record).items():
        files[name] = objects.TreeEntry(name.encode(), _FILE_MODE, objects.write_blob(repository, data))
    folder = objects.TreeEntry(_FOLDER_NAME, _FOLDER_MODE, objects.write_tree(repository, files.values()))
    return objects.write_commit(
        repository,
        tree=objects.write_tree(repository, [*code, folder]),
        parents=[ours, theirs],
        message=f"Merge experiment {record.meta.name}",
        author=read_identity(repository),
    )


def _code(tree: Sequence[objects.TreeEntry]) -> list[objects.TreeEntry]:
    return [entry for entry in tree if entry.name != _FOLDER_NAME]


def _other_files(repository: Repository, tree: Sequence[objects.TreeEntry]) -> dict[str, objects.TreeEntry]:
    """Return what an experiment's folder holds beside the files of a record and its plots."""
    folder = next(entry for entry in tree if entry.name == _FOLDER_NAME)
    named = _by_name(objects.read_tree(repository, folder.oid))
    return {name: entry for name, entry in named.items() if name not in _RENDERED}


def _plot_files(repository: Repository, tree: Sequence[objects.TreeEntry]) -> dict[str, objects.TreeEntry]:
    """Return the files of an experiment's plots."""
    own = next(entry for entry in tree if entry.name == _FOLDER_NAME)
    folder = _by_name(objects.read_tree(repository, own.oid)).get(fmt.PLOTS_FOLDER)
    return {} if folder is None else _by_name(objects.read_tree(repository, folder.oid))


def _by_name(entries: Sequence[objects.TreeEntry]) -> dict[str, objects.TreeEntry]:
    return {entry.name.decode("utf-8", "surrogateescape"): entry for entry in entries}


class _Merge:
    """Three-way merges that note conflicts and go on, so that all of them are named at once."""

    def __init__(self) -> None:
        self._conflicts: list[str] = []

    def finish(self) -> None:
        """Raise what was noted."""
        if self._conflicts:
            raise MergeConflictError(self._conflicts)

    def value(self, name: str, base: Any, ours: Any, theirs: Any) -> Any:
        """Return the changed one of two values."""
        if _is_same(ours, theirs) or _is_same(theirs, base):
            return ours
        if not _is_same(ours, base):
            self._conflicts.append(name)
        return theirs

    def mapping(
        self, name: str, base: Mapping[str, Any], ours: Mapping[str, Any], theirs: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Merge key by key; a key that one side removed is gone."""
        merged = {
            key: self.value(f"{name}.{key}", *(side.get(key, _ABSENT) for side in (base, ours, theirs)))
            for key in {**ours, **theirs}
        }
        return {key: value for key, value in merged.items() if value is not _ABSENT}

    def meta(self, base: fmt.Meta, ours: fmt.Meta, theirs: fmt.Meta) -> fmt.Meta:
        """Merge the descriptions."""
        base, ours, theirs = _settle_outcome(base, ours, theirs)
        merged: dict[str, Any] = {}
        for name in fmt.Meta._fields:
            sides = [getattr(side, name) for side in (base, ours, theirs)]
            if name in _LISTS:
                merged[name] = _union(*sides)
            elif name in _MAPPINGS:
                merged[name] = self.mapping(name, *sides)
            else:
                merged[name] = self.value(name, *sides)
        return fmt.Meta(**merged)

    def plots(
        self, base: Sequence[PlotEntry], ours: Sequence[PlotEntry], theirs: Sequence[PlotEntry]
    ) -> tuple[PlotEntry, ...]:
        """Merge plots by name and step; when the same thing was logged makes no difference."""
        named = [{_plot_label(one): one for one in side} for side in (base, ours, theirs)]
        timeless = [{name: one._replace(time=None) for name, one in side.items()} for side in named]
        merged = [
            (named[1] if timeless[1].get(name) == one else named[2])[name]
            for name, one in self.mapping("plots", *timeless).items()
        ]
        if len(fmt.render_plots(merged)) > fmt.MAX_FILE_BYTES:
            self._conflicts.append(fmt.PLOTS_FILE)  # nobody could read both of them together
        return tuple(merged)

    def series(self, base: bytes | None, ours: bytes | None, theirs: bytes | None) -> dict[str, Series]:
        """Merge points, step by step."""
        sides = [parse_series(data) if data else {} for data in (base, ours, theirs)]
        merged = {}
        for name in sorted({*sides[1], *sides[2]}):
            steps = self.mapping(name, *(_by_step(side.get(name)) for side in sides))
            points = [(int(step), *point) for step, at_step in steps.items() for point in at_step]
            if points:
                merged[name] = Series(*map(list, zip(*points, strict=True)))
        return merged


def _is_same(one: Any, other: Any) -> bool:
    # By their text too, as NaN differs from itself.
    return bool(one == other) or repr(one) == repr(other)


def _union(base: Sequence[Any], ours: Sequence[Any], theirs: Sequence[Any]) -> tuple[Any, ...]:
    """Return the entries of both lists in order, without those that either side removed."""
    kept = [entry for entry in ours if entry in theirs or entry not in base]
    return (*kept, *(entry for entry in theirs if entry not in ours and entry not in base))


def _settle_outcome(base: fmt.Meta, ours: fmt.Meta, theirs: fmt.Meta) -> tuple[fmt.Meta, fmt.Meta, fmt.Meta]:
    """Give all sides one outcome where both ended the run in different ways, or went on with runs of their own.

    Of two outcomes of one run the more final one counts; of two runs what the later one was, and the time of both.
    """
    if len({base.id, ours.id, theirs.id}) == _N_SIDES and ours.ended is not None and theirs.ended is not None:
        later = ours if ours.ended >= theirs.ended else theirs
        settled = {name: getattr(later, name) for name in (*_OUTCOME, *_PROCESS)}
        settled["duration_s"] = (ours.duration_s or 0) + (theirs.duration_s or 0) - (base.duration_s or 0)
        return base._replace(**settled), ours._replace(**settled), theirs._replace(**settled)
    difference = _FINALITY[ours.status] - _FINALITY[theirs.status]
    if not difference or base.status in {ours.status, theirs.status}:
        return base, ours, theirs
    winner = ours if difference > 0 else theirs
    outcome = {name: getattr(winner, name) for name in _OUTCOME}
    return base._replace(**outcome), ours._replace(**outcome), theirs._replace(**outcome)


def _plot_label(plot: PlotEntry) -> str:
    return repr(plot.name) if plot.step is None else f"{plot.name!r} of step {plot.step}"


def _by_step(points: Series | None) -> dict[str, list[tuple[float, int | float]]]:
    steps: dict[str, list[tuple[float, int | float]]] = {}
    for step, time, value in zip(*points, strict=True) if points else ():
        steps.setdefault(str(step), []).append((time, value))
    return steps
