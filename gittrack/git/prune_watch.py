"""Notice when git throws away objects that no ref names yet.

Between the moment when objects are written and the moment when a ref names them, ``git gc --prune=now`` and
``git prune`` take them for garbage. git offers nothing against that, so it is noticed and made good: an object that
nobody needs is laid out first, and where that is gone when the ref is in place, the ref's objects are checked.
"""

from __future__ import annotations

import contextlib
import os
import random
import re
import socket
import time
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

from gittrack.errors import GittrackError
from gittrack.git.objects import object_id
from gittrack.git.scratch import is_alive
from gittrack.git.settings import read_setting

if TYPE_CHECKING:
    from typing_extensions import Self

    from gittrack.git.repository import Repository

_PATIENCE_S = 10.0
_POLL_INTERVAL_S = 0.01
_N_NEW_FOLDER_TRIES = 10
_AT_ONCE = frozenset({"now", "all"})  # other times spare what was written within seconds
_random = random.SystemRandom()


class ObjectsPrunedError(GittrackError):
    """git removed objects while they were being recorded."""


class PruneWatch:
    """Watch from before the first object is written until a ref names them all.

    Args:
        repository: The repository.
    """

    def __init__(self, repository: Repository) -> None:
        self._repository = repository
        self._bait = _lay_bait(repository)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def has_pruned(self) -> bool:
        """Return whether objects may have been removed; waits for a ``git gc`` that is about to."""
        _wait_for_gc(self._repository)
        return self._bait is not None and not self._bait.exists()

    def has_lost(self, commit: str, known: str | None) -> bool:
        """Return whether git removed objects of a commit that a ref names now.

        Args:
            commit: The commit.
            known: A commit whose objects were there before; None when there is none.
        """
        if not self.has_pruned():
            return False
        exclude = [] if known is None else ["--not", known]
        arguments = ("rev-list", "--objects", "--quiet", commit, *exclude, "--")
        return self._repository.git.run(*arguments, check=False).returncode != 0

    def close(self) -> None:
        """Take the bait away."""
        if self._bait is not None:
            with contextlib.suppress(OSError):
                self._bait.unlink(missing_ok=True)


def _lay_bait(repository: Repository) -> Path | None:
    """Write an object that nothing refers to, without waiting for the disk; None where that fails."""
    data = b"gittrack prune watch %032x\n" % _random.getrandbits(128)
    oid = object_id(repository.object_format, b"blob", data)
    path = repository.common_dir / "objects" / oid[:2] / oid[2:]
    for _ in range(_N_NEW_FOLDER_TRIES):
        try:
            path.parent.mkdir(exist_ok=True)
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o444)
        except FileNotFoundError:  # git removes folders that are empty
            continue
        except OSError:
            return None
        try:
            os.write(descriptor, zlib.compress(b"blob %d\0%s" % (len(data), data), 1))
        except OSError:
            path.unlink(missing_ok=True)
            return None
        finally:
            os.close(descriptor)
        return path
    return None


def _wait_for_gc(repository: Repository) -> None:
    """Wait until a ``git gc`` that removes fresh objects, and runs now, has ended."""
    file = repository.common_dir / "gc.pid"
    running = _read_gc(file)
    if running is None or not _removes_fresh_objects(repository, running):
        return
    deadline = time.monotonic() + _PATIENCE_S
    while running == _read_gc(file) and is_alive(running) and time.monotonic() < deadline:
        time.sleep(_POLL_INTERVAL_S)


def _read_gc(file: Path) -> int | None:
    """Return the process id in ``gc.pid``; None without one of this machine."""
    try:
        pid, _, host = file.read_text(encoding="utf-8", errors="replace").strip().partition(" ")
    except OSError:
        return None
    return int(pid) if pid.isdecimal() and host == socket.gethostname() else None


def _removes_fresh_objects(repository: Repository, pid: int) -> bool:
    with contextlib.suppress(OSError):
        command = Path(f"/proc/{pid}/cmdline").read_text(encoding="utf-8", errors="replace")
        told = re.findall(r"\0--prune=([^\0]*)", command)
        if told:
            return told[-1] in _AT_ONCE
    return read_setting(repository, "gc.pruneExpire") in _AT_ONCE
