"""Post what processes that are gone left in their spools."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from gittrack.errors import GittrackError
from gittrack.experiments.names import ExperimentRef
from gittrack.experiments.store import read_tip
from gittrack.live.answer import NotTakenError
from gittrack.live.sender import Sender, send_until
from gittrack.live.spool import End, list_spools, sweep_removed
from gittrack.live.target import without_userinfo
from gittrack.runs.folder import RUNS

if TYPE_CHECKING:
    from gittrack.git.repository import Repository
    from gittrack.live.channel import Channel
    from gittrack.live.spool import Spool, SpooledRun
    from gittrack.live.target import Target


_NO_WORD = "its process ended without a word"


class Flushed(NamedTuple):
    """What came of one spool.

    Attributes:
        run_id: The run's id.
        name: The experiment's name; None when that is not known any more.
        problem: Why it is not posted in full; None when it is.
    """

    run_id: str
    name: str | None
    problem: str | None = None


class Leftovers:
    """The spools of dead processes, posted a piece at a time between other work.

    Args:
        place: The repository; outside of one, the folder of its runs.
        target: Where events go now; a spool that was meant for another receiver stays.
        channel: What takes them.
    """

    def __init__(self, place: Repository | Path, target: Target, channel: Channel) -> None:
        self._place = place
        self._target = target
        self._channel = channel
        self._waiting: list[Spool] | None = None

    def send_some(self, seconds: float) -> None:
        """Post what can be posted in a while; what a receiver refuses is left for a person.

        Args:
            seconds: For how long.

        Raises:
            NotTakenError: The receiver is not there.
        """
        if self._waiting is None:
            sweep_removed(self._place)
            self._waiting = list_spools(self._place)
        if not self._waiting:
            return
        spool = self._waiting[0]
        if spool.is_expired():
            spool.remove()
        elif _is_unrecorded(self._place, spool) or spool.is_posting():
            self._waiting.append(spool)  # later: git does not know yet how it ended
        elif not spool.read_position().is_refused:
            try:
                if not send_spool(self._place, spool, self._target, self._channel, seconds=seconds):
                    return
            except NotTakenError as error:
                if error.may_retry:
                    raise
        del self._waiting[0]


def flush_spools(
    place: Repository | Path, target: Target, channel: Channel, *, names: frozenset[str], any_url: bool = False
) -> list[Flushed]:
    """Post everything that no living process posts, and return what came of each spool.

    Args:
        place: The repository; outside of one, the folder of its runs.
        target: Where events go.
        channel: What takes them.
        names: Only experiments of these names; all when empty.
        any_url: Whether to post also what was meant for another receiver.
    """
    flushed = []
    for spool in list_spools(place):
        run = spool.read_run()
        if names and (run is None or run.name not in names):
            continue
        flushed.append(_flush(place, spool, run, target, channel, any_url=any_url))
    return flushed


def send_spool(
    place: Repository | Path, spool: Spool, target: Target, channel: Channel, *, seconds: float, any_url: bool = False
) -> bool:
    """Post one spool whose process is gone; return whether nothing is left to do for it now.

    Args:
        place: The repository; outside of one, the folder of its runs.
        spool: The spool.
        target: Where events go.
        channel: What takes them.
        seconds: For how long at most.
        any_url: Whether to post what was meant for another receiver.

    Raises:
        NotTakenError: The receiver did not take something.
    """
    lock = spool.lock()
    try:
        run = spool.read_run()
        if run is None or not (any_url or is_for(run, target)) or not lock.try_acquire():
            return True
        sender = Sender(spool, run, channel)
        try:
            if not send_until(sender, time.monotonic() + seconds):
                return False
            if (end := _find_end(place, spool, run)) is not None:
                sender.send_end(end)
        except NotTakenError as error:
            sender.note_problem(error)
            raise
    except OSError:  # gone meanwhile, or a disk that is full
        return True
    finally:
        lock.release()
    return True


def is_for(run: SpooledRun, target: Target) -> bool:
    """Return whether a run's events were meant for a receiver.

    Args:
        run: The run.
        target: The receiver.
    """
    return run.url == without_userinfo(target.url)


def _flush(
    place: Repository | Path, spool: Spool, run: SpooledRun | None, target: Target, channel: Channel, *, any_url: bool
) -> Flushed:
    if run is None:
        spool.remove()
        return Flushed(spool.run_id, None, "its spool is damaged and was removed")
    if spool.is_posting():
        return Flushed(spool.run_id, run.name, "the run's own process posts it")
    if not any_url and not is_for(run, target):
        return Flushed(spool.run_id, run.name, f"it was meant for {run.url}")
    try:
        send_spool(place, spool, target, channel, seconds=float("inf"), any_url=any_url)
    except NotTakenError as error:
        return Flushed(spool.run_id, run.name, error.message)
    is_left = spool.path.exists()
    return Flushed(spool.run_id, run.name, "the run is not recorded yet" if is_left else None)


def _is_unrecorded(place: Repository | Path, spool: Spool) -> bool:
    if isinstance(place, Path):  # the folder of such a run stays, however it ended
        return False
    return spool.read_end() is None and (place.state_dir / RUNS / spool.run_id).exists()


def _find_end(place: Repository | Path, spool: Spool, run: SpooledRun) -> End | None:
    """Return how a run ended whose process did not tell; None while git does not know it yet."""
    end = spool.read_end()
    if end is not None:
        return end
    if _is_unrecorded(place, spool):
        return None
    if isinstance(place, Path):
        return End("killed", _NO_WORD)
    try:
        commit = read_tip(place, ExperimentRef(run.baseline_sha, run.name))
    except GittrackError:
        commit = None
    return End("killed", _NO_WORD, commit)
