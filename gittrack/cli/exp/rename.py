"""`gittrack exp rename`: give an experiment another name."""

from __future__ import annotations

import click

from gittrack.cli.options import current_repository, current_terminal, documented


@documented(example="gittrack exp rename brave-fox wider-net")
@click.argument("name")
@click.argument("new_name", metavar="NEW")
def command(*, name: str, new_name: str) -> None:
    """Give an experiment another name.

    The name must be free under the same baseline, also when upper and lower case count as one. What was pushed already
    keeps its old name on the remote.
    """
    from gittrack.experiments.local import resolve_local
    from gittrack.experiments.names import REMOTES_NAMESPACE, check_name
    from gittrack.experiments.rename import rename_experiment
    from gittrack.experiments.store import list_tips
    from gittrack.runs.pending import claimed_name, require_ended
    from gittrack.runs.recovery import close_dead_runs

    check_name(new_name)
    repository = current_repository()
    close_dead_runs(repository)
    tip = resolve_local(repository, name)
    require_ended(repository, [tip.experiment])
    with claimed_name(repository, tip.experiment.baseline, new_name):
        renamed = rename_experiment(repository, tip, new_name)
    terminal = current_terminal()
    terminal.echo(f"renamed {tip.experiment.name} to {terminal.style(renamed.experiment.name, 'bold')}")
    for seen in list_tips(repository, REMOTES_NAMESPACE):
        if seen.experiment[:2] == tip.experiment[:2]:
            old = f"{tip.experiment.name}@{tip.experiment.baseline[:8]}"
            remote = seen.experiment.remote
            terminal.note(f"{remote} has it as {old}; to remove it there: gittrack exp remove --remote {remote} {old}")
