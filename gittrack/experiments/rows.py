"""The rows of a table: which there are, in which order, and the status of each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from gittrack.experiments.nesting import Nested, find_parents, nest
from gittrack.experiments.summaries import ATTRIBUTES, BROKEN
from gittrack.host import host_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from gittrack.experiments.cells import Live
    from gittrack.experiments.index import Block
    from gittrack.experiments.names import ExperimentRef

# An experiment that says `running`, on another machine and longer ago than this, is taken for dead.
STALE_AFTER_S = 24 * 3600
_STATUS, _STARTED, _PROBLEM, _HOST = (ATTRIBUTES.index(name) for name in ("status", "started", "problem", "host"))
_RUN, _PARENT_RUN = ATTRIBUTES.index("run"), ATTRIBUTES.index("parent_run")
_RUNNING = "running"


class Row(NamedTuple):
    """An experiment.

    Attributes:
        experiment: Its identity.
        commit: Its commit; empty for a run that has none yet.
        live: What the run says, when it is under way here.
    """

    experiment: ExperimentRef
    commit: str
    live: Live | None


class Rows:
    """All rows in order: groups newest first, in each the baseline and then its experiments, newest first.

    Those that ran within another one of the group follow it.

    Args:
        members: The experiments.
        starts: Their baselines, and those that are wanted without experiments.
        blocks: What the experiments' commits say.
        base_blocks: What the baselines say: time and subject.
    """

    def __init__(
        self, members: Iterable[Row], starts: Iterable[str], blocks: Sequence[Block], base_blocks: Sequence[Block]
    ) -> None:
        self._blocks = blocks
        self.times: dict[str, float] = _column(base_blocks, 0)
        self.subjects: dict[str, str] = _column(base_blocks, 1)
        self._statuses = self._attribute(_STATUS)
        self._started = self._attribute(_STARTED)
        self.starts: list[str] = []
        self.baselines: list[str] = []  # of each row
        self.rows: list[Row | None] = []  # None for a baseline
        self.depths: list[int] = []  # of each row; empty when none stands below another
        self.parents: dict[ExperimentRef, ExperimentRef] = {}
        self._order(list(members), starts)

    def created(self, row: Row) -> float:
        """Return when an experiment started, UTC epoch seconds; 0 when that is unknown."""
        known = self._started.get(row.commit) or (row.live.attributes[_STARTED] if row.live is not None else None)
        return known or 0.0

    def statuses(self, now_s: float) -> list[str | None]:
        """Return the status of each row, None for a baseline.

        What says ``running`` is ``stale`` when its process is not alive here and it is of this machine, or started
        more than a day ago.

        Args:
            now_s: The present, UTC epoch seconds.
        """
        own = [None if row is None else self._recorded_status(row) for row in self.rows]
        if _RUNNING not in own:
            return own
        host, hosts = host_name(), self._attribute(_HOST)
        for place, row in enumerate(self.rows):
            if row is not None and row.live is None and own[place] == _RUNNING:
                is_ours = row.experiment.remote is None and hosts.get(row.commit) == host
                if is_ours or now_s - self.created(row) > STALE_AFTER_S:
                    own[place] = "stale"
        return own

    def problems(self) -> dict[str, str]:
        """Return why experiments cannot be read, by their labels."""
        if BROKEN not in self._statuses.values():
            return {}
        reasons = self._attribute(_PROBLEM)
        rows = [row for row in self.rows if row is not None]
        return {row.experiment.label: reasons[row.commit] for row in rows if reasons.get(row.commit)}

    def _recorded_status(self, row: Row) -> str:
        if row.live is not None:
            return str(row.live.attributes[_STATUS])
        return str(self._statuses.get(row.commit, BROKEN))

    def _attribute(self, position: int) -> dict[str, Any]:
        return _column(self._blocks, position)

    def _order(self, members: Sequence[Row], starts: Iterable[str]) -> None:
        groups: dict[str, list[tuple[float, str, Row]]] = {start: [] for start in starts}
        for row in members:
            groups[row.experiment.baseline].append((-self.created(row), row.experiment.name, row))
        for group in groups.values():
            group.sort(key=_age_and_name)
        self.starts = sorted(groups, key=lambda start: (-self._group_time(start, groups), start))
        for start in self.starts:
            self.rows += [None, *(row for _, _, row in groups[start])]
            self.baselines += [start] * (len(groups[start]) + 1)
        self.parents = self._find_parents(members)
        if self.parents:
            self._nest()

    def _find_parents(self, members: Sequence[Row]) -> dict[ExperimentRef, ExperimentRef]:
        is_nested = any(any(block.columns[_PARENT_RUN]) for block in self._blocks)
        if not is_nested and not any(row.live.attributes[_PARENT_RUN] for row in members if row.live is not None):
            return {}
        runs, parent_runs = self._attribute(_RUN), self._attribute(_PARENT_RUN)
        nested = []
        for row in members:
            live = (None,) * len(ATTRIBUTES) if row.live is None else row.live.attributes
            known = {run for run in (runs.get(row.commit), live[_RUN]) if run is not None}
            nested.append(Nested(row.experiment, known, live[_PARENT_RUN] or parent_runs.get(row.commit)))
        return find_parents(nested)

    def _nest(self) -> None:
        """Put children after their parent within each group."""
        by_baseline: dict[str, dict[ExperimentRef, Row]] = {start: {} for start in self.starts}
        for row in self.rows:
            if row is not None:
                by_baseline[row.experiment.baseline][row.experiment] = row
        self.rows = []
        for start in self.starts:
            group = by_baseline[start]
            placed = list(nest(list(group), self.parents))
            self.rows += [None, *(group[experiment] for experiment, _ in placed)]
            self.depths += [0, *(depth for _, depth in placed)]

    def _group_time(self, start: str, groups: Mapping[str, Sequence[tuple[float, str, Row]]]) -> float:
        """Return the time of a baseline; a commit that is gone stands where its newest experiment would."""
        if start in self.times:
            return self.times[start]
        return -groups[start][0][0] if groups[start] else 0.0


def _column(blocks: Iterable[Block], position: int) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for block in blocks:
        values.update(zip(block.commits, block.columns[position], strict=True))
    return values


def _age_and_name(member: tuple[float, str, Row]) -> tuple[float, str]:
    return member[0], member[1]
