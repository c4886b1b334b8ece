"""`gittrack import dvc`: make experiments of those of DVC, and of what DVCLive wrote."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from gittrack.cli.importing.parts import EXIT_CODES, take_up
from gittrack.cli.options import current_repository, documented

if TYPE_CHECKING:
    from collections.abc import Sequence


@documented(example="gittrack import dvc\ngittrack import dvc results/dvclive", exit_codes=EXIT_CODES)
@click.option("-n", "--dry-run", is_flag=True, help="Only say what would be imported.")
@click.argument("folders", metavar="[FOLDER]...", nargs=-1, type=click.Path(path_type=Path))
def command(*, folders: Sequence[Path], dry_run: bool) -> int:
    """Make experiments of those that DVC has in this repository, or of folders of DVCLive.

    Without FOLDER, every experiment under refs/exps becomes one of gittrack: same baseline, same name, same code, with
    the params and metrics that its files declare and the points of its plots. With FOLDER, what DVCLive wrote there
    becomes an experiment of the commit that is checked out. DVC's refs and files stay. What was imported before is
    left out. 'gittrack import-dvc' is for the data that DVC tracks.
    """
    from gittrack.importers.dvc import read_folder, read_refs

    runs = map(read_folder, folders) if folders else read_refs(current_repository())
    return take_up(runs, dry_run=dry_run, no_artifacts=True)
