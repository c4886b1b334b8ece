"""Log artifacts beside the training: held when the script says so, copied and hashed in a thread, one after the other.

What a script logs is the content at that moment (`gittrack.artifacts.holding` says how that is kept). An artifact is
recorded when its content is durable: only then a line in the run's events says so, and a killed run keeps it.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from queue import SimpleQueue
from typing import TYPE_CHECKING, NamedTuple

from gittrack.artifacts.cache import Cache
from gittrack.artifacts.copying import ContentChangedError
from gittrack.artifacts.holding import Holder, Room, await_settled
from gittrack.errors import GittrackError
from gittrack.runs.journal import JournalWriter
from gittrack.warn import warn

# What only the thread needs is imported there: the script waits for all that is imported here.
if TYPE_CHECKING:
    from gittrack.artifacts.holding import Holding
    from gittrack.experiments.artifact_files import ArtifactEntry
    from gittrack.git.repository import Repository
    from gittrack.runs.artifact_place import ArtifactPlace
    from gittrack.runs.artifact_request import Request
    from gittrack.runs.context import RunContext
    from gittrack.runs.opening import OpenedRun
    from gittrack.workspace.contents import Contents

_CLONES = "held"
_PATIENCE_S = 60.0  # how long a file may go on changing until it is given up
_LAST_PATIENCE_S = 10.0  # the same when the run ends
_FIRST_POLL_S, _LONGEST_POLL_S = 0.001, 0.05


class _Job(NamedTuple):
    """An artifact that waits for the thread.

    Attributes:
        kind: ``artifact`` or ``input``.
        request: What was said of it.
        step: The run's step.
        time: When it was logged, UTC epoch seconds.
        holding: Its content.
    """

    kind: str
    request: Request
    step: int | None
    time: float
    holding: Holding


class ArtifactLog:
    """The artifacts that one process logs to a run.

    Args:
        opened: The run.
        context: The process.
    """

    def __init__(self, opened: OpenedRun, context: RunContext) -> None:
        self._opened = opened
        self._context = context
        self._place: ArtifactPlace | None = None
        folder = opened.folder.path
        # The cache that links in a folder may lead to, unless a setting says otherwise, for which nobody waits here.
        self._holder = Holder(Room(), folder / _CLONES, Cache(folder.parent.parent / "cache"))
        self._journal = self._open_journal()
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._n_put = 0
        self._n_done = 0
        self._is_ending = False
        self._told: set[str] = set()
        self._thread: threading.Thread | None = None

    @property
    def is_outside(self) -> bool:
        """Whether the run is kept in a folder, for want of a repository."""
        return self._opened.starter is None and self._opened.lock is not None

    def log(self, request: Request, step: int | None) -> None:
        """Take an artifact as it is now, and return while it is copied.

        Args:
            request: What to log.
            step: The run's step.

        Raises:
            FileNotFoundError: There is nothing at its path.
        """
        if request.is_copied:
            request = self._copied(request)
        self._hold("artifact", request, step)

    def use(self, request: Request, step: int | None) -> None:
        """Record an input as it is now, and return while it is hashed.

        Args:
            request: What is used.
            step: The run's step.

        Raises:
            FileNotFoundError: There is nothing at its path.
        """
        self._hold("input", request._replace(is_cached=False), step)

    def note_input(self, entry: ArtifactEntry) -> None:
        """Record an input whose digest is known."""
        from gittrack.experiments.artifact_files import render_entry

        self._journal.event("input", render_entry(entry))

    def wait(self) -> None:
        """Return when everything that was logged so far is recorded, or could not be."""
        # No lock: a signal handler may end the run while its thread is anywhere.
        wanted, pause_s = self._n_put, _FIRST_POLL_S
        while self._n_done < wanted and self._thread is not None and self._thread.is_alive():
            time.sleep(pause_s)
            pause_s = min(_LONGEST_POLL_S, 2 * pause_s)

    def close(self) -> None:
        """Wait for everything, and end the thread."""
        self._is_ending = True
        self.wait()
        self._jobs.put(None)
        if self._thread is not None:
            self._thread.join(_LONGEST_POLL_S)
        if self._journal is not self._opened.journal:
            self._journal.close(sync=self.is_outside)

    def _open_journal(self) -> JournalWriter:
        """Return a journal that only this log writes: its thread must not wait for one that a signal handler holds."""
        with contextlib.suppress(OSError):
            return JournalWriter(self._opened.folder.new_joined_journal_path(), durability="step")
        return self._opened.journal

    def _copied(self, request: Request) -> Request:
        from gittrack.runs.artifact_copy import copy_artifact

        try:
            return request._replace(path=copy_artifact(request.path, self._context.directory))
        except FileNotFoundError:
            raise
        except OSError as error:
            self._report(request.path, f"could not be copied ({error.strerror or error}); the original is recorded")
            return request

    def _hold(self, kind: str, request: Request, step: int | None) -> None:
        try:
            holding = self._holder.hold(request.path)
        except FileNotFoundError:
            raise
        except (GittrackError, OSError) as error:
            self._report(request.path, f"is not recorded: {_reason(error)}")
            return
        self._n_put += 1
        self._jobs.put(_Job(kind, request, step, time.time(), holding))
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="gittrack-artifacts", daemon=True)
            try:
                self._thread.start()
            except RuntimeError:  # no thread is to be had: the system's limit, or the interpreter is ending
                self._thread = None
                self._jobs.put(None)
                self._work()

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            try:
                self._record(job)
            except Exception as error:  # noqa: BLE001  no fault of ours may reach the training
                self._report(job.request.path, f"is not recorded: {_reason(error)}", kind=type(error).__name__)
            finally:
                job.holding.close()
                self._n_done += 1
        if self._place is not None:
            self._place.close()

    def _record(self, job: _Job) -> None:
        from gittrack.experiments.artifact_files import ArtifactEntry, render_entry

        if self._place is None:
            self._place = self._find_place()
        request, place = job.request, self._place
        contents = self._take(place, job)
        located = place.locate(request.path)
        entry = ArtifactEntry(
            path=located.path,
            kind=contents.kind,
            digest=contents.digest,
            size=contents.size,
            files=contents.n_files,
            type=request.type,
            name=request.name,
            desc=request.desc,
            labels=request.labels,
            meta=request.meta,
            step=job.step,
            time=job.time,
            cached=request.is_cached,
            pointer=request.is_cached and located.has_pointer,
            outside=located.is_outside,
        )
        if located.problem is not None and request.is_cached:
            self._report(request.path, f"has no pointer: {located.problem}")
        if entry.pointer:
            try:
                place.point(entry)
            except (GittrackError, OSError) as error:  # the experiment has a pointer all the same
                self._report(request.path, f"has no pointer beside it: {_reason(error)}", kind="pointer")
        self._journal.event(job.kind, render_entry(entry))

    def _take(self, place: ArtifactPlace, job: _Job) -> Contents:
        """Read what was held; where that was changed since, the next version that holds still.

        Raises:
            GittrackError: It changes all the time, or cannot be tracked.
            OSError: It is gone or cannot be read, or the disk is full.
        """
        try:
            return place.take(job.holding, is_cached=job.request.is_cached)
        except ContentChangedError:
            pass
        except FileNotFoundError as error:
            raise GittrackError("it was removed before it could be copied") from error
        self._report(
            job.request.path,
            "was changed before it could be copied: what is recorded is its content of a later moment",
            kind="changed",
        )
        began = time.monotonic()
        while time.monotonic() - began < (_LAST_PATIENCE_S if self._is_ending else _PATIENCE_S):
            try:
                return self._take_later(place, job)
            except ContentChangedError:
                continue
            except FileNotFoundError as error:
                raise GittrackError("it was removed before it could be copied") from error
        raise GittrackError("it is changed all the time")

    def _take_later(self, place: ArtifactPlace, job: _Job) -> Contents:
        """Read the artifact as it is now, with nothing in memory: it must hold still while it is read."""
        holding = Holder(Room(0, 0), self._opened.folder.path / f"{_CLONES}-late", place.cache).hold(job.request.path)
        try:
            for held in holding.files:
                await_settled(held.info)
            return place.take(holding, is_cached=job.request.is_cached)
        finally:
            holding.close()

    def _find_place(self) -> ArtifactPlace:
        from gittrack.runs.artifact_place import ArtifactPlace

        if self.is_outside:
            return ArtifactPlace.of_folder(self._opened.folder.path, self._context.directory)
        return ArtifactPlace.of_repository(find_repository(self._opened, self._context))

    def _report(self, path: str, text: str, kind: str | None = None) -> None:
        """Record a problem, and warn of the first of its kind."""
        relative = os.path.relpath(path, self._context.directory)
        name = os.path.basename(path) if relative.startswith("..") else relative  # noqa: PTH119  a text
        problem = f"the artifact '{name}' {text}"
        if problem not in self._told:
            self._told.add(problem)
            self._journal.event("problem", problem)
        if (kind or text) not in self._told:
            self._told.add(kind or text)
            warn("%s; training goes on", problem)


def find_repository(opened: OpenedRun | None, context: RunContext) -> Repository:
    """Return the repository that a run is recorded in.

    Args:
        opened: The run; None in a process that does not write.
        context: The process.

    Raises:
        NotARepositoryError: There is none.
    """
    if opened is not None and opened.starter is not None:
        return opened.starter.repository
    from gittrack.git.repository import Repository

    return Repository.discover(context.directory, context.environ)


def _reason(error: Exception) -> str:
    if isinstance(error, GittrackError):
        return error.message
    if isinstance(error, OSError):
        return error.strerror or str(error)
    return f"{type(error).__name__}: {error}"
