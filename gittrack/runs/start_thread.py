"""The thread in which the slow part of a run's start is loaded and done."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from gittrack.runs.beside import work_beside

if TYPE_CHECKING:
    from collections.abc import Callable

    from gittrack.git.repository import Repository
    from gittrack.runs.describe import Code
    from gittrack.runs.start import Starter


class StartThread:
    """A `Starter` at work beside the training.

    Args:
        repository: The repository.
        load: Imports the starter and makes it, for a run whose end the given event tells.
    """

    def __init__(self, repository: Repository, load: Callable[[threading.Event], Starter]) -> None:
        self.repository = repository
        self._load = load
        self._is_ending = threading.Event()
        self._starter: Starter | None = None
        self._thread = work_beside("gittrack-start", self._work)

    @property
    def code(self) -> Code | None:
        """The code, once it is recorded."""
        return None if self._starter is None else self._starter.code

    def wait(self, *, is_ending: bool = False) -> Starter:
        """Return the starter when it has recorded the code, or could not.

        Args:
            is_ending: Whether the run ends now; one so short is not published as ``running`` first. Code that could
                not be recorded at the start is recorded as it is now, and the record says so.
        """
        if is_ending:
            self._is_ending.set()
        self._thread.join()
        starter = self._starter or self._load(self._is_ending)  # again: whatever kept it from loading is raised here
        if is_ending and starter.code is None:
            starter.record_late()
        return starter

    def _work(self) -> None:
        self._starter = self._load(self._is_ending)
        self._starter.work()
