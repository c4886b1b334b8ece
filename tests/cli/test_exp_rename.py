"""`gittrack exp rename`: another name, the same experiment."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from gittrack.runs.folder import create_folder
from tests.support.experiments import add_experiment
from tests.support.git_repository import fsck, open_repository
from tests.support.untouched import own_state, work_tree

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Git = Callable[..., str]
    Gittrack = Callable[..., list[str]]


def names(git: Git) -> list[str]:
    """Return the names of all local experiments."""
    return git("for-each-ref", "--format=%(refname:lstrip=4)", "refs/gittrack/exps").splitlines()


def test_name_and_description_change_together(repo_dir: Path, git: Git, gittrack: Gittrack) -> None:
    """A further commit says the new name; params, unknown files and keys stay, and so does all that is the user's."""
    repository = open_repository(repo_dir)
    old = add_experiment(repository, "old", params={"lr": 0.1}, extra={"from_the_future": [1]})
    state, files = own_state(repo_dir), work_tree(repo_dir)
    assert gittrack("exp", "rename", "old", "new", cwd=repo_dir) == ["renamed old to new"]
    assert names(git) == ["new"]
    ref = f"refs/gittrack/exps/{git('rev-parse', 'HEAD')}/new"
    meta = json.loads(git("show", f"{ref}:.gittrack/meta.json"))
    assert (meta["name"], meta["from_the_future"]) == ("new", [1])
    assert git("rev-parse", f"{ref}^") == old
    assert git("diff", "--name-only", old, ref) == ".gittrack/meta.json"
    assert (own_state(repo_dir), work_tree(repo_dir)) == (state, files)
    assert fsck(repo_dir) == ""


@pytest.mark.parametrize("name", ["taken", "TAKEN", "old"])
def test_a_taken_name_is_refused(repo_dir: Path, git: Git, gittrack: Gittrack, name: str) -> None:
    """Also one that differs in case only."""
    repository = open_repository(repo_dir)
    add_experiment(repository, "old")
    add_experiment(repository, "taken")
    before = git("for-each-ref")
    lines = gittrack("exp", "rename", "old", name, cwd=repo_dir, code=1)
    assert lines[0].startswith(f"error: there is an experiment '{name}'")
    assert git("for-each-ref") == before
    assert gittrack("exp", "rename", "old", "other", cwd=repo_dir) == ["renamed old to other"]


def test_an_invalid_name_is_refused(repo_dir: Path, gittrack: Gittrack) -> None:
    """A wrong name is a wrong call."""
    add_experiment(open_repository(repo_dir), "old")
    gittrack("exp", "rename", "old", "../x", cwd=repo_dir, code=2)


def test_a_running_experiment_keeps_its_name(repo_dir: Path, git: Git, gittrack: Gittrack) -> None:
    """Until its run ends: the process would go on under the old name."""
    from gittrack.experiments.format import Meta

    repository = open_repository(repo_dir)
    add_experiment(repository, "old", status="running")
    meta = Meta(name="old", id="a" * 16, status="running", baseline=git("rev-parse", "HEAD"))
    _, lock = create_folder(repository.state_dir / "runs", meta)
    assert gittrack("exp", "rename", "old", "new", cwd=repo_dir, code=1)[0] == "error: still running: old"
    lock.release()
    assert names(git) == ["old"]


def test_what_a_remote_has_is_said(repo_dir: Path, gittrack: Gittrack) -> None:
    """The old name stays there, and a line says how to remove it; a remote's experiment itself is not renamed."""
    repository = open_repository(repo_dir)
    add_experiment(repository, "old")
    add_experiment(repository, "old", remote="origin")
    add_experiment(repository, "theirs", remote="origin")
    assert "gittrack exp remove --remote origin old@" in gittrack("exp", "rename", "old", "new", cwd=repo_dir)[1]
    assert "on a remote only" in gittrack("exp", "rename", "origin/theirs", "mine", cwd=repo_dir, code=2)[0]
