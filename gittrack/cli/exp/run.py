"""`gittrack exp run`: run a command and record it."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from gittrack.cli.options import current_repository, current_terminal, documented
from gittrack.cli.recording import current_context, recorded_lines

if TYPE_CHECKING:
    from collections.abc import Sequence


@documented(
    example="gittrack exp run -n fast -S train.lr=0.1 -- python train.py\ngittrack exp run --in-place -- make train\n"
    "gittrack exp run --group schedules -n cosine -- python train.py",
    exit_codes={0: "the command succeeded and was recorded", 127: "the command could not be started"},
    context_settings={"allow_interspersed_args": False},
)
@click.option("-n", "--name", metavar="NAME", help="The experiment's name; made up by default.")
@click.option("-g", "--group", metavar="NAME", help="A name that ties experiments together.")
@click.option("-m", "--message", metavar="TEXT", help="What to say about it.")
@click.option(
    "-S",
    "--set",
    "settings",
    metavar="[FILE:]KEY=VALUE",
    multiple=True,
    help="Set a param in its file (params.yaml by default) first; may be repeated. '~KEY' removes one.",
)
@click.option("--in-place", is_flag=True, help="Run, and edit the params, in the workspace itself.")
@click.option(
    "--link",
    "links",
    metavar="PATH",
    multiple=True,
    help="An ignored file or folder (such as data) that the throw-away worktree shall see; may be repeated.",
)
@click.argument("words", metavar="-- COMMAND...", nargs=-1, required=True)
def command(
    *,
    name: str | None,
    group: str | None,
    message: str | None,
    settings: Sequence[str],
    in_place: bool,
    links: Sequence[str],
    words: Sequence[str],
) -> int:
    """Run a command and record it, with other params if you like.

    The command runs in a throw-away copy of the workspace, so nothing in yours changes and several can run at once;
    small files that it makes are recorded with the code. Its output is shown and recorded. The exit code is the
    command's own. A script that uses gittrack.Run or gittrack.load_run logs into the same experiment.
    """
    from gittrack.experiments.overrides import parse_override
    from gittrack.live.posting import start_posting
    from gittrack.runs.command import Output
    from gittrack.runs.launch import Plan, run_command
    from gittrack.runs.recovery import close_dead_runs

    repository = current_repository()
    close_dead_runs(repository)
    overrides = [parse_override(setting) for setting in settings]
    plan = Plan(name, message, overrides, in_place, links, group, accompany=start_posting)
    launched = run_command(repository, current_context(), words, plan, Output(sys.stdout.buffer, sys.stderr.buffer))
    terminal = current_terminal()
    if launched.record is not None and launched.commit is not None:
        for line in recorded_lines(launched.record, launched.commit, terminal):
            terminal.note(line)
    return launched.exit_code
