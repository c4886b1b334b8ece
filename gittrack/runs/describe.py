"""Describe where and from what a run starts: repository, code, machine."""

from __future__ import annotations

import contextlib
import os
import socket
import time
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from gittrack.errors import GittrackError
from gittrack.experiments.declared import read_declared
from gittrack.experiments.format import Meta
from gittrack.git.objects import read_path
from gittrack.git.remotes import default_remote, remote_url
from gittrack.git.snapshot import take_snapshot
from gittrack.git.state import read_identity
from gittrack.runs.environment import capture_environment, installed_packages
from gittrack.secrets import mask_secrets

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from gittrack.experiments.declared import DeclaredValues
    from gittrack.experiments.format import Source
    from gittrack.git.repository import Repository
    from gittrack.git.snapshot import Snapshot, SnapshotLimits
    from gittrack.git.state import Head
    from gittrack.runs.context import RunContext
    from gittrack.values import PlainValue

_MAX_DECLARED_BYTES = 4 << 20


class Start(NamedTuple):
    """What is known of a run once its code is recorded.

    Attributes:
        meta: The description, with code, remote and machine.
        snapshot: The code.
        declared: Params and metrics of the files that the repository declares, as they were at the start.
        requirements: The content of ``requirements.txt``.
    """

    meta: Meta
    snapshot: Snapshot
    declared: DeclaredValues
    requirements: bytes


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
        host=socket.gethostname(),
        command=tuple(mask_secrets(list(context.argv))),
        environment={"pid": os.getpid()},
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
    return replace(
        meta,
        baseline=meta.baseline or head.sha,
        branch=head.branch,
        operation=head.operation,
        directory="" if folder == "." else folder,
    )


def describe_start(
    meta: Meta, repository: Repository, head: Head, environ: Mapping[str, str], limits: SnapshotLimits | None = None
) -> Start:
    """Snapshot the code and add everything that takes a while; runs beside the training.

    Args:
        meta: The description so far.
        repository: The repository.
        head: Where HEAD was when the run started.
        environ: The environment, for the GPU and the packages.
        limits: What may be taken of untracked files.

    Raises:
        GittrackError: The code could not be recorded.
    """
    snapshot = take_snapshot(repository, head.sha, limits)
    declared = read_declared(lambda path: read_path(repository, snapshot.tree, path, max_bytes=_MAX_DECLARED_BYTES))
    remote = default_remote(repository, head)
    meta = replace(
        meta,
        code_tree=snapshot.tree,
        dirty=snapshot.is_dirty,
        remote_url=None if remote is None else remote_url(repository, remote),
        author=str(read_identity(repository)),
        environment={**meta.environment, **_environment(environ)},
        left_out=tuple({k: v for k, v in item._asdict().items() if v is not None} for item in snapshot.left_out),
        files=tuple(declared.files),
        problems=(*meta.problems, *declared.problems),
    )
    return Start(meta, snapshot, declared, "".join(f"{line}\n" for line in installed_packages()).encode())


def _environment(environ: Mapping[str, str]) -> Mapping[str, PlainValue]:
    try:
        return capture_environment(environ)
    except (OSError, ValueError, GittrackError):  # an odd machine is no reason to lose the run
        return {}
