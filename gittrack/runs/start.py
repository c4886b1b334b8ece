"""The part of a run's start that takes a while, beside the training: snapshot, description, first commit."""

from __future__ import annotations

import contextlib
import logging
import threading
from typing import TYPE_CHECKING

from gittrack.errors import GittrackError
from gittrack.experiments import store
from gittrack.experiments.format import Record
from gittrack.experiments.names import ExperimentRef
from gittrack.git.prune_watch import ObjectsPrunedError, PruneWatch, tries_but_the_last
from gittrack.git.refs import RefExistsError
from gittrack.runs.describe import describe_code, describe_surroundings, snapshot_code
from gittrack.runs.finish import author_of, commit_message, extend_record, merge_params, renamed, tree_of
from gittrack.runs.folder import NO_COMMIT, RecordedTip
from gittrack.runs.recovery import close_dead_runs

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from gittrack.git.repository import Repository
    from gittrack.git.snapshot import EarlyStatus, Snapshot
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
        early: The snapshot's first question, when it was asked already.

    Attributes:
        watch: What notices that git removed the snapshot before a ref named it; None before it began.
    """

    def __init__(self, repository: Repository, head: Head, early: EarlyStatus | None = None) -> None:
        self.watch: PruneWatch | None = None
        self._snapshot: Snapshot | None = None
        self._error: Exception | None = None
        self._thread = threading.Thread(
            target=self._take, args=(repository, head, early), name="gittrack-code", daemon=True
        )
        self._thread.start()

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
            self.watch = PruneWatch(repository)
            self._snapshot = snapshot_code(repository, head, early)
        except Exception as error:  # noqa: BLE001  raised again where the result is asked for
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
        self._has_warned = False
        self._requirements = b""
        self._thread = threading.Thread(target=self._work, name="gittrack-start", daemon=True)

    @property
    def watch(self) -> PruneWatch | None:
        """What notices that git removed the code before a ref named it."""
        return self._snapshot.watch

    def begin(self) -> None:
        """Start the thread."""
        self._thread.start()

    def wait(self, *, is_ending: bool = False) -> None:
        """Return when the code is recorded, or could not be.

        Args:
            is_ending: Whether the run ends now; one so short is not published as ``running`` first. Code that could
                not be recorded at the start is recorded as it is now, and the record says so.
        """
        self._is_ending = is_ending
        self._thread.join()
        if is_ending and self.code is None:
            self._guarded(self._record_late)

    def record_again(self) -> bool:
        """Record the code as it is at the end, where git removed what was recorded at the start.

        Returns:
            Whether it had to be, and was.
        """
        if self.code is None or not self._has_pruned():
            return False
        first = self.code.snapshot.tree
        self._snapshot = CodeSnapshot(self.repository, self.head)
        self._record_code()
        if self.code.snapshot.tree != first:
            self.journal.event("problem", "git removed the code of the run's start; that of its end stands there")
        return True

    def close(self) -> None:
        """End the watch over the code."""
        watch, self._snapshot.watch = self._snapshot.watch, None
        if watch is not None:
            watch.close()

    def _work(self) -> None:
        self._guarded(self._tell_surroundings)
        self._guarded(self._record_code)
        with contextlib.suppress(Exception):  # the runs of others, and their trouble
            close_dead_runs(self.repository)

    def _guarded(self, work: Callable[[], None]) -> None:
        try:
            work()
        except Exception as error:  # noqa: BLE001  no fault of ours may reach the training
            problem = f"the run's start could not be recorded in full: {error}"
            if not self._has_warned:
                self._has_warned = True
                _logger.warning("%s; training goes on", problem)
            self.journal.event("problem", problem)

    def _tell_surroundings(self) -> None:
        surroundings = describe_surroundings(self.repository, self.head, self.environ)
        self._requirements = surroundings.requirements
        self.journal.event("requirements", surroundings.requirements.decode())
        self.folder.write_meta(surroundings.added_to(self.folder.read_meta()))

    def _record_code(self) -> None:
        for _ in tries_but_the_last():
            try:
                self._try_to_record_code()
            except GittrackError:
                if not self._has_pruned():
                    raise
                self._snapshot = CodeSnapshot(self.repository, self.head)
            else:
                return
        self._try_to_record_code()

    def _try_to_record_code(self) -> None:
        snapshot = self._snapshot.result()
        self.folder.write_tip(RecordedTip(NO_COMMIT, snapshot.tree))
        code = describe_code(self.folder.read_meta(), self.repository, snapshot)
        self.folder.write_meta(code.meta)
        self.journal.event("declared", dict(code.declared.params))
        if not self._is_ending:
            self._publish(code)
            self.close()
        self.code = code

    def _record_late(self) -> None:
        self._snapshot = CodeSnapshot(self.repository, self.head)
        self._record_code()
        self.journal.event("problem", "the code is that of the run's end, for it could not be recorded at the start")

    def _has_pruned(self) -> bool:
        return self.watch is not None and self.watch.has_pruned()

    def _publish(self, code: Code) -> None:
        """Write the experiment's first commit and its ref; a name that was taken meanwhile gets a number."""
        meta = code.meta
        record = Record(meta, merge_params({}, code.declared.params), requirements=self._requirements)
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
            if self.watch is not None and self.watch.has_lost(commit, self.resumes or meta.baseline):
                store.withdraw(self.repository, experiment, commit, self.resumes)
                raise ObjectsPrunedError("git removed objects of the experiment while they were recorded")
            self.folder.write_tip(RecordedTip(commit, tree_of(self.repository, commit)))
            return

    def _renamed(self, record: Record, baseline: str) -> Record:
        record = renamed(self.repository, record, baseline)
        self.folder.write_meta(record.meta)
        return record
