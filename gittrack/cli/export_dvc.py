"""`gittrack export dvc`: let DVC list experiments."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from gittrack.cli.artifact_parts import list_some
from gittrack.cli.options import current_repository, current_terminal, documented
from gittrack.errors import UsageError
from gittrack.visible import sanitise

if TYPE_CHECKING:
    from collections.abc import Sequence

_EXIT_PROBLEM = 1


@documented(
    example="gittrack export dvc\ngittrack export dvc brave-fox && dvc exp show",
    exit_codes={1: "an experiment could not be exported; all others were"},
)
@click.option("--prune", is_flag=True, help="Remove the mirrors of experiments that are gone.")
@click.argument("experiments", metavar="[EXP]...", nargs=-1)
def command(*, experiments: Sequence[str], prune: bool) -> int:
    """Let DVC list experiments, with their params, metrics and plots.

    Each experiment gets a mirror under refs/exps, where 'dvc exp show' and DVC's extension for VS Code look for theirs;
    all local ones without EXP. Run it again to bring the mirrors up to date. Experiments of DVC itself stay, and
    'gittrack import dvc' passes over mirrors. To be rid of all of them, remove refs with 'dvc exp remove'.
    """
    from gittrack.experiments.local import resolve_local
    from gittrack.experiments.store import list_tips
    from gittrack.exporters.dvc import export_dvc

    if prune and experiments:
        raise UsageError("--prune goes without names of experiments")
    repository, terminal = current_repository(), current_terminal()
    tips = [resolve_local(repository, name) for name in experiments] or sorted(list_tips(repository))
    exported = export_dvc(repository, list(dict.fromkeys(tips)), prune=prune)
    if exported.written:
        terminal.echo(f"exported {len(exported.written)} of {len(tips)}: {list_some(exported.written)}")
    else:
        terminal.echo("nothing to export" if not exported.unchanged else "everything is exported already")
    if exported.removed:
        terminal.echo(f"removed {len(exported.removed)}: {list_some(exported.removed)}")
    for name, reason in exported.refused:
        terminal.note(f"warning: '{name}' is not exported: {sanitise(reason)}")
    return _EXIT_PROBLEM if exported.refused else 0
