"""Many small files in several processes: as in one, and any of the processes may fail or be killed at any step."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import threading
from typing import TYPE_CHECKING

import pytest

from gittrack.artifacts import intake, spreading
from gittrack.artifacts.cache import Cache
from gittrack.artifacts.intake import Intake
from gittrack.artifacts.manifest import FileEntry
from gittrack.artifacts.pointer import SUFFIX
from gittrack.artifacts.restore import Restorer
from gittrack.artifacts.spreading import Spread
from gittrack.workspace import contents
from gittrack.workspace.add import add
from gittrack.workspace.workspace import Workspace
from tests.support.artifacts import check_store, copies, read_files, restore_all, write_files
from tests.support.git_repository import make_repository, open_repository
from tests.support.steps import run_steps

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

# Some contents are there twice, in the share of one process and of two; one file is large.
FILES = {f"data/{number % 3}/{number:02}": f"content {number % 20}".encode() for number in range(26)} | {
    "data/large": bytes(range(256)) * 5000
}


@pytest.fixture(autouse=True)
def few_are_many(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a handful of files be worth a fork, whatever the number of CPUs."""
    monkeypatch.setattr(spreading, "MIN_ITEMS", 4)
    monkeypatch.setattr(intake, "MIN_ITEMS", 4)
    monkeypatch.setattr(contents, "_N_FILES_AT_ONCE", 10)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1, 2}, raising=False)


@pytest.fixture
def template(tmp_path: Path) -> Path:
    return write_files(make_repository(tmp_path / "template", "--template="), FILES)


def add_all(folder: Path) -> None:
    with Workspace.open(open_repository(folder)) as workspace:
        add(workspace, ["data"])


def count_steps(work: Callable[[Path], object], folder: Path) -> int:
    return run_steps(lambda: work(folder)).n_steps


def run(work: Callable[[], object]) -> None:
    """Do work in a process that has no other thread, unlike that of the tests."""
    ending = run_steps(work)
    assert not ending.error, ending.error


def test_forks_do_the_same_as_one_process(template: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The pointer, the objects and the restored files; and forks were at work at all."""
    parent, log = os.getpid(), template.with_name("pids")
    take = Intake.add_file

    def noted(self: Intake, *args: object, **settings: object) -> object:
        with log.open("a") as stream:
            stream.write(f"{os.getpid()}\n")
        return take(self, *args, **settings)  # type: ignore[arg-type]

    alone = next(copies(template)).rename(template.with_name("alone"))
    add_all(alone)  # the process of the tests has threads
    monkeypatch.setattr(Intake, "add_file", noted)
    together = next(copies(template))
    run(lambda: add_all(together))
    pids = set(log.read_text().split())
    assert len(pids) > 2
    assert str(parent) not in pids
    assert (together / f"data{SUFFIX}").read_bytes() == (alone / f"data{SUFFIX}").read_bytes()
    caches = [Cache(folder / ".git/gittrack/cache") for folder in (alone, together)]
    assert len({frozenset(cache.list_digests()) for cache in caches}) == 1
    check_store(together)
    assert list((together / ".git/gittrack/cache/tmp").iterdir()) == []
    shutil.rmtree(together / "data")
    run(lambda: restore_all(together))
    assert read_files(together / "data") == read_files(template / "data")


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("stride", [5, pytest.param(1, marks=pytest.mark.slow)])
def test_adding_may_be_killed_at_every_step(template: Path, moment: str, stride: int) -> None:
    """In this process, in a fork, or in both: nothing half is visible, and the next `add` does it all."""
    work = copies(template)
    n_steps = count_steps(add_all, next(work))
    assert n_steps > 60
    for step in range(1, n_steps + 1, stride):
        folder = next(work)
        run_steps(lambda folder=folder: add_all(folder), kill_at=step, moment=moment)  # type: ignore[misc]
        check_store(folder)
        run(lambda folder=folder: add_all(folder))  # type: ignore[misc]
        check_store(folder)
        assert (folder / f"data{SUFFIX}").exists()
        assert list((folder / ".git/gittrack/cache/tmp").iterdir()) == []


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO], ids=["full disk", "broken disk"])
@pytest.mark.parametrize("stride", [5, pytest.param(1, marks=pytest.mark.slow)])
def test_adding_may_fail_at_every_step(template: Path, number: int, stride: int) -> None:
    """A fork that fails leaves its files to the process that it came from, which says what it meets."""
    work = copies(template)
    n_steps = count_steps(add_all, next(work))
    n_errors = 0
    for step in range(1, n_steps + 1, stride):
        folder = next(work)
        ending = run_steps(lambda folder=folder: add_all(folder), fail_at=(step, number))  # type: ignore[misc]
        n_errors += bool(ending.error)
        check_store(folder)
        assert (folder / f"data{SUFFIX}").exists() or ending.error
        assert read_files(folder / "data") == read_files(template / "data")
    assert n_errors


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("stride", [5, pytest.param(1, marks=pytest.mark.slow)])
def test_restoring_may_be_killed_at_every_step(template: Path, moment: str, stride: int) -> None:
    """The folder is there whole or not at all, and the next `checkout` restores it."""
    add_all(template)
    shutil.rmtree(template / "data")
    work = copies(template)
    n_steps = count_steps(restore_all, next(work))
    assert n_steps > 20
    wanted = {path.removeprefix("data/"): data for path, data in FILES.items()}
    for step in range(1, n_steps + 1, stride):
        folder = next(work)
        run_steps(lambda folder=folder: restore_all(folder), kill_at=step, moment=moment)  # type: ignore[misc]
        assert not (folder / "data").exists() or read_files(folder / "data") == wanted
        run(lambda folder=folder: restore_all(folder))  # type: ignore[misc]
        assert read_files(folder / "data") == wanted
        check_store(folder)


def test_a_file_that_changes_after_it_was_listed_is_read_as_it_is(tmp_path: Path) -> None:
    """A fork sees other times than were listed, and leaves the file to the process that notes them."""
    repo = write_files(make_repository(tmp_path / "repo", "--template="), FILES)
    listed = contents.FoundFile  # type: ignore[attr-defined]

    def change_once(path: str, folder_fd: int, name: str, info: os.stat_result) -> object:
        if path == "0/03":
            (repo / "data/0/03").write_bytes(b"changed since")
        return listed(path, folder_fd, name, info)

    def work() -> None:
        contents.FoundFile = change_once  # type: ignore[attr-defined]
        add_all(repo)

    run(work)
    check_store(repo)
    shutil.rmtree(repo / "data")
    restore_all(repo)
    assert (repo / "data/0/03").read_bytes() == b"changed since"


def test_a_corrupt_object_is_named_though_a_fork_meets_it(template: Path) -> None:
    """Nothing of the folder appears."""
    add_all(template)
    shutil.rmtree(template / "data")
    cache = Cache(template / ".git/gittrack/cache")
    victim = next(path for path in map(cache.path, cache.list_digests()) if path.read_bytes() == b"content 0")
    victim.chmod(0o644)
    victim.write_bytes(b"content X")
    ending = run_steps(lambda: restore_all(template))
    assert "is corrupt" in ending.error
    assert not (template / "data").exists()


def square_in_fork(_: int, item: int) -> bytes:
    return (item * item).to_bytes(4, "little")


@pytest.mark.parametrize("victim", [0, 1, 7, 19])
def test_what_a_killed_fork_did_not_do_is_done(victim: int) -> None:
    """Each item is told by a fork, or done here."""
    parent = os.getpid()

    def work() -> None:
        def square_or_die(fork: int, item: int) -> bytes:
            if item == victim:
                os.kill(os.getpid(), signal.SIGKILL)
            return square_in_fork(fork, item)

        done: set[int] = set()
        with Spread(20, 4, square_or_die) as spread:
            spread.finish(done.add)
            told = {item: spread.record(item) for item in range(20)}
        assert os.getpid() != parent
        for item, record in told.items():
            assert item in done or record == square_in_fork(0, item)
        assert victim in done

    run(work)


def test_a_process_with_threads_does_not_fork() -> None:
    """A fork would inherit locks that nobody opens."""
    stop = threading.Event()
    thread = threading.Thread(target=stop.wait)
    thread.start()
    done: list[int] = []
    try:
        with Spread(20, 4, square_in_fork) as spread:
            spread.finish(done.append)
            assert {spread.record(item) for item in range(20)} == {None}
    finally:
        stop.set()
        thread.join()
    assert sorted(done) == list(range(20))


def test_an_error_here_ends_the_forks(tmp_path: Path) -> None:
    """No process goes on behind the back of who has heard of the error."""

    def work() -> None:
        def sleep(*_: int) -> bytes:
            signal.pause()
            return b"none"

        spread = Spread(20, 4, sleep)
        forks = list(spread._forks)
        assert forks
        with pytest.raises(ZeroDivisionError), spread:
            spread.finish(lambda item: item // 0)
        for pid in forks:
            with pytest.raises(ProcessLookupError):
                os.kill(pid, 0)

    run(work)
    assert list(tmp_path.iterdir()) == []


def test_links_are_restored_by_one_process(tmp_path: Path) -> None:
    """They cost too little to be shared out."""
    with Intake(Cache(tmp_path / "cache")) as batch:
        entries = [
            FileEntry(f"{number:02}", batch.add_bytes(b"%d" % number), len(b"%d" % number), is_executable=False)
            for number in range(20)
        ]
    root = tmp_path / "root"
    root.mkdir()

    def work() -> None:
        restorer = Restorer(Cache(tmp_path / "cache"), root, tmp_path / "staging", ("symlink",))
        assert {one.info for one in restorer.write_new_folder("data", entries)} == {None}

    run(work)
    assert read_files(root / "data") == {f"{number:02}": b"%d" % number for number in range(20)}
    assert all(path.is_symlink() for path in (root / "data").iterdir())
