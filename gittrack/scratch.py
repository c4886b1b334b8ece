"""Private folders for work in progress; those of dead processes are swept.

Both stores use them: git below ``.git/gittrack/tmp``, the cache below its own ``tmp``.
"""

from __future__ import annotations

import contextlib
import os
import time
from typing import TYPE_CHECKING

from gittrack.host import host_name

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_FOREIGN_AGE_S = 24 * 3600  # another machine's process on a shared disk: nobody here can ask whether it lives


@contextlib.contextmanager
def scratch_folder(root: Path) -> Iterator[Path]:
    """Yield a new, empty folder; it is gone afterwards.

    Args:
        root: The folder it is made in; created when missing.
    """
    folder = root / new_folder_name()
    folder.mkdir(parents=True, mode=0o700)
    try:
        yield folder
    finally:
        _remove_tree(folder)


def sweep_scratch(root: Path) -> int:
    """Remove the folders of processes that died; return how many there were.

    Args:
        root: The folder they were made in.
    """
    n_removed = 0
    with contextlib.suppress(FileNotFoundError), os.scandir(root) as entries:
        for entry in entries:
            with contextlib.suppress(FileNotFoundError):  # its owner finished, or another process sweeps too
                if is_abandoned(entry):
                    _remove_tree(entry.path)
                    n_removed += 1
    return n_removed


def new_folder_name() -> str:
    """Return a name that no other folder has and that tells whose it is."""
    return f"{host_name()}~{os.getpid()}~{os.urandom(6).hex()}"


def is_abandoned(entry: os.DirEntry[str]) -> bool:
    """Return whether the process that named a folder by `new_folder_name` is gone."""
    return is_abandoned_name(entry.name, entry.stat(follow_symlinks=False).st_mtime)


def is_abandoned_name(name: str, mtime_s: float) -> bool:
    """Return whether the process that made a name by `new_folder_name` is gone.

    Args:
        name: The name.
        mtime_s: When what has it was last changed, UTC seconds, for where the process cannot be asked for.
    """
    host, _, rest = name.partition("~")
    pid = rest.partition("~")[0]
    if host == host_name() and pid.isdigit():
        return not is_alive(int(pid))
    return time.time() - mtime_s > _FOREIGN_AGE_S


def is_alive(pid: int) -> bool:
    """Return whether a process of this machine exists (perhaps of another user)."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _remove_tree(path: str | Path) -> None:
    from shutil import rmtree  # here: a run loads this module while its script waits

    rmtree(path, ignore_errors=True)
