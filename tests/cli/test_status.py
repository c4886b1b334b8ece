"""`gittrack status`: where a repository stands, without changing or fetching anything."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from gittrack.runs.locks import FileLock

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Git = Callable[..., str]
    Gittrack = Callable[..., list[str]]


def write_refs(git: Git, *names: str) -> str:
    """Create refs below refs/gittrack (`{}` is the baseline) at HEAD, and return HEAD."""
    head = git("rev-parse", "HEAD")
    for name in names:
        git("update-ref", f"refs/gittrack/{name.format(head)}", head)
    return head


def test_a_fresh_repository(repo_dir: Path, git: Git, gittrack: Gittrack) -> None:
    """Before anything is set up, status says what there is, and how to begin."""
    head = git("rev-parse", "HEAD")
    assert gittrack("status", cwd=repo_dir) == [
        f"repository  {repo_dir}",
        f"baseline    {head[:7]} on main, clean",
        "experiments 0",
        "remote      none",
        "hooks       not installed ('gittrack init' installs them)",
    ]


def test_experiments_and_remotes_are_counted(repo_dir: Path, tmp_path: Path, git: Git, gittrack: Gittrack) -> None:
    """Local, shared, not pushed and remote-only experiments, and runs alive and dead."""
    git("remote", "add", "origin", f"https://me:s3cret@example.org/{tmp_path.name}.git")
    gittrack("init", cwd=repo_dir)
    tracked = "remotes/origin/exps/{}"
    head = write_refs(
        git, "exps/{}/a", "exps/{}/b", "exps/" + "1" * 40 + "/c", f"{tracked}/a", f"{tracked}/x", f"{tracked}/y"
    )
    runs = repo_dir / ".git/gittrack/runs"
    for run_id in ("alive", "dead"):
        (runs / run_id).mkdir(parents=True)
        (runs / run_id / "lock").touch()
    lock = FileLock(runs / "alive/lock")
    lock.acquire()
    (repo_dir / "new.py").touch()
    lines = gittrack("status", cwd=repo_dir)
    status = json.loads("\n".join(gittrack("status", "--json", cwd=repo_dir)))
    lock.release()
    assert lines[1:] == [
        f"baseline    {head[:7]} on main, with changes",
        "experiments 3, 2 of this baseline, 1 running, 1 ended without being recorded yet",
        "remote      origin (default): 3 experiments seen there, 2 only there, 2 not pushed",
        "hooks       all installed",
    ]
    assert status["remotes"] == [
        {
            "name": "origin",
            "url": f"https://example.org/{tmp_path.name}.git",
            "is_default": True,
            "is_tracked": True,
            "n_experiments": 3,
            "n_not_pushed": 2,
            "n_only_there": 2,
        }
    ]
    assert (status["n_experiments"], status["n_of_baseline"], status["n_running"], status["n_dead"]) == (3, 2, 1, 1)
    assert (status["branch"], status["baseline"], status["is_dirty"]) == ("main", head, True)


def test_hooks_that_lack_are_named(repo_dir: Path, gittrack: Gittrack) -> None:
    """When another program took the place of one hook, status says which."""
    gittrack("init", cwd=repo_dir)
    (repo_dir / ".git/hooks/pre-push").unlink()
    assert gittrack("status", cwd=repo_dir)[-1] == "hooks       pre-push missing ('gittrack doctor' tells more)"


def test_unborn_detached_and_bare(repo_dir: Path, tmp_path: Path, git: Git, gittrack: Gittrack) -> None:
    """Status works without a commit, without a branch, without files, and in the middle of a merge."""
    git("init", "-q", str(tmp_path / "unborn"))
    assert gittrack("status", cwd=tmp_path / "unborn")[1] == "baseline    no commit yet on main, clean"
    git("clone", "-q", "--bare", str(repo_dir), str(tmp_path / "bare.git"), cwd=tmp_path)
    assert len(gittrack("status", cwd=tmp_path / "bare.git")) == 4
    head = git("rev-parse", "HEAD")
    git("checkout", "-q", "--detach")
    (repo_dir / ".git/MERGE_HEAD").write_text(head + "\n")
    assert gittrack("status", cwd=repo_dir)[1] == f"baseline    {head[:7]} (detached HEAD), merge in progress, clean"


def test_a_hostile_branch_name_is_harmless(repo_dir: Path, git: Git, gittrack: Gittrack) -> None:
    """Control characters of names do not reach the terminal."""
    git("checkout", "-q", "-b", "a\u009b31mred")
    assert all(char.isprintable() for line in gittrack("status", cwd=repo_dir) for char in line)
