"""The public interface for scripts: what ``import gittrack`` offers.

This is where the process meets the library: environment, command line, current folder and standard error are
looked at here and nowhere below.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from gittrack.live.posting import start_posting
from gittrack.runs import open_runs
from gittrack.runs.context import BASELINE_VARIABLE, NAME_VARIABLE, RUN_VARIABLE, RunContext
from gittrack.runs.opening import is_run_id
from gittrack.runs.run import Run as _Run
from gittrack.values import InvalidValueError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gittrack.experiments.format import Record

_N_LEFT_OUT_SHOWN = 3
_VARIABLES = (RUN_VARIABLE, NAME_VARIABLE, BASELINE_VARIABLE)


class Run(_Run):
    """Record one experiment: params, metrics, tags and notes, with the exact code.

    The constructor returns at once; the code is snapshotted beside the training. What is logged is in a journal on
    disk within a second, whatever happens to the process. `end` (or the end of the ``with`` block) writes it into
    git, as ``refs/gittrack/exps/<baseline>/<name>``.

    Outside a git repository the run warns once and is kept in ``gittrack-runs/`` until ``gittrack exp import``. In
    distributed training only rank 0 writes; on the other ranks every method does nothing.

    Where a live URL and a token are set, the run is also posted to that receiver while it goes on.

    Args:
        name: The experiment's name; made up when not given. A name that exists under the baseline gets a number.
        group: A name that ties experiments together.
        description: One text that says what the experiment is about.
        tags: Keys and values to find it by.
        params: Params to log at once, as by `log_params`.
        resume: True to continue the experiment called ``name``, or the name of the one to continue.
        durability: ``"buffered"`` writes what was logged at least once a second, ``"step"`` at every call.
        quiet: Whether to end without the line on standard error that says what was recorded.
        nested: Whether it is a run of its own within the one that is open, in this process or in the one that started
            it; that one's id is then in the experiment. Where none is open, it is a run like any other.
        parent: The run that it is nested in, or its id, where that is another one.

    Raises:
        UsageError: An argument has a wrong type or form.
        GittrackError: There is no experiment to resume, or it is still running.
    """

    def __init__(  # noqa: PLR0913  each is a word about the run
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
        nested: bool = False,
        parent: _Run | str | None = None,
    ) -> None:
        self._quiet = quiet
        parent_id = parent.id if isinstance(parent, _Run) else parent
        if parent_id is not None and not is_run_id(parent_id):
            raise InvalidValueError(f"'parent' must be a run or its id of 16 hex digits, not {parent!r:.60}")
        is_nested = nested or parent is not None
        super().__init__(
            name,
            group=group,
            description=description,
            tags=tags,
            params=params,
            resume=resume,
            durability=durability,
            context=RunContext(_environment(), _command_line(), Path.cwd(), is_nested, parent_id),
        )
        self._live = start_posting(self._opened, self._context)
        if self.id is not None:
            _exports.add(self)

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
        if is_first and self._live is not None:
            self._live.prepare_end()
        super().end(status, message)
        if is_first:
            _exports.discard(self)
            record, commit = self.record, self.commit
            if record is not None and commit is not None and not self._quiet:
                sys.stderr.write(_last_line(record, commit) + "\n")
            if self._live is not None:
                self._live.finish(status, message, commit)


class _Exports:
    """The variables by which child processes join a run: always those of the newest run that is open here."""

    def __init__(self) -> None:
        self._runs: list[Run] = []
        self._outer: dict[str, str | None] = {}

    def add(self, run: Run) -> None:
        if not self._runs:
            self._outer = {name: os.environ.get(name) for name in _VARIABLES}
        self._runs.append(run)
        self._update()

    def discard(self, run: Run) -> None:
        if run in self._runs:
            self._runs.remove(run)
            self._update()

    def _update(self) -> None:
        values: dict[str, str | None] = self._outer
        if self._runs:
            run = self._runs[-1]
            values = {RUN_VARIABLE: run.id, NAME_VARIABLE: run.name, BASELINE_VARIABLE: run.baseline or ""}
        for name, value in values.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


_exports = _Exports()


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
    from gittrack.cli.text import sanitise  # here: a script need not wait for it

    names = [sanitise(str(item.get("path"))) for item in meta.left_out]
    if names:
        shown = ", ".join(names[:_N_LEFT_OUT_SHOWN]) + (", …" if len(names) > _N_LEFT_OUT_SHOWN else "")
        line += f"; left out {len(names)} untracked: {shown}"
    return line


__all__ = ["Run"]
