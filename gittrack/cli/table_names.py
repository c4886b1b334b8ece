"""The first column of the terminal table: a tree of baselines and their experiments, with each one's status."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from gittrack.cli.text import display_width, shorten
from gittrack.experiments.table import MISSING
from gittrack.visible import sanitise

if TYPE_CHECKING:
    from gittrack.cli.render_table import Look
    from gittrack.experiments.table import Table

_STATUS_STYLES: Final = {"running": "yellow", "failed": "red", "killed": "magenta", "stale": "yellow", "broken": "red"}
_NARROWEST: Final = 16
_MAX_REMOTE: Final = 16
_MAX_DEPTH: Final = 8  # what is nested deeper stands here
_WIDTH_OF_A_LEVEL: Final = 12  # of the terminal, so that branches fill a quarter of it at most


@dataclass(frozen=True)
class Name:
    """One cell: `branch`, then the name with its remote, then the status; the name gives way when room is short."""

    branch: str
    remote: str
    name: str
    status: str
    status_style: str
    is_baseline: bool

    @property
    def fixed_width(self) -> int:
        """The columns of all but the name."""
        return display_width(self.branch) + display_width(self.remote) + display_width(self.status)

    @property
    def width(self) -> int:
        """The columns of the whole cell."""
        return self.fixed_width + display_width(self.name)


class NameBlock:
    """The first column, made ready for the terminal.

    Args:
        table: With an `experiment` column.
        look: How the table is to look.
    """

    heading_text = "experiment"

    def __init__(self, table: Table, look: Look) -> None:
        self._look = look
        self._names = _names(table, look)
        self.width = max((name.width for name in self._names), default=0)
        self.width = max(self.width, len(self.heading_text))
        cap = max(_NARROWEST, (look.width or 0) // 5)
        self.narrowest = min(self.width, max((_narrow(name, cap) for name in self._names), default=_NARROWEST))

    def heading(self, width: int) -> str:
        """Return the heading in `width` columns."""
        text = shorten(self.heading_text, width, ellipsis=self._look.symbols.ellipsis)
        return self._look.style(text, "bold") + " " * (width - len(text))

    def lines(self, width: int) -> list[str]:
        """Return all cells in `width` columns, with colours when they are wanted."""
        return [self._line(name, width) for name in self._names]

    def _line(self, name: Name, width: int) -> str:
        text, free = name.name, width - name.width
        if free < 0:
            text = shorten(text, width - name.fixed_width, ellipsis=self._look.symbols.ellipsis, end=name.is_baseline)
            free = width - name.fixed_width - display_width(text)
        style = self._look.style
        shown = style(text, "bold") if name.is_baseline else text
        branch, remote = style(name.branch, "dim"), style(name.remote, "dim")
        return branch + remote + shown + style(name.status, name.status_style) + " " * free


def _narrow(name: Name, cap: int) -> int:
    """Return the columns that a cell claims when room is short: a baseline's subject gives way first."""
    return _NARROWEST if name.is_baseline else name.fixed_width + min(display_width(name.name), cap)


def _names(table: Table, look: Look) -> list[Name]:
    labels = table.find("experiment") or []
    kinds = table.find("kind")
    statuses, sources, landed = (table.find(name) for name in ("status", "source", "landed"))
    is_tree = kinds is not None and table.find("baseline") is not None
    branches = _branches(table, look) if is_tree else [""] * table.n_rows
    names = []
    for row, label in enumerate(labels):
        name = sanitise(str(label))
        if kinds is not None and kinds[row] == "baseline":
            names.append(Name("", "", name, "", "dim", is_baseline=True))
            continue
        is_landed = landed is not None and landed[row] is not MISSING and bool(landed[row])
        status, style = _status(statuses[row] if statuses else None, look, is_landed=is_landed)
        remote = _remote(sources[row], look) if sources else ""
        names.append(Name(branches[row], remote, name, status, style, is_baseline=False))
    return names


def _branches(table: Table, look: Look) -> list[str]:
    """Return what stands before the name in each row; looking from the end, what follows is known."""
    symbols = look.symbols
    if not table.depths:  # the usual case
        lasts = {group.stop - 1 for group in table.groups()}
        return [symbols.last if row in lasts else symbols.branch for row in range(table.n_rows)]
    deepest = _MAX_DEPTH if look.width is None else min(_MAX_DEPTH, look.width // _WIDTH_OF_A_LEVEL)
    branches = [""] * table.n_rows
    for group in table.groups():
        goes_on: list[bool] = []  # for each depth whether a sibling follows
        for row in reversed(group):
            depth = min(table.depths[row], deepest)
            goes_on += [False] * (depth + 1 - len(goes_on))
            stems = [symbols.stem if follows else " " * len(symbols.stem) for follows in goes_on[:depth]]
            branches[row] = "".join(stems) + (symbols.branch if goes_on[depth] else symbols.last)
            goes_on[depth:] = [True]
    return branches


def _remote(source: object, look: Look) -> str:
    """Return the remote of an experiment as git writes it before a branch; nothing for a local one."""
    if not isinstance(source, str) or source == "local":
        return ""
    return shorten(sanitise(source), _MAX_REMOTE, ellipsis=look.symbols.ellipsis) + "/"


def _status(status: object, look: Look, *, is_landed: bool) -> tuple[str, str]:
    mark = look.symbols.statuses.get(str(status))
    if mark is not None:
        return f" {mark} {status}", _STATUS_STYLES[str(status)]
    return (f" {look.symbols.landed}", "green") if is_landed else ("", "dim")
