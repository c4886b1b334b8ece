"""The part of a run's start that takes a while, beside the training: snapshot, description, first commit."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from gittrack.errors import GittrackError
from gittrack.experiments import store
from gittrack.experiments.format import Record
from gittrack.experiments.names import ExperimentRef
from gittrack.git.prune_watch import ObjectsPrunedError, tries_but_the_last
from gittrack.git.refs import RefExistsError
from gittrack.runs.code_snapshot import CodeSnapshot
from gittrack.runs.describe import describe_code, describe_surroundings
from gittrack.runs.finish import author_of, commit_message, extend_record, merge_params, renamed, tree_of
from gittrack.runs.folder import NO_COMMIT, RecordedTip
from gittrack.runs.outputs import collect_outputs
from gittrack.runs.recovery import close_dead_runs, finish_run
from gittrack.warn import warn

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from gittrack.git.prune_watch import PruneWatch
    from gittrack.git.repository import Repository
    from gittrack.git.state import Head
    from gittrack.runs.describe import Code
    from gittrack.runs.folder import RunFolder
    from gittrack.runs.journal import JournalWriter
    from gittrack.runs.outcome import Outcome


class Starter:
    """Asks for the surroundings beside the snapshot, then publishes the experiment as ``running``.

    Args:
        repository: The repository.
        head: Where HEAD was.
        snapshot: The code, on its way.
        folder: The run's folder.
        journal: The run's journal, which takes the declared params and the packages.
        environ: The process's environment.
        ending: Set once the run ends.
        resumes: The commit of the experiment that the run continues.

    Attributes:
        code: The code, once it is recorded.
    """

    def __init__(
        self,
        repository: Repository,
        head: Head,
        snapshot: CodeSnapshot,
        folder: RunFolder,
        journal: JournalWriter,
        environ: Mapping[str, str],
        ending: threading.Event,
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
        self._ending = ending
        self._has_warned = False
        self._requirements = b""

    def work(self) -> None:
        """Describe the surroundings, record the code, and close the runs of others that died; raises nothing."""
        self._guarded(self._tell_surroundings)
        self._guarded(self._record_code)
        with contextlib.suppress(Exception):  # the runs of others, and their trouble
            close_dead_runs(self.repository)

    def record_late(self) -> None:
        """Record the code as it is now, where it could not be recorded at the start; raises nothing."""
        self._guarded(self._record_late)

    def finish(self, outcome: Outcome, written: Sequence[Path] = ()) -> tuple[Record, str]:
        """Record the run and its outcome in git, remove its folder, and return the record and its commit.

        Args:
            outcome: How the run ended.
            written: Files that the run wrote and that belong into the recorded tree.

        Raises:
            GittrackError: It could not be recorded; the folder stays.
            OSError: The same.
        """
        collect_outputs(self.repository, self.folder, self.journal, written)
        self.journal.flush()
        recorded = self._finish(outcome)
        self._close_watch()
        return recorded

    def _finish(self, outcome: Outcome) -> tuple[Record, str]:
        for _ in tries_but_the_last():
            try:
                return finish_run(self.repository, self.folder, outcome, self._watch)
            except GittrackError:
                if not self._record_again():
                    raise
        return finish_run(self.repository, self.folder, outcome, self._watch)

    def _record_again(self) -> bool:
        """Record the code as it is at the end, where git removed what was recorded at the start, and say whether."""
        if self.code is None or not self._has_pruned():
            return False
        first = self.code.snapshot.tree
        self._snapshot = CodeSnapshot(self.repository, self.head)
        self._record_code()
        if self.code.snapshot.tree != first:
            self.journal.event("problem", "git removed the code of the run's start; that of its end stands there")
        return True

    def _close_watch(self) -> None:
        watch, self._snapshot.watch = self._snapshot.watch, None
        if watch is not None:
            watch.close()

    @property
    def _watch(self) -> PruneWatch | None:
        """What notices that git removed the code before a ref named it."""
        return self._snapshot.watch

    def _guarded(self, work: Callable[[], None]) -> None:
        try:
            work()
        except Exception as error:  # noqa: BLE001  no fault of ours may reach the training
            problem = f"the run's start could not be recorded in full: {error}"
            if not self._has_warned:
                self._has_warned = True
                warn("%s; training goes on", problem)
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
        if not self._ending.is_set():
            self._publish(code)
            self._close_watch()
        self.code = code

    def _record_late(self) -> None:
        self._snapshot = CodeSnapshot(self.repository, self.head)
        self._record_code()
        self.journal.event("problem", "the code is that of the run's end, for it could not be recorded at the start")

    def _has_pruned(self) -> bool:
        return self._watch is not None and self._watch.has_pruned()

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
            if self._watch is not None and self._watch.has_lost(commit, self.resumes or meta.baseline):
                store.withdraw(self.repository, experiment, commit, self.resumes)
                raise ObjectsPrunedError("git removed objects of the experiment while they were recorded")
            self.folder.write_tip(RecordedTip(commit, tree_of(self.repository, commit)))
            return

    def _renamed(self, record: Record, baseline: str) -> Record:
        record = renamed(self.repository, record, baseline)
        self.folder.write_meta(record.meta)
        return record
