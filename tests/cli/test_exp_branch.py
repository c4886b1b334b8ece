"""`gittrack exp branch`: an experiment's code becomes a branch, and nothing else changes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.git_repository import fsck, make_repository, run_git
from tests.support.untouched import own_state, work_tree

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Git = Callable[..., str]
    Gittrack = Callable[..., list[str]]


@pytest.fixture
def repo(repo_dir: Path, git: Git, gittrack: Gittrack) -> Path:
    """A repository with the experiment `wide`, recorded by somebody else."""
    (repo_dir / "train.py").write_text("print('wide')\n", encoding="utf-8")
    (repo_dir / "größe.txt").write_text("new\n", encoding="utf-8")
    (repo_dir / "größe.txt").chmod(0o755)
    git("config", "user.name", "Grace Author")
    git("config", "user.email", "grace@example.org")
    gittrack("exp", "save", "-n", "wide", "-m", "A wider net\n\nTwice the units", cwd=repo_dir)
    git("config", "--unset", "user.name")
    git("config", "--unset", "user.email")
    return repo_dir


def test_a_branch_has_the_code_on_top_of_the_baseline(repo: Path, git: Git, gittrack: Gittrack) -> None:
    """One commit: the code with modes and odd names, without the description; the author is kept."""
    head, files = git("rev-parse", "HEAD"), work_tree(repo)
    lines = gittrack("exp", "branch", "wide", cwd=repo)
    assert lines == [
        f"created branch wide ({git('rev-parse', 'wide')[:8]}) from wide",
        "to work on it: git switch wide",
    ]
    assert git("rev-parse", "wide^") == head
    assert git("log", "-1", "--format=%an <%ae> %cn", "wide") == "Grace Author <grace@example.org> Ada Test"
    assert git("log", "-1", "--format=%s", "wide") == "A wider net"
    assert git("log", "-1", "--format=%(trailers:key=Experiment,valueonly)", "wide").startswith("refs/gittrack/exps/")
    assert "100755" in git("ls-tree", "-z", "wide", "größe.txt")
    assert ".gittrack" not in git("ls-tree", "--name-only", "wide")
    assert work_tree(repo) == files
    assert fsck(repo) == ""
    git("reset", "-q", "--hard")
    git("clean", "-q", "-fd")
    git("switch", "-q", "wide")
    assert work_tree(repo) == files


def test_only_the_branch_is_new(repo: Path, git: Git, gittrack: Gittrack) -> None:
    """HEAD, index, other branches and the files stay as they are."""
    before = own_state(repo)
    gittrack("exp", "branch", "wide", "topic/one", cwd=repo)
    after = own_state(repo)
    assert {path: after.get(path) for path in before} == before
    assert {name.partition("heads/")[2] for name in after.keys() - before.keys()} == {"topic/one"}
    assert git("for-each-ref", "--format=%(refname)", "refs/heads") == "refs/heads/main\nrefs/heads/topic/one"


@pytest.mark.parametrize("name", ["main", "main/below"])
def test_a_branch_that_exists_is_not_touched(repo: Path, gittrack: Gittrack, name: str) -> None:
    """Neither one of that name nor one in whose place a folder would have to be, packed or not."""
    for prepare in ([], ["pack-refs", "--all"]):
        run_git(*prepare or ["version"], cwd=repo)
        before = own_state(repo)
        assert name.partition("/")[0] in gittrack("exp", "branch", "wide", name, cwd=repo, code=1)[0]
        assert own_state(repo) == before


@pytest.mark.parametrize("name", ["-x", "a..b", "HEAD", "a b", "x.lock", "@{-1}", "a\nb"])
def test_names_that_git_refuses(repo: Path, gittrack: Gittrack, name: str) -> None:
    """A wrong name is a wrong call."""
    before = own_state(repo)
    assert "not a valid name" in gittrack("exp", "branch", "wide", "--", name, cwd=repo, code=2)[0]
    assert own_state(repo) == before


def test_an_experiment_of_a_remote(repo: Path, tmp_path: Path, git: Git, gittrack: Gittrack) -> None:
    """What was only fetched can be a branch too, in a repository of sha256 as well."""
    other = make_repository(tmp_path / "other", object_format="sha256")
    gittrack("exp", "save", "-n", "plain", cwd=other)
    gittrack("exp", "branch", "plain", cwd=other)
    assert run_git("diff", "main", "plain", cwd=other) == ""
    head = git("rev-parse", "HEAD")
    git("update-ref", f"refs/gittrack/remotes/origin/exps/{head}/theirs", f"refs/gittrack/exps/{head}/wide")
    gittrack("exp", "branch", "origin/theirs", cwd=repo)
    assert git("rev-parse", "theirs^") == head


def test_an_experiment_before_the_first_commit(tmp_path: Path, gittrack: Gittrack) -> None:
    """Its branch begins a history of its own."""
    folder = tmp_path / "unborn"
    folder.mkdir()
    run_git("init", "-q", cwd=folder)
    (folder / "train.py").write_text("first\n", encoding="utf-8")
    gittrack("exp", "save", "-n", "first", cwd=folder)
    gittrack("exp", "branch", "first", cwd=folder)
    assert run_git("log", "--format=%s|%P", "first", cwd=folder) == "Experiment first|"
