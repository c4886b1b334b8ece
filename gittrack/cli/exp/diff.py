"""`gittrack exp diff`: what differs between two experiments."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import click

from gittrack.cli.exp.show import close_dead_runs, write_lines, write_table
from gittrack.cli.options import current_repository, current_terminal, documented

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gittrack.cli.terminal import Terminal
    from gittrack.experiments.diff import Difference, Side
    from gittrack.experiments.table import Direction
    from gittrack.git.repository import Repository

_EXAMPLE = """\
gittrack exp diff brave-otter calm-owl
gittrack exp diff brave-otter --code
"""
_COLOUR = re.compile(r"(\x1b\[[0-9;]*m)")
_TITLES = {"metric": "metrics", "param": "params", "plot": "plots", "artifact": "artifacts"}
_SHORT_DIGEST = 15


@documented(example=_EXAMPLE)
@click.argument("a", required=False)
@click.argument("b", required=False)
@click.option("--code", is_flag=True, help="Show git's own diff of the two codes instead of params and metrics.")
@click.option("--all", "include_same", is_flag=True, help="Show what is equal, too.")
@click.option("--json", "output_format", flag_value="json", default=None, help="Print one JSON object.")
@click.option("--md", "output_format", flag_value="md", help="Print a Markdown table.")
@click.option("--precision", type=click.IntRange(1, 17), default=5, help="Significant digits for people (default 5).")
def command(
    *, a: str | None, b: str | None, code: bool, include_same: bool, output_format: str | None, precision: int
) -> int:
    """Show what differs between two experiments: params, metrics, artifacts, and with --code the code.

    A and B are experiments, or commits as git names them, whose own params and metrics are read. With A alone an
    experiment is compared with its baseline, and a commit with the newest experiment of HEAD. With neither, that
    newest experiment is compared with its baseline. Of plots the numbers that sum them up are compared, such as the
    area under a curve.
    """
    from gittrack.experiments.diff import diff_code, diff_plots, diff_sides, read_sides

    repository, terminal = current_repository(), current_terminal()
    close_dead_runs(repository)
    old, new = read_sides(repository, tuple(text for text in (a, b) if text is not None))
    if code:
        difference = diff_code(repository, old, new, colour=terminal.colour)
        if not difference:
            terminal.note(f"no difference in code between {old.label} and {new.label}")
        _write_code(terminal, difference)
        return 0
    differences = diff_sides(old, new, include_same=include_same)
    differences += diff_plots(repository, old, new) + _artifacts(repository, old, new)
    if output_format == "json":
        from gittrack.cli.render_data import render_json

        terminal.echo(render_json(_document(old, new, differences)))
    elif output_format == "md":
        write_table(terminal, _table(old, new, differences), "md", precision)
    else:
        directions = _directions(repository, differences)
        write_lines(terminal, list(_lines(terminal, old, new, differences, directions, precision)), is_paged=True)
    return 0


def _write_code(terminal: Terminal, difference: str) -> None:
    """Write git's diff: to a program byte by byte, to a person without what would drive the terminal."""
    if terminal.is_tty:
        write_lines(terminal, [_harmless(line) for line in difference.removesuffix("\n").split("\n")], is_paged=True)
        return
    with terminal.output() as stream:
        stream.flush()
        stream.buffer.write(difference.encode("utf-8", "surrogateescape"))


def _harmless(line: str) -> str:
    from gittrack.cli.terminal import sanitise

    return "".join(part if part.startswith("\x1b[") else sanitise(part, multiline=True) for part in _COLOUR.split(line))


def _artifacts(repository: Repository, old: Side, new: Side) -> list[Difference]:
    from gittrack.experiments.diff import diff_artifacts
    from gittrack.experiments.index import Index

    index = Index(repository)
    try:
        return diff_artifacts(repository, index, old, new)
    finally:
        index.close()


def _directions(repository: Repository, differences: list[Difference]) -> dict[str, Direction]:
    from gittrack.experiments.directions import metric_directions
    from gittrack.experiments.index import Index

    index = Index(repository)
    try:
        return metric_directions(repository, index, [one.name for one in differences if one.kind == "metric"])
    finally:
        index.close()


def _lines(
    terminal: Terminal,
    old: Side,
    new: Side,
    differences: list[Difference],
    directions: dict[str, Direction],
    precision: int,
) -> Iterator[str]:
    from gittrack.cli.render_pairs import Change, render_changes
    from gittrack.cli.terminal import sanitise

    arrow = "→" if terminal.unicode else "->"
    yield f"{sanitise(old.label)} {arrow} {terminal.style(sanitise(new.label), 'bold')}"
    if not differences:
        yield terminal.style("no difference in params, metrics and artifacts (see --code)", "dim")
    for kind, title in _TITLES.items():
        changes = [
            Change(one.name, _shown(one.old), _shown(one.new), directions.get(one.name) if kind == "metric" else None)
            for one in differences
            if one.kind == kind
        ]
        if changes:
            yield ""
            yield from render_changes(
                title, changes, colour=terminal.colour, unicode=terminal.unicode, precision=precision
            )


def _shown(value: object) -> object:
    """Return a value as it is shown; of a digest its beginning."""
    return value[:_SHORT_DIGEST] if isinstance(value, str) and value.startswith("b3:") else value


def _document(old: Side, new: Side, differences: list[Difference]) -> dict[str, Any]:
    from gittrack.cli.render_data import finite
    from gittrack.experiments.table import MISSING

    document: dict[str, Any] = {
        "from": {"name": old.label, "commit": old.commit},
        "to": {"name": new.label, "commit": new.commit},
        "metrics": {},
        "params": {},
        "artifacts": {},
    }
    for one in differences:
        sides = {"from": one.old, "to": one.new}
        entry = {side: finite(value) for side, value in sides.items() if value is not MISSING}
        if one.delta is not None:
            entry["delta"] = one.delta
        document.setdefault(_TITLES[one.kind], {})[one.name] = entry
    return document


def _table(old: Side, new: Side, differences: list[Difference]) -> Any:
    from gittrack.experiments.table import MISSING, Column, Table

    columns = (
        Column("kind", "attribute"),
        Column("name", "attribute"),
        Column(old.label, "metric"),
        Column(new.label, "param"),  # of another kind, so that two sides of one name are two columns
        Column("delta", "metric"),
    )
    rows = [(one.kind, one.name, one.old, one.new, MISSING if one.delta is None else one.delta) for one in differences]
    return Table(columns, tuple(map(list, zip(*rows, strict=True))) if rows else ([], [], [], [], []))
