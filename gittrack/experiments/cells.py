"""Columns of a table, filled from blocks of the index and from live runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from gittrack.experiments.summaries import ATTRIBUTES
from gittrack.experiments.table import MISSING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from gittrack.experiments.index import Block


class Live(NamedTuple):
    """What a run that is under way says of itself.

    Attributes:
        baseline: The commit it starts from; zeros before the first commit.
        name: Its name.
        attributes: Values in the order of `gittrack.experiments.summaries.ATTRIBUTES`.
        metrics: The last value of each metric.
        params: The value of each param.
    """

    baseline: str
    name: str
    attributes: tuple[Any, ...]
    metrics: Mapping[str, Any]
    params: Mapping[str, Any]


class Cells:
    """Columns by kind and name; `MISSING` where nothing was put.

    Args:
        n_rows: Their length.
    """

    def __init__(self, n_rows: int) -> None:
        self._n_rows = n_rows
        self._columns: dict[tuple[str, str], list[object]] = {}

    def column(self, kind: str, name: str) -> list[object]:
        """Return one column: of an ``attribute``, of the ``metrics`` or of the ``params``."""
        column = self._columns.get((kind, name))
        if column is None:
            column = self._columns[kind, name] = [MISSING] * self._n_rows
        return column

    def attribute(self, name: str) -> list[object]:
        """Return the column of an attribute, where None says that there is no value."""
        return [MISSING if value is None else value for value in self.column("attribute", name)]

    def add(
        self, block: Block, places: Mapping[str, Sequence[int]], *, n_attributes: int, attributes: Iterable[str] = ()
    ) -> None:
        """Put the values of a block where its commits stand.

        Args:
            block: The block.
            places: The rows of each commit.
            n_attributes: How many of its columns are attributes.
            attributes: Which of these to put, by the names in `ATTRIBUTES`.
        """
        pairs = _pairs(block, places)
        for name in attributes:
            _put(self.column("attribute", name), pairs, block.columns[ATTRIBUTES.index(name)])
        named = [*(("metrics", name) for name in block.metrics), *(("params", name) for name in block.params)]
        for (kind, name), values in zip(named, block.columns[n_attributes:], strict=True):
            _put(self.column(kind, name), pairs, values)

    def lay_over(self, place: int, run: Live, attributes: Iterable[str]) -> None:
        """Put what a live run says over what its commit says.

        Args:
            place: Its row.
            run: The run.
            attributes: Which of its attributes to put.
        """
        for name in attributes:
            value = run.attributes[ATTRIBUTES.index(name)]
            if value is not None:
                self.column("attribute", name)[place] = value
        for kind, values in (("metrics", run.metrics), ("params", run.params)):
            for name, value in values.items():
                self.column(kind, name)[place] = value


def _pairs(block: Block, places: Mapping[str, Sequence[int]]) -> list[tuple[int, int]]:
    """Return the rows of a block's commits in the table, each with its place in the block."""
    return [(place, source) for source, commit in enumerate(block.commits) for place in places.get(commit, ())]


def _put(column: list[object], pairs: list[tuple[int, int]], values: Sequence[object]) -> None:
    for place, source in pairs:
        column[place] = values[source]
