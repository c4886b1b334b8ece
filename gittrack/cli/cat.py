"""`gittrack cat`: the content of an artifact, checked."""

from __future__ import annotations

import click

from gittrack.cli.artifact_parts import current_workspace, open_revision, path_from_top
from gittrack.cli.options import current_terminal, documented
from gittrack.workspace.listing import find_content, write_content
from gittrack.workspace.revisions import list_pointers


@documented(
    example="gittrack cat model.pt > old.pt\ngittrack cat data/images/1.png --rev brave-otter | file -",
    exit_codes={1: "there is no such artifact, or its content is missing or corrupt"},
)
@click.argument("path")
@click.option("--rev", "revision", metavar="REV", help="Of this commit or experiment, not of the work tree's pointer.")
def command(*, path: str, revision: str | None) -> None:
    """Write the content of an artifact to standard output.

    PATH is an artifact that is a file, or a file in a folder that is tracked as a whole. The content comes from the
    cache, as the pointer says, and is checked before the first byte is written. 'gittrack pull' fetches what the cache
    lacks.
    """
    terminal, workspace = current_terminal(), current_workspace()
    repository = workspace.repository
    pointers = list_pointers(repository, open_revision(repository, revision))
    digest = find_content(workspace.cache, pointers.tracked, path_from_top(repository, path))
    with terminal.output() as stream:
        stream.flush()
        write_content(workspace.cache, digest, stream.buffer.write)
        stream.buffer.flush()
