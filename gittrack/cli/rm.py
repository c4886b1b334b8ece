"""`gittrack rm`: remove artifacts, or stop tracking them."""

from __future__ import annotations

from pathlib import Path

import click

from gittrack.cli.artifact_parts import current_workspace, say_what_to_stage, select_artifacts
from gittrack.cli.options import current_terminal, documented
from gittrack.visible import sanitise
from gittrack.workspace.relocate import remove


@documented(
    example="gittrack rm data/old\ngittrack rm --cached model.pt",
    exit_codes={1: "something would be lost; nothing was removed"},
)
@click.argument("paths", nargs=-1, required=True, metavar="PATH...")
@click.option("--cached", is_flag=True, help="Leave the files, and only stop tracking them.")
@click.option("-f", "--force", is_flag=True, help="Remove what is nowhere else, too.")
def command(*, paths: tuple[str, ...], cached: bool, force: bool) -> None:
    """Remove artifacts, or stop tracking them.

    Content, pointer and the line in .gitignore go together. Nothing is removed when content was modified or is not in
    the cache, or a pointer is not committed, unless --force is given. The cache keeps the content until 'gittrack gc
    --cache' finds that no commit needs it. The index stays as it is; the last line says what 'git add' has to take.
    """
    terminal = current_terminal()
    with current_workspace() as workspace:
        artifacts = select_artifacts(workspace.repository, paths)
        removed = remove(workspace, artifacts, keeps_content=cached, force=force)
    verb = "stopped tracking" if cached else "removed"
    for path in removed.paths:
        terminal.echo(sanitise(f"{verb} {path}"))
    say_what_to_stage(terminal, workspace.root, removed.to_stage, Path.cwd())
