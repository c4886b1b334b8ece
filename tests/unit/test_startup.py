"""The start-up budget (docs/design/architecture.md), held by what is imported: a timed test would depend on the day."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

HEAVY = {
    "asyncio",
    "click",
    "dulwich",
    "importlib.metadata",
    "numpy",
    "requests",
    "ruamel",
    "sqlite3",
    "tomlkit",
    "tqdm",
    "urllib.request",
    "yaml",
}
NOT_EVEN = HEAVY | {"dataclasses", "inspect", "json", "logging", "pathlib", "re", "subprocess", "typing"}
HOOKS = ("post-commit", "post-rewrite", "pre-push", "post-merge", "post-checkout")
# A command line that reads experiments may use click and the index, never what is slow to import.
SHOW = HEAVY - {"click", "sqlite3"}
# What a script waits for when it makes its first run; the run's thread may import whatever it needs.
RUN = HEAVY | {"dataclasses", "inspect", "random", "shutil", "socket", "tempfile"}

PROGRAM = """
import sys
before = set(sys.modules)
{statement}
sys.stderr.write("\\n" + " ".join(sorted(set(sys.modules) - before)))
"""


FIRST_RUN = """
from gittrack.live import posting
from gittrack.runs import code_snapshot, start_thread
code_snapshot.CodeSnapshot._take = start_thread.StartThread._work = lambda *_: None  # its threads load the rest
posting.LivePosting._prepare = lambda *_: None
import gittrack
run = gittrack.Run()
run._status = "completed"  # so that nothing is recorded when the process ends
"""


def loaded(statement: str, cwd: Path) -> set[str]:
    """Return what a fresh interpreter imports to run a statement."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(statement=statement)],
        cwd=cwd,
        check=True,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    return set(done.stderr.splitlines()[-1].split())


def call(*argv: str) -> str:
    return f"import os; from gittrack.cli.entry import run; assert run({list(argv)!r}, os.environ) == 0"


@pytest.mark.parametrize("argv", [["--version"], ["--help"], [], ["exp"], ["exp", "--help"]])
def test_version_and_help_import_next_to_nothing(argv: list[str], tmp_path: Path) -> None:
    """What people call all the time costs no more than the interpreter and a few milliseconds."""
    assert loaded(call(*argv), tmp_path) & NOT_EVEN == set()


def test_importing_the_package_imports_next_to_nothing(tmp_path: Path) -> None:
    """`import gittrack` in a training script is free until something is used."""
    assert loaded("import gittrack", tmp_path) & NOT_EVEN == set()


@pytest.mark.parametrize("name", HOOKS)
def test_a_hook_with_nothing_to_do_imports_nothing_heavy(name: str, repo_dir: Path, git: Callable[..., str]) -> None:
    """Every git command of the user pays for the hooks, also one that changes neither params nor metrics."""
    (repo_dir / "train.py").write_text("print('training more')\n", encoding="utf-8")
    git("commit", "-qam", "Change the code alone")
    assert loaded(call("hook", name), repo_dir) & HEAVY == set()


def test_showing_experiments_imports_nothing_slow(repo_dir: Path) -> None:
    """The table is made from the index and from git's own bulk reads."""
    assert loaded(call("exp", "show", "--csv"), repo_dir) & SHOW == set()


def test_the_first_run_imports_little_before_it_returns(repo_dir: Path) -> None:
    """What only the end of a run and its threads need is loaded there, beside the training."""
    assert loaded(FIRST_RUN, repo_dir) & RUN == set()
