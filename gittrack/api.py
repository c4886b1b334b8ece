"""The public interface for scripts: what ``import gittrack`` offers.

This is where the process meets the library: environment, command line, current folder and standard error are
looked at here and nowhere below.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from gittrack.runs import open_runs
from gittrack.runs.context import BASELINE_VARIABLE, NAME_VARIABLE, RUN_VARIABLE, RunContext
from gittrack.runs.run import Run as _Run

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gittrack.experiments.format import Record

_N_LEFT_OUT_SHOWN = 3


class Run(_Run):  # noqa: D101  the next line
    __doc__ = _Run.__doc__

    def __init__(
        self,
        name: str | None = None,
        group: str | None = None,
        *,
        description: str | None = None,
        tags: Mapping[str, object] | None = None,
        params: object = None,
        resume: bool | str = False,
        durability: Literal["buffered", "step"] = "buffered",
        quiet: bool = False,
    ) -> None:
        self._quiet = quiet
        self._outer: dict[str, str | None] = {}
        super().__init__(
            name,
            group=group,
            description=description,
            tags=tags,
            params=params,
            resume=resume,
            durability=durability,
            context=RunContext(_environment(), _command_line(), Path.cwd()),
        )
        self._export()

    def end(self, status: Literal["completed", "failed", "killed"] = "completed", message: str | None = None) -> None:
        """End the run and record it in git; a second call does nothing.

        One line on standard error says what was recorded and what the snapshot left out.

        Args:
            status: How it ended: ``completed``, ``failed`` or ``killed``.
            message: Why, when it did not complete.

        Raises:
            UsageError: The status is another word.
        """
        is_first = self.status == "running"
        super().end(status, message)
        if is_first:
            self._restore()
            record, commit = self.record, self.commit
            if record is not None and commit is not None and not self._quiet:
                sys.stderr.write(_last_line(record, commit) + "\n")

    def _export(self) -> None:
        """Let child processes join the run."""
        if self.id is None:
            return
        exported = {RUN_VARIABLE: self.id, NAME_VARIABLE: self.name, BASELINE_VARIABLE: self.baseline or ""}
        self._outer = {variable: os.environ.get(variable) for variable in exported}
        os.environ.update(exported)

    def _restore(self) -> None:
        for variable, value in self._outer.items():
            if value is None:
                os.environ.pop(variable, None)
            else:
                os.environ[variable] = value
        self._outer = {}


def _environment() -> dict[str, str]:
    """Return the environment; name and baseline that an open run of this very process exported are not for us."""
    environ = dict(os.environ)
    if open_runs.is_open(environ.get(RUN_VARIABLE)):
        environ.pop(NAME_VARIABLE, None)
        environ.pop(BASELINE_VARIABLE, None)
    return environ


def _command_line() -> tuple[str, ...]:
    """Return the command as it was typed, the interpreter included."""
    return tuple(getattr(sys, "orig_argv", None) or sys.argv)


def _last_line(record: Record, commit: str) -> str:
    meta = record.meta
    line = f"gittrack: recorded {meta.name} ({commit[:8]}, {meta.status})"
    names = [str(item.get("path")) for item in meta.left_out]
    if names:
        shown = ", ".join(names[:_N_LEFT_OUT_SHOWN]) + (", …" if len(names) > _N_LEFT_OUT_SHOWN else "")
        line += f"; left out {len(names)} untracked: {shown}"
    return line


__all__ = ["Run"]
