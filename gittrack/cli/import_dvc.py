"""`gittrack import-dvc`: track what DVC tracks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from gittrack.cli.artifact_parts import count_artifacts, current_workspace, list_some, path_from_top
from gittrack.cli.byte_progress import byte_progress
from gittrack.cli.options import current_terminal, documented
from gittrack.visible import sanitise
from gittrack.workspace.import_dvc import import_dvc

if TYPE_CHECKING:
    from gittrack.cli.terminal import Terminal
    from gittrack.workspace.import_dvc import Imported


@documented(
    example="gittrack import-dvc\ngittrack import-dvc data/raw.dvc --allow-outside --remove",
    exit_codes={1: "something could not be imported; each is named on stderr"},
)
@click.argument("paths", nargs=-1, metavar="[PATH]...")
@click.option("--allow-outside", is_flag=True, help="Read caches and remotes of DVC outside of the repository.")
@click.option("--remove", is_flag=True, help="Remove .dvc files of which everything is tracked by gittrack.")
def command(*, paths: tuple[str, ...], allow_outside: bool, remove: bool) -> int:
    """Track what DVC tracks, without DVC.

    For each .dvc file and dvc.lock the content is looked for in the work tree, in DVC's cache and in remotes that are
    folders, checked by its MD5, and taken into gittrack's cache; description, type, labels and meta are kept. PATH is
    a file of DVC, what it tracks, or a folder. DVC's own files stay, unless --remove is given.
    """
    terminal = current_terminal()
    with current_workspace() as workspace, byte_progress(terminal, "importing") as progress:
        wanted = [path_from_top(workspace.repository, path, may_be_top=True) for path in paths]
        imported = import_dvc(workspace, wanted, allow_outside=allow_outside, remove=remove, on_bytes=progress.on_bytes)
    return _say(terminal, imported)


def _say(terminal: Terminal, imported: Imported) -> int:
    if imported.tracked:
        names = list_some([tracked.path for tracked in imported.tracked])
        terminal.echo(f"imported {count_artifacts(len(imported.tracked))}: {names}")
    if imported.already:
        terminal.echo(f"already tracked: {list_some(imported.already)}")
    if imported.removed:
        terminal.echo(f"removed {list_some(imported.removed)}")
    if not any((imported.tracked, imported.already, imported.absent, imported.failed)):
        terminal.echo("there is nothing here that DVC tracks")
    for one in imported.absent:
        terminal.note(sanitise(f"warning: '{one.path}' is not imported: {one.reason}"))
    for one in imported.failed:
        terminal.note(sanitise(f"warning: '{one.path}' cannot be imported: {one.reason}"))
    if imported.absent and imported.outside:
        folders = list_some([str(folder) for folder in imported.outside])
        terminal.note(f"hint: --allow-outside looks into {folders}, too")
    elif imported.absent:
        terminal.note("hint: 'dvc pull' brings the content, then import again")
    return int(bool(imported.absent or imported.failed))
