"""`gittrack import mlflow`: make experiments of the runs in a store of MLflow."""

from __future__ import annotations

from pathlib import Path

import click

from gittrack.cli.importing.parts import EXIT_CODES, import_options, take_up
from gittrack.cli.options import current_terminal, documented


@documented(example="gittrack import mlflow mlruns\ngittrack import mlflow mlflow.db --dry-run", exit_codes=EXIT_CODES)
@click.argument("path", type=click.Path(path_type=Path))
@import_options
@click.option(
    "--artifacts",
    metavar="FOLDER",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Where artifacts are that the store does not hold, such as a copy of a bucket.",
)
@click.option("--deleted", is_flag=True, help="Take runs that were deleted in MLflow, too.")
def command(*, path: Path, dry_run: bool, no_artifacts: bool, artifacts: Path | None, deleted: bool) -> int:
    """Make experiments of the runs in a store of MLflow.

    PATH is a folder 'mlruns', the folder of one of its experiments or runs, or a SQLite database 'mlflow.db'. Each run
    becomes an experiment with its params, metrics over steps, tags, times, status, parent, data sets and artifacts.
    Artifacts outside of the store are named in a warning, or taken from --artifacts. Its baseline
    is the commit that the run names if it is in this repository, else the one that is checked out; its group is the
    experiment of MLflow. The store is only read. What was imported before is left out, and so are runs that go on.
    """
    from gittrack.importers import mlflow_database, mlflow_files

    path = _find_store(path)
    if mlflow_database.is_store(path):
        if mlflow_database.unmerged_log(path):
            current_terminal().note(f"warning: '{path}' is in use; what was written last is not read")
        runs = mlflow_database.read_runs(path, with_deleted=deleted, artifacts=artifacts)
    else:
        runs = mlflow_files.read_runs(path, with_deleted=deleted, artifacts=artifacts)
    return take_up(runs, dry_run=dry_run, no_artifacts=no_artifacts)


def _find_store(path: Path) -> Path:
    """Return the store that a path leads to: a folder above one will do."""
    from gittrack.importers import mlflow_files

    if not path.is_dir() or mlflow_files.is_store(path):
        return path
    return next((place for place in (path / "mlruns", path / "mlflow.db") if place.exists()), path)
