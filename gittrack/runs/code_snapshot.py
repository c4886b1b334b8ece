"""The snapshot of a run's code, taken in a thread from the first millisecond of the run."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from gittrack.errors import GittrackError
from gittrack.runs.beside import work_beside

if TYPE_CHECKING:
    from gittrack.git.early_status import EarlyStatus
    from gittrack.git.prune_watch import PruneWatch
    from gittrack.git.repository import Repository
    from gittrack.git.snapshot import Snapshot
    from gittrack.git.state import Head


class CodeSnapshot:
    """A snapshot on its way.

    Args:
        repository: A repository with a work tree.
        head: Where HEAD is.
        early: The snapshot's first question, when it was asked already.

    Attributes:
        watch: What notices that git removed the snapshot before a ref named it; None before it began.
    """

    def __init__(self, repository: Repository, head: Head, early: EarlyStatus | None = None) -> None:
        self.watch: PruneWatch | None = None
        self._snapshot: Snapshot | None = None
        self._error: Exception | None = None
        self._thread = work_beside("gittrack-code", partial(self._take, repository, head, early))

    def result(self) -> Snapshot:
        """Wait for the snapshot and return it.

        Raises:
            Exception: Whatever kept it from being taken.
        """
        self._thread.join()
        if self._snapshot is None:
            raise self._error or GittrackError("no snapshot was taken")
        return self._snapshot

    def _take(self, repository: Repository, head: Head, early: EarlyStatus | None) -> None:
        try:
            from gittrack.git.prune_watch import PruneWatch

            self.watch = PruneWatch(repository)
            # Before more is loaded: while git goes through the files, the constructor has Python to itself.
            status = early.read() if early is not None else None
            from gittrack.runs.describe import snapshot_code

            self._snapshot = snapshot_code(repository, head, status)
        except Exception as error:  # noqa: BLE001  raised again where the result is asked for
            self._error = error
