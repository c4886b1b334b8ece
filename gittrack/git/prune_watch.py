"""Notice when git throws away objects that no ref names yet.

Between the moment when objects are written and the moment when a ref names them, ``git gc --prune=now`` and
``git prune`` take them for garbage. git offers nothing against that, so it is noticed and made good: an object that
nobody needs is laid out first, and where that is gone when the ref is in place, the ref's objects are checked.
"""

from __future__ import annotations

import contextlib
import os
import re
import time
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

from gittrack.errors import GittrackError
from gittrack.git.objects import object_id
from gittrack.git.settings import read_setting
from gittrack.host import host_name
from gittrack.scratch import is_alive

if TYPE_CHECKING:
    from collections.abc import Iterator

    from typing_extensions import Self

    from gittrack.git.repository import Repository

_PATIENCE_S = 10.0
_POLL_INTERVAL_S = 0.01
_N_TRIES = 10
_N_WRITE_TRIES = 20
_LONGEST_PAUSE_S = 0.05
_AT_ONCE = frozenset({"now", "all"})  # other times spare what was written within seconds


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
        # One at work may have passed the bait's place already.
        self._began_in_gc = _find_gc(repository) is not None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def has_pruned(self) -> bool:
        """Return whether objects may have been removed; waits for a ``git gc`` that is about to."""
        _wait_for_gc(self._repository)
        return self._began_in_gc or (self._bait is not None and not self._bait.exists())

    def has_lost(self, commit: str, known: str | None) -> bool:
        """Return whether git removed objects of a commit that a ref names now.

        Args:
            commit: The commit.
            known: A commit whose objects were there before; None when there is none.
        """
        return self.has_pruned() and not is_complete(self._repository, commit, known)

    def close(self) -> None:
        """Take the bait away."""
        if self._bait is not None:
            with contextlib.suppress(OSError):
                self._bait.unlink(missing_ok=True)


def tries_but_the_last() -> Iterator[int]:
    """Count tries to write what git prunes, with random pauses after each, to get out of step with its loop."""
    for number in range(_N_WRITE_TRIES - 1):
        yield number
        time.sleep(_LONGEST_PAUSE_S * os.urandom(1)[0] / 256)


def is_complete(repository: Repository, oid: str, known: str | None) -> bool:
    """Return whether everything that a commit or tree needs is in the repository.

    Args:
        repository: The repository.
        oid: The commit or tree.
        known: A commit whose objects are taken to be there; None when there is none.
    """
    exclude = [] if known is None else ["--not", known]
    answer = repository.git.run("rev-list", "--objects", "--quiet", oid, *exclude, "--", check=False)
    return answer.returncode == 0


def _lay_bait(repository: Repository) -> Path | None:
    """Write an object that nothing refers to, without waiting for the disk; None where that fails."""
    data = b"gittrack prune watch %s\n" % os.urandom(16).hex().encode()
    oid = object_id(repository.object_format, b"blob", data)
    path = repository.common_dir / "objects" / oid[:2] / oid[2:]
    # Under git's own name for temporary files first: a kill leaves nothing that looks like a damaged object.
    temporary = path.with_name(f"tmp_obj_{oid}")
    for _ in range(_N_TRIES):
        try:
            path.parent.mkdir(exist_ok=True)
            temporary.write_bytes(zlib.compress(b"blob %d\0%s" % (len(data), data), 1))
            temporary.replace(path)
        except FileNotFoundError:  # git removes empty folders, and temporary files
            continue
        except OSError:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)
            return None
        return path
    return None


def _wait_for_gc(repository: Repository) -> None:
    """Wait until a ``git gc`` that removes fresh objects, and runs now, has ended."""
    running = _find_gc(repository)
    deadline = time.monotonic() + _PATIENCE_S
    while running is not None and running == _read_gc(repository) and time.monotonic() < deadline:
        time.sleep(_POLL_INTERVAL_S)


def _find_gc(repository: Repository) -> int | None:
    """Return the process id of a ``git gc`` that runs now and removes fresh objects."""
    pid = _read_gc(repository)
    return pid if pid is not None and _removes_fresh_objects(repository, pid) else None


def _read_gc(repository: Repository) -> int | None:
    """Return the process id in ``gc.pid``; None without a living one of this machine."""
    try:
        content = (repository.common_dir / "gc.pid").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    pid, _, host = content.strip().partition(" ")
    is_ours = pid.isdecimal() and host == host_name()
    return int(pid) if is_ours and is_alive(int(pid)) else None


def _removes_fresh_objects(repository: Repository, pid: int) -> bool:
    with contextlib.suppress(OSError):
        command = Path(f"/proc/{pid}/cmdline").read_text(encoding="utf-8", errors="replace")
        told = re.findall(r"\0--prune=([^\0]*)", command)
        if told:
            return told[-1] in _AT_ONCE
    return read_setting(repository, "gc.pruneExpire") in _AT_ONCE
