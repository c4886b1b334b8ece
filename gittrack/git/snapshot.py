"""Snapshot the work tree into a tree object, through a private index.

The user's index, work tree and refs are only read. git itself decides what is changed, ignored, filtered or
converted; from untracked files only small ones that do not look like secrets are taken, and what was left out is
returned with the reason.
"""

from __future__ import annotations

import os
import re
import shutil
import stat
from typing import TYPE_CHECKING, NamedTuple

from gittrack.config import SnapshotLimits
from gittrack.git.early_status import STATUS
from gittrack.git.objects import read_object
from gittrack.git.process import GitError
from gittrack.git.work_tree import find_behind_links
from gittrack.scratch import scratch_folder
from gittrack.secrets import looks_like_secret_file

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from gittrack.git.repository import Repository

_N_TRIES = 5
_FOLDER_REMOVED = re.compile(r"unable to (create temporary|write) file.*: No such file or directory")
_MAX_REFUSED = 64  # files that cannot be read, or whose filter fails
_DISK_FAULT = re.compile(r"unable to (create|write)|insufficient permission|No space left", re.IGNORECASE)
# Never code: made by tools, large, and rebuilt from what is recorded. A virtual or conda environment is known by
# its marker file, whatever its name.
_GENERATED_FOLDERS = frozenset({"__pycache__", "node_modules", ".ipynb_checkpoints", ".pytest_cache", ".mypy_cache"})
_ENVIRONMENT_MARKERS = ("pyvenv.cfg", "conda-meta/history")


class LeftOut(NamedTuple):
    """Something of the work tree that a snapshot does not hold.

    Attributes:
        path: Its path in the repository; a folder ends with ``/``.
        reason: Why, in a few words.
        size: Its size in bytes; None for a folder or where it could not be read.
    """

    path: str
    reason: str
    size: int | None


class Snapshot(NamedTuple):
    """The state of the work tree.

    Attributes:
        tree: The id of its tree.
        is_dirty: Whether it differs from HEAD, or has untracked files.
        left_out: What the tree does not hold.
    """

    tree: str
    is_dirty: bool
    left_out: list[LeftOut]


class _Status(NamedTuple):
    is_staged: bool
    changed: list[str]
    untracked: list[str]
    dirty_submodules: list[str]


def take_snapshot(
    repository: Repository,
    head_sha: str | None,
    limits: SnapshotLimits | None = None,
    status: bytes | None = None,
) -> Snapshot:
    """Write the work tree as a tree object, as durable as what ``git add`` writes.

    That is against a kill and a full disk; against the loss of power as the user's ``core.fsync`` says. The record that
    follows is brought to the disk by us.

    Args:
        repository: A repository with a work tree.
        head_sha: The commit of HEAD; None on an unborn branch.
        limits: What may be taken of untracked files.
        status: What `EarlyStatus` read, when it was asked already.

    Raises:
        NoWorkTreeError: The repository is bare.
        GitError: git cannot read the work tree or write objects.
    """
    root = repository.require_work_tree()
    listed = _parse_status(repository.git.run(*STATUS).stdout if status is None else status)
    taken, left_out = _choose(root, listed.untracked, limits or SnapshotLimits())
    left_out.extend(LeftOut(path, "uncommitted changes in a submodule", None) for path in listed.dirty_submodules)
    changed = [*listed.changed, *taken]
    is_dirty = listed.is_staged or bool(listed.changed or listed.untracked or listed.dirty_submodules)
    if head_sha is not None and not changed and not listed.is_staged:
        commit = read_object(repository, head_sha, "commit")
        return Snapshot(commit[5 : 5 + repository.id_length].decode(), is_dirty, left_out)
    return Snapshot(_write_tree(repository, root, changed, left_out), is_dirty, left_out)


def overlay(repository: Repository, tree: str, paths: Iterable[str]) -> str:
    """Return a tree like another one, with some paths as they are in the work tree now.

    Args:
        repository: A repository with a work tree.
        tree: The id of the tree to start from.
        paths: Paths of the work tree; one that is gone is removed from the tree.

    Raises:
        GitError: git cannot read a path or write objects.
    """
    with scratch_folder(repository.scratch_root) as folder:
        env = {"GIT_INDEX_FILE": str(folder / "index")}
        repository.git.run("read-tree", tree, env=env)
        _update_index(repository, env, list(paths))
        return repository.git.text("write-tree", env=env)


def _parse_status(listing: bytes) -> _Status:
    """Return what differs from the index and from HEAD, and what is untracked."""
    status = _Status(is_staged=False, changed=[], untracked=[], dirty_submodules=[])
    for record in listing.split(b"\0")[:-1]:
        status = _add_record(status, os.fsdecode(record))
    return status


def _add_record(status: _Status, record: str) -> _Status:
    """Add one record of ``git status --porcelain=v2`` (see git-status, "Porcelain Format Version 2")."""
    kind = record[0]
    if kind == "?":
        status.untracked.append(record[2:])
    if kind in "?#":  # "#": a header, which settings of the user may ask for
        return status
    n_fields = {"1": 8, "u": 10}[kind]
    fields = record.split(" ", n_fields)
    path, state, submodule = fields[n_fields], fields[1], fields[2]
    if submodule[0] == "S":
        if "M" in submodule or "U" in submodule:
            status.dirty_submodules.append(path)
        if submodule[1] == "C" or kind == "u":
            status.changed.append(path)
    elif state[1] != ".":
        status.changed.append(path)
    return status._replace(is_staged=status.is_staged or state[0] != ".")


def _choose(root: Path, untracked: Iterable[str], limits: SnapshotLimits) -> tuple[list[str], list[LeftOut]]:
    """Divide untracked files into those to take and those to name."""
    untracked = list(untracked)
    environments = {
        path.removesuffix(marker)
        for path in untracked
        for marker in _ENVIRONMENT_MARKERS
        if path.endswith("/" + marker)
    }
    taken: list[str] = []
    left_out: list[LeftOut] = []
    folders: dict[str, str] = {}
    total_bytes = 0
    for path in untracked:
        folder = _generated_folder(path, environments)
        if folder is not None:
            folders[folder] = "an environment" if folder in environments else "generated files"
            continue
        reason, size = _reason_against(root / path, path, limits)
        if reason is None and (total_bytes + size > limits.max_total_bytes or len(taken) >= limits.max_files):
            reason = "too many untracked files"
        if reason is None:
            taken.append(path)
            total_bytes += size
        else:
            left_out.append(LeftOut(path, reason, size))
    left_out.extend(LeftOut(folder, reason, None) for folder, reason in folders.items())
    return taken, left_out


def _generated_folder(path: str, environments: set[str]) -> str | None:
    for environment in environments:
        if path.startswith(environment):
            return environment
    parts = path.split("/")
    for depth, part in enumerate(parts[:-1]):
        if part in _GENERATED_FOLDERS:
            return "/".join(parts[: depth + 1]) + "/"
    return None


def _reason_against(file: Path, path: str, limits: SnapshotLimits) -> tuple[str | None, int]:
    if path.endswith("/"):
        return "another repository", 0
    try:
        info = file.lstat()
    except OSError:
        return "cannot be read", 0
    if looks_like_secret_file(path):
        return "looks like a secret", info.st_size
    if info.st_size > limits.max_file_bytes:
        return f"larger than {_mebibytes(limits.max_file_bytes)}", info.st_size
    if stat.S_ISREG(info.st_mode) and not os.access(file, os.R_OK):
        return "cannot be read", info.st_size
    return None, info.st_size


def _is_readable_or_gone(file: Path) -> bool:
    try:
        mode = file.lstat().st_mode
    except OSError:
        return True
    if stat.S_ISREG(mode):
        return os.access(file, os.R_OK)
    return stat.S_ISLNK(mode) or stat.S_ISDIR(mode)


def _mebibytes(n_bytes: int) -> str:
    return f"{n_bytes / (1 << 20):g} MiB"


def _write_tree(repository: Repository, root: Path, changed: list[str], left_out: list[LeftOut]) -> str:
    with scratch_folder(repository.scratch_root) as folder:
        index = folder / "index"
        env = {"GIT_INDEX_FILE": str(index)}
        original = repository.git_dir / "index"
        if original.exists():
            # With its times: git compares them with those of the files to find entries it cannot trust.
            shutil.copy2(original, index)
        for path in _take_up(repository, env, changed):
            reason = "git cannot take it" if _is_readable_or_gone(root / path) else "cannot be read"
            left_out.append(LeftOut(path, reason, None))
        written = _run_patiently(repository, "-c", "core.splitIndex=false", "write-tree", env=env)
        return written.decode().strip()


def _take_up(repository: Repository, env: dict[str, str], paths: list[str]) -> list[str]:
    """Add paths to a private index, and return those that git refuses, found by halving.

    Raises:
        GitError: The disk refuses, or git refuses so many that the fault must be elsewhere.
    """
    refused: list[str] = []
    pending = [paths] if paths else []
    while pending:
        part = pending.pop()
        try:
            _update_index(repository, env, part)
        except GitError as error:
            if _DISK_FAULT.search(error.stderr) or len(refused) >= _MAX_REFUSED:
                raise
            if len(part) == 1:
                refused.append(part[0])
            else:
                half = len(part) // 2
                pending += [part[half:], part[:half]]
    return refused


def _update_index(repository: Repository, env: dict[str, str], paths: list[str]) -> None:
    gone = dict.fromkeys(find_behind_links(repository.require_work_tree(), paths))
    for names, options in ((list(gone), ["--force-remove"]), (paths, ["--add", "--remove"])):
        listed = b"".join(os.fsencode(path) + b"\0" for path in names if options[0] != "--add" or path not in gone)
        if listed:
            arguments = ("-c", "core.splitIndex=false", "update-index", *options, "-z", "--stdin")
            _run_patiently(repository, *arguments, input=listed, env=env)


def _run_patiently(repository: Repository, *args: str, env: dict[str, str], input: bytes | None = None) -> bytes:  # noqa: A002  subprocess.run's own name
    """Run git, again where another git removed a folder of objects, because it was empty, under its hands."""
    for _ in range(_N_TRIES):
        try:
            return repository.git.run(*args, env=env, input=input).stdout
        except GitError as error:
            if not _FOLDER_REMOVED.search(error.stderr):
                raise
    return repository.git.run(*args, env=env, input=input).stdout
