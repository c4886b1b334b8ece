"""`gittrack import tensorboard`: make experiments of runs in event files."""

from __future__ import annotations

from pathlib import Path

import click

from gittrack.cli.importing.parts import EXIT_CODES, import_options, take_up
from gittrack.cli.options import documented


@documented(
    example="gittrack import tensorboard runs\ngittrack import tensorboard lightning_logs --no-artifacts",
    exit_codes=EXIT_CODES,
)
@click.argument("path", type=click.Path(path_type=Path))
@import_options
def command(*, path: Path, dry_run: bool, no_artifacts: bool) -> int:
    """Make experiments of runs in event files of TensorBoard.

    PATH is a folder at any height above event files. Each folder with event files becomes an experiment with its
    scalars as metrics over steps, its hparams as params, and its images, histograms, precision-recall curves and texts
    as plots. Audio and graphs are not read; the event files themselves become artifacts, unless --no-artifacts is
    given. What was imported before is left out.
    """
    from gittrack.importers.tensorboard import read_runs

    return take_up(read_runs(path), dry_run=dry_run, no_artifacts=no_artifacts)
