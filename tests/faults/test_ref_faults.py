"""Refs under fire: many writers at once, git packing meanwhile, and processes that die at any moment."""

from __future__ import annotations

import fcntl
import random
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from gittrack.git import loose_refs
from gittrack.git.objects import write_commit, write_tree
from gittrack.git.refs import (
    RefExistsError,
    RefUpdate,
    create_ref,
    delete_ref,
    list_refs,
    read_ref,
    transaction,
    update_ref,
)
from tests.support.git_repository import find_locks, fsck, looping, refs_in_files, run_git
from tests.support.ref_writer import COUNTER, WHO, chain_length, finish, start_writers

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from gittrack.git.repository import Repository


def start_counter(repository: Repository) -> str:
    """Create the ref that all writers move, and return its first commit."""
    first = write_commit(repository, tree=write_tree(repository, []), parents=[], message="0", author=WHO)
    create_ref(repository, COUNTER, first)
    return first


@pytest.mark.parametrize(
    ("n_writers", "n_updates"), [(8, 25), pytest.param(8, 100, marks=pytest.mark.slow)], ids=["short", "long"]
)
def test_no_update_of_a_shared_ref_is_lost(
    repository: Repository, repo_dir: Path, n_writers: int, n_updates: int
) -> None:
    """Every acknowledged update is in the ref's history, with `git update-ref` and `git pack-refs` in between."""
    start_counter(repository)
    n_by_git = 0
    with (
        looping(repo_dir, ["pack-refs", "--all"], pause_s=0.01),
        start_writers(repo_dir, [["count", str(number), str(n_updates)] for number in range(n_writers)]) as writers,
    ):
        while any(writer.poll() is None for writer in writers):
            old = read_ref(repository, COUNTER)
            assert old is not None
            new = run_git("commit-tree", "-p", old, "-m", "git", f"{old}^{{tree}}", cwd=repo_dir)
            done = subprocess.run(
                ["git", "update-ref", COUNTER, new, old], cwd=repo_dir, capture_output=True, check=False
            )
            n_by_git += done.returncode == 0
        acknowledged = finish(writers)
    assert [len(lines) for lines in acknowledged] == [n_updates] * n_writers
    assert chain_length(repository, COUNTER) == 1 + n_writers * n_updates + n_by_git
    assert not find_locks(repository)
    assert loose_refs.sweep(repository) == 0


def test_of_all_who_create_a_ref_one_wins(repository: Repository, repo_dir: Path) -> None:
    """Exactly one of many creators is told yes, and the ref is theirs, while git packs refs."""
    tree = write_tree(repository, [])
    commits = [write_commit(repository, tree=tree, parents=[], message=str(number), author=WHO) for number in range(6)]
    for round_ in range(15):
        ref, winners = f"refs/gittrack/exps/race/{round_}", []
        barrier = threading.Barrier(len(commits))

        def create(
            commit: str, ref: str = ref, winners: list[str] = winners, start: threading.Barrier = barrier
        ) -> None:
            start.wait()
            try:
                create_ref(repository, ref, commit)
            except RefExistsError:
                return
            winners.append(commit)

        threads = [threading.Thread(target=create, args=[commit]) for commit in commits]
        with looping(repo_dir, ["pack-refs", "--all"]):
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        assert winners == [read_ref(repository, ref)]
    assert not find_locks(repository)


@pytest.mark.parametrize("n_kills", [24, pytest.param(200, marks=pytest.mark.slow)], ids=["short", "long"])
def test_a_killed_writer_loses_nothing_it_acknowledged(repository: Repository, repo_dir: Path, n_kills: int) -> None:
    """SIGKILL at any moment: what was printed is there, objects are sound, and the next process is not blocked."""
    start_counter(repository)
    dice = random.Random(7)
    acknowledged: list[list[str]] = []
    for number in range(n_kills // 4):
        tasks = [(task, f"{number}{side}", "1000000") for task in ("record", "count") for side in "ab"]
        with start_writers(repo_dir, tasks) as writers:
            for writer in writers:
                acknowledged.extend(_read_until_killed(writer, dice.uniform(0, 0.03)))
    found = list_refs(repository, "refs/gittrack")
    histories = {ref: set(run_git("rev-list", tip, cwd=repo_dir).split("\n")) for ref, tip in found.items()}
    assert all(value in histories[ref] for ref, value in acknowledged)
    assert len(acknowledged) >= n_kills
    loose_refs.sweep(repository)
    assert not list(repository.common_dir.rglob("*.lock"))
    assert not list((repository.state_dir / "refs").glob("*"))
    assert fsck(repo_dir) == ""


def _read_until_killed(writer: subprocess.Popen[str], after_s: float) -> list[list[str]]:
    """Kill a writer some time after its first acknowledgement; return the words of every whole line it printed."""
    assert writer.stdout is not None
    first = writer.stdout.readline()
    time.sleep(after_s)
    writer.kill()
    lines = [first, *writer.stdout.read().splitlines(keepends=True)]
    return [line.split() for line in lines if line.endswith("\n")]


@contextmanager
def dead_lock(repository: Repository, ref: str) -> Iterator[None]:
    """Leave the lock of a ref as a process does that is killed in the middle of a change."""
    script = (
        "import os, sys; from pathlib import Path; from gittrack.git import loose_refs;"
        "from gittrack.git.repository import Repository;"
        "held = loose_refs.hold(Repository.discover(Path('.'), os.environ), sys.argv[1], '1' * 40);"
        "held.__enter__(); os.kill(os.getpid(), 9)"
    )
    done = subprocess.run([sys.executable, "-c", script, ref], cwd=repository.work_tree, check=False)
    assert done.returncode == -9
    lock = repository.common_dir / f"{ref}.lock"
    assert lock.exists()
    yield
    assert not lock.exists()


@pytest.mark.parametrize("ref", [COUNTER, "refs/gittrack/a,b%2Fc%d"])
def test_a_dead_lock_delays_nobody(repository: Repository, ref: str) -> None:
    """Every way to change a ref takes the lock of a killed process away, without waiting for it."""
    first = write_commit(repository, tree=write_tree(repository, []), parents=[], message="0", author=WHO)
    second = write_commit(repository, tree=write_tree(repository, []), parents=[first], message="1", author=WHO)
    start = time.monotonic()
    with dead_lock(repository, ref):
        create_ref(repository, ref, first)
    with dead_lock(repository, ref):
        update_ref(repository, ref, second, first)
    with dead_lock(repository, ref):
        transaction(repository, [RefUpdate(ref, first, second)])
    with dead_lock(repository, ref):
        delete_ref(repository, ref, first)
    assert time.monotonic() - start < loose_refs.PATIENCE_S / 2
    assert not list((repository.state_dir / "refs").glob("*"))


@refs_in_files
def test_a_lock_of_another_program_is_waited_for_and_never_removed(
    repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A lock that we did not make is respected: an error names it once patience is over, and it is still there."""
    first = start_counter(repository)
    lock = repository.common_dir / f"{COUNTER}.lock"
    lock.touch()
    monkeypatch.setattr(loose_refs, "PATIENCE_S", 0.2)
    with pytest.raises(loose_refs.RefLockedError, match=r"counter\.lock") as caught:
        update_ref(repository, COUNTER, first, first)
    assert "remove that file" in (caught.value.hint or "")
    assert lock.exists()
    threading.Timer(0.05, lock.unlink).start()
    update_ref(repository, COUNTER, first, first)


def test_the_lock_of_a_living_process_is_not_swept(repository: Repository) -> None:
    """A sweep in the middle of somebody's change takes nothing away."""
    first = start_counter(repository)
    with loose_refs.hold(repository, COUNTER, first) as publish:
        assert loose_refs.sweep(repository) == 0
        publish()
    assert read_ref(repository, COUNTER) == first


@refs_in_files
def test_a_value_that_a_sweep_took_before_it_was_held_is_made_again(
    repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the creation of a file and the kernel's lock on it, a sweep may think its process dead."""
    first = start_counter(repository)
    lock, n_sweeps = fcntl.flock, []

    def sweep_then_lock(descriptor: int, operation: int) -> None:
        if operation == fcntl.LOCK_EX and len(n_sweeps) < 3:
            n_sweeps.append(0)
            assert loose_refs.sweep(repository) == 1
        lock(descriptor, operation)

    monkeypatch.setattr(fcntl, "flock", sweep_then_lock)
    update_ref(repository, COUNTER, first, first)
    assert len(n_sweeps) == 3
    assert not list((repository.state_dir / "refs").glob("*"))
