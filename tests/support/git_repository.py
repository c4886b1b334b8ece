"""Real repositories in folders of their own, in the shapes that git allows.

The whole suite can be run with repositories of another kind, by variables in the environment of pytest:

- ``GITTRACK_TEST_REF_FORMAT=reftable`` (git >= 2.45): refs in tables, which only git reads and writes.
- ``GITTRACK_TEST_HASH=sha256``: object ids of 64 hex digits.

Tests that are about one kind say so by `refs_in_files` or by the options that they give.
"""

from __future__ import annotations

import os
import subprocess
import threading
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from gittrack.git.repository import Repository

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from gittrack.git.repository import ObjectFormat


REF_FORMAT = os.environ.get("GITTRACK_TEST_REF_FORMAT", "files")
HASH = os.environ.get("GITTRACK_TEST_HASH", "sha1")
ID_LENGTH = 64 if HASH == "sha256" else 40
ZERO_ID, ABSENT_ID = "0" * ID_LENGTH, "1" * ID_LENGTH
# For the environment of every test: what `git init` makes. git that does not know a variable ignores it.
FORMATS = {"GIT_DEFAULT_REF_FORMAT": REF_FORMAT, "GIT_DEFAULT_HASH": HASH}
refs_in_files = pytest.mark.skipif(REF_FORMAT != "files", reason="is about refs in files")


def run_git(
    *args: str,
    cwd: Path,
    check: bool = True,
    input: str | bytes | None = None,  # noqa: A002  subprocess.run's own name
    env: dict[str, str] | None = None,
) -> str:
    """Run git and return what it printed, without the last newline; undecodable bytes are surrogates.

    Args:
        args: The arguments after `git`.
        cwd: The folder to run in.
        check: Whether a failure fails the test.
        input: Its standard input.
        env: Variables on top of those of the test.
    """
    done = subprocess.run(
        ["git", *args],
        cwd=cwd,
        check=False,
        input=os.fsencode(input) if input is not None else b"",
        capture_output=True,
        env={**os.environ, **(env or {})},
    )
    if check and done.returncode:
        raise AssertionError(f"git {args} failed:\n{os.fsdecode(done.stdout + done.stderr)}")
    return os.fsdecode(done.stdout).removesuffix("\n")


@cache
def git_version() -> tuple[int, int]:
    """Return the major and minor version of the git that tests run."""
    numbers = run_git("version", cwd=Path.cwd()).split()[2].split(".")
    return int(numbers[0]), int(numbers[1])


with_reftable = pytest.mark.skipif(
    git_version() < (2, 45), reason="needs git >= 2.45, which has reftable (make test-newest-git)"
)


def make_repository(folder: Path, *options: str, object_format: ObjectFormat | None = None) -> Path:
    """Make a repository with one commit of `train.py` and `params.yaml` on branch main, and return its folder.

    Args:
        folder: Where to; made when it is missing.
        options: Further options of `git init`.
        object_format: The hash of its object ids; by default that of all repositories of the test run.
    """
    folder.mkdir(parents=True, exist_ok=True)
    run_git("init", "-q", f"--object-format={object_format or HASH}", *options, cwd=folder)
    (folder / "train.py").write_text("print('training')\n", encoding="utf-8")
    (folder / "params.yaml").write_text("train:\n  lr: 0.1\n  epochs: 3\n", encoding="utf-8")
    run_git("add", "-A", cwd=folder)
    run_git("commit", "-q", "-m", "First model", cwd=folder)
    return folder


def open_repository(folder: Path, **environ: str) -> Repository:
    """Open the repository of a folder as the git layer does.

    Args:
        folder: Where to start the search.
        environ: Variables on top of those of the test.
    """
    return Repository.discover(folder, {**os.environ, **environ})


def find_locks(repository: Repository) -> list[Path]:
    """Return every lock file of a repository, and every object that was left half written."""
    return [
        path
        for path in Path(repository.common_dir).rglob("*")
        if path.name.endswith(".lock") or path.name.startswith("tmp_obj_")
    ]


def fsck(folder: Path) -> str:
    """Check every object of a repository strictly, and return what git complains of: nothing but loose ends."""
    return run_git("fsck", "--strict", "--full", "--no-dangling", "--no-progress", cwd=folder)


@contextmanager
def looping(folder: Path, *commands: Sequence[str], pause_s: float = 0.0) -> Iterator[None]:
    """Run git commands round and round, in a thread, while something else happens; they may fail.

    Args:
        folder: The repository.
        commands: The arguments of each.
        pause_s: How long to wait after each round.
    """
    stop = threading.Event()

    def loop() -> None:
        while not stop.is_set():
            for command in commands:
                subprocess.run(["git", *command], cwd=folder, capture_output=True, check=False)
            stop.wait(pause_s)

    thread = threading.Thread(target=loop)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
