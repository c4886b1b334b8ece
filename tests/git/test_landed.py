"""Which snapshots a commit contains."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import pytest

from gittrack.experiments.landed import changes_between, find_landed
from gittrack.experiments.store import list_tips
from gittrack.runs.capture import save_workspace
from gittrack.runs.context import RunContext
from tests.support.git_repository import open_repository

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Git = Callable[..., str]


class Saved(NamedTuple):
    """A repository with one saved experiment that changes, adds, deletes and makes executable."""

    folder: Path
    git: Git

    def landed(self, commit: str = "HEAD") -> list[str]:
        """Return the names of the experiments that a commit contains."""
        repository = open_repository(self.folder)
        tips = list_tips(repository)
        return sorted(tip.experiment.name for tip in find_landed(repository, self.git("rev-parse", commit), tips))


def save(folder: Path, name: str) -> None:
    save_workspace(open_repository(folder), RunContext({}, ("test",), folder), name=name)


@pytest.fixture
def saved(repo_dir: Path, git: Git) -> Saved:
    """One experiment, `all`, whose changes are all still in the work tree."""
    for name in ("gone.py", "run.sh", "ünï cödé.py"):
        (repo_dir / name).write_text(f"{name}\n")
    git("add", "-A")
    git("commit", "-q", "-m", "More files")
    (repo_dir / "train.py").write_text("better\n")
    (repo_dir / "gone.py").unlink()
    (repo_dir / "run.sh").chmod(0o755)
    (repo_dir / "ünï cödé.py").write_text("better\n")
    (repo_dir / "new.py").write_text("new\n")
    save(repo_dir, "all")
    return Saved(repo_dir, git)


def test_a_commit_of_everything_contains_the_snapshot(saved: Saved) -> None:
    """Changes, deletions, modes and new files are all there."""
    saved.git("add", "-A")
    saved.git("commit", "-q", "-m", "All of it")
    assert saved.landed() == ["all"]


def test_untracked_files_may_stay_out(saved: Saved) -> None:
    """`git commit -a` takes no untracked files, and takes in the code all the same."""
    saved.git("commit", "-q", "-am", "All that is tracked")
    assert saved.landed() == ["all"]


def test_an_untracked_file_must_not_differ(saved: Saved) -> None:
    """With other content the file is other code."""
    (saved.folder / "new.py").write_text("changed since\n")
    saved.git("add", "-A")
    saved.git("commit", "-q", "-m", "Nearly")
    assert saved.landed() == []


@pytest.mark.parametrize("path", ["train.py", "gone.py", "run.sh", "new.py"])
def test_a_partial_commit_does_not_contain_it(saved: Saved, path: str) -> None:
    """One of several changes is not the experiment's code."""
    saved.git("add", path)
    saved.git("commit", "-q", "-m", "A part")
    assert saved.landed() == []


def test_further_changes_do_no_harm(saved: Saved) -> None:
    """A commit may hold more than the experiment had."""
    (saved.folder / "README").write_text("more\n")
    saved.git("add", "-A")
    saved.git("commit", "-q", "-m", "All and more")
    assert saved.landed() == ["all"]


def test_an_unrelated_commit_contains_nothing(saved: Saved) -> None:
    """Files that the experiment did not touch say nothing about it."""
    (saved.folder / "README").write_text("more\n")
    saved.git("add", "README")
    saved.git("commit", "-q", "-m", "Documentation")
    assert saved.landed() == []


def test_a_snapshot_without_changes_is_contained_nowhere(repo_dir: Path, git: Git) -> None:
    """An experiment of clean code brought nothing that could land."""
    save(repo_dir, "clean")
    git("commit", "-q", "--allow-empty", "-m", "Nothing")
    assert Saved(repo_dir, git).landed() == []


def test_several_baselines_are_told_apart(saved: Saved) -> None:
    """Each snapshot is compared from its own baseline; two commits may together bring what one experiment had."""
    saved.git("commit", "-q", "-m", "First half", "train.py", "gone.py")
    (saved.folder / "train.py").write_text("better still\n")
    save(saved.folder, "second")
    saved.git("checkout", "-q", "train.py")
    saved.git("commit", "-q", "-am", "Second half")
    assert saved.landed() == ["all"]
    (saved.folder / "train.py").write_text("better still\n")
    saved.git("commit", "-q", "-am", "And on")
    assert saved.landed() == ["second"]


def test_no_experiments_no_question(repository_without: Saved) -> None:
    """An empty list is answered without git."""
    assert repository_without.landed() == []


@pytest.fixture
def repository_without(repo_dir: Path, git: Git) -> Saved:
    """A repository without experiments."""
    return Saved(repo_dir, git)


def test_changes_leave_our_own_files_out(saved: Saved) -> None:
    """`.gittrack/` is the description, not code."""
    repository = open_repository(saved.folder)
    (tip,) = list_tips(repository)
    changes = changes_between(repository, tip.experiment.baseline, tip.commit)
    assert {path: change.status for path, change in changes.items()} == {
        "gone.py": "D",
        "new.py": "A",
        "run.sh": "M",
        "train.py": "M",
        "ünï cödé.py": "M",
    }
