from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING

import pytest

from gittrack.runs.locks import FileLock, LockedError, is_locked

if TYPE_CHECKING:
    from pathlib import Path

HOLD = """
import pathlib, subprocess, sys, time, os
from gittrack.runs.locks import FileLock
lock = FileLock(pathlib.Path(sys.argv[1]))
lock.acquire()
if sys.argv[2] == "exec":
    print(subprocess.Popen(["sleep", "60"], close_fds=False).pid, flush=True)
elif not os.fork():
    print(os.getpid(), flush=True)
time.sleep(60)
"""


def test_a_lock_excludes_until_it_is_released(tmp_path: Path) -> None:
    """Of two objects one holds the file, and the other can after it."""
    one, two = FileLock(tmp_path / "lock"), FileLock(tmp_path / "lock")
    assert one.try_acquire()
    assert one.try_acquire()
    assert not two.try_acquire()
    assert (one.is_held, two.is_held) == (True, False)
    one.release()
    one.release()
    assert two.try_acquire()
    two.release()


def test_waiting_ends_with_the_release_or_the_timeout(tmp_path: Path) -> None:
    """A bounded wait says who is in the way; an unbounded one ends when the lock is free."""
    one, two = FileLock(tmp_path / "lock"), FileLock(tmp_path / "lock")
    one.acquire()
    start = time.monotonic()
    with pytest.raises(LockedError, match="lock"):
        two.acquire(timeout_s=0.1)
    assert 0.1 <= time.monotonic() - start < 5
    threading.Timer(0.1, one.release).start()
    two.acquire()
    two.release()


def test_asking_neither_creates_nor_takes(tmp_path: Path) -> None:
    """`is_locked` has no effect, however often it is asked."""
    path = tmp_path / "lock"
    assert not is_locked(path)
    assert not path.exists()
    with FileLock(path):
        assert is_locked(path)
        assert is_locked(path)
    assert not is_locked(path)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
@pytest.mark.parametrize("how", ["fork", "exec"])
def test_a_worker_that_survives_does_not_hold_the_lock(tmp_path: Path, how: str) -> None:
    """After SIGKILL of the holder the lock is free, though a child of it lives."""
    path = tmp_path / "lock"
    holder = subprocess.Popen([sys.executable, "-c", HOLD, str(path), how], stdout=subprocess.PIPE, text=True)
    assert holder.stdout is not None
    worker = int(holder.stdout.readline())
    try:
        assert is_locked(path)
        holder.kill()
        holder.wait()
        os.kill(worker, 0)
        assert not is_locked(path)
    finally:
        os.kill(worker, signal.SIGKILL)
        holder.stdout.close()
