"""`gittrack gc`: free the space of removed experiments, and of artifacts that nothing refers to."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import click

from gittrack.cli.byte_progress import render_size
from gittrack.cli.options import current_repository, current_terminal, documented
from gittrack.errors import UsageError
from gittrack.experiments.format import format_time
from gittrack.experiments.gc import KEEP_DAYS, collect_garbage

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gittrack.experiments.gc import Collected
    from gittrack.git.repository import Repository
    from gittrack.workspace.collect import Swept

_DAY_S = 86_400


@documented(example="gittrack gc --dry-run\ngittrack gc --older-than 0 && git gc\ngittrack gc --cache")
@click.option(
    "--older-than",
    "days",
    metavar="DAYS",
    type=click.FloatRange(min=0),
    default=KEEP_DAYS,
    show_default=True,
    help="Spare what was removed, or added to the cache, less than so many days ago.",
)
@click.option("--cache", "is_cache", is_flag=True, help="Also remove content of artifacts that nothing refers to.")
@click.option("--shared", is_flag=True, help="Do that in a cache that others may use, too.")
@click.option("-n", "--dry-run", is_flag=True, help="Only say what would be removed.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(*, days: float, is_cache: bool, shared: bool, dry_run: bool, as_json: bool) -> None:
    """Free the space of removed experiments, and with --cache that of artifacts.

    Experiments that have been in the trash for long enough are gone for good; git frees their space with its own next
    'git gc'. Runs whose process died are recorded, and gittrack's own index and the refs are tidied up. Experiments
    that are not in the trash are never touched.

    With --cache: content that no commit of any branch, tag, experiment, remote, stash or reflog, no index and no
    worktree mentions, and that was added more than DAYS ago, is removed from the cache. A cache that was chosen by the
    git setting gittrack.cache may be shared with other repositories, whose needs nobody here knows: it takes --shared.
    """
    from gittrack.runs.recovery import close_dead_runs

    repository, terminal = current_repository(), current_terminal()
    if is_cache:
        _check_own_cache(repository, shared=shared)
    if not dry_run:
        for record in close_dead_runs(repository):
            terminal.note(f"recorded {record.meta.name}, whose process had ended: {record.meta.status}")
    before_s = time.time() - days * _DAY_S
    collected = collect_garbage(repository, before_s=before_s, dry_run=dry_run)
    swept = _sweep(repository, before_s, dry_run=dry_run) if is_cache else None
    if as_json:
        from gittrack.cli.render_data import render_json

        document = _document(collected) | ({} if swept is None else {"cache": swept._asdict()})
        terminal.echo(render_json(document, indent=1))
        return
    lines = [*_lines(collected, dry_run=dry_run), *(_cache_lines(swept, dry_run=dry_run) if swept else ())]
    for line in lines or ["nothing to do"]:
        terminal.echo(line)


def _check_own_cache(repository: Repository, *, shared: bool) -> None:
    """Refuse a cache that others may use: their commits are not here to be asked."""
    from gittrack.git.settings import read_setting
    from gittrack.workspace.workspace import CACHE_SETTING

    folder = read_setting(repository, CACHE_SETTING)
    if folder and not shared:
        raise UsageError(
            f"the cache '{folder}' may be shared, and only this repository can be asked for what it needs",
            hint="add --shared if no other repository uses it",
        )


def _sweep(repository: Repository, before_s: float, *, dry_run: bool) -> Swept:
    from gittrack.workspace.collect import sweep_cache
    from gittrack.workspace.workspace import Workspace

    return sweep_cache(repository, Workspace.open(repository).cache, before_s=before_s, dry_run=dry_run)


def _cache_lines(swept: Swept, *, dry_run: bool) -> Iterator[str]:
    verb = "would remove" if dry_run else "removed"
    if swept.n_objects:
        yield f"{verb} from the cache: {swept.n_objects:,} objects, {render_size(swept.n_bytes)}"
    if swept.n_leftovers:
        yield f"{verb} from the cache: {swept.n_leftovers:,} leftovers"
    if swept.n_young:
        yield f"in no use, but too new to remove: {swept.n_young:,} objects"


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
