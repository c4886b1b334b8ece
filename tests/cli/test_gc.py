"""`gittrack gc`: the trash is emptied in time, and nothing else is lost."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

import pytest

from gittrack.experiments import gc
from gittrack.experiments.index import Index
from tests.support.experiments import add_experiment
from tests.support.git_repository import fsck, open_repository, refs_in_files
from tests.support.untouched import own_state, stash_something, work_tree

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Git = Callable[..., str]
    Gittrack = Callable[..., list[str]]

DAY_S = 86_400


def age_trash(git: Git, days: float) -> None:
    """Let everything in the trash have been removed longer ago."""
    for line in git("for-each-ref", "--format=%(refname) %(objectname)", "refs/gittrack/trash").splitlines():
        ref, oid = line.split()
        seconds, rest = ref.removeprefix("refs/gittrack/trash/").split("/", 1)
        git("update-ref", f"refs/gittrack/trash/{int(int(seconds) - days * DAY_S)}/{rest}", oid)
        git("update-ref", "-d", ref)


@pytest.fixture
def repo(repo_dir: Path, git: Git, gittrack: Gittrack) -> Path:
    """A repository with the experiment `live`, and `old` and `new` in the trash for 15 and 0 days."""
    stash_something(repo_dir)
    for name in ("live", "old", "new"):
        add_experiment(open_repository(repo_dir), name, params={"name": name * 1000})
    gittrack("exp", "remove", "old", cwd=repo_dir)
    age_trash(git, 15)
    gittrack("exp", "remove", "new", cwd=repo_dir)
    return repo_dir


def test_the_old_goes_and_the_new_stays(repo: Path, git: Git, gittrack: Gittrack) -> None:
    """After 14 days; live experiments, HEAD, index, branches, stash and files stay, and the objects are git's."""
    state, files = own_state(repo), work_tree(repo)
    live = git("for-each-ref", "refs/gittrack/exps")
    old = git("for-each-ref", "--format=%(objectname)", "refs/gittrack/trash/*/*/old")
    first, second, third = gittrack("gc", cwd=repo)
    assert first.startswith("removed old@")
    assert second.endswith("on disk are for git to free: git gc")
    assert third == "still in the trash: 1"
    assert git("for-each-ref", "refs/gittrack/exps") == live
    assert git("for-each-ref", "--format=%(refname:lstrip=5)", "refs/gittrack/trash") == "new"
    assert (own_state(repo), work_tree(repo)) == (state, files)
    git("cat-file", "-e", old)
    git("gc", "-q", "--prune=now")
    assert "fatal" not in git("cat-file", "-t", old, check=False)
    assert git("cat-file", "-t", old, check=False) == ""
    gittrack("exp", "remove", "--restore", "new", cwd=repo)
    assert fsck(repo) == ""


def test_a_dry_run_says_the_same_and_does_nothing(repo: Path, git: Git, gittrack: Gittrack) -> None:
    """The same experiments and the same size."""
    refs = git("for-each-ref")
    dry = gittrack("gc", "-n", cwd=repo)
    assert git("for-each-ref") == refs
    wet = gittrack("gc", cwd=repo)
    assert [line.replace("would remove", "removed") for line in dry] == wet


def test_json(repo: Path, git: Git, gittrack: Gittrack) -> None:
    """Everything that is said, for programs."""
    said = json.loads("\n".join(gittrack("gc", "--json", cwd=repo)))
    (old,) = said.pop("discarded")
    assert (old["name"], old["baseline"]) == ("old", git("rev-parse", "HEAD"))
    assert old["removed"].endswith(".000000Z")
    assert said.pop("bytes_for_git_to_free") > 0
    assert said == {"still_in_trash": 1, "index_entries_forgotten": 0, "refs_packed": 0}


def test_all_of_the_trash(repo: Path, git: Git, gittrack: Gittrack) -> None:
    """With no days at all everything goes; then there is nothing to do."""
    lines = gittrack("gc", "--older-than", "0", cwd=repo)
    assert [line.split("@")[0] for line in lines[:2]] == ["removed new", "removed old"]
    assert git("for-each-ref", "refs/gittrack/trash") == ""
    assert gittrack("gc", cwd=repo) == ["nothing to do"]
    gittrack("gc", "--older-than", "-1", cwd=repo, code=2)


def test_what_something_else_holds_is_not_counted(repo_dir: Path, git: Git) -> None:
    """An experiment that is also a branch frees nothing."""
    repository = open_repository(repo_dir)
    commit = add_experiment(repository, "kept")
    git("update-ref", "refs/heads/also", commit)
    git("update-ref", "-d", f"refs/gittrack/exps/{git('rev-parse', 'HEAD')}/kept")
    git("update-ref", f"refs/gittrack/trash/1/{git('rev-parse', 'HEAD')}/kept", commit)
    assert gc.collect_garbage(repository, before_s=time.time(), dry_run=True).size_bytes == 0
    assert gc.collect_garbage(repository, before_s=time.time()).size_bytes == 0


def test_the_index_forgets_what_is_gone(repo: Path, gittrack: Gittrack) -> None:
    """Entries of commits that no experiment names any more; the others still answer."""
    repository = open_repository(repo)
    gittrack("exp", "remove", "--restore", "new", cwd=repo)
    gittrack("exp", "show", "--csv", cwd=repo)
    gittrack("exp", "remove", "new", cwd=repo)
    assert "index entries forgotten: 1" in gittrack("gc", cwd=repo)
    table = gittrack("exp", "show", "--csv", cwd=repo)
    assert "index entries forgotten: 1" not in gittrack("gc", cwd=repo)
    assert any("live" in line for line in table)
    index = Index(repository)
    assert index.prune("experiments", set()) == 1
    index.close()


@refs_in_files
def test_many_loose_refs_are_packed(repo: Path, git: Git, gittrack: Gittrack, monkeypatch: pytest.MonkeyPatch) -> None:
    """Their values stay, and so does the stash."""
    monkeypatch.setattr(gc, "_MANY_LOOSE_REFS", 2)
    before, stash = git("for-each-ref", "refs/heads", "refs/gittrack/exps"), git("stash", "list")
    assert "refs packed: 2" in gittrack("gc", cwd=repo)
    assert git("for-each-ref", "refs/heads", "refs/gittrack/exps") == before
    assert git("stash", "list") == stash
    assert list((repo / ".git/refs/gittrack/exps").rglob("live")) == []
