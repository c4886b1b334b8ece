"""Run a command and record it: in a throw-away worktree with edited params, or in the workspace itself."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import IO, TYPE_CHECKING, NamedTuple

from gittrack.errors import GittrackError
from gittrack.experiments.overrides import apply_overrides
from gittrack.git.state import read_head
from gittrack.git.throw_away import throw_away_worktree
from gittrack.git.work_tree import find_behind_links, read_file
from gittrack.runs.context import BASELINE_VARIABLE, NAME_VARIABLE, RUN_VARIABLE
from gittrack.runs.describe import snapshot_code
from gittrack.runs.finish import Outcome
from gittrack.runs.folder import RecordedTip
from gittrack.runs.opening import open_run

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from gittrack.experiments.format import Record
    from gittrack.experiments.overrides import Override
    from gittrack.git.repository import Repository
    from gittrack.git.state import Head
    from gittrack.runs.context import RunContext
    from gittrack.runs.folder import RunFolder
    from gittrack.runs.opening import OpenedRun

MAX_LOG_BYTES = 8 << 20
_CHUNK_BYTES = 1 << 16
_COMMAND_NOT_FOUND = 127  # what a shell answers
_SIGNAL_BASE = 128


class CommandError(GittrackError):
    """The command could not be started."""

    exit_code = _COMMAND_NOT_FOUND


class Plan(NamedTuple):
    """How a command shall be recorded.

    Attributes:
        name: The experiment's name; made up when None.
        message: What to say about it.
        overrides: Params to set first, in their files.
        in_place: Whether to run, and edit the params, in the workspace itself.
        links: Ignored files or folders of the workspace that the throw-away worktree links to.
    """

    name: str | None = None
    message: str | None = None
    overrides: Sequence[Override] = ()
    in_place: bool = False
    links: Sequence[str] = ()


class Launched(NamedTuple):
    """A command that was run and recorded.

    Attributes:
        record: What was recorded; None when git failed, and the run's folder was kept.
        commit: The experiment's commit; None likewise.
        exit_code: The command's, or 128 plus the signal that ended it.
    """

    record: Record | None
    commit: str | None
    exit_code: int


class Output(NamedTuple):
    """Where the command's output goes while it runs."""

    stdout: IO[bytes]
    stderr: IO[bytes]


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
    head = read_head(repository)
    if plan.in_place:
        _override(repository.require_work_tree(), plan.overrides)
        return _run_recorded(repository, head, context, command, plan, output)
    if head.sha is None:
        raise GittrackError("a throw-away worktree needs a first commit", hint="commit something, or use --in-place")
    with throw_away_worktree(repository, head.sha, snapshot_code(repository, head).tree) as worktree:
        root = worktree.require_work_tree()
        _link(repository.require_work_tree(), root, plan.links)
        _override(root, plan.overrides)
        folder = root / _relative_folder(repository, context.directory)
        folder.mkdir(parents=True, exist_ok=True)
        return _run_recorded(worktree, head, context._replace(directory=folder), command, plan, output)


def _run_recorded(
    repository: Repository, head: Head, context: RunContext, command: Sequence[str], plan: Plan, output: Output
) -> Launched:
    opened = open_run(
        context._replace(argv=tuple(command)),
        name=plan.name,
        group=None,
        resume=False,
        durability="buffered",
        source="command",
        repository=repository,
        head=head,
    )
    if plan.message is not None:
        opened.journal.event("description", plan.message)
    if opened.starter is not None:
        opened.starter.wait()  # the command may change the code from now on
    environ = {
        **context.environ,
        RUN_VARIABLE: opened.meta.id,
        NAME_VARIABLE: opened.current_name(),
        BASELINE_VARIABLE: opened.meta.baseline or "",
    }
    environ.setdefault("PYTHONUNBUFFERED", "1")  # or a script's output would come in one piece at the end
    try:
        code = _execute(command, context.directory, environ, output, opened.folder)
    except OSError as error:
        with contextlib.suppress(GittrackError, OSError):
            opened.close(Outcome("failed", f"{command[0]}: {error.strerror}", time.time(), _COMMAND_NOT_FOUND))
        raise CommandError(f"cannot run '{command[0]}': {error.strerror}") from error
    if not plan.in_place:
        _keep_outputs(repository, head, opened)
    return _close(opened, _outcome(code), code)


def _close(opened: OpenedRun, outcome: Outcome, code: int) -> Launched:
    opened.close(outcome)
    exit_code = _SIGNAL_BASE - code if code < 0 else code
    return Launched(opened.record, opened.commit, exit_code)


def _outcome(code: int) -> Outcome:
    now = time.time()
    peak = _children_peak_memory_bytes()
    if code == 0:
        return Outcome("completed", None, now, code, peak)
    if code < 0:
        name = signal.Signals(-code).name
        is_killed = -code in {signal.SIGINT, signal.SIGTERM, signal.SIGKILL}
        return Outcome("killed" if is_killed else "failed", f"ended by {name}", now, _SIGNAL_BASE - code, peak)
    return Outcome("failed", f"exit code {code}", now, code, peak)


def _children_peak_memory_bytes() -> int | None:
    try:
        import resource
    except ImportError:  # Windows
        return None
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024


def _execute(
    command: Sequence[str], directory: Path, environ: Mapping[str, str], output: Output, folder: RunFolder
) -> int:
    """Run the command to its end; its output goes to the terminal and into the run's log."""
    with folder.log_path.open("wb", buffering=0) as log, _forwarded_signals() as processes:
        process = subprocess.Popen(
            list(command), cwd=directory, env=dict(environ), stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        processes.append(process)
        writer = _LogWriter(log)
        threads = [
            threading.Thread(target=_copy, args=(source, sink, writer), daemon=True)
            for source, sink in ((process.stdout, output.stdout), (process.stderr, output.stderr))
        ]
        for thread in threads:
            thread.start()
        while True:
            try:
                code = process.wait()
                break
            except KeyboardInterrupt:  # the terminal sent it to the command as well: let that decide
                continue
        for thread in threads:
            thread.join(timeout=5)  # a daemon that the command left behind may hold the pipes open
        return code


@contextlib.contextmanager
def _forwarded_signals() -> Iterator[list[subprocess.Popen[bytes]]]:
    """Hand SIGTERM on to the command and wait for it, so that its end is recorded."""
    processes: list[subprocess.Popen[bytes]] = []

    def forward(number: int, _frame: object) -> None:
        for process in processes:
            process.send_signal(number)

    if threading.current_thread() is not threading.main_thread():
        yield processes
        return
    previous = signal.signal(signal.SIGTERM, forward)
    try:
        yield processes
    finally:
        signal.signal(signal.SIGTERM, previous)


class _LogWriter:
    """Writes the log up to its limit, from two threads."""

    def __init__(self, log: IO[bytes]) -> None:
        self._log = log
        self._lock = threading.Lock()
        self._room = MAX_LOG_BYTES

    def write(self, chunk: bytes) -> None:
        with self._lock, contextlib.suppress(OSError, ValueError):
            if self._room > 0:
                self._log.write(chunk[: self._room])
                self._room -= len(chunk)
                if self._room <= 0:
                    self._log.write(b"\n[the log is cut here]\n")


def _copy(source: IO[bytes] | None, sink: IO[bytes], log: _LogWriter) -> None:
    if source is None:  # pragma: no cover  both are pipes
        return
    with source:
        while chunk := os.read(source.fileno(), _CHUNK_BYTES):
            log.write(chunk)
            with contextlib.suppress(OSError, ValueError):  # a closed terminal does not end the command
                sink.write(chunk)
                sink.flush()


def _override(root: Path, overrides: Sequence[Override]) -> None:
    """Set params in their files."""
    by_file: dict[str, list[Override]] = {}
    for override in overrides:
        by_file.setdefault(override.file, []).append(override)
    for path, changes in by_file.items():
        data = read_file(root, path)
        target = root / path
        if data is None and (os.path.lexists(target) or find_behind_links(root, [path])):
            raise GittrackError(f"'{path}' is a link, behind one, too large or no file: its params are not edited")
        text = apply_overrides("" if data is None else data.decode("utf-8"), path, changes)
        temporary = target.with_name(f".{target.name}.gittrack-{os.getpid()}")
        temporary.write_text(text, encoding="utf-8", newline="")
        if target.exists():
            shutil.copymode(target, temporary)
        temporary.replace(target)


def _link(workspace: Path, worktree: Path, links: Sequence[str]) -> None:
    """Link ignored files or folders of the workspace into the throw-away worktree."""
    for link in links:
        source, target = workspace / link, worktree / link
        if not source.exists():
            raise GittrackError(f"no such file or folder to link: '{link}'")
        target.parent.mkdir(parents=True, exist_ok=True)
        if not target.exists():
            target.symlink_to(source.resolve(), target_is_directory=source.is_dir())


def _relative_folder(repository: Repository, directory: Path) -> Path:
    try:
        return directory.resolve().relative_to(repository.require_work_tree().resolve())
    except ValueError:
        return Path()


def _keep_outputs(repository: Repository, head: Head, opened: OpenedRun) -> None:
    """Add the small files that the command made to the recorded tree, and name those left out."""
    tip = opened.folder.read_tip()
    if tip is None:
        return
    try:
        snapshot = snapshot_code(repository, head)
    except (GittrackError, OSError) as error:
        opened.journal.event("problem", f"the command's output files could not be recorded: {error}")
        return
    opened.folder.write_tip(RecordedTip(tip.commit, snapshot.tree))
    meta = opened.folder.read_meta()
    known = {item.get("path") for item in meta.left_out}
    new = [item._asdict() for item in snapshot.left_out if item.path not in known]
    opened.folder.write_meta(replace(meta, left_out=(*meta.left_out, *new)))
