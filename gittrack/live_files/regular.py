"""The thread that writes what loggers have not written yet, twice a second, and once more at the process's exit."""

from __future__ import annotations

import atexit
import os
import threading
import weakref
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gittrack.live_files.live import Live

_INTERVAL_S = 0.5
_lives: weakref.WeakSet[Live] = weakref.WeakSet()
_start = threading.Lock()
_thread: threading.Thread | None = None
_stop = threading.Event()


def add(live: Live) -> None:
    """Write the files of a logger regularly, for as long as somebody holds it."""
    global _thread  # noqa: PLW0603  one thread for the one process
    _lives.add(live)
    with _start:
        if _thread is None:
            _thread = threading.Thread(target=_work, name="gittrack-live", daemon=True)
            try:
                _thread.start()
            except RuntimeError:  # no thread is to be had; steps and the end write
                _thread = None
            atexit.register(_finish)


def write_those_in(folder: str) -> None:
    """Write what loggers of a folder have not written yet, before another one takes it over.

    Args:
        folder: The folder, absolute.
    """
    for live in list(_lives):
        if live._layout.folder == folder:  # noqa: SLF001  the logger's side of this module
            live._write_waiting()  # noqa: SLF001


def _work() -> None:
    while not _stop.wait(_INTERVAL_S):
        _write_all()


def _write_all() -> None:
    for live in list(_lives):
        try:
            live._write_regularly()  # noqa: SLF001  the logger's side of this module
        except Exception as error:  # noqa: BLE001  the thread serves all loggers, and the next try may do
            live._warn_once(f"not all that was logged could be written: {error}")  # noqa: SLF001


def _finish() -> None:
    _write_all()


def _after_fork() -> None:
    """Forget the parent's loggers and thread: their files are the parent's."""
    global _thread  # noqa: PLW0603
    _lives.clear()
    _thread = None


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
