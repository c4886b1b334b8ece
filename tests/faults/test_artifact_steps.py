"""`add` and `checkout` killed, or failing, at every single step: nothing half, nothing lost, nothing to clean up."""

from __future__ import annotations

import errno
import shutil
from typing import TYPE_CHECKING

import pytest

from gittrack.artifacts.cache import Cache
from gittrack.artifacts.digest import hash_bytes
from gittrack.artifacts.pointer import SUFFIX
from gittrack.workspace.add import add
from gittrack.workspace.workspace import Workspace
from tests.support.artifacts import check_store, copies, restore_all
from tests.support.git_repository import make_repository, open_repository
from tests.support.steps import run_steps

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

FILES = {
    "data/a.bin": b"a" * 5000,
    "data/sub/b.bin": b"b" * 70_000,
    "data/sub/same.bin": b"a" * 5000,
    "model.pt": bytes(range(256)) * 8200,  # more than a mebibyte
}
ARTIFACTS = ("data", "model.pt")
# Every third step in `make test`, every step in `make test-slow`.
STRIDES = pytest.mark.parametrize("stride", [3, pytest.param(1, marks=pytest.mark.slow)])


@pytest.fixture
def template(tmp_path: Path) -> Path:
    """A repository with a folder and a large file that are not tracked yet."""
    folder = make_repository(tmp_path / "template", "--template=")
    write_files(folder)
    return folder


def write_files(folder: Path) -> None:
    for name, data in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)


def count_steps(work: Callable[[Path], object], folder: Path) -> int:
    ending = run_steps(lambda: work(folder))
    assert not ending.error
    return ending.n_steps


def add_all(folder: Path) -> None:
    with Workspace.open(open_repository(folder)) as workspace:
        add(workspace, ARTIFACTS)


def check_files(folder: Path) -> None:
    assert {str(path.relative_to(folder)): path.read_bytes() for path in files_of(folder)} == FILES


def files_of(folder: Path) -> Iterator[Path]:
    """Yield the files of the artifacts, and whatever a kill left beside them."""
    for path in folder.rglob("*"):
        known = {".git", ".gitignore", "train.py", "params.yaml"}
        if path.is_file() and path.relative_to(folder).parts[0] not in known and path.suffix != SUFFIX:
            yield path


def check_clean(folder: Path) -> None:
    """What was begun and not finished is gone after the next command."""
    assert list((folder / ".git/gittrack/cache/tmp").iterdir()) == []
    scratch = folder / ".git/gittrack/tmp"
    assert not scratch.exists() or list(scratch.iterdir()) == []


@STRIDES
@pytest.mark.parametrize("moment", ["before", "after"])
def test_add_may_be_killed_at_every_step(template: Path, moment: str, stride: int) -> None:
    """Whatever the step: no half object, no pointer without its content, and the next `add` does it all."""
    work = copies(template)
    n_steps = count_steps(add_all, next(work))
    assert n_steps > 30
    for step in range(1, n_steps + 1, stride):
        folder = next(work)
        ending = run_steps(lambda folder=folder: add_all(folder), kill_at=step, moment=moment)  # type: ignore[misc]
        assert ending.was_killed, ending
        check_store(folder)
        check_files(folder)
        add_all(folder)
        check_store(folder)
        check_clean(folder)
        ignored = (folder / ".gitignore").read_text().splitlines()
        assert sorted(ignored) == ["/data", "/model.pt"]
        assert len(list(folder.glob(f"*{SUFFIX}"))) == len(ARTIFACTS)
        assert not [path for path in folder.iterdir() if "~" in path.name and not path.name.startswith(".")]


@STRIDES
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO], ids=["full disk", "broken disk"])
def test_add_may_fail_at_every_step(template: Path, number: int, stride: int) -> None:
    """An error of the disk is raised, no pointer is written without its content, and the next `add` does it all."""
    work = copies(template)
    n_steps = count_steps(add_all, next(work))
    n_errors = 0
    for step in range(1, n_steps + 1, stride):
        folder = next(work)
        ending = run_steps(lambda folder=folder: add_all(folder), fail_at=(step, number))  # type: ignore[misc]
        n_errors += bool(ending.error)
        assert not ending.error or "OSError" in ending.error.splitlines()[-1], ending.error
        check_store(folder)
        check_files(folder)
        add_all(folder)
        check_store(folder)
        check_clean(folder)
    assert n_errors > n_steps / stride / 2


@STRIDES
@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("state", ["missing", "older"])
def test_checkout_may_be_killed_at_every_step(template: Path, moment: str, state: str, stride: int) -> None:
    """A file is what it was or what it shall be, never half, and the next checkout does it all."""
    old = {"data/a.bin": b"old", "data/gone.bin": b"gone", "model.pt": b"older"}
    for name in FILES:
        (template / name).unlink()
    for name, data in old.items():
        (template / name).write_bytes(data)
    add_all(template)  # the older version is in the cache, so it may be replaced
    shutil.rmtree(template / "data")
    write_files(template)
    add_all(template)
    shutil.rmtree(template / "data")
    (template / "model.pt").unlink()
    if state == "older":
        (template / "data").mkdir()
        for name, data in old.items():
            (template / name).write_bytes(data)
    allowed = {name: {data, old.get(name, data)} for name, data in {**old, **FILES}.items()}
    work = copies(template)
    n_steps = count_steps(restore_all, next(work))
    assert n_steps > 10
    for step in range(1, n_steps + 1, stride):
        folder = next(work)
        ending = run_steps(lambda folder=folder: restore_all(folder), kill_at=step, moment=moment)  # type: ignore[misc]
        assert ending.was_killed, ending
        for path in files_of(folder):
            assert path.read_bytes() in allowed[str(path.relative_to(folder))]
        restore_all(folder)
        check_files(folder)
        check_store(folder)
        check_clean(folder)


@STRIDES
def test_checkout_may_fail_at_every_step(template: Path, stride: int) -> None:
    """A full disk is an error for that artifact; with space again the next checkout does it all."""
    add_all(template)
    shutil.rmtree(template / "data")
    (template / "model.pt").unlink()
    work = copies(template)
    n_steps = count_steps(restore_all, next(work))
    n_errors = 0
    for step in range(1, n_steps + 1, stride):
        folder = next(work)
        ending = run_steps(lambda folder=folder: restore_all(folder), fail_at=(step, errno.ENOSPC))  # type: ignore[misc]
        n_errors += bool(ending.error)
        for path in files_of(folder):
            assert path.read_bytes() == FILES[str(path.relative_to(folder))]
        restore_all(folder)
        check_files(folder)
        check_clean(folder)
    assert n_errors > n_steps / stride / 2


def test_objects_have_the_names_of_their_content(template: Path) -> None:
    """The check of the other tests would notice a wrong byte."""
    add_all(template)
    cache = Cache(template / ".git/gittrack/cache")
    digest = hash_bytes(FILES["data/a.bin"])
    path = cache.path(digest)
    path.chmod(0o600)
    path.write_bytes(b"x")
    with pytest.raises(AssertionError):
        check_store(template)
