"""What differs between artifacts of revisions and the work tree, and how they stand."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from gittrack.experiments.store import ExperimentMissingError
from gittrack.workspace.diff import diff_revisions, diff_work_tree
from gittrack.workspace.pointers import list_workspace_pointers
from gittrack.workspace.revisions import find_around, list_pointers, resolve_revision, select_below
from gittrack.workspace.state import read_states
from gittrack.workspace.workspace import Workspace
from tests.support.artifacts import cache_of, drop, track, write_files
from tests.support.experiments import add_experiment
from tests.support.git_repository import open_repository

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from gittrack.workspace.diff import Difference

    Git = Callable[..., str]


@pytest.fixture
def repo(repo_dir: Path, git: Git) -> Path:
    """A repository in which `one` and `two` are tags with other artifacts each; the work tree is as in `two`."""
    write_files(repo_dir, {"data/a": "1", "data/b": "2", "data/c": "3", "model": "old", "gone": "x", "same": "s"})
    track(repo_dir, "data", "model", "gone", "same")
    git("add", "-A")
    git("commit", "-q", "-m", "One")
    git("tag", "one")
    write_files(repo_dir, {"data/b": "two", "data/d": "4", "model": "newer", "new/x": "y"})
    (repo_dir / "data/a").unlink()
    (repo_dir / "gone").unlink()
    (repo_dir / "gone.gittrack").unlink()
    track(repo_dir, "data", "model", "new")
    git("add", "-A")
    git("commit", "-q", "-m", "Two")
    git("tag", "two")
    return repo_dir


EXPECTED = [
    ("data", "modified", 3, 5, [("a", "deleted", 1, None), ("b", "modified", 1, 3), ("d", "added", None, 1)]),
    ("gone", "deleted", 1, None, None),
    ("model", "modified", 3, 5, None),
    ("new", "added", None, 1, [("x", "added", None, 1)]),
]


def plain(differences: list[Difference]) -> list[tuple[object, ...]]:
    return [(*one[:4], None if one.files is None else [tuple(file) for file in one.files]) for one in differences]


def between(folder: Path, old: str, new: str | None) -> list[Difference]:
    with Workspace.open(open_repository(folder)) as workspace:
        repository = workspace.repository
        before = list_pointers(repository, resolve_revision(repository, old)).tracked
        if new is None:
            return diff_work_tree(workspace, before, list_workspace_pointers(repository).tracked)
        return diff_revisions(
            workspace.cache, before, list_pointers(repository, resolve_revision(repository, new)).tracked
        )


def test_revisions_are_compared_down_to_files(repo: Path) -> None:
    """Added, modified and deleted ones, with their sizes; what is the same is not there."""
    assert plain(between(repo, "one", "two")) == EXPECTED
    assert [(one.path, one.change) for one in between(repo, "two", "one")] == [
        ("data", "modified"), ("gone", "added"), ("model", "modified"), ("new", "deleted"),
    ]  # fmt: skip
    assert between(repo, "one", "one") == []


def test_the_work_tree_is_compared_by_what_is_there(repo: Path) -> None:
    """Its files count, not its pointers."""
    assert plain(between(repo, "one", None)) == EXPECTED
    assert between(repo, "two", None) == []
    write_files(repo, {"data/b": "three", "model": "local"})
    assert plain(between(repo, "two", None)) == [
        ("data", "modified", 5, 7, [("b", "modified", 3, 5)]),
        ("model", "modified", 5, 5, None),
    ]


def test_what_is_missing_or_unreadable_is_said_to_be(repo: Path) -> None:
    """An artifact that was never fetched is not one that was deleted."""
    shutil.rmtree(repo / "data")
    (repo / "model").unlink()
    (repo / "model").symlink_to("train.py")
    found = between(repo, "two", None)
    assert [(one.path, one.change, one.old_size, one.new_size) for one in found] == [
        ("data", "missing", 5, None), ("model", "unreadable", 5, None),
    ]  # fmt: skip
    assert "link" in str(found[1].problem)


def test_without_a_list_in_the_cache_the_files_are_unknown(repo: Path) -> None:
    """That the folder differs is known all the same."""
    repository = open_repository(repo)
    before = list_pointers(repository, resolve_revision(repository, "one")).tracked
    drop(cache_of(repo), next(one.pointer.digest for one in before if one.path == "data"))
    assert plain(between(repo, "one", "two"))[0] == ("data", "modified", 3, 5, None)


def test_a_folder_that_becomes_a_file(repo: Path) -> None:
    """Is modified, without a list of files."""
    shutil.rmtree(repo / "new")
    write_files(repo, {"new": "file"})
    assert plain(between(repo, "two", None)) == [("new", "modified", 1, 4, None)]


def test_an_experiment_is_meant_before_a_branch(repo: Path, git: Git) -> None:
    """By its name; git's names work too, and what is neither is said to be."""
    repository = open_repository(repo)
    commit = add_experiment(repository, "brave-otter", baseline=git("rev-parse", "one"))
    git("branch", "brave-otter", "two")
    assert resolve_revision(repository, "brave-otter").commit == commit
    assert resolve_revision(repository, "two").commit == git("rev-parse", "two")
    assert [one.path for one in list_pointers(repository, resolve_revision(repository, "brave-otter")).tracked] == [
        "data", "gone", "model", "same",
    ]  # fmt: skip
    for text in ("nothing", "", "-x", "a\nb"):
        with pytest.raises(ExperimentMissingError):
            resolve_revision(repository, text)


def test_selection(repo: Path) -> None:
    """By the artifact, by a folder above it, by a path inside of it; a name that begins alike is another."""
    tracked = list_workspace_pointers(open_repository(repo)).tracked
    assert [one.path for one in select_below(tracked, "")] == ["data", "model", "new", "same"]
    assert [one.path for one in select_below(tracked, "data")] == ["data"]
    assert select_below(tracked, "dat") == []
    found = find_around(tracked, "data/x/y")
    assert found is not None
    assert (found[0].path, found[1]) == ("data", "x/y")
    assert find_around(tracked, "dataset") is None


def test_states(repo: Path) -> None:
    """Beside the pointer, beside HEAD, and in the cache."""
    write_files(repo, {"fresh": "f", "model": "changed"})
    track(repo, "fresh", "model")
    write_files(repo, {"data/b": "local"})
    shutil.rmtree(repo / "new")
    drop(cache_of(repo), next(one for one in cache_of(repo).list_digests() if cache_of(repo).find_size(one) == 5))
    with Workspace.open(open_repository(repo)) as workspace:
        states = {one.path: one for one in read_states(workspace).artifacts}
    assert {path: one.state for path, one in states.items()} == {
        "data": "modified", "fresh": "unchanged", "model": "unchanged", "new": "missing", "same": "unchanged",
    }  # fmt: skip
    assert [path for path, one in states.items() if one.is_new] == ["fresh"]
    assert [path for path, one in states.items() if not one.is_committed] == ["fresh", "model"]
    assert [path for path, one in states.items() if not one.is_cached] == []


def test_content_that_the_cache_lacks_is_seen(repo: Path) -> None:
    """Of an unchanged folder, of a changed one, and of a file."""
    cache = cache_of(repo)
    for digest in list(cache.list_digests()):
        if cache.find_size(digest) == 1:
            drop(cache, digest)
    for _ in range(2):
        with Workspace.open(open_repository(repo)) as workspace:
            states = read_states(workspace).artifacts
        assert [one.path for one in states if not one.is_cached] == ["data", "new", "same"]
        write_files(repo, {"data/b": "local"})
