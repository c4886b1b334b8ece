"""Write single refs where refs are files, so that a killed process blocks nobody.

A plain lock file outlives the process that made it and blocks the ref for ever. Here every new value is first a
temporary file that its process holds with a kernel lock, and ``<ref>.lock`` is a hard link to it. The kernel lets
go when the process dies; whoever then meets the lock can prove by the inode that it is one of ours, that its owner
is gone, and remove it. A lock that git or another program made is waited for and never removed.
"""

from __future__ import annotations

import contextlib
import os
import sys
import time
from typing import TYPE_CHECKING

from gittrack.errors import GittrackError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from gittrack.git.repository import Repository

if sys.platform != "win32":
    import fcntl

PATIENCE_S = 10.0
_FIRST_WAIT_S = 0.001
_LONGEST_WAIT_S = 0.1
_N_NEW_FOLDER_TRIES = 100


class RefLockedError(GittrackError):
    """Another process holds a ref for longer than our patience."""


@contextlib.contextmanager
def hold(repository: Repository, ref: str, new: str | bytes) -> Iterator[Callable[[], None]]:
    """Hold a ref's lock, with the new value ready in it; calling what is yielded publishes the value.

    Args:
        repository: A repository whose refs are files.
        ref: A full name, already checked; or ``packed-refs``.
        new: The object id; for ``packed-refs`` its whole content.

    Raises:
        RefLockedError: The lock was not free within ten seconds.
    """
    target = repository.common_dir / ref
    lock = target.with_name(target.name + ".lock")
    with _held_value(repository, ref, new) as (value, _):
        _acquire(repository, value, lock)
        published = False

        def publish() -> None:
            nonlocal published
            lock.replace(target)
            published = True
            sync_folder(target.parent)

        try:
            yield publish
        finally:
            if not published:
                lock.unlink(missing_ok=True)


def sweep(repository: Repository) -> int:
    """Remove what killed processes left: their temporary values and the locks linked to them.

    Returns:
        How many were removed.
    """
    try:
        values = [entry.name for entry in os.scandir(_values_dir(repository)) if "~" in entry.name]
    except FileNotFoundError:
        return 0
    return sum(_remove_if_dead(repository, _values_dir(repository) / name) for name in values)


def sync_folder(folder: Path) -> None:
    """Make the entries of a folder durable; a file system that cannot is left to itself."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _values_dir(repository: Repository) -> Path:
    return repository.state_dir / "refs"


@contextlib.contextmanager
def _held_value(repository: Repository, ref: str, new: str | bytes) -> Iterator[tuple[Path, int]]:
    """Yield a durable temporary file with a ref's new value, held by this process until the end."""
    folder = _values_dir(repository)
    folder.mkdir(parents=True, exist_ok=True)
    value = folder / f"{os.urandom(8).hex()}~{ref.replace('%', '%25').replace('/', '%2F')}"
    descriptor = _create_held(value)
    try:
        view = memoryview(new if isinstance(new, bytes) else new.encode() + b"\n")
        while view:  # a disk that fills up takes a part, and says so at the next write
            view = view[os.write(descriptor, view) :]
        os.fsync(descriptor)
        yield value, descriptor
    finally:
        value.unlink(missing_ok=True)
        os.close(descriptor)


def _create_held(value: Path) -> int:
    """Create a file and hold it; again when a sweep took it for a dead process's before the kernel lock was on it."""
    while True:
        descriptor = os.open(value, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
        if sys.platform == "win32":
            return descriptor
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        if os.fstat(descriptor).st_nlink:
            return descriptor
        os.close(descriptor)


def _acquire(repository: Repository, value: Path, lock: Path) -> None:
    from random import SystemRandom  # here: readers of refs load this module too, and never wait

    uniform = SystemRandom().uniform
    deadline = time.monotonic() + PATIENCE_S
    wait_s = _FIRST_WAIT_S
    while True:
        try:
            _link(value, lock)
        except FileExistsError:
            if sweep(repository):
                continue
            if time.monotonic() > deadline:
                raise RefLockedError(
                    f"another process has held '{lock}' for more than {PATIENCE_S:.0f} s",
                    hint="if no git command is running in this repository, remove that file",
                ) from None
            time.sleep(uniform(0, wait_s))
            wait_s = min(2 * wait_s, _LONGEST_WAIT_S)
        else:
            return


def _link(value: Path, target: Path) -> None:
    """Link a value to a path whose folder git may remove at any moment because it is empty."""
    for _ in range(_N_NEW_FOLDER_TRIES):
        try:
            os.link(value, target)
        except FileNotFoundError:
            with contextlib.suppress(FileNotFoundError):  # the folder above went while this one was made
                target.parent.mkdir(parents=True, exist_ok=True)
        else:
            return
    os.link(value, target)


def _remove_if_dead(repository: Repository, value: Path) -> bool:
    """Remove a temporary value and the lock linked to it if no process holds it."""
    if sys.platform == "win32":  # no flock, and an open file cannot be removed there anyway
        return False
    try:
        descriptor = os.open(value, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if value.stat().st_ino != os.fstat(descriptor).st_ino:
            return False
        ref = value.name.partition("~")[2].replace("%2F", "/").replace("%25", "%")
        lock = repository.common_dir / f"{ref}.lock"
        if lock.exists() and os.path.samestat(lock.lstat(), os.fstat(descriptor)):
            lock.unlink(missing_ok=True)
        value.unlink(missing_ok=True)
    except OSError:  # its process lives, or somebody else swept it
        return False
    finally:
        os.close(descriptor)
    return True
