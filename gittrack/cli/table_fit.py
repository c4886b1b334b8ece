"""Which columns of the terminal table are shown, and how wide.

What does not fit is first shortened; then columns are left out, those that tell the least first.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from itertools import chain, pairwise
from typing import TYPE_CHECKING, Final

from gittrack.cli.table_block import MAX_HEADING, Block
from gittrack.cli.text import display_width
from gittrack.experiments.table import is_constant
from gittrack.visible import sanitise

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from gittrack.cli.render_table import Look
    from gittrack.cli.table_names import NameBlock
    from gittrack.experiments.table import Table

GAP: Final = 2
_RULE: Final = 3
_ROOMY: Final = 70  # columns beside the name from which on the age is worth its place
_IN_NAMES: Final = frozenset({"experiment", "baseline", "kind", "status", "source", "parent", "landed"})
_TURN: Final = 3  # columns that metrics and params take by turns while there is room


@dataclass
class Placed:
    """A column that is shown, with its heading and its width."""

    block: Block
    heading: str
    width: int


@dataclass(frozen=True)
class Layout:
    """What is shown, how wide, and the labels of the columns that are not."""

    name_width: int
    placed: list[Placed]
    hidden: list[str]


def place(table: Table, names: NameBlock | None, look: Look) -> Layout:
    """Choose the columns that fit and their widths."""
    labels = table.labels
    bases = _bases(table)
    shown = [
        position
        for position, column in enumerate(table.columns)
        if names is None or column.kind != "attribute" or column.name not in _IN_NAMES
    ]
    blocks: dict[int, Block] = {}

    def block(position: int) -> Block:
        if position not in blocks:
            values = table.cells[position]
            blocks[position] = Block(table.columns[position], labels[position], values, bases, look)
        return blocks[position]

    name_width, narrowest = (names.width, names.narrowest) if names is not None else (0, 0)
    least = name_width + sum(len(labels[position]) + GAP for position in shown)
    if look.width is None or least <= look.width:
        everything = [Placed(block(p), block(p).label, _natural(block(p))) for p in shown]
        if look.width is None or name_width + _total(everything) <= look.width:
            return Layout(name_width, everything, [])
    chosen, hidden = _choose(table, shown, block, look.width - narrowest)
    room = look.width - narrowest - _total(chosen)
    return Layout(narrowest + _widen(chosen, room, name_width - narrowest), chosen, hidden)


def _choose(
    table: Table, shown: Sequence[int], block: Callable[[int], Block], room: int
) -> tuple[list[Placed], list[str]]:
    """Take columns while they fit, the most telling ones first, each as narrow as it may be."""
    labels = table.labels
    headings = _short_headings([labels[position] for position in shown])
    chosen: dict[int, Placed] = {}
    hidden: list[int] = []
    sections: set[str] = set()
    for position, is_telling in _by_rank(table, shown, room):
        kind, heading = table.columns[position].kind, headings[labels[position]]
        gap = GAP if kind in sections or kind == "attribute" else _RULE
        # A column that cannot fit under its heading is not even formatted.
        if (is_telling or not hidden) and min(display_width(heading), MAX_HEADING) + gap <= room:
            width = block(position).narrowest(heading)
            if width + gap <= room:
                chosen[position] = Placed(block(position), heading, width)
                sections.add(kind)
                room -= width + gap
                continue
        if table.columns[position].name != "rev":
            hidden.append(position)
    return [chosen[p] for p in shown if p in chosen], [labels[p] for p in sorted(hidden)]


def _by_rank(table: Table, shown: Sequence[int], room: int) -> list[tuple[int, bool]]:
    """Order columns by how much they tell; the flag is False for those that tell the least."""
    age: list[int] = []
    other: list[int] = []
    telling: dict[str, list[int]] = {"metric": [], "param": []}
    constant: dict[str, list[int]] = {"metric": [], "param": []}
    revisions: list[int] = []
    for position in shown:
        column = table.columns[position]
        if column.kind == "attribute":
            {"created": age, "rev": revisions}.get(column.name, other).append(position)
        else:
            (constant if is_constant(table.cells[position]) else telling)[column.kind].append(position)
    metrics, params = telling["metric"], telling["param"]
    turns = [
        position
        for start in range(0, max(len(metrics), len(params)), _TURN)
        for position in (*metrics[start : start + _TURN], *params[start : start + _TURN])
    ]
    first = [*age, *other, *turns] if room >= _ROOMY else [*other, *turns, *age]
    last = [*constant["metric"], *constant["param"], *revisions]
    return [(position, True) for position in first] + [(position, False) for position in last]


def _widen(placed: Sequence[Placed], room: int, name_wants: int) -> int:
    """Give the room that is left to cells, then to the names, then to headings; return what the names got."""
    for one in placed:
        more = min(room, max(0, one.block.width - one.width))
        one.width += more
        room -= more
    name_more = min(room, name_wants)
    room -= name_more
    for one in placed:
        for heading in (one.heading, one.block.label):
            more = max(0, display_width(heading) + _arrow_width(one.block) - one.width)
            if more <= room:
                one.heading = heading
                one.width += more
                room -= more
    return name_more


def _short_headings(labels: Sequence[str]) -> dict[str, str]:
    """Map each label to its shortest dotted suffix that no other label ends with.

    Example:
        >>> _short_headings(["train.optim.lr", "data.path", "eval.path", "seed"])
        {'train.optim.lr': 'lr', 'data.path': 'data.path', 'eval.path': 'eval.path', 'seed': 'seed'}
    """
    suffixes = {label: _suffixes(label) for label in labels}
    counts = Counter(chain.from_iterable(suffixes.values()))
    return {
        label: sanitise(next((suffix for suffix in own if counts[suffix] == 1), label))
        for label, own in suffixes.items()
    }


def _suffixes(label: str) -> list[str]:
    """Return the dotted suffixes of a label, the shortest first."""
    parts = label.split(".")
    return [".".join(parts[start:]) for start in range(len(parts) - 1, -1, -1)]


def _bases(table: Table) -> list[int]:
    """Return for each row the row of its group's baseline; -1 for a baseline and where there is none."""
    kinds = table.find("kind")
    bases: list[int] = []
    for group in table.groups():
        has_baseline = kinds is not None and table.find("baseline") is not None and kinds[group.start] == "baseline"
        bases.append(-1)
        bases.extend([group.start if has_baseline else -1] * (len(group) - 1))
    return bases


def _arrow_width(block: Block) -> int:
    return len(block.arrow) and len(block.arrow) + 1


def _natural(block: Block) -> int:
    return max(block.width, display_width(block.label) + _arrow_width(block))


def _total(placed: Sequence[Placed]) -> int:
    """Return the columns that the chosen ones fill, with the gap or rule before each."""
    kinds = ["attribute", *(one.block.column.kind for one in placed)]
    gaps = sum(GAP if a == b else _RULE for a, b in pairwise(kinds))
    return gaps + sum(one.width for one in placed)
