"""`gittrack exp artifacts`: the artifacts of an experiment."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import click

from gittrack.cli.byte_progress import render_size
from gittrack.cli.exp.show import close_dead_runs, write_lines, write_table
from gittrack.cli.options import current_repository, current_terminal, documented, format_options
from gittrack.cli.text import display_width, pad
from gittrack.visible import sanitise

if TYPE_CHECKING:
    from gittrack.cli.terminal import Terminal
    from gittrack.experiments.artifact_files import ArtifactEntry
    from gittrack.experiments.format import Record
    from gittrack.experiments.table import Table
    from gittrack.git.repository import Repository

_SHORT_DIGEST = 12
_COLUMNS = ("path", "type", "name", "size", "files", "digest", "step", "cached", "role")
_HEADER = ("path", "type", "name", "size", "files", "digest", "in the cache")


class _Row(NamedTuple):
    """One artifact of an experiment.

    Attributes:
        entry: What is said of it.
        role: ``output`` or ``input``.
        is_here: Whether the cache has all of its content.
    """

    entry: ArtifactEntry
    role: str
    is_here: bool


@documented(example="gittrack exp artifacts brave-otter\ngittrack exp artifacts brave-otter --all --csv")
@click.argument("name")
@click.option("--all", "is_all", is_flag=True, help="Show every version that was logged, not only the last of each.")
@format_options
def command(*, name: str, is_all: bool, output_format: str | None) -> int:
    """List the artifacts of an experiment: what its run logged, and what it used.

    The last column says whether the content is in the cache of this clone. Artifacts that the code has a pointer to
    are inputs, too. 'gittrack lineage' says which other experiments made and used them.
    """
    from gittrack.experiments.resolve import resolve
    from gittrack.experiments.store import read_record

    repository, terminal = current_repository(), current_terminal()
    close_dead_runs(repository)
    tip = resolve(repository, name)
    rows = _rows(repository, tip.commit, read_record(repository, tip.commit), is_all=is_all)
    if output_format is not None:
        write_table(terminal, _table(rows), output_format, 5)
    elif not rows:
        terminal.note(f"{sanitise(tip.experiment.label)} has no artifacts: run.log_artifact(path) logs one")
    else:
        write_lines(terminal, list(_lines(terminal, rows)), is_paged=True)
    return 0


def _rows(repository: Repository, commit: str, record: Record, *, is_all: bool) -> list[_Row]:
    """Return what the experiment made, then what it used."""
    from gittrack.experiments.artifact_files import entry_of_pointer, latest_entries
    from gittrack.workspace.compare import is_whole
    from gittrack.workspace.pointers import list_commit_pointers
    from gittrack.workspace.workspace import Workspace

    logged = list(record.artifacts if is_all else latest_entries(record.artifacts).values())
    made = [*logged, *record.outputs]
    own = {entry.path for entry in made} | {(entry.path, entry.digest) for entry in record.inputs}
    tracked = [entry_of_pointer(*one) for one in list_commit_pointers(repository, commit).tracked]
    used = [*record.inputs, *(one for one in tracked if not own & {one.path, (one.path, one.digest)})]
    with Workspace.open(repository) as workspace:
        return [
            _Row(one, role, is_whole(workspace.cache, one.digest, one.kind))
            for role, entries in (("output", made), ("input", used))
            for one in entries
        ]


def _table(rows: list[_Row]) -> Table:
    from gittrack.artifacts.digest import render_digest
    from gittrack.experiments.table import MISSING, Column, Table

    def cells(row: _Row) -> tuple[Any, ...]:
        one = row.entry
        told = (one.path, one.type, one.name, one.size, one.files, render_digest(one.digest), one.step)
        return (*(MISSING if value is None else value for value in told), row.is_here, row.role)

    columns = tuple(Column(name, "attribute") for name in _COLUMNS)
    return Table(columns, tuple(map(list, zip(*map(cells, rows), strict=True))) if rows else tuple([] for _ in columns))


def _lines(terminal: Terminal, rows: list[_Row]) -> list[str]:
    lines: list[str] = []
    for role, title in (("output", "outputs"), ("input", "inputs")):
        cells = [_cells(row) for row in rows if row.role == role]
        if not cells:
            continue
        widths = [max(map(display_width, column)) for column in zip(_HEADER, *cells, strict=True)]
        if lines:
            lines.append("")
        lines.append(terminal.style(title, "bold"))
        lines += ["  " + _line(row, widths) for row in (_HEADER, *cells)]
    return lines


def _line(row: tuple[str, ...], widths: list[int]) -> str:
    padded = [
        " " * (width - display_width(text)) + text if title in {"size", "files"} else pad(text, width)
        for title, text, width in zip(_HEADER, row, widths, strict=True)
    ]
    return "  ".join(padded).rstrip()


def _cells(row: _Row) -> tuple[str, ...]:
    one = row.entry
    path = f"{one.path}/" if one.kind == "dir" else one.path
    texts = (path, one.type or "-", one.name or "-", render_size(one.size), f"{one.files:,}")
    return (*map(sanitise, texts), one.digest[:_SHORT_DIGEST], "yes" if row.is_here else "no")
