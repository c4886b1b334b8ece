"""Columns of a table, filled from blocks of the index and from live runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from gittrack.experiments.summaries import ATTRIBUTES
from gittrack.experiments.table import MISSING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from gittrack.experiments.index import Block
    from gittrack.experiments.table import Kind


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
    """Columns by kind and name; `MISSING` where a row has no value.

    Blocks are put one after the other, and rows name their place in that sequence, so that each column is gathered
    in one go.
    """

    def __init__(self) -> None:
        self._blocks: list[tuple[int, dict[tuple[str, str], Sequence[object]]]] = []
        self._n_places = 0
        self._order: list[int] = []
        self._live: list[tuple[int, dict[tuple[str, str], object]]] = []

    def add(self, blocks: Iterable[Block], attributes: Sequence[str]) -> dict[str, int]:
        """Add blocks and return the place of each of their commits.

        Args:
            blocks: The blocks.
            attributes: The names of their attributes.
        """
        places: dict[str, int] = {}
        for block in blocks:
            n_commits = len(block.commits)
            places.update(zip(block.commits, range(self._n_places, self._n_places + n_commits), strict=True))
            keys = _keys(attributes, block.metrics, block.params)
            self._blocks.append((n_commits, dict(zip(keys, block.columns, strict=True))))
            self._n_places += n_commits
        return places

    def place(self, place: int | None, live: Live | None = None) -> None:
        """Make a commit the next row.

        Args:
            place: Its place; None for a row without values.
            live: A run, whose values lie over those of the commit.
        """
        if live is not None:
            keys = _keys(ATTRIBUTES, live.metrics, live.params)
            values = (*live.attributes, *live.metrics.values(), *live.params.values())
            self._live.append((len(self._order), dict(zip(keys, values, strict=True))))
        self._order.append(-1 if place is None else place)

    def column(self, kind: Kind, name: str) -> list[object]:
        """Return the cells of one column."""
        key = kind, name
        values: list[object] = []
        for n_commits, columns in self._blocks:
            values += columns[key] if key in columns else [MISSING] * n_commits
        values.append(MISSING)  # the place -1
        column = list(map(values.__getitem__, self._order))
        for row, own in self._live:
            if key in own:
                column[row] = own[key]
        return column

    def attribute(self, name: str) -> list[object]:
        """Return the cells of an attribute, of which None says that there is no value."""
        return [MISSING if value is None else value for value in self.column("attribute", name)]


def _keys(attributes: Iterable[str], metrics: Iterable[str], params: Iterable[str]) -> Iterator[tuple[Kind, str]]:
    yield from (("attribute", name) for name in attributes)
    yield from (("metric", name) for name in metrics)
    yield from (("param", name) for name in params)
