"""What hooks do for artifacts: restore them after a checkout, and send them with the commits that point to them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from gittrack.git.repository import Repository
from gittrack.visible import sanitise
from gittrack.workspace.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_IN_PROGRESS = ("rebase-merge", "rebase-apply")  # each step of a rebase is a checkout; its end is one too


def restore(environ: Mapping[str, str]) -> None:
    """Restore the artifacts of the work tree from the cache; what has changes or is not there is named.

    Args:
        environ: The environment of the hook.
    """
    from gittrack.cli.artifact_parts import count_artifacts, list_some, say_not_restored
    from gittrack.cli.terminal import Terminal
    from gittrack.workspace.checkout import checkout
    from gittrack.workspace.pointers import list_workspace_pointers

    repository = Repository.discover(Path.cwd(), environ)
    if repository.work_tree is None or any((repository.git_dir / name).exists() for name in _IN_PROGRESS):
        return
    with Workspace.open(repository) as workspace:
        result = checkout(workspace, list_workspace_pointers(repository).tracked)
    if result.restored:
        _say(f"restored {count_artifacts(len(result.restored))}: {list_some(result.restored)}")
    say_not_restored(Terminal.detect(environ, sys.stderr), result)


def send(repository: Repository, remote: str, commits: Sequence[str]) -> None:
    """Send the artifacts of commits that the storage is not known to hold.

    Args:
        repository: The repository.
        remote: The remote that is pushed to.
        commits: What is pushed.

    Raises:
        GittrackError: They could not be sent.
    """
    from gittrack.cli.artifact_parts import count_artifacts
    from gittrack.cli.byte_progress import render_size
    from gittrack.storage.choose import open_storage, storage_key
    from gittrack.storage.memory import FILE_NAME, Memory
    from gittrack.workspace.parcels import parcels_to_push
    from gittrack.workspace.sharing import send_artifacts

    key = storage_key(repository, remote) or ""
    held = Memory(repository.state_dir / FILE_NAME).list_held(key)
    parcels = [parcel for parcel in parcels_to_push(repository, remote, commits) if parcel.digest not in held]
    if not parcels:
        return
    with Workspace.open(repository) as workspace:
        sent = send_artifacts(workspace.cache, repository, open_storage(repository, remote=remote), parcels, key=key)
    if sent.sent:
        size = render_size(sum(parcel.size for parcel in sent.sent))
        _say(f"sent {count_artifacts(len(sent.sent))} ({size}) to {remote}")
    for entry in sent.lacking:
        _say(f"the content of '{entry.parcel.path}' is neither here nor shared")


def _say(text: str) -> None:
    sys.stderr.write(f"gittrack: {sanitise(text)}\n")
