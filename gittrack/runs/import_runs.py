"""Take up runs that were kept in a folder because there was no repository."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING, Literal, NamedTuple

from gittrack.errors import GittrackError, UsageError
from gittrack.experiments import store
from gittrack.experiments.names import ExperimentRef, check_name
from gittrack.git.objects import read_commit
from gittrack.git.refs import RefExistsError
from gittrack.git.remotes import default_remote, remote_url
from gittrack.git.state import read_head, read_identity
from gittrack.host import host_name
from gittrack.runs.claims import claim_numbered_name, release_name
from gittrack.runs.finish import build_record, commit_message
from gittrack.runs.folder import OUTSIDE_RUNS, RunFolder, list_folders

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from gittrack.experiments.format import Meta, Record
    from gittrack.git.repository import Repository
    from gittrack.git.state import Head
    from gittrack.runs.locks import FileLock

_N_NAME_TRIES = 8
_SILENT_S = 3600.0  # a run of another machine that wrote nothing for so long is taken for dead
PROBLEM = "recorded outside a repository: the code was not recorded, that of the baseline stands in its place"

Outcome = Literal["imported", "known", "running", "damaged"]


class Import(NamedTuple):
    """What became of one run's folder.

    Attributes:
        path: The folder.
        outcome: ``imported``; ``known`` when an experiment holds the run already; ``running``; or ``damaged``.
        record: What was recorded, or would be.
        reason: Why the folder cannot be read.
    """

    path: Path
    outcome: Outcome
    record: Record | None = None
    reason: str | None = None


def find_run_folders(paths: Sequence[Path]) -> list[RunFolder]:
    """Return the folders of runs in some places.

    Args:
        paths: Folders of runs, folders that hold such, or folders with a ``gittrack-runs`` in them.

    Raises:
        UsageError: A place holds no run.
    """
    found: dict[Path, RunFolder] = {}
    for path in paths:
        folders = _folders_at(path)
        if not folders:
            raise UsageError(f"no runs in '{path}'", hint=f"name a folder '{OUTSIDE_RUNS}', or the folder of a run")
        found.update({folder.path.resolve(): folder for folder in folders})
    return list(found.values())


def import_runs(
    repository: Repository, folders: Sequence[RunFolder], *, keep: bool = False, dry_run: bool = False
) -> Iterator[Import]:
    """Record runs as experiments of HEAD, one by one, and remove their folders.

    Args:
        repository: The repository.
        folders: The folders of the runs.
        keep: Whether to leave the folders.
        dry_run: Whether to only say what would be done.

    Yields:
        What became of each folder. One that cannot be recorded stays and does not stop the others.
    """
    head = read_head(repository)
    metas = store.read_metas(repository, store.list_tips(repository))
    known = {meta.id: meta.name for meta in metas.values()}
    for folder in folders:
        try:
            done = _import(repository, head, folder, known, dry_run=dry_run)
        except (GittrackError, OSError, ValueError) as error:
            done = Import(folder.path, "damaged", reason=str(error))
        if not (keep or dry_run) and done.outcome in {"imported", "known"}:
            with contextlib.suppress(OSError):
                folder.remove()
                folder.path.parent.rmdir()  # when it was the last one
        yield done


def _import(repository: Repository, head: Head, folder: RunFolder, known: dict[str, str], *, dry_run: bool) -> Import:
    links = [path.name for path in folder.path.iterdir() if path.is_symlink()]
    if links:  # a folder from somewhere else must not make us record, and later share, a file of this machine
        raise GittrackError(f"it holds a symbolic link: {links[0]!r}")
    lock = folder.lock()
    try:
        if not _is_ended(folder, lock):
            return Import(folder.path, "running", reason="still running")
        record = build_record(folder.read_meta(), folder.read_journals())
        record = record._replace(meta=_placed(repository, head, record.meta), log=folder.read_log())
        check_name(record.meta.name)
        if record.meta.id in known:
            reason = f"imported before, as '{known[record.meta.id]}'"
            return Import(folder.path, "known", record, reason)
        if not dry_run:
            record = _record(repository, head, _with_artifacts(repository, folder, record))
            known[record.meta.id] = record.meta.name
        return Import(folder.path, "imported", record)
    finally:
        lock.release()


def _with_artifacts(repository: Repository, folder: RunFolder, record: Record) -> Record:
    """Bring the artifacts and large plots of a run's folder into the repository's cache."""
    if record.plots:
        from gittrack.runs.told_plots import collect_plots

        record = collect_plots(repository, folder.path, record)
    if not record.artifacts:
        return record
    from gittrack.runs.take_up import take_up_artifacts

    return take_up_artifacts(repository, folder.path, record)


def _is_ended(folder: RunFolder, lock: FileLock) -> bool:
    """Take the lock of a run that is over, and return whether it is."""
    if not lock.try_acquire():
        return False
    if folder.read_meta().host in {None, host_name()}:
        return True
    # A lock on a shared disk says nothing about another machine; the journal does.
    if any(event.kind == "end" for event in folder.read_journals().events):
        return True
    written = max(path.stat().st_mtime for path in folder.path.iterdir())
    return time.time() - written > _SILENT_S


def _placed(repository: Repository, head: Head, meta: Meta) -> Meta:
    """Return a run's description with the place that it gets in this repository."""
    remote = default_remote(repository, head)
    return meta._replace(
        source="import",
        baseline=head.sha,
        branch=head.branch,
        code_tree=_tree_of(repository, head),
        dirty=False,
        directory="",
        remote_url=None if remote is None else remote_url(repository, remote),
        author=str(read_identity(repository)),
        problems=(*meta.problems, PROBLEM),
    )


def _record(repository: Repository, head: Head, record: Record) -> Record:
    """Write the experiment under the first free number of its name."""
    baseline = head.sha or repository.zero_id
    wanted = record.meta
    for _ in range(_N_NAME_TRIES):
        name = claim_numbered_name(repository, baseline, wanted.name, wanted.id)
        record = record._replace(meta=wanted._replace(name=name))
        try:
            commit = store.write_record(
                repository,
                record,
                code_tree=_tree_of(repository, head),
                parents=[head.sha] if head.sha else [],
                message=commit_message(record.meta),
            )
            store.create_experiment(repository, ExperimentRef(baseline, name), commit)
        except RefExistsError:  # fetched at this moment
            continue
        finally:
            release_name(repository, baseline, name)
        return record
    raise GittrackError(f"no free name like '{wanted.name}'")


def _tree_of(repository: Repository, head: Head) -> str:
    if head.sha is None:
        return repository.git.run("mktree", input=b"").stdout.decode().strip()
    return read_commit(repository, head.sha).tree


def _folders_at(path: Path) -> list[RunFolder]:
    if (path / "meta.json").is_file():
        return [RunFolder(path)]
    inside = path / OUTSIDE_RUNS
    return list_folders(inside if inside.is_dir() else path)
