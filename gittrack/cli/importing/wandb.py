"""`gittrack import wandb`: make experiments of the runs that Weights & Biases keeps in folders."""

from __future__ import annotations

from pathlib import Path

import click

from gittrack.cli.importing.parts import EXIT_CODES, import_options, take_up
from gittrack.cli.options import documented


@documented(
    example="gittrack import wandb wandb\ngittrack import wandb wandb/offline-run-20260131_120000-abcd1234",
    exit_codes=EXIT_CODES,
)
@click.argument("path", type=click.Path(path_type=Path))
@import_options
def command(*, path: Path, dry_run: bool, no_artifacts: bool) -> int:
    """Make experiments of the runs that Weights & Biases keeps in folders.

    PATH is a folder 'wandb', or one 'offline-run-…' or 'run-…' in it. Each run becomes an experiment with its config
    as params, its history as metrics over steps, its images, tables, histograms and figures as plots, its summary,
    tags, notes, times, status, output, packages and the files of its folder. Files of artifacts that it logged come
    from where they are staged until a sync; a warning names those that are not there. The account is not asked, and
    the folder is only read. What was imported before is left out.
    """
    from gittrack.importers.wandb import read_runs

    return take_up(read_runs(path), dry_run=dry_run, no_artifacts=no_artifacts)
