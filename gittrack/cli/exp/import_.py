"""`gittrack exp import`: take up runs that were recorded outside a repository."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from gittrack.cli.options import current_repository, current_terminal, documented
from gittrack.cli.recording import count_values
from gittrack.visible import sanitise

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gittrack.git.repository import Repository
    from gittrack.runs.import_runs import Import

_EXIT_PROBLEM = 1


@documented(
    example="gittrack exp import\ngittrack exp import --dry-run ~/jobs/gittrack-runs",
    exit_codes={1: "a run could not be imported; all others were"},
)
@click.option("-n", "--dry-run", is_flag=True, help="Only say what would be imported.")
@click.option("--keep", is_flag=True, help="Leave the folders of the runs where they are.")
@click.argument("paths", metavar="[PATH]...", nargs=-1, type=click.Path(path_type=Path))
def command(*, paths: Sequence[Path], dry_run: bool, keep: bool) -> int:
    """Take up runs that were recorded outside a repository.

    A script that finds no repository keeps its run in a folder 'gittrack-runs' beside it. Each run that has ended
    becomes an experiment of the commit that is checked out, and its folder is removed. The code that ran is not
    known; the experiment says so. A name that is taken gets a number, and runs that go on are left alone.

    PATH is such a folder, the folder of one run, or a folder with 'gittrack-runs' in it; the current folder and the top
    of the repository by default.
    """
    from gittrack.runs.import_runs import find_run_folders, import_runs

    repository, terminal = current_repository(), current_terminal()
    folders = find_run_folders(paths or _default_places(repository))
    is_complete = True
    for done in import_runs(repository, folders, keep=keep, dry_run=dry_run):
        is_complete = is_complete and done.outcome != "damaged"
        if done.outcome == "imported":
            terminal.echo(_describe(done, "would import" if dry_run else "imported"))
        else:
            verb = "warning: cannot import" if done.outcome == "damaged" else "left out"
            terminal.note(f"{verb} '{sanitise(str(done.path))}': {sanitise(done.reason or '')}")
    return 0 if is_complete else _EXIT_PROBLEM


def _default_places(repository: Repository) -> list[Path]:
    from gittrack.runs.folder import OUTSIDE_RUNS

    places = dict.fromkeys((Path.cwd(), repository.work_tree or Path.cwd()))
    present = [place / OUTSIDE_RUNS for place in places if (place / OUTSIDE_RUNS).is_dir()]
    return present or [Path(OUTSIDE_RUNS)]


def _describe(done: Import, verb: str) -> str:
    if done.record is None:
        return verb
    meta = done.record.meta
    return f"{verb} {meta.name}: {meta.status}, {count_values(done.record)}"
