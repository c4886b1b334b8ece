"""Stop a piece of work at its k-th step that changes a disk, by a kill or by an error, for every k.

A step is a call of Python's `os` that writes, renames, links, makes, removes or syncs, or the start of a program. The
work runs in a forked child, where these functions are counted.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import traceback
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from gittrack.artifacts import syncing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Moment = Literal["before", "after"]
_STEPS = (
    "write", "writev", "rename", "replace", "link", "symlink", "unlink", "remove", "mkdir", "rmdir", "fsync", "utime",
    "copy_file_range", "ftruncate", "truncate", "chmod", "fchmod",
)  # fmt: skip
_WRITING = os.O_CREAT | os.O_TRUNC
_FAILED = 70


class Ending(NamedTuple):
    """How the work ended.

    Attributes:
        n_steps: How many steps it took, the last one included.
        was_killed: Whether it was killed at a step.
        error: What it raised; empty when it came to its end.
    """

    n_steps: int
    was_killed: bool
    error: str


def run_steps(
    work: Callable[[], object],
    *,
    kill_at: int | None = None,
    moment: Moment = "before",
    fail_at: tuple[int, int] | None = None,
) -> Ending:
    """Do a piece of work in a child process.

    Args:
        work: What to do.
        kill_at: The step, counted from 1, at which the child gets SIGKILL.
        moment: Whether the step itself is still done.
        fail_at: The step that raises an error, and the error's number, such as `errno.ENOSPC`.
    """
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        code = 0
        os.close(reader)
        counter = _Counter(writer, kill_at, moment, fail_at)
        try:
            with counter.installed():
                work()
        except BaseException:  # noqa: BLE001  it is told to the parent
            counter.tell(traceback.format_exc())
            code = _FAILED
        finally:
            os._exit(code)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        said = pipe.read().decode()
    status = os.waitpid(pid, 0)[1]
    steps, _, error = said.partition("!")
    return Ending(steps.count("."), os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL, error)


class _Counter:
    def __init__(self, pipe: int, kill_at: int | None, moment: Moment, fail_at: tuple[int, int] | None) -> None:
        self._pipe = pipe
        self._write = os.write
        self._n_steps = 0
        self._kill_at = kill_at
        self._moment = moment
        self._fail_at = fail_at

    def tell(self, error: str) -> None:
        self._write(self._pipe, b"!" + error.encode("utf-8", "replace"))

    @contextlib.contextmanager
    def installed(self) -> Iterator[None]:
        """Count every step."""
        originals = {name: getattr(os, name) for name in _STEPS if hasattr(os, name)}
        open_file, start, sync = os.open, subprocess.Popen.__init__, syncing.sync_file_system
        for name, original in originals.items():
            setattr(os, name, self._counted(original))

        def counted_open(path: Any, flags: int, *args: Any, **settings: Any) -> int:
            return (self._counted(open_file) if flags & _WRITING else open_file)(path, flags, *args, **settings)

        os.open = counted_open
        subprocess.Popen.__init__ = self._counted(start)  # type: ignore[method-assign]
        syncing.sync_file_system = self._counted(sync)
        yield

    def _counted(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **settings: Any) -> Any:
            self._n_steps += 1
            self._write(self._pipe, b".")
            is_due = self._n_steps == self._kill_at
            if is_due and self._moment == "before":
                os.kill(os.getpid(), signal.SIGKILL)
            if self._fail_at is not None and self._n_steps == self._fail_at[0]:
                raise OSError(self._fail_at[1], os.strerror(self._fail_at[1]))
            try:
                return function(*args, **settings)
            finally:
                if is_due:
                    os.kill(os.getpid(), signal.SIGKILL)

        return call
