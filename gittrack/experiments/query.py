"""Build the table of experiments: every ref, what the index or git says of it, and the values of live runs.

Baselines stand newest first, each with its own params and metrics as the first row of its group; below it its
experiments, newest first, those that ran within another one below it. Nothing is left out but what the caller did
not select.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from gittrack.experiments.cells import Cells
from gittrack.experiments.directions import metric_directions
from gittrack.experiments.index import Block
from gittrack.experiments.labels import SHORT_ID, describe_baseline, read_names
from gittrack.experiments.names import NAMESPACE, REMOTES_NAMESPACE, ExperimentRef, parse_ref
from gittrack.experiments.rows import Row, Rows
from gittrack.experiments.summaries import ATTRIBUTES, BASELINE_ATTRIBUTES, read_summaries
from gittrack.experiments.table import MISSING, Column, Table, param_order
from gittrack.git.refs import list_refs
from gittrack.git.rewrites import follow_rewrites, read_rewrites
from gittrack.git.state import read_head

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Sequence

    from gittrack.experiments.cells import Live
    from gittrack.experiments.index import Index, Section
    from gittrack.experiments.summaries import Summary
    from gittrack.git.repository import Repository

_LOCAL = "local"
_USUAL = ("experiment", "baseline", "rev", "kind", "status", "created", "source", "parent", "landed")
_EXTRA = ATTRIBUTES[ATTRIBUTES.index("host") :]  # what few need to see


class Listing(NamedTuple):
    """The answer to a query.

    Attributes:
        table: The rows; see `gittrack.experiments.table`.
        refs: The identity of each row's experiment; None for a baseline.
        commits: The commit of each row; empty where there is none.
        problems: Why experiments cannot be read, by their labels.
    """

    table: Table
    refs: list[ExperimentRef | None]
    commits: list[str]
    problems: dict[str, str]


def list_tips(repository: Repository) -> dict[ExperimentRef, str]:
    """Return the commit of every experiment, local and remote.

    An experiment of a remote stands for itself only where it is not the same commit as the local one of that name,
    or as that of a remote before it.

    Args:
        repository: The repository.
    """
    tips = _read_tips(repository, NAMESPACE)
    remote_tips = sorted(_read_tips(repository, REMOTES_NAMESPACE).items())
    if remote_tips:
        seen = {(experiment.baseline, experiment.name, commit) for experiment, commit in tips.items()}
        for experiment, commit in remote_tips:
            key = (experiment.baseline, experiment.name, commit)
            if key not in seen:
                seen.add(key)
                tips[experiment] = commit
    return tips


def _read_tips(repository: Repository, namespace: str) -> dict[ExperimentRef, str]:
    found = ((parse_ref(ref), commit) for ref, commit in list_refs(repository, namespace).items())
    return {experiment: commit for experiment, commit in found if experiment is not None}


def build_listing(
    repository: Repository,
    index: Index,
    *,
    now_s: float,
    live: Sequence[Live] = (),
    baselines: Collection[str] | None = None,
    extras: bool = False,
) -> Listing:
    """Return the table of experiments.

    Args:
        repository: The repository.
        index: Its index, which is filled on the way.
        now_s: The present, UTC epoch seconds.
        live: The runs that are under way.
        baselines: Only the experiments of these commits, and the commits themselves; None means everything.
        extras: Whether to add the attribute columns that few need: author, branch, tags, …
    """
    tips = list_tips(repository)
    members = list(_members(tips, live, baselines))
    commits = dict.fromkeys(member.commit for member in members if member.commit)
    is_all = baselines is None
    blocks = _complete(index, "experiments", commits, lambda new: read_summaries(repository, new), is_all=is_all)
    starts = dict.fromkeys(member.experiment.baseline for member in members) | dict.fromkeys(baselines or ())
    real = starts.keys() - {repository.zero_id}
    base_blocks = _complete(index, "baselines", real, lambda new: _read_baselines(repository, new), is_all=is_all)
    rows = Rows(members, starts, blocks, base_blocks)
    names = _Names.of([*blocks, *base_blocks, *live])
    directions = metric_directions(repository, index, names.metrics)
    attributes = [*_USUAL, *(_EXTRA if extras else ())]
    columns = [
        *(Column(name, "attribute", unit="s" if name == "duration" else None) for name in attributes),
        *(Column(name, "metric", direction=directions.get(name)) for name in names.metrics),
        *(Column(name, "param") for name in names.params),
    ]
    own = _own_cells(rows, _labels(repository, index, rows), now_s)
    cells = _gather(rows, blocks, base_blocks)
    values = [
        *own,
        *(cells.attribute(name) for name in attributes[len(own) :]),
        *(cells.column("metric", name) for name in names.metrics),
        *(cells.column("param", name) for name in names.params),
    ]
    return Listing(
        Table(tuple(columns), tuple(values), tuple(rows.depths)),
        [row and row.experiment for row in rows.rows],
        [start if row is None else row.commit for row, start in zip(rows.rows, rows.baselines, strict=True)],
        rows.problems(),
    )


def read_blocks(repository: Repository, index: Index, commits: Collection[str]) -> list[Block]:
    """Return what experiments say, from the index or else from git.

    Args:
        repository: The repository.
        index: Its index, which is filled on the way.
        commits: The commits of experiments.
    """
    return _complete(index, "experiments", commits, lambda new: read_summaries(repository, new), is_all=False)


class _Names(NamedTuple):
    metrics: list[str]
    params: list[str]

    @classmethod
    def of(cls, sources: Iterable[Block | Live]) -> _Names:
        metrics: set[str] = set()
        params: set[str] = set()
        for source in sources:
            metrics.update(source.metrics)
            params.update(source.params)
        return cls(sorted(metrics), sorted(params, key=param_order))


def _members(tips: dict[ExperimentRef, str], live: Sequence[Live], baselines: Collection[str] | None) -> Iterator[Row]:
    """Yield the experiments that are wanted: all that have a ref, and the runs that have none yet."""
    alive = {ExperimentRef(run.baseline, run.name): run for run in live}
    for experiment, commit in tips.items():
        if baselines is None or experiment.baseline in baselines:
            yield Row(experiment, commit, alive.pop(experiment, None) if alive else None)
    for experiment, run in alive.items():
        if experiment not in tips and (baselines is None or experiment.baseline in baselines):
            yield Row(experiment, "", run)


def _read_baselines(repository: Repository, commits: Sequence[str]) -> Iterable[Summary]:
    from gittrack.experiments.baselines import read_baselines

    return read_baselines(repository, commits)


def _complete(
    index: Index,
    section: Section,
    commits: Collection[str],
    read: Callable[[Sequence[str]], Iterable[Summary]],
    *,
    is_all: bool,
) -> list[Block]:
    """Return what the index knows of commits, and what git says of the others, which the index then keeps."""
    if not commits:
        return []
    blocks = index.load(section, commits)
    known = set().union(*(block.commits for block in blocks))
    if len(known) == len(commits):
        return blocks
    summaries = list(read([commit for commit in commits if commit not in known]))
    index.save(section, summaries, keep=commits if is_all else ())
    return blocks + _blocks(summaries)


def _blocks(summaries: Iterable[Summary]) -> list[Block]:
    """Put summaries in columns."""
    by_names: dict[tuple[tuple[str, ...], tuple[str, ...]], list[Summary]] = {}
    for summary in summaries:
        by_names.setdefault((tuple(summary.metrics), tuple(summary.params)), []).append(summary)
    return [
        Block(
            metrics,
            params,
            [one.commit for one in own],
            list(zip(*((*one.attributes, *one.metrics.values(), *one.params.values()) for one in own), strict=True)),
        )
        for (metrics, params), own in by_names.items()
    ]


def _labels(repository: Repository, index: Index, rows: Rows) -> dict[str, str]:
    rewrites = read_rewrites(str(repository.state_dir))
    became = {commit: follow_rewrites(rewrites, commit) for commit in rows.starts if commit in rewrites}
    names = read_names(repository, index, read_head(repository), {*rows.starts, *became.values()})
    return {
        commit: describe_baseline(
            commit,
            names=names,
            subject=rows.subjects.get(commit),
            is_cut=repository.is_shallow,
            rewritten=became.get(commit),
            is_unborn=commit == repository.zero_id,
        )
        for commit in rows.starts
    }


def _own_cells(rows: Rows, labels: dict[str, str], now_s: float) -> list[list[Any]]:
    """Return the cells of all attributes up to the parent."""
    experiments: list[Any] = []
    revs: list[Any] = []
    created: list[Any] = []
    for row, start in zip(rows.rows, rows.baselines, strict=True):
        commit = (start if start in rows.times else "") if row is None else row.commit
        revs.append(commit[:SHORT_ID] or MISSING)
        experiments.append(labels[start] if row is None else row.experiment.name)
        created.append((rows.times.get(start) if row is None else rows.created(row)) or MISSING)
    kinds: list[Any] = ["baseline" if row is None else "experiment" for row in rows.rows]
    statuses: list[Any] = [status or MISSING for status in rows.statuses(now_s)]
    sources: list[Any] = [MISSING if row is None else row.experiment.remote or _LOCAL for row in rows.rows]
    baselines: list[Any] = rows.baselines
    return [experiments, baselines, revs, kinds, statuses, created, sources, _parent_names(rows)]


def _parent_names(rows: Rows) -> list[Any]:
    if not rows.parents:  # the usual case, which need not look at each row
        return [MISSING] * len(rows.rows)
    parents = [None if row is None else rows.parents.get(row.experiment) for row in rows.rows]
    return [MISSING if parent is None else parent.name for parent in parents]


def _gather(rows: Rows, blocks: Sequence[Block], base_blocks: Sequence[Block]) -> Cells:
    """Return the columns of params, metrics and attributes."""
    cells = Cells()
    places = cells.add(blocks, ATTRIBUTES)
    base_places = cells.add(base_blocks, BASELINE_ATTRIBUTES)
    for row, start in zip(rows.rows, rows.baselines, strict=True):
        if row is None:
            cells.place(base_places.get(start))
        else:
            cells.place(places.get(row.commit), row.live)
    return cells
