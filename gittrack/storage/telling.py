"""Tell whole bytes of a transfer whose steps are known in fractions."""

from __future__ import annotations

import re
from threading import Lock
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from gittrack.storage.protocol import Progress

_PERCENT = r": +(\d+)%"


class Teller:
    """Adds up fractions of bytes and tells whole ones.

    Args:
        progress: Whom to tell.
    """

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._rest = 0.0
        self._lock = Lock()

    def tell(self, n_bytes: float) -> None:
        """Tell of some more bytes, from any thread."""
        with self._lock:
            self._rest += n_bytes
            whole = max(0, int(self._rest))
            self._rest -= whole
        if whole:
            self._progress.on_bytes(whole)

    def follow(self, what: str, n_bytes: float) -> tuple[Callable[[str], None], Callable[[], None]]:
        """Return what takes git's progress piece by piece, and what tells the rest when git has ended.

        Args:
            what: The words before git's percentage, such as ``Writing objects``.
            n_bytes: How many bytes that is in all.
        """
        percentage = re.compile(re.escape(what) + _PERCENT)
        told = 0.0

        def on_progress(piece: str) -> None:
            nonlocal told
            if match := percentage.search(piece):
                share = int(match[1]) / 100 * n_bytes
                self.tell(share - told)
                told = share

        def finish() -> None:
            self.tell(n_bytes - told)

        return on_progress, finish
