"""Run a command and record it: in a throw-away worktree with other params, or in the workspace itself."""

from __future__ import annotations

import json
import os
import sys
import time
from typing import TYPE_CHECKING, NamedTuple, Protocol

from gittrack.errors import GittrackError, UsageError
from gittrack.git.process import clean_environment
from gittrack.git.state import read_head
from gittrack.git.throw_away import throw_away_worktree
from gittrack.runs.command import COMMAND_NOT_FOUND, CommandError, execute, require_program
from gittrack.runs.context import (
    BASELINE_VARIABLE,
    CONFIG_VARIABLE,
    NAME_VARIABLE,
    RUN_VARIABLE,
    experiment_config,
)
from gittrack.runs.describe import snapshot_code
from gittrack.runs.folder import RecordedTip
from gittrack.runs.links import linked, paths_to_link
from gittrack.runs.opening import open_run
from gittrack.runs.outcome import Outcome
from gittrack.runs.pointer_changes import keep_workspace_pointers, note_outputs
from gittrack.runs.set_params import set_params
from gittrack.values import flatten
from gittrack.warn import warn

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from gittrack.experiments.format import Record, Status
    from gittrack.experiments.overrides import Override
    from gittrack.git.repository import Repository
    from gittrack.git.snapshot import LeftOut
    from gittrack.git.state import Head
    from gittrack.runs.command import Ended, Output
    from gittrack.runs.context import RunContext
    from gittrack.runs.opening import OpenedRun
    from gittrack.values import PlainValue


class Companion(Protocol):
    """Something that accompanies a run, such as what posts it to others while it goes on."""

    def prepare_end(self) -> None:
        """Take what it needs of the run's folder, before that goes."""

    def finish(self, status: Status, message: str | None, commit: str | None) -> object:
        """Hear how the run ended and where it is recorded."""


class Plan(NamedTuple):
    """How a command shall be recorded.

    Attributes:
        name: The experiment's name; made up when None.
        message: What to say about it.
        overrides: Params to set first, in their files.
        in_place: Whether to run, and set the params, in the workspace itself.
        links: Ignored files or folders that the throw-away worktree shall see, relative to the current folder.
        group: A name that ties experiments together.
        accompany: Gives the run its companion, once it is open.
    """

    name: str | None = None
    message: str | None = None
    overrides: Sequence[Override] = ()
    in_place: bool = False
    links: Sequence[str] = ()
    group: str | None = None
    accompany: Callable[[OpenedRun, RunContext], Companion | None] | None = None


class Launched(NamedTuple):
    """A command that was run and recorded.

    Attributes:
        record: What was recorded; None when that failed, and the run's folder was kept for the next command.
        commit: The experiment's commit; None likewise.
        exit_code: The command's, or 128 plus the signal that ended it.
    """

    record: Record | None
    commit: str | None
    exit_code: int


def run_command(
    repository: Repository, context: RunContext, command: Sequence[str], plan: Plan, output: Output
) -> Launched:
    """Run a command and record it as an experiment.

    Without ``in_place`` the command runs in a throw-away worktree that holds the workspace as it is (ignored files
    excepted), so that several can run at once and nothing in the workspace changes; small files that it makes are
    recorded with the code.

    Args:
        repository: A repository with a work tree.
        context: The process.
        command: The program and its arguments; no shell.
        plan: How it shall be recorded.
        output: Where its output goes.

    Raises:
        CommandError: There is no such program, or it cannot be executed.
        GittrackError: The params cannot be set, or the workspace cannot be recorded.
    """
    root = repository.require_work_tree()
    head = read_head(repository)
    if plan.in_place:
        if plan.links:
            raise UsageError("nothing is linked when the command runs in place", hint="leave out --link")
        require_program(command[0], context.directory, context.environ)
        set_params(root, plan.overrides)
        return _Recording(repository, head, context, command, plan).run(output)
    if head.sha is None:
        raise GittrackError("a throw-away worktree needs a first commit", hint="commit something, or use --in-place")
    links = paths_to_link(root, context.directory, plan.links)
    snapshot = snapshot_code(repository, head)
    with throw_away_worktree(repository, head.sha, snapshot.tree) as worktree:
        top = worktree.require_work_tree()
        set_params(top, plan.overrides)
        folder = top / _relative(context.directory, root)
        folder.mkdir(parents=True, exist_ok=True)
        # What redirects git to the workspace must not redirect the command.
        inner = context._replace(directory=folder, environ=clean_environment(context.environ))
        require_program(command[0], folder, inner.environ)
        recording = _Recording(worktree, head, inner, command, plan)
        recording.add_left_out(snapshot.left_out)
        with linked(root, top, links):
            ended = recording.execute(output)
        recording.keep_outputs()
        return recording.close(ended)


def _relative(directory: Path, root: Path) -> str:
    """Return a folder's path within the workspace; its top for one outside, such as a folder of ``.git``."""
    relative = os.path.relpath(directory, root)
    return "." if relative.startswith("..") else relative


class _Recording:
    """One command's run: open from the start.

    Args:
        repository: Where the command runs.
        head: Where HEAD of the workspace is.
        context: The process, in the folder where the command runs.
        command: The program and its arguments.
        plan: How it shall be recorded.
    """

    def __init__(
        self, repository: Repository, head: Head, context: RunContext, command: Sequence[str], plan: Plan
    ) -> None:
        self._repository = repository
        self._context = context
        self._command = command
        self._opened = _open(repository, head, context, command, plan)
        self._companion = plan.accompany(self._opened, context) if plan.accompany is not None else None
        self._log_undeclared(plan.overrides)

    def run(self, output: Output) -> Launched:
        """Run the command to its end in the workspace, and record it."""
        ended = self.execute(output)
        try:
            keep_workspace_pointers(self._repository, self._opened.folder, self._opened.journal)
        except (GittrackError, OSError) as error:
            self._opened.journal.event("problem", f"the command's artifacts could not be recorded: {error}")
        return self.close(ended)

    def execute(self, output: Output) -> Ended:
        """Run the command to its end.

        Raises:
            CommandError: It cannot be executed; that is recorded.
        """
        opened, context = self._opened, self._context
        environ = {"PYTHONUNBUFFERED": "1", **context.environ}  # else a script's output would come at the end
        environ.update(_variables(opened, context.directory))
        try:
            return execute(self._command, context.directory, environ, output, opened.folder.log_path)
        except OSError as error:
            message = f"cannot run '{self._command[0]}': {error.strerror}"
            self._record(Outcome("failed", message, time.time(), COMMAND_NOT_FOUND))
            raise CommandError(message) from error

    def close(self, ended: Ended) -> Launched:
        """Record how the command ended."""
        self._record(_outcome(ended))
        return Launched(self._opened.record, self._opened.commit, ended.exit_code)

    def add_left_out(self, left_out: Iterable[LeftOut]) -> None:
        """Name what the record does not hold."""
        folder = self._opened.folder
        meta = folder.read_meta()
        known = {item.get("path") for item in meta.left_out}
        new = [_plain(item) for item in left_out if item.path not in known]
        if new:
            folder.write_meta(meta._replace(left_out=(*meta.left_out, *new)))

    def keep_outputs(self) -> None:
        """Add the small files that the command made to the recorded tree, and name those left out."""
        folder = self._opened.folder
        tip = folder.read_tip()
        if tip is None:
            return
        try:
            snapshot = snapshot_code(self._repository, read_head(self._repository))
            folder.write_tip(RecordedTip(tip.commit, snapshot.tree))
            note_outputs(self._repository, self._opened.journal, tip.code_tree, snapshot.tree)
            self.add_left_out(snapshot.left_out)
        except (GittrackError, OSError) as error:
            self._opened.journal.event("problem", f"the command's output files could not be recorded: {error}")

    def _log_undeclared(self, overrides: Iterable[Override]) -> None:
        """Record params that were set in files which the repository does not declare."""
        code = self._opened.starter.code if self._opened.starter is not None else None
        if code is None:
            return
        params: dict[str, PlainValue] = {}
        for override in overrides:
            if override.file not in code.declared.files and not override.removes:
                for key, value in flatten({".".join(override.parts): override.value}).items():
                    params[f"{override.file}:{key}" if key in code.declared.params else key] = value
        if params:
            self._opened.journal.event("params", params)

    def _record(self, outcome: Outcome) -> None:
        if self._companion is not None:
            self._companion.prepare_end()
        try:
            self._opened.close(outcome)
        except (GittrackError, OSError) as error:
            folder = self._opened.folder.path
            warn("%s; the run is kept in '%s', and the next command records it", error, folder)
        if self._companion is not None:
            self._companion.finish(outcome.status, outcome.message, self._opened.commit)


def _open(repository: Repository, head: Head, context: RunContext, command: Sequence[str], plan: Plan) -> OpenedRun:
    """Open the run and wait until the code is recorded: the command may change it from then on."""
    opened = open_run(
        context._replace(argv=tuple(command)),
        name=plan.name,
        group=plan.group,
        resume=False,
        durability="buffered",
        source="command",
        repository=repository,
        head=head,
    )
    if plan.message:
        opened.journal.event("description", plan.message)
    if opened.starter is not None:
        opened.starter.wait()
    return opened


def _variables(opened: OpenedRun, directory: Path) -> Mapping[str, str]:
    """Return the variables by which a script finds the run it belongs to."""
    return {
        RUN_VARIABLE: opened.meta.id,
        NAME_VARIABLE: opened.current_name(),
        BASELINE_VARIABLE: opened.meta.baseline or "",
        CONFIG_VARIABLE: json.dumps(experiment_config(opened.current_name(), opened.meta.group)),
        "PWD": str(directory),
    }


def _outcome(ended: Ended) -> Outcome:
    now, peak = time.time(), _children_peak_memory_bytes()
    if ended.returncode == 0:
        return Outcome("completed", None, now, 0, peak)
    if ended.signal_name is not None:
        status: Status = "killed" if ended.is_killed else "failed"
        return Outcome(status, f"ended by {ended.signal_name}", now, ended.exit_code, peak)
    return Outcome("failed", f"exit code {ended.returncode}", now, ended.exit_code, peak)


def _children_peak_memory_bytes() -> int | None:
    try:
        import resource
    except ImportError:  # Windows
        return None
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def _plain(item: LeftOut) -> dict[str, PlainValue]:
    return {key: value for key, value in item._asdict().items() if value is not None}
