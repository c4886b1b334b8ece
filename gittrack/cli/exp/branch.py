"""`gittrack exp branch`: make a git branch from an experiment."""

from __future__ import annotations

import click

from gittrack.cli.options import current_repository, current_terminal, documented


@documented(example="gittrack exp branch brave-fox wider-net\ngit switch wider-net")
@click.argument("name")
@click.argument("branch", required=False)
def command(*, name: str, branch: str | None) -> None:
    """Make a git branch from an experiment.

    The branch has one commit on top of the experiment's baseline: its code, with its author, and without the folder
    that holds params and metrics. It is called as the experiment unless BRANCH says otherwise. Nothing is checked out.
    """
    from gittrack.experiments.branching import create_branch
    from gittrack.experiments.resolve import resolve

    repository = current_repository()
    tip = resolve(repository, name)
    branch = branch or tip.experiment.name
    commit = create_branch(repository, tip, branch)
    terminal = current_terminal()
    terminal.echo(f"created branch {terminal.style(branch, 'bold')} ({commit[:8]}) from {tip.experiment.label}")
    terminal.note(f"to work on it: git switch {branch}")
