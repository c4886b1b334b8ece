"""`gittrack get`: an artifact out of any repository, cloned or not."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gittrack.cli.byte_progress import byte_progress, render_size
from gittrack.cli.options import current_terminal, documented
from gittrack.cli.share_parts import jobs_option, open_access
from gittrack.errors import GittrackError
from gittrack.visible import sanitise
from gittrack.workspace.get import REMOTE, get, open_source

if TYPE_CHECKING:
    from gittrack.cli.terminal import Terminal
    from gittrack.git.repository import Repository
    from gittrack.storage.protocol import Storage


class TargetExistsError(GittrackError):
    """Something is where the artifact would be written."""


@documented(
    example="gittrack get https://example.org/team/models.git model.pt\n"
    "gittrack get . model.pt --rev brave-otter -o old.pt\ngittrack get ../data images/cats",
    exit_codes={1: "there is no such artifact, or its content cannot be had"},
)
@click.argument("repo")
@click.argument("path")
@click.option("--rev", "revision", metavar="REV", help="From this experiment, branch, tag or commit; HEAD by default.")
@click.option("-o", "--output", metavar="PATH", help="Write it there; by default under its own name, here.")
@jobs_option
def command(*, repo: str, path: str, revision: str | None, output: str | None, n_jobs: int) -> None:
    """Get an artifact out of a repository.

    REPO is a folder or an address that git can fetch from; a clone is not needed. PATH is an artifact, a file or folder
    inside of one, or a file that git tracks itself, relative to the top of REPO. The content comes from the cache of a
    repository at hand, else from the storage of REPO, and is checked. Nothing is overwritten.
    """
    terminal = current_terminal()
    folder = Path.cwd()
    target = folder / (output or path.rstrip("/").rpartition("/")[2])
    if os.path.lexists(target):
        raise TargetExistsError(f"'{target.name}' is there already", hint="give another name with -o, or move it away")
    access = open_access(terminal)
    with open_source(repo, revision, folder, os.environ, access) as (repository, commit):
        storage = partial(_open, terminal=terminal, n_jobs=n_jobs)
        with byte_progress(terminal, "fetching") as progress:
            got = get(repository, commit, path.rstrip("/"), target, storage, progress=progress)
    n_files = f", {got.n_files:,} files" if got.n_files > 1 else ""
    terminal.echo(sanitise(f"got {os.path.relpath(got.path, folder)} ({render_size(got.n_bytes)}{n_files})"))


def _open(repository: Repository, *, terminal: Terminal, n_jobs: int) -> Storage:
    from gittrack.cli.artifact_transfer import asker
    from gittrack.git.remotes import list_remotes
    from gittrack.storage.choose import open_storage

    remote = REMOTE if repository.work_tree is None and REMOTE in list_remotes(repository) else None
    access = open_access(terminal)
    return open_storage(repository, remote=remote, access=access, n_jobs=n_jobs, confirm=asker(terminal))
