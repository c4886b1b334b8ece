"""The table of experiments for the terminal, fitted to its width.

```
experiment                      │ accuracy ↑   loss ↓ │ train.lr  optimiser
main  4be1c2d  Add augmentation │    0.94111  0.21903 │    0.001  adam
├─ brave-fox                    │    0.95222▲ 0.20417 │   0.0003* adam
└─ calm-owl ✗ failed            │    0.61         nan │     0.05* sgd*
```
When room is short, long names and values are shortened first; then columns are left out, those that never change
first, and one line says which.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from itertools import chain, pairwise
from typing import TYPE_CHECKING, Final

from gittrack.cli.table_block import MAX_HEADING, Block, State
from gittrack.cli.table_names import NameBlock
from gittrack.cli.text import display_width, sanitise, shorten, style
from gittrack.experiments.table import is_constant

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from gittrack.experiments.table import Table

_GAP: Final = 2
_RULE: Final = 3
_ROOMY: Final = 70  # columns beside the name from which on the age is worth its place
_ELBOW: Final = 12  # columns below which a list of names says nothing
_IN_NAMES: Final = frozenset({"experiment", "baseline", "kind", "status", "source", "landed"})
_TURN: Final = 3  # columns that metrics and params take by turns while there is room


@dataclass(frozen=True)
class Symbols:
    """The characters of a table that are not text."""

    branch: str
    last: str
    rule: str
    ellipsis: str
    changed: str
    landed: str
    best: Mapping[str, str]
    arrows: Mapping[str, str]
    statuses: Mapping[str, str]


UNICODE: Final = Symbols(
    branch="├─ ",
    last="└─ ",
    rule="│",
    ellipsis="…",
    changed="*",
    landed="✓",
    best={"max": "▲", "min": "▼"},
    arrows={"max": "↑", "min": "↓"},
    statuses={"running": "●", "failed": "✗", "killed": "⊘", "stale": "?"},
)
ASCII: Final = Symbols(
    branch="|- ",
    last="`- ",
    rule="|",
    ellipsis="..",
    changed="*",
    landed="+",
    best={"max": "^", "min": "v"},
    arrows={"max": "^", "min": "v"},
    statuses={"running": ">", "failed": "x", "killed": "!", "stale": "?"},
)


@dataclass(frozen=True)
class Look:
    """How a table is to look; see `render_table`."""

    width: int | None
    colour: bool
    symbols: Symbols
    precision: int | None
    now_s: float

    def style(self, text: str, *names: str) -> str:
        """Return `text` in the named styles when colours are wanted."""
        return style(text, *names, colour=self.colour)


@dataclass
class _Placed:
    """A column that is shown, with its heading and its width."""

    block: Block
    heading: str
    width: int


@dataclass(frozen=True)
class _Layout:
    """What is shown, how wide, and the labels of the columns that are not."""

    name_width: int
    placed: list[_Placed]
    hidden: list[str]


def render_table(
    table: Table,
    *,
    width: int | None,
    colour: bool = False,
    unicode: bool = True,
    precision: int | None = 5,
    now_s: float | None = None,
) -> Iterator[str]:
    """Yield the lines of the table, heading first, without newlines.

    Args:
        table: With the attribute columns that `gittrack.experiments.table` lists; all of them are optional.
        width: Columns of the terminal; None for lines of any length.
        colour: Whether to write ANSI colours. Without them marks say the same.
        unicode: Whether characters beyond ASCII may be used for lines and marks.
        precision: Significant digits of a float; None means all of them.
        now_s: The present as UTC seconds since 1970, for ages; None means now.

    Example:
        >>> from gittrack.experiments.table import Column, Table
        >>> columns = Column("experiment", "attribute"), Column("acc", "metric", direction="max"), Column("lr", "param")
        >>> for line in render_table(Table(columns, (["a", "b"], [0.5, 0.75], [1e-3, 0.1])), width=40):
        ...     print(line)
        experiment │ acc ↑ │    lr
        a          │ 0.5   │ 0.001
        b          │ 0.75▲ │ 0.1
        ▲ best
    """
    if now_s is None:
        from time import time

        now_s = time()
    look = Look(width, colour, UNICODE if unicode else ASCII, precision, now_s)
    names = NameBlock(table, look) if table.find("experiment") is not None else None
    layout = _place(table, names, look)
    if names is None and not layout.placed:
        return
    yield from _lines(names, layout, look)
    yield from _notes(layout, look)


def _place(table: Table, names: NameBlock | None, look: Look) -> _Layout:
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
    least = name_width + sum(len(labels[position]) + _GAP for position in shown)
    if look.width is None or least <= look.width:
        everything = [_Placed(block(p), block(p).label, _natural(block(p))) for p in shown]
        if look.width is None or name_width + _total(everything) <= look.width:
            return _Layout(name_width, everything, [])
    chosen, hidden = _choose(table, shown, block, look.width - narrowest)
    room = look.width - narrowest - _total(chosen)
    return _Layout(narrowest + _widen(chosen, room, name_width - narrowest), chosen, hidden)


def _choose(
    table: Table, shown: Sequence[int], block: Callable[[int], Block], room: int
) -> tuple[list[_Placed], list[str]]:
    """Take columns while they fit, the most telling ones first, each as narrow as it may be."""
    headings = _short_headings([table.labels[position] for position in shown])
    chosen: dict[int, _Placed] = {}
    hidden: list[int] = []
    sections: set[str] = set()
    for position, is_telling in _by_rank(table, shown, room):
        kind, heading = table.columns[position].kind, headings[table.labels[position]]
        gap = _GAP if kind in sections or kind == "attribute" else _RULE
        # A column that cannot fit under its heading is not even formatted.
        if (is_telling or not hidden) and min(display_width(heading), MAX_HEADING) + gap <= room:
            width = block(position).narrowest(heading)
            if width + gap <= room:
                chosen[position] = _Placed(block(position), heading, width)
                sections.add(kind)
                room -= width + gap
                continue
        if table.columns[position].name != "rev":
            hidden.append(position)
    return [chosen[p] for p in shown if p in chosen], [table.labels[p] for p in sorted(hidden)]


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


def _widen(placed: Sequence[_Placed], room: int, name_wants: int) -> int:
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


def _lines(names: NameBlock | None, layout: _Layout, look: Look) -> Iterator[str]:
    placed = layout.placed
    headings = [one.block.heading(one.heading, one.width) for one in placed]
    columns = [one.block.lines(one.width) for one in placed]
    template = "%s".join(["", *_gaps(names, placed, look), ""])
    if names is not None:
        headings.insert(0, names.heading(layout.name_width))
        columns.insert(0, names.lines(layout.name_width))
    for row in chain([tuple(headings)], zip(*columns, strict=True)):
        yield (template % row).rstrip()


def _gaps(names: NameBlock | None, placed: Sequence[_Placed], look: Look) -> list[str]:
    """Return what stands between neighbours: a rule where the kind of column changes."""
    rule = f" {look.style(look.symbols.rule, 'dim')} "
    kinds = (["attribute"] if names is not None else []) + [one.block.column.kind for one in placed]
    return [" " * _GAP if a == b else rule for a, b in pairwise(kinds)]


def _notes(layout: _Layout, look: Look) -> Iterator[str]:
    """Say what the marks mean where no colours do, and which columns are left out."""
    hidden = layout.hidden
    legend = [] if look.colour else _legend(layout.placed, look.symbols)
    if legend:
        yield ", ".join(legend)
    if hidden and look.width is not None:
        count = f"{len(hidden)} column{'s' if len(hidden) > 1 else ''} hidden"
        way_out = " (see --keep REGEX, --csv)"
        names = sanitise(", ".join(hidden))
        room = look.width - len(f"{count}: {way_out}")
        text = f"{count}: {shorten(names, room, ellipsis=look.symbols.ellipsis, end=True)}" if room > _ELBOW else count
        yield look.style(shorten(text + way_out, look.width, ellipsis=look.symbols.ellipsis, end=True), "dim")


def _legend(placed: Sequence[_Placed], symbols: Symbols) -> list[str]:
    states = {state for one in placed for state in one.block.marked}
    legend = [f"{symbols.changed} differs from its baseline"] if State.CHANGED in states else []
    directions = {one.block.column.direction: None for one in placed if State.BEST in one.block.marked}
    best = " ".join(symbols.best[direction] for direction in directions if direction)
    return [*legend, f"{best} best"] if best else legend


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


def _total(placed: Sequence[_Placed]) -> int:
    """Return the columns that the chosen ones fill, with the gap or rule before each."""
    kinds = ["attribute", *(one.block.column.kind for one in placed)]
    gaps = sum(_GAP if a == b else _RULE for a, b in pairwise(kinds))
    return gaps + sum(one.width for one in placed)
