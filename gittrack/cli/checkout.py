"""`gittrack checkout`: restore artifacts as their pointers say."""

from __future__ import annotations

import click

from gittrack.cli.artifact_parts import (
    count_artifacts,
    current_workspace,
    list_some,
    say_bad_pointers,
    say_not_restored,
    select_artifacts,
)
from gittrack.cli.byte_progress import byte_progress
from gittrack.cli.options import current_terminal, documented
from gittrack.workspace.checkout import checkout
from gittrack.workspace.pointers import list_workspace_pointers


@documented(
    example="git switch main\ngittrack checkout\ngittrack checkout --force data/images",
    exit_codes={1: "some artifacts could not be restored; each is named on stderr"},
)
@click.argument("paths", nargs=-1, metavar="[PATH]...")
@click.option("-f", "--force", is_flag=True, help="Give up changes that only the work tree has.")
def command(*, paths: tuple[str, ...], force: bool) -> int:
    """Restore artifacts as their pointers say.

    Without PATH all of them. Every byte is checked on its way out of the cache. A file with changes that the cache does
    not have is left as it is, unless --force is given. Nothing is fetched: 'gittrack pull' does that.
    """
    terminal = current_terminal()
    with current_workspace() as workspace:
        pointers = list_workspace_pointers(workspace.repository)
        say_bad_pointers(terminal, pointers.bad)
        artifacts = select_artifacts(workspace.repository, paths, pointers)
        with byte_progress(terminal, "restoring") as progress:
            result = checkout(workspace, artifacts, force=force, on_bytes=progress.on_bytes)
    if result.restored:
        terminal.echo(f"restored {count_artifacts(len(result.restored))}: {list_some(result.restored)}")
    elif not artifacts:
        terminal.echo("there are no artifacts here ('gittrack add' makes some)")
    elif not (result.kept or result.failed or result.absent):
        terminal.echo(f"everything is as its pointer says: {count_artifacts(result.n_unchanged)}")
    return int(say_not_restored(terminal, result))
