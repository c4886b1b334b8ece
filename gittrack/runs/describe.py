"""Describe from what a run starts: code, user, remote, machine. Takes a while; see `describe_process` for the rest."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, NamedTuple

from gittrack.config import FILE_NAME, InvalidConfigError, SnapshotLimits, parse_project_config
from gittrack.errors import GittrackError
from gittrack.experiments.declared import read_declared
from gittrack.git.objects import read_path
from gittrack.git.remotes import default_remote, remote_url
from gittrack.git.snapshot import take_snapshot
from gittrack.git.state import read_identity
from gittrack.git.variables import read_variables
from gittrack.git.work_tree import MAX_FILE_BYTES, read_file
from gittrack.runs.environment import capture_environment, installed_packages

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gittrack.experiments.declared import DeclaredValues
    from gittrack.experiments.format import Meta
    from gittrack.git.repository import Repository
    from gittrack.git.snapshot import Snapshot
    from gittrack.git.state import Head
    from gittrack.values import PlainValue


class Code(NamedTuple):
    """The code of a run, recorded as a tree.

    Attributes:
        meta: The description, with what is known of the code.
        snapshot: The code.
        declared: Params and metrics of the files that the repository declares.
    """

    meta: Meta
    snapshot: Snapshot
    declared: DeclaredValues


class Surroundings(NamedTuple):
    """Who runs it and where.

    Attributes:
        author: ``Name <email>``.
        remote_url: The default remote's URL, without credentials; None when there is none.
        environment: Python and the machine.
        requirements: The content of ``requirements.txt``.
    """

    author: str
    remote_url: str | None
    environment: Mapping[str, PlainValue]
    requirements: bytes

    def added_to(self, meta: Meta) -> Meta:
        """Return a description with what is known here."""
        environment = {**meta.environment, **self.environment}
        return meta._replace(author=self.author, remote_url=self.remote_url, environment=environment)


def snapshot_code(repository: Repository, head: Head, status: bytes | None = None) -> Snapshot:
    """Snapshot the code, within the limits that ``gittrack.yaml`` sets.

    Args:
        repository: A repository with a work tree.
        head: Where HEAD is.
        status: What `EarlyStatus` read, when it was asked already.

    Raises:
        GittrackError: The code could not be recorded.
    """
    return take_snapshot(repository, head.sha, _snapshot_limits(repository), status)


def describe_code(meta: Meta, repository: Repository, snapshot: Snapshot) -> Code:
    """Read what the code declares.

    Args:
        meta: The description so far.
        repository: The repository.
        snapshot: The code.
    """
    declared = read_declared(lambda path: read_path(repository, snapshot.tree, path, max_bytes=MAX_FILE_BYTES))
    meta = meta._replace(
        code_tree=snapshot.tree,
        dirty=snapshot.is_dirty,
        left_out=tuple({k: v for k, v in item._asdict().items() if v is not None} for item in snapshot.left_out),
        files=tuple(declared.files),
        problems=(*meta.problems, *declared.problems),
    )
    return Code(meta, snapshot, declared)


def describe_surroundings(repository: Repository, head: Head, environ: Mapping[str, str]) -> Surroundings:
    """Ask who the user is, where the repository is shared, and what the machine is like.

    Args:
        repository: The repository.
        head: Where HEAD is.
        environ: The environment, for the GPU and the packages.
    """
    variables = read_variables(repository)
    remote = default_remote(repository, head, variables)
    return Surroundings(
        author=str(read_identity(repository, variables)),
        remote_url=None if remote is None else remote_url(repository, remote),
        environment=_environment(environ),
        requirements="".join(f"{line}\n" for line in installed_packages()).encode(),
    )


def _snapshot_limits(repository: Repository) -> SnapshotLimits:
    """Return what ``gittrack.yaml`` says of untracked files; what is wrong with it is reported by its reader."""
    data = read_file(repository.require_work_tree(), FILE_NAME)
    if data is not None:
        with contextlib.suppress(InvalidConfigError):
            return parse_project_config(data).snapshot
    return SnapshotLimits()


def _environment(environ: Mapping[str, str]) -> Mapping[str, PlainValue]:
    try:
        return capture_environment(environ)
    except (OSError, ValueError, GittrackError):  # an odd machine is no reason to lose the run
        return {}
