"""Take up dead runs that were killed before they could begin to spool what they post."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gittrack.errors import GittrackError
from gittrack.host import host_name
from gittrack.live.spool import SpooledRun, spool_of
from gittrack.live.target import without_userinfo
from gittrack.runs.folder import RUNS, list_folders

if TYPE_CHECKING:
    from gittrack.git.repository import Repository
    from gittrack.live.target import Target
    from gittrack.runs.folder import RunFolder

_JOURNALS = {".journal", ".events"}
_MAX_LIFE_S = 10.0  # one that lived longer without a spool was not to be posted


def adopt_dead_runs(repository: Repository, target: Target) -> None:
    """Make spools for dead runs that git does not know yet and that lived too short to make their own.

    To be called before the runs are recorded, when their journals go.

    Args:
        repository: The repository.
        target: Where events go.
    """
    for folder in list_folders(repository.state_dir / RUNS):
        try:
            if not folder.is_alive() and not spool_of(repository, folder.path.name).path.exists():
                _adopt(repository, folder, target)
        except (GittrackError, OSError, ValueError):
            continue  # damaged, or gone meanwhile


def _adopt(repository: Repository, folder: RunFolder, target: Target) -> None:
    lock = folder.lock()
    try:
        if not lock.try_acquire():
            return
        meta = folder.read_meta()
        last_sign = max(path.stat().st_mtime for path in folder.path.iterdir() if path.suffix in _JOURNALS)
        if meta.host not in {None, host_name()} or last_sign - meta.started > _MAX_LIFE_S:
            return
        spool = spool_of(repository, meta.id)
        spool.create(
            SpooledRun(
                url=without_userinfo(target.url),
                repo_url=target.repo_url,
                baseline_sha=meta.baseline or repository.zero_id,
                name=meta.name,
                message=meta.description,
            )
        )
        try:
            spool.link_journals(folder.path)
        except OSError:
            spool.remove()
            raise
    finally:
        lock.release()
