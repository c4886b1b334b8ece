"""The part of a run's start that takes a while, beside the training: snapshot, description, first commit."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING

from gittrack.errors import GittrackError
from gittrack.experiments import store
from gittrack.experiments.format import Record
from gittrack.experiments.names import ExperimentRef
from gittrack.git.refs import RefExistsError
from gittrack.runs.describe import describe_code, describe_surroundings, snapshot_code
from gittrack.runs.finish import author_of, commit_message, extend_record, merge_params, renamed
from gittrack.runs.folder import NO_COMMIT, RecordedTip
from gittrack.runs.recovery import close_dead_runs

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gittrack.git.repository import Repository
    from gittrack.git.snapshot import Snapshot
    from gittrack.git.state import Head
    from gittrack.runs.describe import Code
    from gittrack.runs.folder import RunFolder
    from gittrack.runs.journal import JournalWriter

_logger = logging.getLogger("gittrack")


class CodeSnapshot:
    """A snapshot that is taken in a thread, from the first millisecond of a run.

    Args:
        repository: A repository with a work tree.
        head: Where HEAD is.
    """

    def __init__(self, repository: Repository, head: Head) -> None:
        self._snapshot: Snapshot | None = None
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._take, args=(repository, head), name="gittrack-code", daemon=True)
        self._thread.start()

    def result(self) -> Snapshot:
        """Wait for the snapshot and return it.

        Raises:
            GittrackError: It could not be taken.
            OSError: The same.
        """
        self._thread.join()
        if self._snapshot is None:
            raise self._error or GittrackError("no snapshot was taken")
        return self._snapshot

    def _take(self, repository: Repository, head: Head) -> None:
        try:
            self._snapshot = snapshot_code(repository, head)
        except (GittrackError, OSError, ValueError) as error:
            self._error = error


class Starter:
    """Asks for the surroundings beside the snapshot, then publishes the experiment as ``running``.

    Args:
        repository: The repository.
        head: Where HEAD was.
        snapshot: The code, on its way.
        folder: The run's folder.
        journal: The run's journal, which takes the declared params and the packages.
        environ: The process's environment.
        resumes: The commit of the experiment that the run continues.
    """

    def __init__(
        self,
        repository: Repository,
        head: Head,
        snapshot: CodeSnapshot,
        folder: RunFolder,
        journal: JournalWriter,
        environ: Mapping[str, str],
        *,
        resumes: str | None = None,
    ) -> None:
        self.repository = repository
        self.head = head
        self._snapshot = snapshot
        self.folder = folder
        self.journal = journal
        self.environ = environ
        self.resumes = resumes
        self.code: Code | None = None
        self._is_ending = False
        self._thread = threading.Thread(target=self._guarded, name="gittrack-start", daemon=True)

    def begin(self) -> None:
        """Start the thread."""
        self._thread.start()

    def wait(self, *, is_ending: bool = False) -> None:
        """Return when the code is recorded, or could not be.

        Args:
            is_ending: Whether the run ends now; one so short is not published as ``running`` first.
        """
        self._is_ending = is_ending
        self._thread.join()

    def _guarded(self) -> None:
        try:
            self._work()
        except (GittrackError, OSError, ValueError) as error:
            problem = f"the run's start could not be recorded in full: {error}"
            _logger.warning("%s; training goes on", problem)
            self.journal.event("problem", problem)

    def _work(self) -> None:
        surroundings = describe_surroundings(self.repository, self.head, self.environ)
        self.journal.event("requirements", surroundings.requirements.decode())
        snapshot = self._snapshot.result()
        self.folder.write_tip(RecordedTip(NO_COMMIT, snapshot.tree))
        meta = surroundings.added_to(self.folder.read_meta())
        self.code = describe_code(meta, self.repository, snapshot)
        self.folder.write_meta(self.code.meta)
        self.journal.event("declared", dict(self.code.declared.params))
        if not self._is_ending:
            self._publish(self.code, surroundings.requirements)
        close_dead_runs(self.repository)

    def _publish(self, code: Code, requirements: bytes) -> None:
        """Write the experiment's first commit and its ref; a name that was taken meanwhile gets a number."""
        meta = code.meta
        record = Record(meta, merge_params({}, code.declared.params), requirements=requirements)
        baseline = meta.baseline or self.repository.zero_id
        parents = [meta.baseline] if meta.baseline else []
        if self.resumes is not None:
            record = extend_record(store.read_record(self.repository, self.resumes), record)
            parents = [self.resumes]
        while True:
            commit = store.write_record(
                self.repository,
                record,
                code_tree=code.snapshot.tree,
                parents=parents,
                message=commit_message(record.meta),
                author=author_of(self.repository, record.meta),
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
            self.folder.write_tip(RecordedTip(commit, code.snapshot.tree))
            return

    def _renamed(self, record: Record, baseline: str) -> Record:
        record = renamed(self.repository, record, baseline)
        self.folder.write_meta(record.meta)
        return record
