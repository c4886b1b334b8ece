"""`gittrack exp save`: record the workspace as it is."""

from __future__ import annotations

import click

from gittrack.cli.options import current_repository, current_terminal, documented
from gittrack.cli.recording import current_context, recorded_json, recorded_lines


@documented(example='gittrack exp save -n wider-net -m "128 units instead of 64"')
@click.option("-n", "--name", metavar="NAME", help="The experiment's name; made up by default.")
@click.option("-m", "--message", metavar="TEXT", help="What to say about it.")
@click.option("--json", "is_json", is_flag=True, help="Print one JSON object: name, ref, commit and more.")
def command(*, name: str | None, message: str | None, is_json: bool) -> None:
    """Record the workspace as it is.

    The code (uncommitted and untracked files included), the params and the metrics of the declared files become an
    experiment of the commit that is checked out. Nothing in the workspace changes.
    """
    from gittrack.runs.capture import save_workspace
    from gittrack.runs.recovery import close_dead_runs

    repository = current_repository()
    close_dead_runs(repository)
    captured = save_workspace(repository, current_context(), name=name, message=message)
    terminal = current_terminal()
    if is_json:
        terminal.echo(recorded_json(captured))
        return
    for line in recorded_lines(captured.record, captured.commit, terminal):
        terminal.echo(line)
