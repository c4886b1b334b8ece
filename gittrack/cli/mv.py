"""`gittrack mv`: move an artifact."""

from __future__ import annotations

from pathlib import Path

import click

from gittrack.cli.artifact_parts import current_workspace, path_from_top, say_what_to_stage
from gittrack.cli.options import current_terminal, documented
from gittrack.visible import sanitise
from gittrack.workspace.add import repository_path
from gittrack.workspace.pointers import list_workspace_pointers
from gittrack.workspace.relocate import move
from gittrack.workspace.revisions import NotTrackedError


@documented(example="gittrack mv model.pt models/best.pt\ngittrack mv data/images archive/")
@click.argument("source")
@click.argument("target")
def command(*, source: str, target: str) -> None:
    """Move an artifact.

    Content, pointer and the line in .gitignore go together. TARGET is the new place, or a folder that exists. The index
    stays as it is; the last line says what 'git add' has to take.
    """
    terminal = current_terminal()
    with current_workspace() as workspace:
        repository = workspace.repository
        wanted = path_from_top(repository, source)
        found = [one for one in list_workspace_pointers(repository).tracked if one.path == wanted]
        if not found:
            raise NotTrackedError(f"'{source}' is no artifact", hint="gittrack ls lists them, 'git mv' moves others")
        place = path_from_top(repository, target, may_be_top=True) or found[0].path.rpartition("/")[2]
        moved = move(workspace, found[0], repository_path(repository, place, workspace.root))
    terminal.echo(sanitise(f"moved {found[0].path} to {moved.target}"))
    say_what_to_stage(terminal, workspace.root, moved.to_stage, Path.cwd())
