"""List experiments page by page: filtered by group and time, in an order that does not change between two pages.

A page's token is the place of its last run in that order, so it holds whatever runs come or go meanwhile.
"""

from __future__ import annotations

import json
import math
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as Base64Error
from datetime import datetime
from enum import Enum
from typing import TYPE_CHECKING, Any, NamedTuple

from gittrack.errors import UsageError
from gittrack.experiments.names import ExperimentRef
from gittrack.experiments.query import list_tips, read_blocks
from gittrack.experiments.rows import Row, Rows
from gittrack.experiments.summaries import ATTRIBUTES

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from gittrack.experiments.cells import Live
    from gittrack.experiments.index import Block, Index
    from gittrack.git.repository import Repository

    _Key = tuple[float, str, str, str]

_MAX_TOKEN_LENGTH = 2048
_TOKEN_VERSION = 1
_GROUP = ATTRIBUTES.index("group")


class SortByType(Enum):
    """By what runs are sorted."""

    CREATION_TIME = "CreationTime"
    NAME = "Name"


class SortOrderType(Enum):
    """In which direction runs are sorted."""

    ASCENDING = "Ascending"
    DESCENDING = "Descending"


class InvalidTokenError(UsageError):
    """A token is not one that a page of the same listing gave."""


class ListedRun(NamedTuple):
    """One experiment of a listing.

    Attributes:
        name: Its name.
        experiment_name: The group that it belongs to; None without one.
        baseline: The commit it starts from; zeros before the first commit.
        commit: Its own commit; empty for a run that has none yet.
        status: ``running``, ``completed``, ``failed``, ``killed``, ``stale``, or ``broken`` when it cannot be read.
        created: When it started, UTC epoch seconds; 0 when that is unknown.
        duration_s: Seconds from start to end; None while it runs.
        source: ``local``, or the remote where it was seen.
        tags: Keys and values set by the user.
        description: What it is about.
        message: Why it failed or was killed.
        params: The value of each param.
        metrics: The last value of each metric.
    """

    name: str
    experiment_name: str | None
    baseline: str
    commit: str
    status: str
    created: float
    duration_s: float | None
    source: str
    tags: Mapping[str, Any]
    description: str | None
    message: str | None
    params: Mapping[str, Any]
    metrics: Mapping[str, Any]

    @property
    def reference(self) -> str:
        """What means this experiment and no other: ``name@baseline``."""
        return f"{self.name}@{self.baseline}"


class RunList(list[ListedRun]):
    """A page of runs.

    Attributes:
        next_token: What asks for the page after this one; None when there is none.
    """

    next_token: str | None

    def __init__(self, runs: Iterable[ListedRun] = (), next_token: str | None = None) -> None:
        super().__init__(runs)
        self.next_token = next_token


class Wanted(NamedTuple):
    """Which runs, how many and in which order.

    Attributes:
        group: Only those of this group; None means all.
        created_before: Only those that started earlier, UTC epoch seconds.
        created_after: Only those that started later, UTC epoch seconds.
        max_results: How many at most; None means all.
        next_token: What the page before gave.
        sort_by: By what they are sorted; runs that are equal in it go by name, baseline and remote, ascending.
        sort_order: In which direction.
    """

    group: str | None = None
    created_before: float | None = None
    created_after: float | None = None
    max_results: int | None = None
    next_token: str | None = None
    sort_by: SortByType = SortByType.CREATION_TIME
    sort_order: SortOrderType = SortOrderType.DESCENDING


def parse_wanted(
    group: Any,
    created_before: Any,
    created_after: Any,
    max_results: Any,
    next_token: Any,
    sort_by: Any,
    sort_order: Any,
) -> Wanted:
    """Return what a caller asks for, checked.

    Args:
        group: A text or None.
        created_before: A `datetime` (local time when it has no zone), UTC epoch seconds, or None.
        created_after: The same.
        max_results: A number from 1 on, or None.
        next_token: A text or None.
        sort_by: A `SortByType` or its value.
        sort_order: A `SortOrderType` or its value.

    Raises:
        UsageError: An argument has a wrong type or form.
    """
    for name, value in (("experiment_name", group), ("next_token", next_token)):
        if value is not None and not isinstance(value, str):
            raise UsageError(f"'{name}' must be a string, not {type(value).__name__}")
    if max_results is not None and (type(max_results) is not int or max_results < 1):
        raise UsageError(f"'max_results' must be a whole number from 1 on, not {max_results!r}")
    try:
        by, order = SortByType(sort_by), SortOrderType(sort_order)
    except ValueError as error:
        raise UsageError(str(error), hint="use a member of SortByType and SortOrderType") from error
    before, after = _seconds("created_before", created_before), _seconds("created_after", created_after)
    return Wanted(group, before, after, max_results, next_token, by, order)


def list_page(
    repository: Repository, index: Index, wanted: Wanted, *, now_s: float, live: Sequence[Live] = ()
) -> RunList:
    """Return a page of experiments.

    Args:
        repository: The repository.
        index: Its index, which is filled on the way.
        wanted: Which ones.
        now_s: The present, UTC epoch seconds.
        live: The runs that are under way.

    Raises:
        InvalidTokenError: The token is of another listing, or none at all.
    """
    last = None if wanted.next_token is None else _parse_token(wanted, wanted.next_token)
    members = _members(repository, live)
    blocks = read_blocks(repository, index, dict.fromkeys(row.commit for row in members if row.commit))
    rows = Rows(members, dict.fromkeys(row.experiment.baseline for row in members), blocks, ())
    cells = _Cells(blocks)
    statuses = rows.statuses(now_s)
    found: list[tuple[_Key, Row, str]] = []
    for row, status in zip(rows.rows, statuses, strict=True):
        if row is None or status is None or (wanted.group is not None and cells.group(row) != wanted.group):
            continue
        created = rows.created(row)
        if _is_within(created, wanted):
            found.append((_key(row, created, wanted), row, status))
    found.sort(key=lambda item: item[0])
    if last is not None:
        found = [item for item in found if item[0] > last]
    page = found if wanted.max_results is None else found[: wanted.max_results]
    token = _render_token(wanted, page[-1][0]) if len(page) < len(found) else None
    return RunList((cells.listed(row, rows.created(row), status) for _, row, status in page), token)


def _members(repository: Repository, live: Sequence[Live]) -> list[Row]:
    alive = {(run.baseline, run.name): run for run in live}
    members = []
    for experiment, commit in list_tips(repository).items():
        run = alive.pop((experiment.baseline, experiment.name), None) if experiment.remote is None else None
        members.append(Row(experiment, commit, run))
    return members + [Row(ExperimentRef(run.baseline, run.name), "", run) for run in alive.values()]


def _is_within(created: float, wanted: Wanted) -> bool:
    is_before = wanted.created_before is None or created < wanted.created_before
    return is_before and (wanted.created_after is None or created > wanted.created_after)


def _key(row: Row, created: float, wanted: Wanted) -> _Key:
    """Return a row's place in the order: ascending, ties included."""
    experiment = row.experiment
    ties = (experiment.name, experiment.baseline, experiment.remote or "")
    if wanted.sort_by is SortByType.NAME:
        return (0.0, *ties) if wanted.sort_order is SortOrderType.ASCENDING else (0.0, _reversed(ties[0]), *ties[1:])
    return (created if wanted.sort_order is SortOrderType.ASCENDING else -created, *ties)


def _reversed(name: str) -> str:
    """Return a text that sorts the other way round, for names are ASCII: mirrored, the end after every character."""
    return "".join(chr(0x7E - ord(char)) for char in name) + "\x7f"


def _seconds(name: str, value: Any) -> float | None:
    if value is None:
        return None
    if isinstance(value, datetime):
        return value.timestamp()
    if isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value):
        return float(value)
    raise UsageError(f"'{name}' must be a datetime or UTC epoch seconds, not {value!r:.100}")


def _order_of(wanted: Wanted) -> list[Any]:
    return [_TOKEN_VERSION, wanted.sort_by.value, wanted.sort_order.value]


def _render_token(wanted: Wanted, key: _Key) -> str:
    return urlsafe_b64encode(json.dumps([*_order_of(wanted), *key], separators=(",", ":")).encode()).decode()


def _parse_token(wanted: Wanted, token: str) -> _Key:
    try:
        if len(token) > _MAX_TOKEN_LENGTH:
            raise ValueError  # noqa: TRY301  the same answer as to any other that is wrong
        *order, place, name, baseline, remote = json.loads(urlsafe_b64decode(token.encode("ascii")))
        if not isinstance(place, (int, float)) or not all(isinstance(text, str) for text in (name, baseline, remote)):
            raise TypeError  # noqa: TRY301
    except (ValueError, TypeError, Base64Error, RecursionError) as error:
        raise InvalidTokenError(f"no page has the token {token!r:.100}") from error
    if order != _order_of(wanted):
        raise InvalidTokenError(
            "the token is of a listing in another order", hint="use the sort_by and sort_order of the page it came from"
        )
    return float(place), name, baseline, remote


class _Cells:
    """What blocks of the index say, by commit."""

    def __init__(self, blocks: Sequence[Block]) -> None:
        self._places = {commit: (block, place) for block in blocks for place, commit in enumerate(block.commits)}

    def group(self, row: Row) -> str | None:
        """Return the group of a run."""
        block, place = self._places.get(row.commit, (None, 0))
        group: str | None = None if block is None else block.columns[_GROUP][place]
        return group if row.live is None else row.live.attributes[_GROUP]

    def listed(self, row: Row, created: float, status: str) -> ListedRun:
        """Return a run as a page shows it."""
        attributes, params, metrics = self._values(row)
        experiment = row.experiment
        return ListedRun(
            name=experiment.name,
            experiment_name=attributes.get("group"),
            baseline=experiment.baseline,
            commit=row.commit,
            status=status,
            created=created,
            duration_s=attributes.get("duration"),
            source=experiment.remote or "local",
            tags=attributes.get("tags") or {},
            description=attributes.get("description"),
            message=attributes.get("message"),
            params=params,
            metrics=metrics,
        )

    def _values(self, row: Row) -> tuple[dict[str, Any], Mapping[str, Any], Mapping[str, Any]]:
        if row.live is not None:
            return dict(zip(ATTRIBUTES, row.live.attributes, strict=True)), row.live.params, row.live.metrics
        block, place = self._places.get(row.commit, (None, 0))
        if block is None:
            return {}, {}, {}
        values = [column[place] for column in block.columns]
        n_attributes, n_metrics = len(ATTRIBUTES), len(block.metrics)
        metrics = dict(zip(block.metrics, values[n_attributes:], strict=False))
        params = dict(zip(block.params, values[n_attributes + n_metrics :], strict=True))
        return dict(zip(ATTRIBUTES, values, strict=False)), params, metrics
