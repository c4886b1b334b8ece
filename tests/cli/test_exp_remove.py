"""`gittrack exp remove`: into the trash and out of it, and on remotes."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import pytest

from gittrack.experiments.format import Meta
from gittrack.runs.folder import create_folder
from tests.support.experiments import add_experiment
from tests.support.git_repository import open_repository, run_git
from tests.support.untouched import own_state, stash_something, work_tree

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Git = Callable[..., str]
    Gittrack = Callable[..., list[str]]


def names(folder: Path, namespace: str = "exps") -> list[str]:
    """Return the names of all experiments of a namespace, sorted."""
    refs = run_git("for-each-ref", "--format=%(refname)", f"refs/gittrack/{namespace}", cwd=folder)
    return sorted(ref.rpartition("/")[2] for ref in refs.splitlines())


@pytest.fixture
def repo(repo_dir: Path) -> Path:
    """A repository with a tag, a stash and the experiments a, b and c."""
    stash_something(repo_dir)
    for name in "abc":
        add_experiment(open_repository(repo_dir), name)
    return repo_dir


def test_out_and_back(repo: Path, git: Git, gittrack: Gittrack) -> None:
    """Two go together, the line to take them back works as printed, and nothing of the user's changes."""
    refs, state, files = git("for-each-ref"), own_state(repo), work_tree(repo)
    lines = gittrack("exp", "remove", "a", "b", "a", cwd=repo)
    assert lines[0] == "removed 2 experiments: a, b"
    assert (names(repo), names(repo, "trash")) == (["c"], ["a", "b"])
    assert gittrack(*lines[1].partition("gittrack ")[2].split(), cwd=repo) == ["restored 2 experiments: a, b"]
    assert git("for-each-ref") == refs
    assert (own_state(repo), work_tree(repo)) == (state, files)


def test_one_unknown_name_removes_nothing(repo: Path, gittrack: Gittrack) -> None:
    """All or none."""
    gittrack("exp", "remove", "a", "nothing", cwd=repo, code=1)
    assert names(repo) == ["a", "b", "c"]


def test_the_same_name_again_and_again(repo: Path, gittrack: Gittrack) -> None:
    """Removed twice within a second, both are in the trash; the last one comes back first."""
    gittrack("exp", "remove", "a", cwd=repo)
    second = add_experiment(open_repository(repo), "a", params={"lr": 2})
    assert "of that name again" in gittrack("exp", "remove", "--restore", "a", cwd=repo, code=1)[0]
    gittrack("exp", "remove", "a", cwd=repo)
    assert names(repo, "trash") == ["a", "a"]
    gittrack("exp", "remove", "--restore", "a", cwd=repo)
    assert run_git("for-each-ref", "--format=%(objectname)", "refs/gittrack/exps/*/a", cwd=repo) == second


def test_the_trash_knows_baselines(repo: Path, git: Git, gittrack: Gittrack) -> None:
    """A name that was removed under two baselines has to be told apart; an unknown one lists what there is."""
    first = git("rev-parse", "HEAD")
    git("commit", "-q", "--allow-empty", "-m", "Second")
    add_experiment(open_repository(repo), "a")
    gittrack("exp", "remove", f"a@{first[:8]}", "a@main", cwd=repo)
    error, hint = gittrack("exp", "remove", "--restore", "a", cwd=repo, code=2)
    assert "several" in error
    assert f"a@{first[:8]}" in hint
    assert gittrack("exp", "remove", "--restore", f"a@{first[:8]}", cwd=repo) == ["restored experiment a"]
    assert gittrack("exp", "remove", "--restore", "zzz", cwd=repo, code=1)[1] == "hint: last removed: a"


def test_a_running_one_is_refused(repo: Path, git: Git, gittrack: Gittrack) -> None:
    """And nothing else goes with it."""
    meta = Meta(name="b", id="a" * 16, status="running", baseline=git("rev-parse", "HEAD"))
    _, lock = create_folder(open_repository(repo).state_dir / "runs", meta)
    assert gittrack("exp", "remove", "a", "b", cwd=repo, code=1)[0] == "error: still running: b"
    lock.release()
    assert names(repo) == ["a", "b", "c"]


def test_all_and_those_of_a_commit(repo: Path, git: Git, gittrack: Gittrack, monkeypatch: pytest.MonkeyPatch) -> None:
    """Many at once need --yes where nobody can be asked; some can be spared."""
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))
    git("commit", "-q", "--allow-empty", "-m", "Second")
    add_experiment(open_repository(repo), "d")
    assert "--yes" in gittrack("exp", "remove", "--all", cwd=repo, code=2)[1]
    assert names(repo) == ["a", "b", "c", "d"]
    assert gittrack("exp", "remove", "--rev", "HEAD~1", "--keep", "b", "-y", cwd=repo)[0].endswith(": a, c")
    assert names(repo) == ["b", "d"]
    gittrack("exp", "remove", "--all", "--yes", cwd=repo)
    assert names(repo) == []
    assert gittrack("exp", "remove", "--all", "--yes", cwd=repo) == ["nothing to remove"]


@pytest.mark.parametrize(
    "arguments",
    [[], ["a", "--all"], ["--all", "--rev", "main"], ["a", "--keep", "b"], ["--restore"], ["--remote", "origin"]],
)
def test_unclear_calls(repo: Path, gittrack: Gittrack, arguments: list[str]) -> None:
    """What is to be removed must be said in one way."""
    gittrack("exp", "remove", *arguments, cwd=repo, code=2)
    assert names(repo) == ["a", "b", "c"]


def test_on_a_remote(repo: Path, tmp_path: Path, git: Git, gittrack: Gittrack) -> None:
    """One push removes several; one's own stays, and what only the remote had is kept in the trash."""
    bare = tmp_path / "bare.git"
    run_git("init", "-q", "--bare", str(bare), cwd=tmp_path)
    git("remote", "add", "origin", str(bare))
    git("push", "-q", "origin", "main")
    gittrack("push", cwd=repo)
    head = git("rev-parse", "HEAD")
    git("update-ref", "-d", f"refs/gittrack/exps/{head}/b")
    assert "pull origin b" in gittrack("exp", "remove", "b", cwd=repo, code=2)[1]
    lines = gittrack("exp", "remove", "--remote", "origin", "a", "b", cwd=repo)
    assert lines[0] == f"removed 2 experiments: a, b on origin ({bare})"
    assert names(bare) == ["c"]
    assert names(repo) == ["a", "c"]
    assert names(repo, "remotes") == ["c"]
    gittrack("exp", "remove", "--restore", "b", cwd=repo)
    assert names(repo) == ["a", "b", "c"]
    assert "fetch origin" in gittrack("exp", "remove", "--remote", "origin", "a", cwd=repo, code=1)[1]


def test_a_bare_repository(repo: Path, tmp_path: Path, git: Git, gittrack: Gittrack) -> None:
    """Rename, branch, remove, restore and gc need no files, so they work where a team's experiments lie."""
    bare = tmp_path / "bare.git"
    git("clone", "-q", "--mirror", str(repo), str(bare))
    gittrack("exp", "rename", "a", "first", cwd=bare)
    gittrack("exp", "branch", "first", "topic", cwd=bare)
    gittrack("exp", "remove", "b", "c", cwd=bare)
    gittrack("exp", "remove", "--restore", "c", cwd=bare)
    gittrack("gc", "--older-than", "0", cwd=bare)
    assert (names(bare), names(bare, "trash")) == (["c", "first"], [])
    assert run_git("rev-parse", "topic^", cwd=bare) == git("rev-parse", "HEAD")


def test_experiments_before_the_first_commit(tmp_path: Path, gittrack: Gittrack) -> None:
    """Zeros in place of a baseline are written and understood."""
    folder = tmp_path / "unborn"
    folder.mkdir()
    run_git("init", "-q", cwd=folder)
    (folder / "train.py").write_text("first\n", encoding="utf-8")
    gittrack("exp", "save", "-n", "first", cwd=folder)
    gittrack("exp", "rename", "first", "other", cwd=folder)
    lines = gittrack("exp", "remove", "other", cwd=folder)
    gittrack(*lines[1].partition("gittrack ")[2].split(), cwd=folder)
    assert names(folder) == ["other"]
