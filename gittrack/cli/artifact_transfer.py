"""What `push`, `pull` and the hooks have in common for artifacts: which ones, what storage, and how it is said."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from gittrack.cli.artifact_parts import count_artifacts, list_some
from gittrack.cli.byte_progress import byte_progress, render_size
from gittrack.storage.choose import open_storage, storage_key
from gittrack.storage.objectwise import DEFAULT_JOBS
from gittrack.visible import sanitise
from gittrack.workspace.sharing import fetch_artifacts, send_artifacts

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from gittrack.cli.terminal import Terminal
    from gittrack.git.transfer import Access
    from gittrack.storage.protocol import Parcel
    from gittrack.workspace.sharing import Fetched, Lacking, Sent
    from gittrack.workspace.workspace import Workspace

_N_LACKING_SHOWN = 10


def push_artifacts(
    workspace: Workspace,
    remote: str,
    parcels: Sequence[Parcel],
    terminal: Terminal,
    access: Access,
    *,
    n_jobs: int = DEFAULT_JOBS,
    dry_run: bool = False,
) -> Sent:
    """Send artifacts that the storage of a remote does not hold.

    Args:
        workspace: The workspace.
        remote: The remote's name.
        parcels: Which artifacts.
        terminal: Where progress is shown.
        access: How git may talk to the person.
        n_jobs: How many objects travel at once.
        dry_run: Whether to ask the storage but send nothing.

    Raises:
        StorageError: The storage cannot be reached, or refuses.
        ObjectCorruptError: An object of the cache is damaged.
    """
    repository = workspace.repository
    key = storage_key(repository, remote) or ""
    storage = open_storage(repository, remote=remote, access=access, n_jobs=n_jobs, confirm=asker(terminal))
    with byte_progress(terminal, "sending") as progress:
        return send_artifacts(
            workspace.cache, repository, storage, parcels, key=key, dry_run=dry_run, progress=progress
        )


def pull_artifacts(
    workspace: Workspace,
    remote: str | None,
    parcels: Sequence[Parcel],
    terminal: Terminal,
    access: Access,
    *,
    n_jobs: int = DEFAULT_JOBS,
) -> Fetched:
    """Bring artifacts into the cache.

    Args:
        workspace: The workspace.
        remote: The remote's name; None for the one that git would use.
        parcels: Which artifacts.
        terminal: Where progress is shown.
        access: How git may talk to the person.
        n_jobs: How many objects travel at once.

    Raises:
        StorageError: The storage cannot be reached, refuses, or served other bytes.
        OSError: The disk is full.
    """
    repository = workspace.repository
    key = storage_key(repository, remote) or ""
    storage = open_storage(repository, remote=remote, access=access, n_jobs=n_jobs, confirm=asker(terminal))
    with byte_progress(terminal, "fetching") as progress:
        return fetch_artifacts(workspace.cache, repository, storage, parcels, key=key, progress=progress)


def asker(terminal: Terminal) -> Callable[[str], bool] | None:
    """Return what asks whether a URL of the repository's own files may be used; None where nobody can answer."""
    if not (sys.stdin.isatty() and terminal.stderr.isatty()):
        return None
    import click

    def ask(url: str) -> bool:
        text = f"The files of this repository name the storage {sanitise(url)}. Use it for artifacts?"
        return click.confirm(text, default=False, err=True)

    return ask


def sent_line(sent: Sent, *, dry_run: bool) -> str:
    """Say what a push of artifacts did.

    Args:
        sent: What it did.
        dry_run: Whether it only asked.
    """
    if not sent.sent:
        return f"artifacts up to date: {count_artifacts(sent.n_present)}"
    verb = "would push" if dry_run else "pushed"
    size = render_size(sum(parcel.size for parcel in sent.sent))
    return f"{verb} {count_artifacts(len(sent.sent))} ({size}): {list_some([parcel.path for parcel in sent.sent])}"


def fetched_line(fetched: Fetched) -> str:
    """Say what a pull of artifacts did.

    Args:
        fetched: What it did.
    """
    if not fetched.fetched:
        return f"artifacts up to date: {count_artifacts(fetched.n_present)}"
    size = render_size(sum(parcel.size for parcel in fetched.fetched))
    paths = [parcel.path for parcel in fetched.fetched]
    return f"fetched {count_artifacts(len(paths))} ({size}): {list_some(paths)}"


def say_lacking(terminal: Terminal, lacking: Sequence[Lacking]) -> None:
    """Name the artifacts that are neither here nor on the storage, with where they were last seen.

    Args:
        terminal: The terminal of the command.
        lacking: Those artifacts.
    """
    for entry in lacking[:_N_LACKING_SHOWN]:
        seen = f"; {entry.last_seen}" if entry.last_seen else ""
        terminal.note(sanitise(f"warning: the content of '{entry.parcel.path}' is neither here nor shared{seen}"))
    if len(lacking) > _N_LACKING_SHOWN:
        terminal.note(f"warning: and {len(lacking) - _N_LACKING_SHOWN} more")
    if lacking:
        terminal.note("hint: where the content still is, run 'gittrack push' there")
