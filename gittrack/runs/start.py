"""The part of a run's start that takes a while, beside the training: snapshot, description, first commit."""

from __future__ import annotations

import logging
import threading
from dataclasses import replace
from typing import TYPE_CHECKING

from gittrack.errors import GittrackError
from gittrack.experiments import store
from gittrack.experiments.format import Record
from gittrack.experiments.names import ExperimentRef
from gittrack.git.refs import RefExistsError
from gittrack.runs.claims import claim_numbered_name, release_name
from gittrack.runs.describe import describe_start
from gittrack.runs.finish import commit_message, extend_record, merge_params
from gittrack.runs.folder import RecordedTip
from gittrack.runs.recovery import close_dead_runs

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gittrack.config import SnapshotLimits
    from gittrack.experiments.format import Meta
    from gittrack.git.repository import Repository
    from gittrack.git.state import Head
    from gittrack.runs.describe import Start
    from gittrack.runs.folder import RunFolder
    from gittrack.runs.journal import JournalWriter

_logger = logging.getLogger("gittrack")


class Starter:
    """Records the code and publishes the experiment as ``running``, in a thread of its own.

    Args:
        repository: The repository.
        head: Where HEAD was.
        folder: The run's folder.
        journal: The run's journal, which takes the declared params and the packages.
        environ: The process's environment.
        resumes: The commit of the experiment that the run continues.
        limits: What the snapshot may take of untracked files.
    """

    def __init__(
        self,
        repository: Repository,
        head: Head,
        folder: RunFolder,
        journal: JournalWriter,
        environ: Mapping[str, str],
        *,
        resumes: str | None = None,
        limits: SnapshotLimits | None = None,
    ) -> None:
        self.repository = repository
        self.head = head
        self.folder = folder
        self.journal = journal
        self.environ = environ
        self.resumes = resumes
        self.limits = limits
        self.start: Start | None = None
        self.problem: str | None = None
        self._thread = threading.Thread(target=self._guarded, name="gittrack-start", daemon=True)

    def begin(self) -> None:
        """Start the thread."""
        self._thread.start()

    def wait(self) -> None:
        """Return when the code is recorded, or could not be."""
        if self._thread is not threading.current_thread():
            self._thread.join()

    def _guarded(self) -> None:
        try:
            self._work()
        except (GittrackError, OSError, ValueError) as error:
            self.problem = f"the code could not be recorded at the start: {error}"
            _logger.warning("%s; training goes on", self.problem)
            self.journal.event("problem", self.problem)

    def _work(self) -> None:
        start = describe_start(self.folder.read_meta(), self.repository, self.head, self.environ, self.limits)
        self.start = start
        self.folder.write_meta(start.meta)
        self.journal.event("declared", dict(start.declared.params))
        self.journal.event("requirements", start.requirements.decode())
        self.journal.flush()
        self._publish(start)
        close_dead_runs(self.repository)

    def _publish(self, start: Start) -> None:
        """Write the experiment's first commit and its ref; a name that was taken meanwhile gets a number."""
        meta = start.meta
        record = Record(meta, merge_params({}, start.declared.params), requirements=start.requirements)
        baseline = meta.baseline or self.repository.zero_id
        parents = [meta.baseline] if meta.baseline else []
        if self.resumes is not None:
            record = extend_record(store.read_record(self.repository, self.resumes), record)
            parents = [self.resumes]
        while True:
            commit = store.write_record(
                self.repository,
                record,
                code_tree=start.snapshot.tree,
                parents=parents,
                message=commit_message(record.meta),
            )
            experiment = ExperimentRef(baseline, record.meta.name)
            try:
                if self.resumes is not None:
                    store.advance_experiment(self.repository, experiment, commit, self.resumes)
                else:
                    store.create_experiment(self.repository, experiment, commit)
            except RefExistsError:
                record = self._renamed(record, baseline)
                continue
            self.folder.write_tip(RecordedTip(commit, start.snapshot.tree))
            return

    def _renamed(self, record: Record, baseline: str) -> Record:
        old: Meta = record.meta
        name = claim_numbered_name(self.repository, baseline, old.name, old.id)
        release_name(self.repository, baseline, old.name)
        _logger.warning("experiment '%s' appeared meanwhile; recording as '%s'", old.name, name)
        meta = replace(old, name=name)
        self.folder.write_meta(meta)
        return replace(record, meta=meta)
