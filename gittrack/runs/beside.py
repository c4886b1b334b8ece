"""Threads that work beside the training, for a moment, in a way that a fork survives.

They load what they need, and a child that is forked while a thread of its parent imports a module waits for that import
for ever when it needs the module too. So a fork waits for these threads.
"""

from __future__ import annotations

import os
import threading
import weakref
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_LONGEST_WAIT_S = 5.0  # the work takes a tenth of a second, longer only on a broken disk or driver
_threads: weakref.WeakSet[threading.Thread] = weakref.WeakSet()


def work_beside(name: str, work: Callable[[], None]) -> threading.Thread:
    """Start a thread that neither a fork nor the end of the interpreter is to interrupt for long, and return it.

    Args:
        name: The thread's name.
        work: What it does.
    """
    thread = threading.Thread(target=work, name=name, daemon=True)
    thread.start()
    _threads.add(thread)
    return thread


def _wait() -> None:
    for thread in list(_threads):
        if thread is not threading.current_thread():
            thread.join(_LONGEST_WAIT_S)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_wait)
