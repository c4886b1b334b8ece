"""The columnar table that every view of experiments receives.

A `Table` is columns and, for each of them, one list of cells. The command line, the data frame, the browser and the
reports all read this one form; whoever builds it decides what the rows are.

The attribute columns that `gittrack exp show` fills, in this order:

- `experiment`: the name; for a baseline the label to show, such as `main  a1b2c3d  Add augmentation`
- `baseline`: the id of the commit that the row's group starts from; rows of a group are adjacent
- `rev`: the short id of the row's own commit
- `kind`: `baseline` (a group's first row) or `experiment`
- `status`: `running`, `completed`, `failed`, `killed` or `stale`
- `created`: UTC seconds since 1970
- `source`: `local` or the name of a git remote
- `parent`: the name of the experiment within which it ran, when the table has that one
- `landed` (optional): a true value when a later commit contains the experiment
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, replace
from operator import itemgetter
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from gittrack.errors import UsageError

if TYPE_CHECKING:
    import re
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from typing import TypeAlias

Kind: TypeAlias = Literal["attribute", "param", "metric"]
Direction: TypeAlias = Literal["min", "max"]
Order: TypeAlias = Literal["asc", "desc"]


class Missing(enum.Enum):
    """The type of `MISSING`, the cell of a row that has no value in a column."""

    MISSING = "missing"

    def __repr__(self) -> str:
        return "MISSING"


MISSING: Final = Missing.MISSING

_PREFIXES: Final = {"param": "params.", "metric": "metrics."}
_STRUCTURE: Final = frozenset({"experiment", "baseline", "kind"})


class UnknownColumnError(UsageError):
    """A name fits no column of the table, or more than one."""


class BadPatternError(UsageError):
    """A column pattern is not a regular expression."""


class Column(NamedTuple):
    """One column: what it is called and how to read it.

    Args:
        name: The attribute's name, or the dotted key of the param or metric.
        kind: What the column holds.
        unit: The unit of its numbers, such as `s`; None when unknown.
        direction: Whether low (`min`) or high (`max`) numbers are better; None when unknown.
    """

    name: str
    kind: Kind
    unit: str | None = None
    direction: Direction | None = None

    @property
    def qualified_name(self) -> str:
        """The name that no column of another kind shares.

        Example:
            >>> Column("lr", "param").qualified_name
            'params.lr'
        """
        return _PREFIXES.get(self.kind, "") + self.name


@dataclass(frozen=True)
class Table:
    """Columns of equal length; every operation returns a new table.

    Args:
        columns: The columns, in the order shown; no two share both name and kind.
        cells: For each column its values from the first row to the last; `MISSING` where a row has none.
        depths: For each row how many others of its group it is nested in, right after them; empty when none is nested.

    Raises:
        ValueError: `cells` does not fit `columns`, or its lists differ in length, or from that of `depths`.

    Example:
        >>> columns = Column("experiment", "attribute"), Column("lr", "param")
        >>> table = Table(columns, (["a", "b"], [0.1, MISSING]))
        >>> list(table.rows())
        [('a', 0.1), ('b', MISSING)]
    """

    columns: tuple[Column, ...]
    cells: tuple[list[object], ...]
    depths: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if len(self.columns) != len(self.cells):
            raise ValueError(f"{len(self.columns)} columns with {len(self.cells)} lists of cells")
        if len({len(values) for values in self.cells}) > 1:
            raise ValueError("columns differ in length")
        if self.depths and self.cells and len(self.depths) != self.n_rows:
            raise ValueError(f"{self.n_rows} rows with {len(self.depths)} depths")

    @property
    def n_rows(self) -> int:
        """The number of rows."""
        return len(self.cells[0]) if self.cells else 0

    @property
    def labels(self) -> tuple[str, ...]:
        """One unique name for each column: the bare one where it is clear, else the qualified one.

        Example:
            >>> columns = Column("lr", "param"), Column("lr", "metric"), Column("seed", "param")
            >>> Table(columns, ([], [], [])).labels
            ('params.lr', 'metrics.lr', 'seed')
        """
        index = self._index()
        return tuple(
            column.name if index.get(column.name) == [position] else column.qualified_name
            for position, column in enumerate(self.columns)
        )

    def rows(self) -> Iterator[tuple[object, ...]]:
        """Yield each row as a tuple in the order of the columns."""
        return zip(*self.cells, strict=True)

    def find(self, name: str) -> list[object] | None:
        """Return the cells of the attribute `name`, or None when the table has no such column."""
        for column, values in zip(self.columns, self.cells, strict=True):
            if column.name == name and column.kind == "attribute":
                return values
        return None

    def position(self, name: str) -> int:
        """Return where the column called `name` stands.

        Args:
            name: `params.<key>`, `metrics.<key>`, an attribute, or a bare key that only one column has.

        Raises:
            UnknownColumnError: No column has that name, or both a param and a metric have it.
        """
        index = self._index()
        found = index.get(name, [])
        if len(found) == 1:
            return found[0]
        if found:
            names = " and ".join(f"'{self.columns[position].qualified_name}'" for position in found)
            raise UnknownColumnError(f"column '{name}' is ambiguous", hint=f"choose between {names}")
        raise UnknownColumnError(f"no column '{name}'", hint=_near_matches(name, index))

    def select(self, names: Iterable[str]) -> Table:
        """Return the named columns, in that order.

        Raises:
            UnknownColumnError: A name fits no column, or more than one.
        """
        return self._at([self.position(name) for name in names])

    def keep(self, patterns: Sequence[str]) -> Table:
        """Return the table with only those params and metrics that match a pattern.

        Args:
            patterns: Regular expressions, searched in `params.<key>` and `metrics.<key>` and their bare keys.
                Attributes always stay.

        Raises:
            BadPatternError: A pattern is not a regular expression.
        """
        matches = _matcher(patterns)
        return self._at([i for i, c in enumerate(self.columns) if c.kind == "attribute" or matches(c)])

    def drop(self, patterns: Sequence[str]) -> Table:
        """Return the table without the columns that match a pattern.

        Args:
            patterns: As for `keep`. An attribute goes only when a pattern fits its whole name; `experiment`,
                `baseline` and `kind`, which give the rows their structure, always stay.

        Raises:
            BadPatternError: A pattern is not a regular expression.
        """
        matches = _matcher(patterns)
        return self._at([i for i, c in enumerate(self.columns) if c.name in _STRUCTURE or not matches(c)])

    def only_changed(self) -> Table:
        """Return the table without the params and metrics that have one value in all rows."""
        return self._at(
            [
                position
                for position, column in enumerate(self.columns)
                if column.kind == "attribute" or not is_constant(self.cells[position])
            ]
        )

    def sort_by(self, name: str, order: Order | None = None) -> Table:
        """Return the table with the rows of each group in the order of one column.

        Numbers come before NaN, NaN before text, and missing cells last, in either order. Equal cells keep
        their order, and a baseline stays the first row of its group. Nothing is nested any more.

        Args:
            name: A column's name, as `position` takes it.
            order: None means the best first where the column has a direction, else ascending.

        Raises:
            UnknownColumnError: The name fits no column, or more than one.
        """
        position = self.position(name)
        if order is None:
            order = "desc" if self.columns[position].direction == "max" else "asc"
        values = self.cells[position]
        rows: list[int] = []
        for group in self.groups():
            first = group.start + self._is_baseline(group.start)
            rows.extend(range(group.start, first))
            rows.extend(_sorted_rows(range(first, group.stop), values, descending=order == "desc"))
        return replace(self._take(rows), depths=())

    def head(self, count: int) -> Table:
        """Return the first `count` experiments, with the baselines that they start from.

        Args:
            count: How many rows to keep; baselines are not counted.
        """
        rows: list[int] = []
        for group in self.groups():
            if count <= 0:
                break
            first = group.start + self._is_baseline(group.start)
            stop = min(group.stop, first + count)
            rows.extend(range(group.start, stop))
            count -= stop - first
        return self._take(rows)

    def groups(self) -> list[range]:
        """Return the rows of each group: adjacent rows of one baseline (all rows when there is no such column)."""
        baselines = self.find("baseline")
        if baselines is None:
            return [range(self.n_rows)] if self.n_rows else []
        starts = [i for i, sha in enumerate(baselines) if not i or sha != baselines[i - 1]]
        return [range(start, stop) for start, stop in zip(starts, [*starts[1:], len(baselines)], strict=True)]

    def _is_baseline(self, row: int) -> bool:
        kinds = self.find("kind")
        return kinds is not None and kinds[row] == "baseline"

    def _at(self, positions: Sequence[int]) -> Table:
        columns, cells = tuple(self.columns[i] for i in positions), tuple(self.cells[i] for i in positions)
        return Table(columns, cells, self.depths)

    def _take(self, rows: Sequence[int]) -> Table:
        depths = tuple(self.depths[row] for row in rows) if self.depths else ()
        return Table(self.columns, tuple([values[row] for row in rows] for values in self.cells), depths)

    def _index(self) -> dict[str, list[int]]:
        """Map every name a person may write to the columns it fits: qualified names win over bare ones."""
        index: dict[str, list[int]] = {}
        for position, column in enumerate(self.columns):
            index.setdefault(column.name, []).append(position)
        for position, column in enumerate(self.columns):
            index[column.qualified_name] = [position]
        return index


def param_order(name: str) -> tuple[bool, str]:
    """Return the place of a param among others: by name, and what only a declared file says (``file:key``) last.

    Args:
        name: A param's name.

    Example:
        >>> sorted(["params.yaml:lr", "file:lr", "lr", "seed"], key=param_order)
        ['lr', 'seed', 'file:lr', 'params.yaml:lr']
    """
    return ":" in name, name


def is_constant(values: Sequence[object]) -> bool:
    """Return whether all cells hold one value; NaN equals NaN, and a missing cell differs from every value.

    Example:
        >>> is_constant([0.1, 0.1]), is_constant([0.1, MISSING]), is_constant([float("nan"), float("nan")])
        (True, False, True)
    """
    return not values or not any(differs(value, values[0]) for value in values)


def differs(a: object, b: object) -> bool:
    """Return whether two cells hold different values; NaN does not differ from NaN, `True` differs from 1.

    Example:
        >>> differs(1, 1.0), differs(True, 1), differs("1", 1)
        (False, True, True)
    """
    if a != b:
        return a == a or b == b  # noqa: PLR0124 - only NaN differs from itself
    return (a is True or a is False) != (b is True or b is False)


def _sorted_rows(rows: Iterable[int], values: Sequence[object], *, descending: bool) -> list[int]:
    numbers: list[tuple[float, int]] = []
    texts: list[tuple[str, int]] = []
    nans: list[int] = []
    missing: list[int] = []
    for row in rows:
        value = values[row]
        if value is MISSING:
            missing.append(row)
        elif not isinstance(value, (int, float)):
            texts.append((str(value), row))
        elif value == value:  # noqa: PLR0124 - only NaN differs from itself
            numbers.append((value, row))
        else:
            nans.append(row)
    numbers.sort(key=itemgetter(0), reverse=descending)  # reverse keeps equal cells in their order too
    texts.sort(key=itemgetter(0), reverse=descending)
    return [*(row for _, row in numbers), *nans, *(row for _, row in texts), *missing]


def _matcher(patterns: Sequence[str]) -> Callable[[Column], bool]:
    compiled = [_compile(pattern) for pattern in patterns]

    def matches(column: Column) -> bool:
        if column.kind == "attribute":
            return any(pattern.fullmatch(column.name) for pattern in compiled)
        names = (column.name, column.qualified_name)
        return any(pattern.search(name) for pattern in compiled for name in names)

    return matches


def _compile(pattern: str) -> re.Pattern[str]:
    import re

    try:
        return re.compile(pattern)
    except re.error as error:
        hint = "put a backslash before a special character that stands for itself"
        raise BadPatternError(f"'{pattern}' is not a regular expression: {error}", hint=hint) from error


def _near_matches(name: str, index: dict[str, list[int]]) -> str:
    from difflib import get_close_matches

    tails = {known.rsplit(".", 1)[-1]: known for known in reversed(index)}
    near = get_close_matches(name, index) or [tails[tail] for tail in get_close_matches(name, tails)]
    if not near:
        return "run 'gittrack exp show --csv' to see all columns"
    return "did you mean " + " or ".join(f"'{known}'" for known in near)
