"""The first column of the terminal table: a tree of baselines and their experiments, with each one's status."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from gittrack.cli.text import display_width, sanitise, shorten

if TYPE_CHECKING:
    from gittrack.cli.render_table import Look
    from gittrack.experiments.table import Table

_STATUS_STYLES: Final = {"running": "yellow", "failed": "red", "killed": "magenta", "stale": "yellow"}
_NARROWEST: Final = 16


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
        return sum(map(display_width, (self.branch, self.remote, self.status)))

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
        text, status, free = name.name, name.status, width - name.width
        if free < 0:
            if width - name.fixed_width < _NARROWEST // 2:
                status = status[:2]  # the mark without its word
            room = max(1, width - display_width(name.branch + name.remote + status))
            text = shorten(text, room, ellipsis=self._look.symbols.ellipsis, end=name.is_baseline)
            free = width - display_width(name.branch + name.remote + text + status)
        style = self._look.style
        shown = style(text, "bold") if name.is_baseline else text
        branch, remote = style(name.branch, "dim"), style(name.remote, "dim")
        return branch + remote + shown + style(status, name.status_style) + " " * free


def _narrow(name: Name, cap: int) -> int:
    """Return the columns that a cell claims when room is short: a baseline's subject gives way first."""
    return _NARROWEST if name.is_baseline else name.fixed_width + min(display_width(name.name), cap)


def _names(table: Table, look: Look) -> list[Name]:
    labels = table.find("experiment") or []
    n_rows = len(labels)
    kinds = table.find("kind") or [""] * n_rows
    statuses = table.find("status") or ["completed"] * n_rows
    sources = table.find("source") or ["local"] * n_rows
    landed = table.find("landed") or [None] * n_rows
    lasts = {group.stop - 1 for group in table.groups()}
    is_tree = table.find("kind") is not None and table.find("baseline") is not None
    names = []
    for row, label in enumerate(labels):
        is_baseline = kinds[row] == "baseline"
        branch = "" if is_baseline or not is_tree else look.symbols.last if row in lasts else look.symbols.branch
        status, style = _status(statuses[row], look, is_landed=landed[row] is True or isinstance(landed[row], str))
        if is_baseline:
            status, style = "", "dim"
        remote = (
            "" if is_baseline or not isinstance(sources[row], str) or sources[row] == "local" else f"{sources[row]}/"
        )
        names.append(Name(branch, sanitise(remote), sanitise(str(label)), status, style, is_baseline))
    return names


def _status(status: object, look: Look, *, is_landed: bool) -> tuple[str, str]:
    mark = look.symbols.statuses.get(str(status))
    if mark is not None:
        return f" {mark} {status}", _STATUS_STYLES[str(status)]
    return (f" {look.symbols.landed}", "green") if is_landed else ("", "dim")
