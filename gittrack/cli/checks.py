"""What `gittrack doctor` looks at: one function for each part, that yields what it found and the way out.

Checks only read. None uses the network but `check_connection`, which runs when the user asks for it.
"""

from __future__ import annotations

import contextlib
import os
import platform
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple

from gittrack import __version__
from gittrack.git.hooks import find_place, inspect_hooks
from gittrack.git.process import failure
from gittrack.git.remotes import list_remotes
from gittrack.git.settings import read_bool_setting
from gittrack.git.tracking import can_track, is_tracked, list_tracking
from gittrack.runs.folder import RUNS, list_folders

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from gittrack.git.repository import Repository

OLDEST_GIT = (2, 34)
OLDEST_PYTHON = (3, 10)
STALE_LOCK_S = 600
_INIT = "gittrack init"
_SETTINGS_FILE = "gittrack.yaml"


@dataclass(frozen=True)
class Finding:
    """What a check found.

    Args:
        topic: One or two words for the part.
        level: `ok`; `warning`, for what works less well than it could; `error`, for what must be solved.
        text: What was found.
        fix: What to do about it: a command, or a sentence; None when all is well.
    """

    topic: str
    level: Literal["ok", "warning", "error"]
    text: str
    fix: str | None = None


class Examined(NamedTuple):
    """What checks look at.

    Attributes:
        repository: The repository.
        program: The path of gittrack that hooks should run.
        git_version: The version of git.
    """

    repository: Repository
    program: str
    git_version: tuple[int, int]


def check_programs(examined: Examined) -> Iterator[Finding]:
    """Check the versions of git and Python."""
    git_text = ".".join(map(str, examined.git_version))
    if examined.git_version < OLDEST_GIT:
        yield Finding("git", "error", f"version {git_text} is too old", "install git 2.34 or newer")
    else:
        yield Finding("git", "ok", f"version {git_text}")
    python_text = f"{platform.python_version()} at {sys.executable}, gittrack {__version__} at {examined.program}"
    if sys.version_info < OLDEST_PYTHON:
        yield Finding("python", "error", f"{python_text} is too old", "install Python 3.10 or newer")
    else:
        yield Finding("python", "ok", python_text)


def check_identity(examined: Examined) -> Iterator[Finding]:
    """Check that git knows who records experiments."""
    done = examined.repository.git.run("-c", "user.useConfigOnly=true", "var", "GIT_COMMITTER_IDENT", check=False)
    if done.returncode:
        yield Finding("identity", "warning", "git does not know your name", "git config --global user.name '<name>'")
    else:
        yield Finding("identity", "ok", done.stdout.decode("utf-8", "replace").rpartition(">")[0] + ">")


def check_repository(examined: Examined) -> Iterator[Finding]:
    """Say what kind of repository this is, and what follows from it."""
    repository = examined.repository
    words = [repository.object_format, "reftable" if repository.ref_format == "reftable" else "refs in files"]
    words += ["bare"] if repository.work_tree is None else []
    words += ["linked worktree"] if repository.git_dir != repository.common_dir else []
    words += ["shallow"] if repository.is_shallow else []
    done = repository.git.run(
        "config", "--get-regexp", r"^(extensions\.partialclone|remote\..*\.promisor)$", check=False
    )
    words += ["partial clone"] if done.stdout else []
    yield Finding("repository", "ok", ", ".join(words))


def check_hooks(examined: Examined) -> Iterator[Finding]:
    """Check that hooks are there and of this version, and that no other program displaced them."""
    repository, program, version = examined
    if repository.work_tree is None:
        return
    states = inspect_hooks(repository, program, find_place(repository, version))
    if all(state.status == "missing" for state in states):
        yield Finding("hooks", "warning", "none is installed; commits and pushes record and send nothing", _INIT)
        return
    for state in states:
        topic = f"hook {state.name}"
        if state.status == "missing":
            yield Finding(topic, "error", f"missing in {state.where}, though others are there", _fix(state.advice))
        elif state.status == "outdated":
            yield Finding(topic, "error", f"of another version or installation in {state.where}", _fix(state.advice))
        elif state.status == "blocked":
            yield Finding(topic, "warning", "not installed", state.advice)
        elif state.status == "manual":
            yield Finding(topic, "ok", f"called from {state.where}")
        else:
            yield Finding(topic, "ok", f"current in {state.where}")


def _fix(advice: str | None) -> str:
    return f"{_INIT} ({advice})" if advice else _INIT


def check_remotes(examined: Examined) -> Iterator[Finding]:
    """Check that plain fetches bring experiments, to the right place."""
    repository = examined.repository
    remotes = list_remotes(repository)
    if not remotes:
        yield Finding("remote", "ok", "none")
    misled = {refspec.remote for refspec in list_tracking(repository) if not refspec.is_current}
    for remote in remotes:
        topic = f"remote {remote}"
        if is_tracked(repository, remote):
            yield Finding(topic, "ok", "'git fetch' brings its experiments")
        elif remote in misled:
            text = "'git fetch' brings its experiments under another remote's name"
            yield Finding(topic, "error", text, f"{_INIT} --remote {remote}")
        elif can_track(repository, remote):
            yield Finding(topic, "warning", "'git fetch' leaves its experiments", f"{_INIT} --remote {remote}")
        else:
            yield Finding(topic, "warning", "its fetch settings are unusual", f"gittrack fetch {remote}")


def check_connection(examined: Examined) -> Iterator[Finding]:
    """Ask each remote for its experiments, over the network."""
    repository = examined.repository
    for remote in list_remotes(repository):
        done = repository.git.run("ls-remote", "--refs", "--", remote, "refs/gittrack/exps/*", check=False)
        topic = f"connection to {remote}"
        if done.returncode:
            reason = failure(("ls-remote",), done).message.removeprefix("git ls-remote failed: ")
            yield Finding(topic, "error", reason, f"git ls-remote {remote}")
        else:
            yield Finding(topic, "ok", f"{len(done.stdout.splitlines())} experiments there")


def check_index(examined: Examined) -> Iterator[Finding]:
    """Check the index of experiments, which may be removed at any time."""
    path = examined.repository.state_dir / "index.sqlite"
    if not path.exists():
        yield Finding("index", "ok", "none yet; it is made when experiments are shown")
        return
    problem = _sqlite_problem(path)
    if problem:
        yield Finding("index", "error", f"'{path}' is damaged: {problem}", f"rm '{path}'  # it is rebuilt by itself")
    else:
        yield Finding("index", "ok", f"{path.stat().st_size:,} bytes")


def _sqlite_problem(path: Path) -> str | None:
    import sqlite3

    try:
        with contextlib.closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as connection:
            (answer,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    except sqlite3.Error as error:
        return str(error)
    return None if answer == "ok" else str(answer)


def check_locks(examined: Examined) -> Iterator[Finding]:
    """Look for lock files that a killed process left: they block git and gittrack for ever."""
    now = time.time()
    stale = [lock for lock in _lock_files(examined.repository) if _age_s(lock, now) > STALE_LOCK_S]
    for lock in stale:
        minutes = _age_s(lock, now) / 60
        fix = f"if no git command is running: rm '{lock}'"
        yield Finding("lock", "error", f"'{lock}' is {minutes:.0f} minutes old", fix)
    if not stale:
        yield Finding("locks", "ok", "none is stale")


def _lock_files(repository: Repository) -> Iterator[str]:
    for folder in {repository.git_dir, repository.common_dir}:
        yield from map(str, folder.glob("*.lock"))
        yield from map(str, (folder / "reftable").glob("*.lock"))
    for parent, _, names in os.walk(repository.common_dir / "refs"):
        yield from (os.path.join(parent, name) for name in names if name.endswith(".lock"))  # noqa: PTH118  many refs


def _age_s(path: str, now: float) -> float:
    try:
        return now - os.lstat(path).st_mtime
    except FileNotFoundError:
        return 0.0


def check_runs(examined: Examined) -> Iterator[Finding]:
    """Look for runs whose process died and that no command has recorded yet."""
    folders = list_folders(examined.repository.state_dir / RUNS)
    dead = [folder for folder in folders if not folder.is_alive()]
    if dead:
        text = f"{len(dead)} ended without being recorded: {', '.join(folder.run_id for folder in dead)}"
        yield Finding("runs", "warning", text, "gittrack exp show  # records them")
    else:
        yield Finding("runs", "ok", f"{len(folders)} running")


def check_settings_file(examined: Examined) -> Iterator[Finding]:
    """Check that gittrack.yaml can be read and says nothing that gittrack does not know."""
    from gittrack.config import parse_project_config
    from gittrack.errors import GittrackError

    path = (examined.repository.work_tree or examined.repository.git_dir) / _SETTINGS_FILE
    try:
        config = parse_project_config(path.read_bytes())
    except FileNotFoundError:
        return
    except (GittrackError, OSError, ValueError) as error:
        yield Finding(_SETTINGS_FILE, "error", str(error), getattr(error, "hint", None) or f"correct '{path}'")
        return
    for key in config.unknown:
        yield Finding(_SETTINGS_FILE, "warning", f"unknown key '{key}'", "the page on configuration has the known ones")
    if not config.unknown:
        yield Finding(_SETTINGS_FILE, "ok", "every key is known")


def check_temporary_files(examined: Examined) -> Iterator[Finding]:
    """Look for temporary files that killed processes left in the object database."""
    repository = examined.repository
    counts = dict(
        line.split(": ", 1) for line in repository.git.text("count-objects", "-v").splitlines() if ": " in line
    )
    n_garbage = int(counts.get("garbage", "0"))
    if n_garbage:
        size = f"{int(counts.get('size-garbage', '0')):,} KiB"
        yield Finding("temporary files", "warning", f"{n_garbage} in the object database, {size}", "git gc")
    else:
        yield Finding("temporary files", "ok", "none")


def check_strictness(examined: Examined) -> Iterator[Finding]:
    """Say when a push can fail because of experiments."""
    if read_bool_setting(examined.repository, "gittrack.strict"):
        yield Finding("gittrack.strict", "ok", "set: a push stops when its experiments cannot be sent")


CHECKS: tuple[Callable[[Examined], Iterator[Finding]], ...] = (
    check_programs,
    check_identity,
    check_repository,
    check_hooks,
    check_remotes,
    check_index,
    check_locks,
    check_runs,
    check_settings_file,
    check_temporary_files,
    check_strictness,
)
