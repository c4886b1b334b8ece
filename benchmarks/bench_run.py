"""`Run()` to `end()` in one process, beside the plumbing that records the same work tree.

In repositories of 100 and 20,000 tracked files, clean and with a changed and a new file. The peer copies the index,
then runs `git add -A`, `write-tree`, `commit-tree` and `update-ref`; both in turn, in the same repository, with other
content each time. Limits: twice the peer from `Run()` to `end()`; 50 ms for the constructor, also for the first one of
a fresh process, `import gittrack` included. `--dvc PATH` adds `dvc exp save`, a whole process, with what git commits in
its place.

    python benchmarks/bench_run.py --repeats 30 10
"""

from __future__ import annotations

import argparse
import contextlib
import io
import itertools
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from timing import Figure, alternate, make_repository, print_figures

import gittrack

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_RATIO = 2.0
CONSTRUCTOR_LIMIT_S = 0.050
FIRST_RUN = """
import time
start = time.perf_counter()
import gittrack
run = gittrack.Run(quiet=True)
seconds = time.perf_counter() - start
run.end()
print(seconds)
"""
SIZES = (100, 20_000)
REPEATS = (30, 10)


def main() -> int:
    """Time everything, print the figures and return 1 when one is above its limit."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES)
    parser.add_argument("--repeats", type=int, nargs="+", default=REPEATS)
    parser.add_argument("--dvc", default=shutil.which("dvc"), help="a dvc program to time beside")
    arguments = parser.parse_args()
    return int(print_figures(measure(arguments.sizes, arguments.repeats, arguments.dvc)) > 0)


def measure(sizes: tuple[int, ...] = SIZES, repeats: tuple[int, ...] = REPEATS, dvc: str | None = None) -> list[Figure]:
    """Return the figures.

    Args:
        sizes: How many files the repositories track.
        repeats: How often each is run, by size; the median counts.
        dvc: A dvc program, or None.
    """
    figures = []
    for size, n_repeats in zip(sizes, repeats, strict=False):
        for is_dirty in (False, True):
            with tempfile.TemporaryDirectory() as folder:
                repository = make_repository(Path(folder, "repository"), size)
                figures += measure_in(repository, size, n_repeats, is_dirty=is_dirty)
                if not is_dirty:
                    seconds = measure_first(repository, 2 * n_repeats)
                    title = f"import gittrack; Run(), fresh process, {size:,} files"
                    figures.append(Figure(title, seconds, None, CONSTRUCTOR_LIMIT_S))
                if dvc and is_dirty:
                    figures.append(Figure(f"dvc exp save, {size:,} files", measure_dvc(dvc, repository)))
    return figures


def measure_in(repository: Path, size: int, repeats: int, *, is_dirty: bool) -> list[Figure]:
    """Return the figures of one fresh repository.

    Args:
        repository: Where to record.
        size: How many files it tracks.
        repeats: How often.
        is_dirty: Whether a file is changed and another one untracked, differently each time.
    """
    numbers = itertools.count()
    constructors: list[float] = []

    def prepared(record: Callable[[int], float]) -> Callable[[], float]:
        def action() -> float:
            number = next(numbers)
            if is_dirty:
                (repository / "part0/file0.py").write_text(f"changed = {number}\n", encoding="utf-8")
                (repository / "new.py").write_text(f"new = {number}\n", encoding="utf-8")
            return record(number)

        return action

    def record_run(_: int) -> float:
        start = time.perf_counter()
        run = gittrack.Run()
        constructors.append(time.perf_counter() - start)
        run.log_metric("loss", 0.5)
        run.end()
        return time.perf_counter() - start

    before = Path.cwd()
    os.chdir(repository)
    try:
        actions = {"run": prepared(record_run), "plumbing": prepared(lambda number: plumb(repository, number))}
        with contextlib.redirect_stderr(io.StringIO()):  # each run says what it recorded
            alternate(actions, 2)
            constructors.clear()
            times = alternate(actions, repeats)
    finally:
        os.chdir(before)
    title = f"{size:,} files, {'two changed' if is_dirty else 'clean'}"
    constructor = sorted(constructors)[len(constructors) // 2]
    return [
        Figure(f"Run() … end(), {title}", times["run"], times["plumbing"], MAX_RATIO * times["plumbing"]),
        Figure(f"Run() alone, {title}", constructor, None, CONSTRUCTOR_LIMIT_S),
    ]


def measure_first(repository: Path, repeats: int) -> float:
    """Return the median seconds from before `import gittrack` to after the first `Run()`, in fresh processes."""
    with tempfile.TemporaryDirectory() as folder:
        environ = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        environ["PYTHONPYCACHEPREFIX"] = folder  # compiled modules are kept, as an installed package has them

        def first() -> float:
            command = [sys.executable, "-c", FIRST_RUN]
            done = subprocess.run(command, cwd=repository, check=True, capture_output=True, env=environ)
            return float(done.stdout)

        alternate({"first": first}, 2)
        return alternate({"first": first}, repeats)["first"]


def plumb(repository: Path, number: int) -> float:
    """Record the work tree with git alone and return the seconds."""
    start = time.perf_counter()
    index = repository / ".git/plumbing-index"
    shutil.copy2(repository / ".git/index", index)
    environ = {**os.environ, "GIT_INDEX_FILE": str(index)}

    def git(*args: str) -> str:
        done = subprocess.run(["git", *args], cwd=repository, env=environ, check=True, capture_output=True, text=True)
        return done.stdout.strip()

    git("add", "-A")
    commit = git("commit-tree", git("write-tree"), "-p", "HEAD", "-m", f"experiment {number}")
    git("update-ref", f"refs/peer/{number}", commit, "")
    index.unlink()
    return time.perf_counter() - start


def measure_dvc(dvc: str, repository: Path) -> float:
    """Return the median seconds of `dvc exp save`."""

    def quietly(*command: str) -> None:
        subprocess.run(command, cwd=repository, check=True, capture_output=True)

    quietly(dvc, "init", "-q")
    quietly("git", "add", "-A")
    quietly("git", "commit", "-qm", "dvc")

    def save() -> None:
        quietly(dvc, "exp", "save", "--force")

    return alternate({"save": save}, 3)["save"]


if __name__ == "__main__":
    sys.exit(main())
