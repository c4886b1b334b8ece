"""Close the runs whose process died: nothing that was logged is lost, and no status stays ``running``."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from gittrack.errors import GittrackError
from gittrack.experiments import store
from gittrack.git.loose_refs import sweep
from gittrack.git.prune_watch import is_complete
from gittrack.git.throw_away import sweep_worktrees
from gittrack.host import host_name
from gittrack.runs.claims import release_name
from gittrack.runs.finish import build_record, extend_record, publish
from gittrack.runs.folder import NO_COMMIT, RUNS, list_folders, sweep_half_made
from gittrack.runs.journal_reader import read_journals
from gittrack.runs.outcome import parse_outcome
from gittrack.scratch import sweep_scratch
from gittrack.warn import warn

if TYPE_CHECKING:
    from gittrack.experiments.format import Record
    from gittrack.git.prune_watch import PruneWatch
    from gittrack.git.repository import Repository
    from gittrack.runs.folder import RunFolder
    from gittrack.runs.outcome import Outcome


def close_dead_runs(repository: Repository) -> list[Record]:
    """Record every run of this machine whose process is gone, and return what was recorded.

    A run that ended properly but could not be written then (a full disk) gets the status it ended with; the
    others are ``killed``. Leftovers of killed processes (temporary files, locks) are swept.

    Args:
        repository: The repository.
    """
    folders = [folder for folder in list_folders(repository.state_dir / RUNS) if not folder.is_alive()]
    closed = [record for folder in folders if (record := _close(repository, folder)) is not None]
    with contextlib.suppress(OSError):  # a repository that cannot be written now
        sweep(repository)
        sweep_scratch(repository.scratch_root)
        sweep_scratch(repository.state_dir / "cache" / "tmp")  # artifacts that a killed run was copying
        sweep_half_made(repository.state_dir / RUNS)
        sweep_worktrees(repository)
    return closed


def finish_run(
    repository: Repository, folder: RunFolder, outcome: Outcome | None = None, watch: PruneWatch | None = None
) -> tuple[Record, str]:
    """Record a run from its folder, remove the folder, and return the record and its commit.

    Args:
        repository: The repository.
        folder: The run's folder, whose lock the caller holds.
        outcome: How it ended; by default what its journal says.
        watch: What has watched the code since it was recorded, while no ref named it.

    Raises:
        GittrackError: It could not be recorded; the folder stays for the next try.
        OSError: The same.
    """
    contents = read_journals(folder.path)
    if outcome is None and all(event.kind != "end" for event in contents.events):
        outcome = parse_outcome(folder.read_outcome())
    record = build_record(folder.read_meta(), contents, outcome=outcome)._replace(log=folder.read_log())
    if record.plots:
        from gittrack.runs.told_plots import collect_plots

        record = collect_plots(repository, folder.path, record)
    resumes = next((event.data for event in contents.events if event.kind == "resumes"), None)
    if isinstance(resumes, str):
        record = extend_record(store.read_record(repository, resumes), record)
    if folder.read_tip() is None and record.meta.baseline and not record.meta.code_tree:
        problem = "the code could not be recorded in time; the baseline's stands in its place"
        record = record._replace(meta=record.meta._replace(problems=(*record.meta.problems, problem)))
    record, commit = publish(repository, folder, record, resumes if isinstance(resumes, str) else None, watch)
    release_name(repository, record.meta.baseline or repository.zero_id, record.meta.name)
    folder.remove()
    return record, commit


def _drop_lost_code(repository: Repository, folder: RunFolder) -> None:
    """Let the baseline's code stand in for code that no ref named and that git therefore removed."""
    tip, meta = folder.read_tip(), folder.read_meta()
    if tip is None or tip.commit != NO_COMMIT or is_complete(repository, tip.code_tree, meta.baseline):
        return
    folder.write_meta(meta._replace(code_tree=None))
    folder.forget_tip()


def _close(repository: Repository, folder: RunFolder) -> Record | None:
    lock = folder.lock()
    try:
        if not lock.try_acquire() or not folder.path.exists():  # alive, or another command was quicker
            return None
        if folder.read_meta().host not in {None, host_name()}:
            return None  # a lock on a shared disk says nothing about another machine
        _drop_lost_code(repository, folder)
        return finish_run(repository, folder)[0]
    except (GittrackError, OSError, ValueError) as error:
        if not folder.path.exists():
            return None
        warn("the dead run in '%s' could not be recorded yet: %s", folder.path, error)
        return None
    finally:
        lock.release()
