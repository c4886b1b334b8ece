"""The public interface for scripts: what ``import gittrack`` offers.

This is where the process meets the library: environment, command line, current folder and standard error are
looked at here and nowhere below.
"""

from __future__ import annotations

import os
import sys
from json import dumps
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from gittrack.live.posting import start_posting
from gittrack.runs import open_runs
from gittrack.runs.context import BASELINE_VARIABLE, CONFIG_VARIABLE, NAME_VARIABLE, RUN_VARIABLE, RunContext
from gittrack.runs.opening import is_run_id
from gittrack.runs.run import Run as _Run
from gittrack.values import InvalidValueError
from gittrack.warn import warn

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from gittrack.experiments.format import Record
    from gittrack.experiments.run_list import RunList, SortByType, SortOrderType
    from gittrack.runs.loading import Target

_N_LEFT_OUT_SHOWN = 3
_VARIABLES = (RUN_VARIABLE, NAME_VARIABLE, BASELINE_VARIABLE, CONFIG_VARIABLE)


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
        resume: True to continue the experiment called ``name``, or the name of the one to continue, as
            ``name@baseline`` when several have it.
        durability: ``"buffered"`` writes what was logged at least once a second, ``"step"`` at every call.
        monitor_system: Whether to log what the machine does, as metrics ``system/…``: processors, memory, disk and
            NVIDIA GPUs every five seconds. Needs the extra `system`.
        capture_console: Whether to keep what is printed with the experiment, as ``.gittrack/log.txt``: the first and
            last 4 MiB, secrets masked.
        quiet: Whether to end without the line on standard error that says what was recorded.
        nested: Whether it is a run of its own within the one that is open, in this process or in the one that started
            it; that one's id is then in the experiment. Where none is open, it is a run like any other.
        parent: The run that it is nested in, or its id, where that is another one.
        report: ``"html"`` or ``"md"`` for a report in the file `report_file`, ``"notebook"`` for one in the cell of a
            notebook; it is renewed while the training runs, and at the end. Outside of a notebook that is a warning.

    Raises:
        UsageError: An argument has a wrong type or form.
        GittrackError: There is no experiment to resume, or it is still running, or an extra is missing.
    """

    def __init__(  # noqa: PLR0913  what a run is, in one call
        self,
        name: str | None = None,
        group: str | None = None,
        *,
        description: str | None = None,
        tags: Mapping[str, object] | None = None,
        params: object = None,
        resume: bool | str = False,
        durability: Literal["buffered", "step"] = "buffered",
        monitor_system: bool = False,
        capture_console: bool = False,
        quiet: bool = False,
        nested: bool = False,
        parent: _Run | str | None = None,
        report: Literal["html", "md", "notebook"] | None = None,
    ) -> None:
        display = None
        if report is not None:
            from gittrack.runs.report_file import check_mode  # here: few runs want one

            check_mode(report)
            report, display = _shown_report(report)
        self._quiet = quiet
        if monitor_system:
            from gittrack.runs.monitor import require_psutil  # here: few runs want it

            require_psutil()
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
            context=process_context()._replace(is_nested=is_nested, parent=parent_id),
        )
        self._live = start_posting(self._opened, self._context)
        if self.id is not None:
            _exports.add(self)
        companions = self._beside() if monitor_system or capture_console else None
        if companions is not None:
            companions.start(console=sys if capture_console else None, is_monitored=monitor_system)
        if report is not None:
            self._start_report(report, display)

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


def load_run(run_name: str | None = None, experiment_name: str | None = None) -> Run:
    """Return a run that exists, to log more to it.

    In this order: the run that the names say, that of the ``with`` block around the call, that of the environment
    (which `gittrack exp run` and an open run set for the programs that they start), else an error. The same object is
    returned for a run that is open in this process; one that another process has open is joined; one that has ended
    is continued, as by ``Run(resume=…)``.

    Args:
        run_name: The run's name, or ``name@baseline``. Of several of that name, the one under HEAD, else the newest.
        experiment_name: The group that it belongs to; of no use without ``run_name``.

    Returns:
        The run. A ``with`` block of one that was open in this process before does not end it.

    Raises:
        UsageError: A name is no text.
        GittrackError: There is no such run, nothing says which one is meant, or there is no repository.

    Example:
        ::

            with gittrack.load_run("cosine", "schedules") as run:
                run.log_metric("test/accuracy", 0.91)
    """
    context = process_context()
    if not context.is_writer:
        return Run(run_name)
    from gittrack.runs.loading import find_target
    from gittrack.runs.opening import RunEndedError

    try:
        return _loaded(context, find_target(context, run_name, experiment_name))
    except RunEndedError:  # between the two; its experiment can be continued
        return _loaded(context, find_target(context, run_name, experiment_name))


def list_runs(
    experiment_name: str | None = None,
    created_before: datetime | float | None = None,
    created_after: datetime | float | None = None,
    max_results: int | None = None,
    next_token: str | None = None,
    sort_by: SortByType | str = "CreationTime",
    sort_order: SortOrderType | str = "Descending",
) -> RunList:
    """List experiments, those of remotes included, from the index: 10,000 take a fraction of a second.

    Args:
        experiment_name: Only those of this group.
        created_before: Only those that started earlier: a `datetime` (local time when it has no zone) or UTC epoch
            seconds.
        created_after: Only those that started later.
        max_results: How many at most; all by default.
        next_token: The ``next_token`` of the page before.
        sort_by: `gittrack.SortByType` or its value, ``"CreationTime"`` or ``"Name"``. What is equal in it goes by
            name, then baseline.
        sort_order: `gittrack.SortOrderType` or its value, ``"Ascending"`` or ``"Descending"``.

    Returns:
        A list with one more attribute, ``next_token``: what asks for the next page, None on the last one. Its items
        have ``name``, ``experiment_name``, ``status``, ``created``, ``params``, ``metrics``, ``tags`` and more, and
        ``reference``, which `load_run` takes.

    Raises:
        UsageError: An argument has a wrong type or form, or the token is of another listing.
        GittrackError: There is no repository.
    """
    from time import time

    from gittrack.experiments.index import Index
    from gittrack.experiments.run_list import list_page, parse_wanted
    from gittrack.git.repository import Repository
    from gittrack.runs.active import list_active, live_values

    wanted = parse_wanted(experiment_name, created_before, created_after, max_results, next_token, sort_by, sort_order)
    repository = Repository.discover(Path.cwd(), _environment())
    live = [live_values(repository, run) for run in list_active(repository)]
    index = Index(repository)
    try:
        return list_page(repository, index, wanted, now_s=time(), live=live)
    finally:
        index.close()


def _loaded(context: RunContext, target: Target) -> Run:
    """Return a run of this process: the one that is open, or one for what is not open here."""
    if isinstance(target.run, Run):
        open_runs.take(target.run)
        return target.run
    run = Run.__new__(Run)
    environ = {key: value for key, value in context.environ.items() if key not in _VARIABLES}
    if target.joins is not None:
        environ[RUN_VARIABLE] = target.joins
    run._quiet = False  # noqa: SLF001  this is the other way to make one
    context = context._replace(environ=environ, is_joining=target.joins is not None)
    _Run.__init__(run, resume=target.resumes or False, context=context)
    run._live = start_posting(run._opened, run._context)  # noqa: SLF001  the same
    _exports.add(run)
    return run


def _shown_report(
    report: Literal["html", "md", "notebook"],
) -> tuple[Literal["html", "md", "notebook"] | None, Callable[[str], object] | None]:
    """Return the report and what shows it; None where a notebook is wanted and there is none."""
    if report != "notebook":
        return report, None
    from gittrack.notebook_cell import NOT_THERE, open_display

    display = open_display()
    if display is None:
        warn("%s", NOT_THERE)
        return None, None
    return report, display


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
            values = {
                RUN_VARIABLE: run.id,
                NAME_VARIABLE: run.name,
                BASELINE_VARIABLE: run.baseline or "",
                CONFIG_VARIABLE: dumps(run.experiment_config),
            }
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


def process_context() -> RunContext:
    """Return this process as the library sees it; an open run of its own leaves no traces in it."""
    return RunContext(_environment(), _command_line(), Path.cwd())


def _command_line() -> tuple[str, ...]:
    """Return the command as it was typed, the interpreter included."""
    return tuple(getattr(sys, "orig_argv", None) or sys.argv)


def _last_line(record: Record, commit: str) -> str:
    meta = record.meta
    line = f"gittrack: recorded {meta.name} ({commit[:8]}, {meta.status})"
    from gittrack.visible import sanitise  # here: a script need not wait for it

    names = [sanitise(str(item.get("path"))) for item in meta.left_out]
    if names:
        shown = ", ".join(names[:_N_LEFT_OUT_SHOWN]) + (", …" if len(names) > _N_LEFT_OUT_SHOWN else "")
        line += f"; left out {len(names)} untracked: {shown}"
    return line


__all__ = ["Run", "list_runs", "load_run"]
