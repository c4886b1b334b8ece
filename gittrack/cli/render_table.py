"""The table of experiments for the terminal, fitted to its width.

```
experiment                      │ accuracy ↑   loss ↓ │ train.lr  optimiser
main  4be1c2d  Add augmentation │    0.94111  0.21903 │    0.001  adam
├─ brave-fox                    │    0.95222▲ 0.20417 │   0.0003* adam
│  └─ fold-1                    │    0.91     0.3     │   0.0003* adam
└─ calm-owl ✗ failed            │    0.61         nan │     0.05* sgd*
```
When room is short, long names and values are shortened first; then columns are left out, those that never change
first, and one line says which.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain, pairwise
from typing import TYPE_CHECKING, Final

from gittrack.cli.table_block import State
from gittrack.cli.table_fit import GAP, place
from gittrack.cli.table_names import NameBlock
from gittrack.cli.text import shorten, style
from gittrack.visible import sanitise

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from gittrack.cli.table_fit import Layout, Placed
    from gittrack.experiments.table import Table

_ELBOW: Final = 12  # columns below which a list of names says nothing


@dataclass(frozen=True)
class Symbols:
    """The characters of a table that are not text."""

    branch: str
    last: str
    stem: str
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
    stem="│  ",
    rule="│",
    ellipsis="…",
    changed="*",
    landed="✓",
    best={"max": "▲", "min": "▼"},
    arrows={"max": "↑", "min": "↓"},
    statuses={"running": "●", "failed": "✗", "killed": "⊘", "stale": "?", "broken": "!"},
)
ASCII: Final = Symbols(
    branch="|- ",
    last="`- ",
    stem="|  ",
    rule="|",
    ellipsis="..",
    changed="*",
    landed="+",
    best={"max": "^", "min": "v"},
    arrows={"max": "^", "min": "v"},
    statuses={"running": ">", "failed": "x", "killed": "!", "stale": "?", "broken": "!"},
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
    layout = place(table, names, look)
    if names is None and not layout.placed:
        return
    yield from _lines(names, layout, look)
    yield from _notes(layout, look)


def _lines(names: NameBlock | None, layout: Layout, look: Look) -> Iterator[str]:
    placed = layout.placed
    headings = [one.block.heading(one.heading, one.width) for one in placed]
    columns = [one.block.lines(one.width) for one in placed]
    template = "%s".join(["", *_gaps(names, placed, look), ""])
    if names is not None:
        headings.insert(0, names.heading(layout.name_width))
        columns.insert(0, names.lines(layout.name_width))
    for row in chain([tuple(headings)], zip(*columns, strict=True)):
        yield (template % row).rstrip()


def _gaps(names: NameBlock | None, placed: Sequence[Placed], look: Look) -> list[str]:
    """Return what stands between neighbours: a rule where the kind of column changes."""
    rule = f" {look.style(look.symbols.rule, 'dim')} "
    kinds = (["attribute"] if names is not None else []) + [one.block.column.kind for one in placed]
    return [" " * GAP if a == b else rule for a, b in pairwise(kinds)]


def _notes(layout: Layout, look: Look) -> Iterator[str]:
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


def _legend(placed: Sequence[Placed], symbols: Symbols) -> list[str]:
    states = {state for one in placed for state in one.block.marked}
    legend = [f"{symbols.changed} differs from its baseline"] if State.CHANGED in states else []
    directions = {one.block.column.direction: None for one in placed if State.BEST in one.block.marked}
    best = " ".join(symbols.best[direction] for direction in directions if direction)
    return [*legend, f"{best} best"] if best else legend
