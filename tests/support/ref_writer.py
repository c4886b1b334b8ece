"""A process that writes objects and refs until its work is done or it is killed: `python -m tests.support.ref_writer`.

Every line it prints is an acknowledgement: what it names must survive whatever happens next.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from pathlib import Path
from typing import IO, TYPE_CHECKING

from gittrack.git.objects import TreeEntry, read_commit, write_blob, write_commit, write_tree
from gittrack.git.refs import RefChangedError, create_ref, read_ref, update_ref
from gittrack.git.repository import Repository
from gittrack.git.state import Identity

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

ROOT = Path(__file__).parents[2]
WHO = Identity("Ada", "ada@example.org")
COUNTER = "refs/gittrack/exps/shared/counter"


@contextlib.contextmanager
def start_writers(folder: Path, tasks: Sequence[Sequence[str]]) -> Iterator[list[subprocess.Popen[str]]]:
    """Start one writer for each task; those that still run in the end are killed.

    Args:
        folder: The repository.
        tasks: Their arguments: `record <name> <n>` or `count <name> <n>`.
    """
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    with contextlib.ExitStack() as stack:
        writers = []
        for task in tasks:
            command = [sys.executable, "-m", "tests.support.ref_writer", str(folder), *task]
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                env=environ,
            )
            writers.append(stack.enter_context(process))
            stack.callback(process.kill)
        yield writers


def finish(writers: Sequence[subprocess.Popen[str]]) -> list[list[str]]:
    """Wait for writers that must succeed, and return what each acknowledged."""
    acknowledged = []
    for writer in writers:
        stdout, stderr = writer.communicate()
        assert writer.returncode == 0, stderr
        acknowledged.append(stdout.splitlines())
    return acknowledged


def record(repository: Repository, name: str, n_records: int, out: IO[str]) -> None:
    """Create experiments and move each once; half of the content is the same in all processes."""
    for number in range(n_records):
        shared = write_blob(repository, b"shared %d" % number)
        own = write_blob(repository, f"{name} {number}".encode())
        tree = write_tree(repository, [TreeEntry(b"shared", 0o100644, shared), TreeEntry(b"own", 0o100644, own)])
        first = write_commit(repository, tree=tree, parents=[], message=f"{name} {number}", author=WHO)
        ref = f"refs/gittrack/exps/{number % 7:040x}/{name}-{number}"
        create_ref(repository, ref, first)
        print(ref, first, file=out, flush=True)
        second = write_commit(repository, tree=tree, parents=[first], message="end", author=WHO)
        update_ref(repository, ref, second, first)
        print(ref, second, file=out, flush=True)


def count(repository: Repository, name: str, n_updates: int, out: IO[str]) -> None:
    """Put commits on one ref that others move too, each on top of what was there."""
    tree = write_tree(repository, [])
    n_done = 0
    while n_done < n_updates:
        old = read_ref(repository, COUNTER)
        assert old is not None
        new = write_commit(repository, tree=tree, parents=[old], message=f"{name} {n_done}", author=WHO)
        with contextlib.suppress(RefChangedError):
            update_ref(repository, COUNTER, new, old)
            print(COUNTER, new, file=out, flush=True)
            n_done += 1


def chain_length(repository: Repository, ref: str) -> int:
    """Return how many commits a ref has behind it, following first parents."""
    commit, n_commits = read_ref(repository, ref), 0
    while commit is not None:
        n_commits += 1
        commit = next(iter(read_commit(repository, commit).parents), None)
    return n_commits


def main(arguments: Sequence[str]) -> None:
    """Do one task: `<folder> record|count <name> <n>`."""
    folder, task, name, n_times = arguments
    repository = Repository.discover(Path(folder), dict(os.environ))
    {"record": record, "count": count}[task](repository, name, int(n_times), sys.stdout)


if __name__ == "__main__":
    main(sys.argv[1:])
