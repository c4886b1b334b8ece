"""Try again what failed for a moment: later each time, not all at once, and not for ever."""

from __future__ import annotations

import random
import time
from typing import TYPE_CHECKING, TypeVar

from gittrack.storage.protocol import StorageError

if TYPE_CHECKING:
    from collections.abc import Callable

_R = TypeVar("_R")
_random = random.SystemRandom()
# So many bytes between two faults show a line that works, however long the object is.
_PROGRESS_BYTES = 8 << 20
_SLICE_S = 0.2


class TransientError(StorageError):
    """A fault that may be gone in a moment: too many requests, a server's own error, a lost connection.

    Args:
        message: As for every error.
        hint: The same.
        wait_s: How long the storage asks to wait, in seconds; None when it does not say.
    """

    def __init__(self, message: str, *, hint: str | None = None, wait_s: float | None = None) -> None:
        super().__init__(message, hint=hint)
        self.wait_s = wait_s


class Retries:
    """How often and after how long a request is tried again.

    Args:
        n_tries: How often at most, without progress in between.
        first_wait_s: How long to wait after the first fault, in seconds; twice as long after each further one.
        max_wait_s: How long at most.
        max_asked_s: How long to wait at most where the storage asks for it; it fails where that is more.
        sleep: Waits so many seconds.
    """

    def __init__(
        self,
        n_tries: int = 5,
        first_wait_s: float = 0.5,
        max_wait_s: float = 30.0,
        max_asked_s: float = 120.0,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        self._n_tries = n_tries
        self._first_wait_s = first_wait_s
        self._max_wait_s = max_wait_s
        self._max_asked_s = max_asked_s
        self._sleep = sleep

    def run(
        self,
        work: Callable[[], _R],
        position: Callable[[], int] = lambda: 0,
        check: Callable[[], object] = lambda: None,
    ) -> _R:
        """Call a function until it returns.

        Args:
            work: The function.
            position: How many bytes are through; the count begins anew where that grows.
            check: Called often while waiting; what it raises ends that.

        Raises:
            StorageError: It failed for good, or too often.
        """
        n_failed, reached = 0, position()
        while True:
            try:
                return work()
            except TransientError as error:
                if position() - reached >= _PROGRESS_BYTES:
                    n_failed = 0
                n_failed, reached = n_failed + 1, max(reached, position())
                if n_failed >= self._n_tries:
                    raise StorageError(f"{error.message} ({n_failed} tries)", hint=error.hint) from error
                self._pause(self._wait_s(n_failed, error), check)

    def _pause(self, seconds: float, check: Callable[[], object]) -> None:
        while seconds > 0:
            step = min(seconds, _SLICE_S)
            self._sleep(step)
            check()
            seconds -= step

    def _wait_s(self, n_failed: int, error: TransientError) -> float:
        if error.wait_s is not None:
            if error.wait_s > self._max_asked_s:
                raise StorageError(
                    f"{error.message}, and asks to wait {error.wait_s:,.0f} seconds", hint="try again after that time"
                ) from error
            return max(0.0, error.wait_s)
        return min(self._max_wait_s, self._first_wait_s * 2.0 ** (n_failed - 1)) * _random.uniform(0.5, 1.0)
