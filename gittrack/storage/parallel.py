"""Do something for many objects in several threads, and stop all of them when one fails."""

from __future__ import annotations

import threading
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_T = TypeVar("_T")
_R = TypeVar("_R")


class StoppedError(Exception):
    """Another object failed, or the person gave up; never seen outside."""


class Stop:
    """A sign to give up, that long work looks at."""

    def __init__(self) -> None:
        self._event = threading.Event()

    def set(self) -> None:
        """Let everybody give up."""
        self._event.set()

    def check(self) -> None:
        """Give up, if so."""
        if self._event.is_set():
            raise StoppedError

    def sleep(self, seconds: float) -> None:
        """Wait, but no longer than until there is a reason to give up."""
        if self._event.wait(seconds):
            raise StoppedError


def run_parallel(work: Callable[[_T], _R], items: Sequence[_T], n_jobs: int, stop: Stop | None = None) -> list[_R]:
    """Call a function for each item and return the results in their order.

    Args:
        work: The function; called by several threads at once.
        items: What to call it with.
        n_jobs: How many threads.
        stop: Set when one call fails or the person interrupts, so that the others can end early.

    Raises:
        Exception: What the first call that failed raised, when all others have ended.
    """
    if n_jobs <= 1 or len(items) <= 1:
        return [work(item) for item in items]
    with ThreadPoolExecutor(min(n_jobs, len(items)), thread_name_prefix="gittrack-storage") as pool:
        futures = [pool.submit(work, item) for item in items]
        try:
            wait(futures, return_when=FIRST_EXCEPTION)
            if any(future.done() and not future.cancelled() and future.exception() for future in futures):
                pool.shutdown(wait=False, cancel_futures=True)
                if stop is not None:
                    stop.set()
        except BaseException:  # the person gave up
            pool.shutdown(wait=False, cancel_futures=True)
            if stop is not None:
                stop.set()
            raise
    errors = [error for future in futures if not future.cancelled() and (error := future.exception())]
    if errors:
        raise next((error for error in errors if not isinstance(error, StoppedError)), errors[0])
    return [future.result() for future in futures]
