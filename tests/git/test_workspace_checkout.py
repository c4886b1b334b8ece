"""Comparing and restoring artifacts: as the pointers say, and nothing that is nowhere else is lost."""

from __future__ import annotations

import os
import shutil
import time
from typing import TYPE_CHECKING

import pytest

from gittrack.artifacts import restore as restore_module
from gittrack.artifacts.digest import hash_bytes
from gittrack.artifacts.intake import Intake
from gittrack.artifacts.manifest import FileEntry, render_manifest
from gittrack.artifacts.pointer import Pointer
from gittrack.workspace.compare import compare, is_whole
from gittrack.workspace.contents import HASHING, hash_file, read_contents
from gittrack.workspace.pointers import list_workspace_pointers, write_pointer
from gittrack.workspace.workspace import Workspace
from tests.support.artifacts import cache_of, damage, drop, read_files, restore, track, write_files
from tests.support.git_repository import open_repository

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from gittrack.artifacts.walk import FoundFile
    from gittrack.workspace.compare import Compared
    from gittrack.workspace.contents import Taking

    Git = Callable[..., str]

FILES = {"a": b"1", "b/c": b"22", "b/d/e": b"333", "empty": b""}


@pytest.fixture
def repo(repo_dir: Path) -> Path:
    """A repository with the folder `data` and the executable file `model`, both tracked."""
    write_files(repo_dir / "data", FILES)
    write_files(repo_dir, {"model": "weights"})
    (repo_dir / "model").chmod(0o755)
    track(repo_dir, "data", "model")
    return repo_dir


def states(folder: Path) -> dict[str, str]:
    """Return the state of each artifact."""
    with Workspace.open(open_repository(folder)) as workspace:
        tracked = list_workspace_pointers(workspace.repository).tracked
        return {one.path: compare(workspace, one).state for one in tracked}


def compared(folder: Path, path: str) -> Compared:
    with Workspace.open(open_repository(folder)) as workspace:
        tracked = list_workspace_pointers(workspace.repository).tracked
        return compare(workspace, next(one for one in tracked if one.path == path))


def test_all_is_restored_where_nothing_is(repo: Path) -> None:
    """Folders, files and modes; a second call does nothing."""
    shutil.rmtree(repo / "data")
    (repo / "model").unlink()
    assert states(repo) == {"data": "missing", "model": "missing"}
    result = restore(repo)
    assert (result.restored, result.n_unchanged) == (["data", "model"], 0)
    assert read_files(repo / "data") == FILES
    assert os.access(repo / "model", os.X_OK)
    assert not os.access(repo / "data/a", os.X_OK)
    result = restore(repo)
    assert (result.restored, result.n_unchanged) == ([], 2)


def test_only_what_differs_is_written(repo: Path) -> None:
    """Another version's files go and come; those that are the same keep their inode."""
    pointer = (repo / "data.gittrack").read_bytes()
    same = (repo / "data/a").stat().st_ino
    (repo / "data/b/c").write_text("other")
    (repo / "data/b/d/e").unlink()
    write_files(repo / "data", {"new/deep": "n"})
    track(repo, "data")
    (repo / "data.gittrack").write_bytes(pointer)
    found = compared(repo, "data")
    assert found.changes is not None
    assert found.changes._asdict() == {"added": ("new/deep",), "modified": ("b/c",), "deleted": ("b/d/e",)}
    result = restore(repo)
    assert (result.restored, result.kept) == (["data"], [])
    assert read_files(repo / "data") == FILES
    assert not (repo / "data/new").exists()
    assert (repo / "data/a").stat().st_ino == same


def test_changes_that_are_nowhere_else_are_kept(repo: Path) -> None:
    """Changed and new files, and a changed file artifact, unless that is forced; they are named."""
    (repo / "data/a").write_text("mine")
    write_files(repo / "data", {"new": "mine too"})
    (repo / "model").write_text("mine as well")
    before = read_files(repo / "data")
    result = restore(repo)
    assert [(one.path, one.files) for one in result.kept] == [("data", ("a", "new")), ("model", ())]
    assert read_files(repo / "data") == before
    assert (repo / "model").read_text() == "mine as well"
    assert restore(repo, force=True).restored == ["data", "model"]
    assert read_files(repo / "data") == FILES
    assert states(repo) == {"data": "unchanged", "model": "unchanged"}


def test_a_mode_that_changed_is_put_back(repo: Path) -> None:
    """Of a folder's file it is part of what the folder is."""
    (repo / "data/a").chmod(0o755)
    assert states(repo)["data"] == "modified"
    assert restore(repo).restored == ["data"]
    assert not os.access(repo / "data/a", os.X_OK)


def test_a_file_stands_where_a_folder_must_be_and_the_other_way_round(repo: Path) -> None:
    """With content that the cache has they change places; else they stay."""
    shutil.rmtree(repo / "data")
    (repo / "data").write_bytes(b"22")
    (repo / "model").unlink()
    write_files(repo / "model", {"x/y": b"333", "z": b"1"})
    assert restore(repo).restored == ["data", "model"]
    assert read_files(repo / "data") == FILES
    assert (repo / "model").read_text() == "weights"
    shutil.rmtree(repo / "data")
    (repo / "data").write_bytes(b"only here")
    assert [one.path for one in restore(repo).kept] == ["data"]
    assert (repo / "data").read_bytes() == b"only here"
    assert restore(repo, force=True).restored == ["data"]


def test_content_that_is_absent_is_named(repo: Path) -> None:
    """A missing list, a missing file of a folder and a missing file: nothing of those is half restored."""
    shutil.rmtree(repo / "data")
    drop(cache_of(repo), hash_bytes(b"333"))
    drop(cache_of(repo), hash_bytes(b"weights"))
    (repo / "model").unlink()
    assert [one.path for one in restore(repo).absent] == ["data", "model"]
    assert not (repo / "data").exists()
    with Workspace.open(open_repository(repo)) as workspace:
        tracked = list_workspace_pointers(workspace.repository).tracked
        assert [is_whole(workspace.cache, one.pointer.digest, one.pointer.kind) for one in tracked] == [False, False]
        drop(workspace.cache, tracked[0].pointer.digest)
    assert [one.path for one in restore(repo).absent] == ["data", "model"]


def test_damaged_content_is_not_restored(repo: Path) -> None:
    """A corrupt list, and a corrupt file that has the right size."""
    shutil.rmtree(repo / "data")
    cache = cache_of(repo)
    damage(cache, hash_bytes(b"333"), b"444")
    result = restore(repo)
    assert [(one.path, "corrupt" in one.reason) for one in result.failed] == [("data", True)]
    assert not (repo / "data").exists()
    tracked = list_workspace_pointers(open_repository(repo)).tracked
    damage(cache, tracked[0].pointer.digest)
    assert [one.path for one in restore(repo).failed] == ["data"]


def plant(folder: Path, path: str, data: bytes, kind: str = "dir") -> None:
    """Write a pointer to content that gittrack itself would not make."""
    with Workspace.open(open_repository(folder)) as workspace:
        with Intake(workspace.cache) as intake:
            digest = intake.add_bytes(data)
        write_pointer(workspace.repository, path, Pointer(path, kind, digest, 1))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "path", ["../escaped", "/escaped", ".git/hooks/post-checkout", "a/../../escaped", ".GIT/config"]
)
def test_a_hostile_list_writes_nothing(repo: Path, path: str) -> None:
    """Paths out of the folder or into git's own are refused as a whole."""
    good = render_manifest([FileEntry("good", hash_bytes(b"1"), 1)])
    line = render_manifest([FileEntry("XXXX", hash_bytes(b"1"), 1)]).replace(b"XXXX", path.encode())
    plant(repo, "evil", b"".join(sorted([good, line])))
    before = read_files(repo / ".git")
    result = restore(repo)
    assert [one.path for one in result.failed] == ["evil"]
    assert not (repo / "evil").exists()
    assert not (repo.parent / "escaped").exists()
    assert {k: v for k, v in read_files(repo / ".git").items() if "stat.sqlite" not in k} == {
        k: v for k, v in before.items() if "stat.sqlite" not in k
    }


def test_a_list_that_lies_about_sizes_is_refused(repo: Path) -> None:
    """The folder could never be as it says."""
    plant(repo, "evil", render_manifest([FileEntry("a", hash_bytes(b"333"), 1)]))
    result = restore(repo)
    assert [(one.path, "wrong size" in one.reason) for one in result.failed] == [("evil", True)]
    write_files(repo, {"evil/other": b"1"})
    assert [one.path for one in restore(repo).failed] == ["evil"]
    assert read_files(repo / "evil") == {"other": b"1"}


def test_a_file_that_is_called_a_folder_is_refused(repo: Path) -> None:
    """It is no list of files."""
    plant(repo, "evil", b"weights")
    assert [one.path for one in restore(repo).failed] == ["evil"]


def test_links_out_are_not_followed(repo: Path, tmp_path: Path) -> None:
    """A link at the place of an artifact, of its folder, or of a file in it."""
    outside = write_files(tmp_path / "outside", {"a": "outside", "c": "outside"})
    shutil.rmtree(repo / "data/b")
    (repo / "data/b").symlink_to(outside)
    (repo / "model").unlink()
    (repo / "model").symlink_to(outside / "a")
    assert states(repo) == {"data": "unreadable", "model": "unreadable"}
    assert [one.path for one in restore(repo, force=True).failed] == ["data", "model"]
    assert read_files(outside) == {"a": b"outside", "c": b"outside"}
    write_files(repo / "real", {"x": "y"})
    track(repo, "real/x")
    (repo / "real").rename(repo / "moved")
    (repo / "real").symlink_to(outside)
    assert "real/x" not in states(repo)


def test_a_folder_that_cannot_be_written_is_named(repo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The others are restored; the message is the system's."""
    shutil.rmtree(repo / "data")
    (repo / "model").unlink()
    write_new_folder = restore_module.Restorer.write_new_folder

    def refuse(self: restore_module.Restorer, path: str, files: list[FileEntry]) -> object:
        if path == "data":
            raise PermissionError(13, "Permission denied", "data")
        return write_new_folder(self, path, files)

    monkeypatch.setattr(restore_module.Restorer, "write_new_folder", refuse)
    result = restore(repo)
    assert [(one.path, one.reason) for one in result.failed] == [("data", "[Errno 13] Permission denied: 'data'")]
    assert result.restored == ["model"]


@pytest.mark.parametrize("kind", ["reflink,copy", "copy", "hardlink", "symlink", "symlink,copy"])
def test_every_kind_of_link_restores_the_same(repo: Path, git: Git, kind: str) -> None:
    """And what was restored counts as unchanged, executable files too."""
    git("config", "gittrack.link", kind)
    (repo / "data/a").chmod(0o755)
    track(repo, "data")
    shutil.rmtree(repo / "data")
    (repo / "model").unlink()
    assert restore(repo).restored == ["data", "model"]
    assert read_files(repo / "data") == FILES
    assert states(repo) == {"data": "unchanged", "model": "unchanged"}
    assert os.access(repo / "data/a", os.X_OK)


def test_an_unknown_kind_of_link_is_refused(repo: Path, git: Git) -> None:
    """The message names the setting."""
    git("config", "gittrack.link", "magic")
    with pytest.raises(Exception, match=r"gittrack\.link is 'magic'"):
        states(repo)


def test_a_pointer_of_another_branch_is_restored(repo: Path, git: Git) -> None:
    """Switching branches changes pointers, and a checkout follows; in linked worktrees too."""
    git("add", "-A")
    git("commit", "-q", "-m", "One")
    git("switch", "-q", "-c", "other")
    (repo / "data/a").write_text("other")
    track(repo, "data")
    git("commit", "-q", "-am", "Two")
    git("switch", "-q", "main")
    assert states(repo)["data"] == "modified"
    assert restore(repo).restored == ["data"]
    assert read_files(repo / "data") == FILES
    git("worktree", "add", "-q", "../linked", "other")
    assert restore(repo.parent / "linked").restored == ["data", "model"]
    assert (repo.parent / "linked/data/a").read_text() == "other"
    assert read_files(repo / "data") == FILES


def test_a_pointer_that_was_moved_by_hand_counts_where_it_is(repo: Path) -> None:
    """Its own place is what counts, not the path that it names."""
    (repo / "sub").mkdir()
    (repo / "model.gittrack").rename(repo / "sub/renamed.gittrack")
    assert states(repo)["sub/renamed"] == "missing"
    assert "sub/renamed" in restore(repo).restored
    assert (repo / "sub/renamed").read_text() == "weights"


def test_bad_pointers_are_named_and_passed_over(repo: Path) -> None:
    """One that is none does not keep the others from being restored."""
    write_files(repo, {"bad.gittrack": "x", "sub/.gittrack": "y", ".gittrack/meta.gittrack": "z"})
    pointers = list_workspace_pointers(open_repository(repo))
    assert [one.path for one in pointers.bad] == ["bad.gittrack", "sub/.gittrack"]
    assert [one.path for one in pointers.tracked] == ["data", "model"]


def test_a_racy_change_is_seen(repo: Path) -> None:
    """A file that is changed right after it was restored, without changing its size, is not taken for unchanged."""
    for number in range(20):
        (repo / "model").unlink(missing_ok=True)
        shutil.rmtree(repo / "data")
        restore(repo)
        (repo / "model").write_bytes(b"%07d" % number)
        (repo / "data/a").write_bytes(b"%d" % (number % 10) if number % 10 != 1 else b"x")
        assert states(repo) == {"data": "modified", "model": "modified"}


def test_unchanged_files_are_not_read_again(repo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once their times are old enough."""
    time.sleep(0.06)
    assert set(states(repo).values()) == {"unchanged"}
    monkeypatch.setattr("gittrack.workspace.contents.hash_stream", lambda _: pytest.fail("a file was read"))
    assert set(states(repo).values()) == {"unchanged"}


def test_a_file_that_vanishes_while_a_folder_is_read_is_no_missing_folder(repo: Path) -> None:
    """It is an error of that moment; the folder is still there."""

    def vanish(files: Sequence[FoundFile]) -> Taking:
        for found in files:
            os.unlink(found.name, dir_fd=found.folder_fd)
        return HASHING.many(files)

    (repo / "data/a").write_text("changed")
    with Workspace.open(open_repository(repo)) as workspace, pytest.raises(FileNotFoundError):
        read_contents(workspace, "data", HASHING._replace(many=vanish))
    assert states(repo)["data"] == "modified"


def test_a_file_that_becomes_a_pipe_does_not_block(repo: Path) -> None:
    """As when another program puts one in its place between the look and the reading."""
    os.mkfifo(repo / "pipe")
    descriptor = os.open(repo, os.O_RDONLY)
    with pytest.raises(Exception, match="not a file any more"):
        hash_file("pipe", descriptor)
    os.close(descriptor)


def test_the_cache_may_be_elsewhere(repo_dir: Path, tmp_path: Path, git: Git) -> None:
    """Absolute, or relative to the top of the repository."""
    for folder in (str(tmp_path / "big"), "../big2", ".cache"):
        git("config", "gittrack.cache", folder)
        name = f"f-{folder.strip('./').replace('/', '-')}"
        write_files(repo_dir, {name: name})
        track(repo_dir, name)
        place = repo_dir / folder
        assert cache_of(repo_dir).root == place
        assert (place / "b3" / hash_bytes(name.encode())[:2]).is_dir()
