"""`gittrack gc`: free the space of removed experiments."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import click

from gittrack.cli.byte_progress import render_size
from gittrack.cli.options import current_repository, current_terminal, documented
from gittrack.experiments.format import format_time
from gittrack.experiments.gc import KEEP_DAYS, collect_garbage

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gittrack.experiments.gc import Collected

_DAY_S = 86_400


@documented(example="gittrack gc --dry-run\ngittrack gc --older-than 0 && git gc")
@click.option(
    "--older-than",
    "days",
    metavar="DAYS",
    type=click.FloatRange(min=0),
    default=KEEP_DAYS,
    show_default=True,
    help="Spare what was removed less than so many days ago.",
)
@click.option("-n", "--dry-run", is_flag=True, help="Only say what would be removed.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(*, days: float, dry_run: bool, as_json: bool) -> None:
    """Free the space of removed experiments.

    Experiments that have been in the trash for long enough are gone for good; git frees their space with its own next
    'git gc'. Runs whose process died are recorded, and gittrack's own index and the refs are tidied up. Experiments
    that are not in the trash are never touched.
    """
    from gittrack.runs.recovery import close_dead_runs

    repository, terminal = current_repository(), current_terminal()
    if not dry_run:
        for record in close_dead_runs(repository):
            terminal.note(f"recorded {record.meta.name}, whose process had ended: {record.meta.status}")
    collected = collect_garbage(repository, before_s=time.time() - days * _DAY_S, dry_run=dry_run)
    if as_json:
        from gittrack.cli.render_data import render_json

        terminal.echo(render_json(_document(collected), indent=1))
        return
    for line in _lines(collected, dry_run=dry_run):
        terminal.echo(line)


def _document(collected: Collected) -> dict[str, Any]:
    removed = [
        {
            "name": one.tip.experiment.name,
            "baseline": one.tip.experiment.baseline,
            "commit": one.tip.commit,
            "removed": format_time(one.removed),
        }
        for one in collected.discarded
    ]
    return {
        "discarded": removed,
        "still_in_trash": collected.n_kept,
        "bytes_for_git_to_free": collected.size_bytes,
        "index_entries_forgotten": collected.n_forgotten,
        "refs_packed": collected.n_packed,
    }


def _lines(collected: Collected, *, dry_run: bool) -> Iterator[str]:
    verb = "would remove" if dry_run else "removed"
    for one in collected.discarded:
        experiment = one.tip.experiment
        yield f"{verb} {experiment.name}@{experiment.baseline[:8]} ({one.tip.commit[:8]})"
    if collected.discarded and collected.size_bytes is not None:
        yield f"{render_size(collected.size_bytes)} on disk are for git to free: git gc"
    if collected.n_forgotten:
        yield f"index entries forgotten: {collected.n_forgotten}"
    if collected.n_packed:
        yield f"refs packed: {collected.n_packed}"
    if collected.n_kept:
        yield f"still in the trash: {collected.n_kept}"
    if not any((collected.discarded, collected.n_forgotten, collected.n_packed, collected.n_kept)):
        yield "nothing to do"
