"""Moving and removing artifacts: all parts together, and nothing lost on the way."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from gittrack.artifacts.placing import InTheWayError
from gittrack.errors import UsageError
from gittrack.workspace.add import TrackedByGitError
from gittrack.workspace.pointers import list_workspace_pointers
from gittrack.workspace.relocate import UnsavedError, move, remove
from gittrack.workspace.workspace import Workspace
from tests.support.artifacts import cache_of, drop, read_files, restore, track, write_files
from tests.support.git_repository import open_repository
from tests.support.untouched import own_state

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from gittrack.workspace.relocate import Moved, Removed

    Git = Callable[..., str]


@pytest.fixture
def repo(repo_dir: Path, git: Git) -> Path:
    """A repository with `data` (a folder) and `sub/model` (a file), tracked and committed."""
    write_files(repo_dir, {"data/a": "1", "data/b/c": "2", "sub/model": "weights"})
    track(repo_dir, "data", "sub/model")
    git("add", "-A")
    git("commit", "-q", "-m", "Track")
    return repo_dir


def moved(folder: Path, source: str, target: str) -> Moved:
    with Workspace.open(open_repository(folder)) as workspace:
        tracked = list_workspace_pointers(workspace.repository).tracked
        return move(workspace, next(one for one in tracked if one.path == source), target)


def removed(folder: Path, *paths: str, keeps_content: bool = False, force: bool = False) -> Removed:
    with Workspace.open(open_repository(folder)) as workspace:
        tracked = [one for one in list_workspace_pointers(workspace.repository).tracked if one.path in paths]
        return remove(workspace, tracked, keeps_content=keeps_content, force=force)


def visible(folder: Path) -> dict[str, bytes]:
    return {name: data for name, data in read_files(folder).items() if not name.startswith(".git/")}


def test_everything_moves(repo: Path, git: Git) -> None:
    """Content, pointer and ignore line; the index stays, and what is said is all that `git add` needs."""
    before, inode = own_state(repo), (repo / "data/a").stat().st_ino
    done = moved(repo, "data", "new/place/images")
    assert done.target == "new/place/images"
    assert own_state(repo) == before
    assert not (repo / "data").exists()
    assert not (repo / "data.gittrack").exists()
    assert not (repo / ".gitignore").exists()
    assert (repo / "new/place/images/a").stat().st_ino == inode
    assert (repo / "new/place/.gitignore").read_text() == "/images\n"
    assert "path: new/place/images\n" in (repo / "new/place/images.gittrack").read_text()
    git("add", "-A", "--", *done.to_stage)
    assert {line[0] for line in git("status", "--short", "--no-renames").splitlines()} == {"A", "D"}
    assert {line[1] for line in git("status", "--short", "--no-renames").splitlines()} == {" "}
    assert restore(repo).n_unchanged == 2


def test_into_a_folder_that_exists(repo: Path) -> None:
    """It keeps its name there; folders that become empty go."""
    (repo / "models").mkdir()
    assert moved(repo, "sub/model", "models").target == "models/model"
    assert not (repo / "sub").exists()
    assert (repo / "models/model").read_text() == "weights"


def test_content_that_is_not_there_needs_no_move(repo: Path) -> None:
    """The pointer moves, and a checkout restores at the new place."""
    shutil.rmtree(repo / "data")
    moved(repo, "data", "images")
    assert restore(repo).restored == ["images"]
    assert (repo / "images/b/c").read_text() == "2"


def test_a_move_that_cannot_be_changes_nothing(repo: Path, git: Git, monkeypatch: pytest.MonkeyPatch) -> None:
    """Something is there, or belongs to git, or it is inside of itself or of another artifact; or the disk fails."""
    write_files(repo, {"there": "x", "pointed.gittrack": "x", "gone": "x"})
    git("add", "gone")
    (repo / "gone").unlink()
    before = visible(repo)
    for target, error in (
        ("there", InTheWayError), ("pointed", InTheWayError), ("gone", TrackedByGitError), ("sub/model", UsageError),
        ("sub/model/x", UsageError), ("data/x", UsageError), ("train.py", InTheWayError), ("train.py/x", Exception),
    ):  # fmt: skip
        with pytest.raises(error):
            moved(repo, "sub/model", target)
        assert visible(repo) == before, target
    with pytest.raises(UsageError):
        moved(repo, "data", "data/inside")

    def fail(*_: object, **__: object) -> None:
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr("gittrack.workspace.relocate._rename", fail)
    with pytest.raises(OSError, match="cross-device"):
        moved(repo, "sub/model", "models/best")
    assert visible(repo) == before


KILLED = """
import os, sys; from pathlib import Path
left = int(sys.argv[1])
def dying(call):
    def step(*args, **kwargs):
        global left
        left -= 1
        if left < 0: os.kill(os.getpid(), 9)
        return call(*args, **kwargs)
    return step
for name in ("rename", "replace", "unlink", "rmdir"): setattr(os, name, dying(getattr(os, name)))
Path.unlink = lambda self, missing_ok=False: os.unlink(self)
from gittrack.git.repository import Repository
from gittrack.workspace.workspace import Workspace; from gittrack.workspace.relocate import move, remove
from gittrack.workspace.pointers import list_workspace_pointers
with Workspace.open(Repository.discover(Path.cwd(), os.environ)) as workspace:
    tracked = [one for one in list_workspace_pointers(workspace.repository).tracked if one.path == "data"]
    move(workspace, tracked[0], "x/images") if sys.argv[2] == "move" else remove(workspace, tracked)
"""


@pytest.mark.parametrize("verb", ["move", "remove"])
def test_a_kill_loses_nothing(repo: Path, tmp_path: Path, verb: str) -> None:
    """At any step: each artifact that has a pointer can be restored, and one whose pointer is gone is committed."""
    for n_steps in range(30):
        folder = tmp_path / f"copy{n_steps}"
        shutil.copytree(repo, folder, symlinks=True)
        done = subprocess.run([sys.executable, "-c", KILLED, str(n_steps), verb], cwd=folder, check=False)
        pointers = list_workspace_pointers(open_repository(folder))
        assert pointers.bad == []
        result = restore(folder)
        assert (result.kept, result.absent, result.failed) == ([], [], [])
        for one in pointers.tracked:
            if one.path != "sub/model":
                assert read_files(folder / one.path) == {"a": b"1", "b/c": b"2"}
        if verb == "move":
            assert {one.path for one in pointers.tracked} & {"data", "x/images"}
        shutil.rmtree(folder)
        if done.returncode == 0:
            break
    assert done.returncode == 0
    assert n_steps > 3


def test_everything_goes(repo: Path, git: Git) -> None:
    """Content, pointer and ignore line, of a folder and a file; the cache keeps the content."""
    before = own_state(repo)
    done = removed(repo, "data", "sub/model")
    assert done.paths == ["data", "sub/model"]
    assert own_state(repo) == before
    assert set(visible(repo)) == {"train.py", "params.yaml"}
    assert not (repo / "sub").exists()
    git("add", "-A", "--", *done.to_stage)
    assert {line[:2] for line in git("status", "--short").splitlines()} == {"D "}
    git("checkout", "-q", "HEAD", "--", ".")
    assert restore(repo).restored == ["data", "sub/model"]


def test_the_content_may_stay(repo: Path, git: Git) -> None:
    """It is no artifact any more, and git sees it again, whatever its state."""
    (repo / "data/a").write_text("changed")
    removed(repo, "data", keeps_content=True)
    assert (repo / "data/a").read_text() == "changed"
    assert not (repo / "data.gittrack").exists()
    assert "?? data/" in git("status", "--short")


def test_what_would_be_lost_stays(repo: Path, git: Git) -> None:
    """Modified or unreadable content, content that is nowhere else, a pointer in no commit: then nothing goes."""
    write_files(repo, {"new": "x"})
    (added,) = track(repo, "new")
    before = visible(repo)
    with pytest.raises(UnsavedError, match=r"'new\.gittrack' is not committed"):
        removed(repo, "data", "new")
    assert visible(repo) == before
    git("add", "-A")
    git("commit", "-q", "-m", "New")
    drop(cache_of(repo), added.pointer.digest)
    with pytest.raises(UnsavedError, match="content of 'new' is not in the cache"):
        removed(repo, "data", "new")
    (repo / "sub/model").write_text("mine")
    with pytest.raises(UnsavedError, match="'sub/model' is not as its pointer says"):
        removed(repo, "data", "sub/model")
    os.mkfifo(repo / "data/pipe")
    with pytest.raises(UnsavedError, match="'data' is not as its pointer says: 'pipe'"):
        removed(repo, "data")
    assert removed(repo, "data", "new", "sub/model", force=True).paths == ["data", "new", "sub/model"]
    assert set(visible(repo)) == {"train.py", "params.yaml"}


def test_content_that_is_gone_is_no_reason_to_refuse(repo: Path) -> None:
    """There is nothing to lose, and its pointer is committed."""
    shutil.rmtree(repo / "data")
    assert removed(repo, "data").paths == ["data"]
    assert not (repo / "data.gittrack").exists()


def test_other_lines_of_ignore_files_stay(repo: Path) -> None:
    """Byte for byte, and a line that somebody else wrote for the same name goes once with it."""
    (repo / ".gitignore").write_bytes(b"*.log\r\n/data\n\xff\n\x0c\n# end")
    removed(repo, "data")
    assert (repo / ".gitignore").read_bytes() == b"*.log\r\n\xff\n\x0c\n# end"


def test_names_with_signs_of_patterns(repo_dir: Path, git: Git) -> None:
    """Their lines are found again."""
    for name in ("[a] b", "-x", "#1", "!y", "a*b"):
        write_files(repo_dir, {name: "1"})
        track(repo_dir, name)
        moved(repo_dir, name, f"moved/{name}")
        assert not (repo_dir / ".gitignore").exists()
        removed(repo_dir, f"moved/{name}", force=True)
        assert git("status", "--short") == ""
