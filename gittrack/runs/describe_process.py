"""Describe what is known at once of a run: who, where, when. See `describe` for what takes a while."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING

from gittrack.experiments.format import Meta
from gittrack.host import host_name
from gittrack.secrets import mask_secrets

if TYPE_CHECKING:
    from pathlib import Path

    from gittrack.experiments.format import Source
    from gittrack.git.repository import Repository
    from gittrack.git.state import Head
    from gittrack.runs.context import RunContext


def describe_process(context: RunContext, *, name: str, run_id: str, source: Source = "run") -> Meta:
    """Return the description that needs no repository: who, where, when.

    Args:
        context: The process.
        name: The experiment's name.
        run_id: The run's id.
        source: What records it.
    """
    return Meta(
        name=name,
        id=run_id,
        status="running",
        source=source,
        started=time.time(),
        host=host_name(),
        command=tuple(mask_secrets(list(context.argv))),
    )


def describe_place(meta: Meta, repository: Repository, head: Head, directory: Path) -> Meta:
    """Add where HEAD is and which folder the process runs in; costs no process.

    Args:
        meta: The description so far.
        repository: The repository.
        head: Where HEAD is.
        directory: The current folder.
    """
    folder = ""
    if repository.work_tree is not None:
        with contextlib.suppress(ValueError):
            folder = directory.resolve().relative_to(repository.work_tree.resolve()).as_posix()
    return meta._replace(
        baseline=meta.baseline or head.sha,
        branch=head.branch,
        operation=head.operation,
        directory="" if folder == "." else folder,
    )
