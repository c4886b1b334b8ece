"""Open a run: new, resumed, joined to a parent process's run, or outside any repository."""

from __future__ import annotations

import contextlib
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from gittrack.errors import GittrackError, UsageError
from gittrack.experiments.names import check_name
from gittrack.git.early_status import EarlyStatus
from gittrack.git.process import GitMissingError
from gittrack.git.repository import NotARepositoryError, NoWorkTreeError, Repository
from gittrack.git.state import read_head
from gittrack.runs import claims
from gittrack.runs.code_snapshot import CodeSnapshot
from gittrack.runs.context import BASELINE_VARIABLE, NAME_VARIABLE, RUN_VARIABLE
from gittrack.runs.describe_process import describe_place, describe_process
from gittrack.runs.folder import OUTSIDE_RUNS, RUNS, RunFolder, create_folder, new_run_id
from gittrack.runs.journal import JournalWriter
from gittrack.runs.start_thread import StartThread
from gittrack.warn import warn

if TYPE_CHECKING:
    import threading
    from collections.abc import Iterator, Mapping

    from gittrack.experiments.format import Meta, Record, Source
    from gittrack.git.state import Head
    from gittrack.runs.artifact_log import ArtifactLog
    from gittrack.runs.context import RunContext
    from gittrack.runs.locks import FileLock
    from gittrack.runs.outcome import Outcome
    from gittrack.runs.start import Starter
    from gittrack.values import PlainValue

_RUN_ID = re.compile(r"[0-9a-f]{16}")

Durability = Literal["buffered", "step"]


class RunEndedError(GittrackError):
    """The run to join has ended."""


class RunActiveError(GittrackError):
    """The experiment to resume is still running."""


class OpenedRun:
    """What is open behind a run: folder, lock, journal, and the start that works beside the training.

    Args:
        folder: The run's folder.
        meta: The description at the start.
        journal: Where this process logs to.
        lock: The run's lock; None when another process owns the run and this one joined it.
        starter: What records the code; None outside a repository and for a joined run.
        first_step: The step to begin with.
        first_system_step: The same for what is logged of the machine.
    """

    def __init__(
        self,
        folder: RunFolder,
        meta: Meta,
        journal: JournalWriter,
        *,
        lock: FileLock | None = None,
        starter: StartThread | None = None,
        first_step: int = 0,
        first_system_step: int = 0,
    ) -> None:
        self.folder = folder
        self.meta = meta
        self.journal = journal
        self.lock = lock
        self.starter = starter
        self.first_step = first_step
        self.first_system_step = first_system_step
        self.description: str | None = meta.description
        self.artifacts: ArtifactLog | None = None
        self.written: list[Path] = []  # files that belong into the recorded tree
        self.record: Record | None = None
        self.commit: str | None = None

    def current_name(self) -> str:
        """Return the experiment's name, which a race at the start may have changed."""
        code = self.starter.code if self.starter is not None else None
        if code is None or not self.folder.path.exists():
            return self.meta.name if self.record is None else self.record.meta.name
        return self.folder.read_meta().name

    def close(self, outcome: Outcome) -> None:
        """Write what is left to the journal and record the run in git.

        Raises:
            GittrackError: It could not be recorded; the folder stays.
            OSError: The same.
        """
        try:
            self._close(outcome)
        finally:
            self.journal.close(sync=self.record is None)  # git has it all where there is a record
            if self.lock is not None:
                self.lock.release()

    def _close(self, outcome: Outcome) -> None:
        if self.lock is None:
            self._finish_artifacts()
            if not self.folder.path.exists():
                warn("the run that this process joined ended first; what was logged after that is lost")
            return
        if outcome.peak_memory_bytes is None:
            from gittrack.runs.environment import peak_memory_bytes  # here: a script need not wait for it to start

            outcome = outcome._replace(peak_memory_bytes=peak_memory_bytes())
        self._keep_outcome(outcome)  # at once: whatever happens to the process now, this is how the run ended
        self._finish_artifacts()
        if self.starter is None:
            self.journal.flush()
        else:
            self.record, self.commit = self.starter.wait(is_ending=True).finish(outcome, self.written)

    def _finish_artifacts(self) -> None:
        if self.artifacts is not None:
            self.artifacts.close()

    def _keep_outcome(self, outcome: Outcome) -> None:
        told: dict[str, PlainValue] = {key: value for key, value in outcome._asdict().items() if value is not None}
        self.journal.event("end", told)
        if self.journal.problem is not None:
            with contextlib.suppress(OSError):
                self.folder.write_outcome(told)


def is_run_id(value: object) -> bool:
    """Return whether a value has the form of a run's id: 16 hex digits."""
    return isinstance(value, str) and _RUN_ID.fullmatch(value) is not None


def open_run(
    context: RunContext,
    *,
    name: str | None,
    group: str | None,
    resume: bool | str,
    durability: Durability,
    source: Source = "run",
    repository: Repository | None = None,
    head: Head | None = None,
) -> OpenedRun:
    """Open a run for a process.

    Where the repository cannot be written, the run is kept in a folder beside the script.

    Args:
        context: The process.
        name: The experiment's name; by default that of the environment, else a made-up one.
        group: A name that ties experiments together.
        resume: Whether, or which experiment, to continue: its name, or ``name@baseline``.
        durability: When the journal reaches the system.
        source: What records the experiment.
        repository: The repository; found from the process's folder by default.
        head: Where HEAD is said to be; by default where that of the repository is.

    Raises:
        GittrackError: The arguments are wrong, or there is nothing to resume.
        OSError: There is no place at all where the run could be kept.
    """
    resumed, _, start = resume.partition("@") if isinstance(resume, str) else (name, "", "")
    if resume and resumed is None:
        raise UsageError("resume=True needs the name of the experiment", hint='Run(name="…", resume=True)')
    if resumed is not None:
        check_name(resumed)
    early = None
    try:
        if repository is None:
            # git looks for the repository and through its files at the same time.
            early = _ask_early(context)
            repository = Repository.discover(context.directory, context.environ)
        repository.require_work_tree()
    except (NotARepositoryError, NoWorkTreeError, GitMissingError) as error:
        if early is not None:
            early.close()
        return _open_outside(context, name, group, durability, error.message)
    parent = context.parent or context.environ.get(RUN_VARIABLE, "")
    parent_folder = _parent_folder(repository, context, parent)
    try:
        # A command is recorded for itself, also within another one.
        is_own = resume or source == "command" or context.is_nested
        if not is_own and parent_folder is not None and name in {None, parent_folder.read_meta().name}:
            journal = JournalWriter(parent_folder.new_joined_journal_path(), durability=durability)
            return OpenedRun(parent_folder, parent_folder.read_meta(), journal)
        head = head or read_head(repository)
        snapshot = CodeSnapshot(repository, head, early)
        meta = describe_process(context, name=name or "", run_id=new_run_id(), source=source)
        meta = meta._replace(
            group=group,
            baseline=_given_baseline(repository, context),
            parent_run=parent if _RUN_ID.fullmatch(parent) else None,
        )
        meta = describe_place(meta, repository, head, context.directory)
        if resume and resumed is not None:
            return _open_resumed(repository, head, snapshot, meta, (resumed, start), context, durability)
        if name is None and parent_folder is None and not context.is_nested:
            name = _given_name(context)
        return _open_new(repository, head, snapshot, _named(repository, meta, name), context, durability)
    except OSError as error:  # read-only, or full
        reason = f"the repository cannot be written ({error.strerror or error})"
        return _open_outside(context, resumed, group, durability, reason)


def _ask_early(context: RunContext) -> EarlyStatus | None:
    """Ask what a snapshot asks first; not in a process that may join its parent's run and needs no snapshot."""
    if RUN_VARIABLE in context.environ:
        return None
    with contextlib.suppress(OSError):
        return EarlyStatus(context.directory, context.environ)
    return None


def _open_new(
    repository: Repository, head: Head, snapshot: CodeSnapshot, meta: Meta, context: RunContext, durability: Durability
) -> OpenedRun:
    with _released_on_error(repository, meta):
        folder, lock, journal = _create(repository.state_dir / RUNS, meta, durability)
    starter = _start(repository, head, snapshot, folder, journal, context.environ)
    return OpenedRun(folder, meta, journal, lock=lock, starter=starter)


def _create(root: Path, meta: Meta, durability: Durability) -> tuple[RunFolder, FileLock, JournalWriter]:
    """Create a run's folder, held, with its journal; nothing is left when the disk refuses."""
    folder, lock = create_folder(root, meta)
    try:
        return folder, lock, JournalWriter(folder.journal_path, durability=durability)
    except OSError:
        folder.remove()
        lock.release()
        raise


@contextlib.contextmanager
def _released_on_error(repository: Repository, meta: Meta) -> Iterator[None]:
    """Give the claim of a run's name back when the run cannot be opened."""
    try:
        yield
    except BaseException:
        claims.release_name(repository, meta.baseline or repository.zero_id, meta.name)
        raise


def _open_resumed(
    repository: Repository,
    head: Head,
    snapshot: CodeSnapshot,
    meta: Meta,
    resumed: tuple[str, str],
    context: RunContext,
    durability: Durability,
) -> OpenedRun:
    """Continue an experiment of the baseline that is given, else of this one, or the only one of that name."""
    from gittrack.experiments.store import read_record
    from gittrack.runs.resuming import find_resumed, next_steps  # here: few runs resume another one

    name, start = resumed
    tip = find_resumed(repository, meta.baseline or repository.zero_id, name, start)
    baseline = tip.experiment.baseline
    if not claims.claim_for_resume(repository, baseline, name, meta.id):
        raise RunActiveError(f"experiment '{name}' is still running", hint="wait for it, or resume another one")
    meta = meta._replace(name=name, baseline=None if baseline == repository.zero_id else baseline)
    with _released_on_error(repository, meta):
        previous = read_record(repository, tip.commit)
        first_step, first_system_step = next_steps(previous)
        parent = meta.parent_run or previous.meta.parent_run
        meta = meta._replace(group=meta.group or previous.meta.group, parent_run=parent)
        folder, lock, journal = _create(repository.state_dir / RUNS, meta, durability)
    journal.event("resumes", tip.commit)
    starter = _start(repository, head, snapshot, folder, journal, context.environ, resumes=tip.commit)
    return OpenedRun(
        folder, meta, journal, lock=lock, starter=starter, first_step=first_step, first_system_step=first_system_step
    )


def _start(
    repository: Repository,
    head: Head,
    snapshot: CodeSnapshot,
    folder: RunFolder,
    journal: JournalWriter,
    environ: Mapping[str, str],
    *,
    resumes: str | None = None,
) -> StartThread:
    """Begin what takes a while, in a thread that also loads the code for it."""

    def load(ending: threading.Event) -> Starter:
        from gittrack.runs.start import Starter

        return Starter(repository, head, snapshot, folder, journal, environ, ending, resumes=resumes)

    return StartThread(repository, load)


def _open_outside(
    context: RunContext, name: str | None, group: str | None, durability: Durability, reason: str
) -> OpenedRun:
    """Keep the run in a folder beside the script, or among the temporary files where that cannot be written."""
    meta = describe_process(context, name=check_name(name) if name else "", run_id=new_run_id())
    meta = meta._replace(name=meta.name or f"run-{meta.id[:8]}", group=group)
    try:
        folder, lock, journal = _create(context.directory / OUTSIDE_RUNS, meta, durability)
    except OSError:
        from tempfile import mkdtemp  # here: it is seldom that even the script's folder cannot be written

        temporary = Path(mkdtemp(prefix="gittrack-", dir=context.environ.get("TMPDIR")))
        folder, lock, journal = _create(temporary / OUTSIDE_RUNS, meta, durability)
    warn("%s: the run is kept in '%s'; 'gittrack exp import' in a repository takes it up", reason, folder.path)
    return OpenedRun(folder, meta, journal, lock=lock)


def _parent_folder(repository: Repository, context: RunContext, parent: str) -> RunFolder | None:
    folder = living_run(repository, parent)
    if context.is_joining and folder is None:
        raise RunEndedError(f"the run {parent} has ended")
    return folder


def living_run(repository: Repository, run_id: str) -> RunFolder | None:
    """Return the folder of a run that another process owns and that goes on, such as a parent's; or None.

    Args:
        repository: The repository.
        run_id: What may be the id of a run.
    """
    if not _RUN_ID.fullmatch(run_id):
        return None
    folder = RunFolder(repository.state_dir / RUNS / run_id)
    pid = folder.read_pid()
    return folder if pid is not None and pid != os.getpid() and folder.is_alive() else None


def _given_name(context: RunContext) -> str | None:
    return context.environ.get(NAME_VARIABLE) or None


def _given_baseline(repository: Repository, context: RunContext) -> str | None:
    """Return the baseline that the environment names, as a full commit id."""
    given = context.environ.get(BASELINE_VARIABLE)
    if not given:
        return None
    completed = repository.git.run(
        "rev-parse", "--verify", "--quiet", "--end-of-options", f"{given}^{{commit}}", check=False
    )
    if completed.returncode:
        raise UsageError(f"{BASELINE_VARIABLE} names no commit of this repository: {given!r}")
    return completed.stdout.decode().strip()


def _named(repository: Repository, meta: Meta, name: str | None) -> Meta:
    """Return the description with a name that is now claimed."""
    baseline = meta.baseline or repository.zero_id
    if name is None:
        return meta._replace(name=claims.claim_generated_name(repository, baseline, meta.id))
    free = claims.claim_numbered_name(repository, baseline, check_name(name), meta.id)
    if free != name:
        warn("experiment '%s' exists already; recording as '%s'", name, free)
    return meta._replace(name=free)
