"""Post a run while it goes on: a thread beside the training that reads what the run has put on disk.

The training does not wait for it: a log call is the same with and without. The thread looks once a second, and rests
four times as long as it has worked.
"""

from __future__ import annotations

import os
import threading
import time
from typing import TYPE_CHECKING, Any

from gittrack.runs.beside import work_beside
from gittrack.warn import warn

if TYPE_CHECKING:
    from collections.abc import Callable

    from gittrack.git.repository import Repository
    from gittrack.live.sender import Sender
    from gittrack.live.spool import End, Spool
    from gittrack.live.target import Target
    from gittrack.runs.context import RunContext
    from gittrack.runs.locks import FileLock
    from gittrack.runs.opening import OpenedRun

INTERVAL_S = 1.0
END_WAIT_S = 3.0  # how long a run's end waits for the receiver

_READY_WAIT_S = 5.0
_REST = 4.0  # per second of work, so that the training has most of the interpreter
_LEFTOVER_S = 0.2
_NO_COMMIT = "0" * 40  # the baseline outside of a repository


class LivePosting:
    """Posts one run, if a receiver is set up; does nothing where none is.

    Args:
        repository: The repository; None outside of one.
        opened: The run.
        context: The process.
    """

    def __init__(self, repository: Repository | None, opened: OpenedRun, context: RunContext) -> None:
        self._repository = repository
        self._place = repository or opened.folder.path.parent
        self._opened = opened
        self._context = context
        self._pid = os.getpid()
        self._wake = threading.Event()
        self._done = threading.Event()
        self._end: End | None = None
        self._spool: Spool | None = None
        self._lock: FileLock | None = None
        self._target: Target | None = None
        self._problem: str | None = None
        self._thread: threading.Thread | None = None
        # Loading requests must not be cut by a fork.
        self._preparing = work_beside("gittrack-live-start", self._prepare)

    @property
    def spool(self) -> Spool | None:
        """What is still to be posted, on disk; None where no receiver is set up."""
        self._preparing.join(_READY_WAIT_S)
        return self._spool

    def prepare_end(self) -> None:
        """Take all that the run has logged, before its folder goes."""
        if self._pid != os.getpid():
            return
        self._preparing.join(_READY_WAIT_S)
        self._take_news()

    def finish(self, status: str, message: str | None, commit: str | None) -> bool:
        """Post the run's end, and wait for that a little; what is left is posted by the next run or command.

        Args:
            status: How the run ended.
            message: Why, when it did not complete.
            commit: The experiment's commit.

        Returns:
            Whether the receiver has everything, or none is set up.
        """
        if self._pid != os.getpid() or self._spool is None or self._lock is None:
            return True
        from gittrack.live.spool import End

        self._end = End(status, message, commit)
        self._guarded(self._keep_end)
        self._wake.set()
        if self._thread is None:  # the interpreter is ending, and starts no thread any more
            self._post(time.monotonic() + END_WAIT_S)
        self._done.wait(END_WAIT_S)
        if self._spool.path.exists():
            reason = self._problem or "the receiver needs more time"
            warn(
                "not all of '%s' is posted yet: %s; 'gittrack live flush' posts the rest",
                self._opened.meta.name,
                reason,
            )
            return False
        return True

    def _take_news(self) -> None:
        """Bring journals and files of plots that are new into the spool."""
        spool = self._spool
        if spool is not None:
            self._guarded(lambda: spool.link_journals(self._opened.folder.path))

    def _keep_end(self) -> None:
        if self._spool is not None and self._end is not None:
            self._spool.write_end(self._end)

    def _prepare(self) -> None:
        """Find out whether there is a receiver, and begin the spool; raises nothing."""
        self._guarded(self._try_to_prepare)
        if self._spool is not None:
            try:
                self._thread = threading.Thread(target=self._post, name="gittrack-live", daemon=True)
                self._thread.start()
            except RuntimeError:
                self._thread = None

    def _try_to_prepare(self) -> None:
        from gittrack.live.spool import SpooledRun, spool_of
        from gittrack.live.target import (
            NoURLError,
            OfflineError,
            Surroundings,
            Wishes,
            find_target,
            without_userinfo,
        )

        around = Surroundings(self._context.environ, self._context.directory, self._repository)
        try:
            self._target = find_target(Wishes(), around)
        except (NoURLError, OfflineError):
            return
        meta = self._opened.meta
        spool = spool_of(self._place, meta.id)
        run = SpooledRun(
            url=without_userinfo(self._target.url),
            repo_url=self._target.repo_url,
            baseline_sha=meta.baseline or (self._repository.zero_id if self._repository else _NO_COMMIT),
            name=meta.name,
            message=self._opened.description,
            subdir=_subdir(self._repository, self._context),
        )
        spool.create(run)
        lock = spool.lock()
        lock.acquire(0)
        try:
            spool.link_journals(self._opened.folder.path)
        except OSError:
            spool.remove()
            lock.release()
            raise
        # Loading requests takes a while, in which the process may be killed: it comes after the spool is there.
        from gittrack.live.wire import warm_up

        warm_up()
        self._spool, self._lock = spool, lock

    def _post(self, deadline: float | None = None) -> None:
        """Post until everything is, the receiver refuses for good, or the time is over; raises nothing.

        Args:
            deadline: When to stop, by `time.monotonic`; None for never.
        """
        try:
            self._guarded(lambda: self._post_all(deadline))
        finally:
            if self._lock is not None:
                self._lock.release()
            self._done.set()

    def _post_all(self, deadline: float | None) -> None:
        from gittrack.live.channel import open_channel
        from gittrack.live.leftovers import Leftovers
        from gittrack.live.sender import Sender

        assert self._spool is not None and self._target is not None  # noqa: S101, PT018  both are there when it starts
        run = self._spool.read_run()
        if run is None:
            return
        channel = open_channel(self._target)
        try:
            sender = Sender(self._spool, run, channel, self._take_news)
            leftovers = Leftovers(self._place, self._target, channel)
            self._loop(sender, leftovers, deadline)
        finally:
            channel.close()

    def _loop(self, sender: Sender, leftovers: Any, deadline: float | None) -> None:
        from gittrack.live.answer import NotTakenError
        from gittrack.live.sender import Pauses

        pauses = Pauses()
        while deadline is None or time.monotonic() < deadline:
            end, started = self._end, time.thread_time()
            pause = INTERVAL_S
            try:
                has_more = sender.send_some()
                if not has_more and end is not None:
                    sender.send_end(end)
                    return
                if not has_more:
                    leftovers.send_some(_LEFTOVER_S)
                pauses.succeed()
                self._problem = None
                if has_more:
                    pause = 0.0
            except NotTakenError as error:
                self._tell(sender, error)
                if not error.may_retry:
                    return
                pause = pauses.fail(error.retry_after)
            if end is None:  # nobody waits
                pause = max(pause, _REST * (time.thread_time() - started))
            self._rest(pause, end)

    def _rest(self, seconds: float, end: End | None) -> None:
        """Wait, but not longer than until the run ends."""
        if seconds <= 0.0:
            return
        if end is None:
            self._wake.wait(seconds)
        else:
            time.sleep(seconds)

    def _tell(self, sender: Sender, error: Any) -> None:
        if self._problem is None:
            outlook = "it is tried again" if error.may_retry else "'gittrack live flush' tries again"
            warn("live posting of '%s' fails: %s; %s, and training goes on", self._opened.meta.name, error, outlook)
        self._problem = error.message
        self._guarded(lambda: sender.note_problem(error))

    def _guarded(self, work: Callable[[], object]) -> None:
        """Do something whose failure must not reach the training."""
        try:
            work()
        except Exception as error:  # noqa: BLE001  no fault of ours may reach the training
            if self._problem is None:
                warn("the run is not posted live: %s; training goes on", error)
            self._problem = str(error)


def start_posting(opened: OpenedRun | None, context: RunContext) -> LivePosting | None:
    """Begin to post a run, if a receiver is set up; returns at once.

    A run that joined another one is posted by the owner of that.

    Args:
        opened: The run; None on a rank that does not record.
        context: The process.
    """
    if opened is None or opened.lock is None:
        return None
    return LivePosting(opened.starter.repository if opened.starter is not None else None, opened, context)


def _subdir(repository: Repository | None, context: RunContext) -> str | None:
    """Return the folder of the process, relative to the top of the repository; None at the top, and outside of one."""
    if repository is None:
        return None
    top = repository.require_work_tree()
    relative = os.path.relpath(os.path.realpath(context.directory), os.path.realpath(top)).replace(os.sep, "/")
    return None if relative == "." or relative.startswith("..") else relative
