"""`gittrack init` and `uninit`: what they change, that they repeat, and that nothing stays behind."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from gittrack.git.hooks import HOOK_NAMES
from tests.support.hooks import HAS_HOOK_SETTINGS

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Git = Callable[..., str]
    Gittrack = Callable[..., list[str]]


@pytest.fixture
def remote(tmp_path: Path, repo_dir: Path, git: Git) -> Path:
    """A bare repository, as `origin` of `repo_dir`."""
    folder = tmp_path / "remote.git"
    git("clone", "-q", "--bare", str(repo_dir), str(folder), cwd=tmp_path)
    git("remote", "add", "origin", str(folder))
    return folder


def hook_line(folder: Path, verb: str) -> str:
    """Return what `init` says of the hooks: where each is depends on git."""
    if not HAS_HOOK_SETTINGS:
        return f"hooks: {', '.join(HOOK_NAMES)} {verb} {folder}"
    settings = ", ".join(name for name in HOOK_NAMES if name != "pre-push")
    return f"hooks: {settings} {verb} the repository's git settings; pre-push {verb} {folder}"


def read_tree(folder: Path) -> dict[str, tuple[bytes, int]]:
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {str(path.relative_to(folder)): (path.read_bytes(), path.stat().st_mode) for path in files}


def test_init_says_each_thing_and_repeats(repo_dir: Path, remote: Path, git: Git, gittrack: Gittrack) -> None:
    """One line for each thing; a second run finds all of it there and changes nothing."""
    assert remote
    state_dir = repo_dir / ".git/gittrack"
    assert gittrack("init", cwd=repo_dir) == [
        "remote origin: 'git fetch' and 'git pull' bring experiments from now on",
        f"folder {state_dir}: made",
        hook_line(repo_dir / ".git/hooks", "installed in"),
    ]
    before = read_tree(repo_dir)
    assert gittrack("init", cwd=repo_dir) == [
        "remote origin: 'git fetch' and 'git pull' bring experiments already",
        f"folder {state_dir}: is there already",
        hook_line(repo_dir / ".git/hooks", "already in"),
    ]
    assert read_tree(repo_dir) == before
    assert git("status", "--porcelain") == ""
    assert git("config", "--get-all", "remote.origin.fetch").splitlines() == [
        "+refs/heads/*:refs/remotes/origin/*",
        "+refs/gittrack/exps/*:refs/gittrack/remotes/origin/exps/*",
        "+refs/gittrack/models/*:refs/gittrack/remotes/origin/models/*",
    ]


def test_uninit_leaves_no_trace(repo_dir: Path, remote: Path, git: Git, gittrack: Gittrack) -> None:
    """Every byte and every permission is as before, with hooks and settings of the user's own in place."""
    assert remote
    git("config", "log.excludeDecoration", "refs/mine/")
    hook = repo_dir / ".git/hooks/pre-push"
    hook.write_bytes(b"#!/bin/sh\nexit 0")
    hook.chmod(0o750)
    before = read_tree(repo_dir)
    assert "git log: experiments are left out of its decorations" in gittrack("init", cwd=repo_dir)
    lines = gittrack("uninit", cwd=repo_dir)
    assert len(lines) == len(HOOK_NAMES) + 3
    assert lines[-1] == f"folder {repo_dir / '.git/gittrack'}: removed"
    assert read_tree(repo_dir) == before
    assert gittrack("uninit", cwd=repo_dir) == ["nothing to remove"]


def test_uninit_keeps_experiments_runs_and_cache(repo_dir: Path, git: Git, gittrack: Gittrack) -> None:
    """Also with --purge, what may be the only copy stays; the index goes."""
    gittrack("init", cwd=repo_dir)
    head = git("rev-parse", "HEAD")
    ref = f"refs/gittrack/exps/{head}/fox"
    git("update-ref", ref, head)
    state_dir = repo_dir / ".git/gittrack"
    for name in ("runs/1/journal", "cache/b3/00/0", "index.sqlite", "rewrites.tsv"):
        (state_dir / name).parent.mkdir(parents=True, exist_ok=True)
        (state_dir / name).touch()
    assert gittrack("uninit", cwd=repo_dir)[-1].endswith("kept for cache, index.sqlite, rewrites.tsv, runs")
    assert gittrack("uninit", "--purge", cwd=repo_dir) == [f"folder {state_dir}: kept for cache, runs"]
    assert git("rev-parse", ref) == head
    assert (state_dir / "cache/b3/00/0").exists()


def test_init_in_a_fresh_clone_brings_experiments(
    repo_dir: Path, remote: Path, tmp_path: Path, git: Git, gittrack: Gittrack
) -> None:
    """After `init`, plain `git pull` and `git fetch --prune` bring experiments and remove no local one."""
    head = git("rev-parse", "HEAD")
    git("push", "-q", "origin", f"HEAD:refs/gittrack/exps/{head}/fox", "HEAD:refs/gittrack/models/m1")
    clone = tmp_path / "clone"
    git("clone", "-q", str(remote), str(clone))
    git("update-ref", f"refs/gittrack/exps/{head}/mine", head, cwd=clone)
    (clone / "deeper").mkdir()
    gittrack("init", "--no-hooks", cwd=clone / "deeper")
    git("pull", "-q", cwd=clone)
    git("fetch", "-q", "--prune", cwd=clone)
    assert git("for-each-ref", "--format=%(refname)", "refs/gittrack", cwd=clone).splitlines() == [
        f"refs/gittrack/exps/{head}/mine",
        f"refs/gittrack/remotes/origin/exps/{head}/fox",
        "refs/gittrack/remotes/origin/models/m1",
    ]
    assert not (clone / ".git/hooks/post-commit").exists()
    assert git("log", "--format=%D", "-1", cwd=clone) == "HEAD -> main, origin/main, origin/HEAD"
    assert repo_dir


def test_decorations_of_git_stay_as_they_are(repo_dir: Path, git: Git, gittrack: Gittrack) -> None:
    """Experiments never decorate `git log`, and what else did or did not decorate is unchanged."""
    head = git("rev-parse", "HEAD")
    for ref in (f"refs/gittrack/exps/{head}/fox", "refs/pull/1/head"):
        git("update-ref", ref, head)
    gittrack("init", cwd=repo_dir)
    assert git("log", "-1", "--format=%D") == "HEAD -> main"
    git("config", "log.initialDecorationSet", "all")
    gittrack("init", cwd=repo_dir)
    assert git("log", "-1", "--format=%D") == "HEAD -> main, refs/pull/1/head"


def test_the_remote_is_chosen_as_git_does(repo_dir: Path, remote: Path, git: Git, gittrack: Gittrack) -> None:
    """The branch's own remote, else origin; --remote names another; an unknown one is an error."""
    git("remote", "add", "team", str(remote))
    git("config", "branch.main.remote", "team")
    assert gittrack("init", "--no-hooks", cwd=repo_dir)[0].startswith("remote team:")
    assert gittrack("init", "--no-hooks", "--remote", "origin", cwd=repo_dir)[0].startswith("remote origin:")
    assert "no remote 'nowhere'" in gittrack("init", "--remote", "nowhere", cwd=repo_dir, code=1)[0]
    lines = gittrack("uninit", cwd=repo_dir)
    assert {line.split(":")[0] for line in lines if line.startswith("remote")} == {"remote team", "remote origin"}


def test_without_a_remote_init_says_what_to_do_later(repo_dir: Path, gittrack: Gittrack) -> None:
    """No remote is no error."""
    assert gittrack("init", cwd=repo_dir)[0] == "remote: none yet; after 'git remote add', run 'gittrack init' again"


@pytest.mark.parametrize("refspecs", [[], ["+refs/*:refs/*"]], ids=["none", "mirror"])
def test_unusual_remotes_stay_as_they_are(
    repo_dir: Path, remote: Path, git: Git, gittrack: Gittrack, refspecs: list[str]
) -> None:
    """A remote without refspec, or a mirror, would change its meaning by one of ours."""
    assert remote
    git("config", "--unset-all", "remote.origin.fetch")
    for refspec in refspecs:
        git("config", "--add", "remote.origin.fetch", refspec)
    assert "unusual" in gittrack("init", cwd=repo_dir)[0]
    assert git("config", "--get-all", "remote.origin.fetch", check=False).splitlines() == refspecs


def test_a_bare_repository_gets_settings_only(repo_dir: Path, remote: Path, git: Git, gittrack: Gittrack) -> None:
    """Nobody commits in a bare repository: no hooks."""
    git("config", "remote.origin.fetch", "+refs/heads/*:refs/remotes/origin/*", cwd=remote)
    lines = gittrack("init", cwd=remote)
    assert lines[0].startswith("remote origin:")
    assert "bare" in lines[-1]
    assert not (remote / "hooks/post-commit").exists()
    assert repo_dir


def test_init_in_linked_worktree_and_submodule(repo_dir: Path, tmp_path: Path, git: Git, gittrack: Gittrack) -> None:
    """A linked worktree shares folder and hooks with its repository; a submodule has its own."""
    git("worktree", "add", "-q", str(tmp_path / "linked"))
    gittrack("init", cwd=tmp_path / "linked")
    assert (repo_dir / ".git/gittrack").is_dir()
    assert (repo_dir / ".git/hooks/pre-push").exists()
    git("init", "-q", str(tmp_path / "parent"))
    git(
        "-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(repo_dir), "sub", cwd=tmp_path / "parent"
    )
    gittrack("init", cwd=tmp_path / "parent/sub")
    assert (tmp_path / "parent/.git/modules/sub/gittrack").is_dir()
    assert not (tmp_path / "parent/.git/gittrack").exists()
    before = read_tree(tmp_path / "parent/.git/hooks")
    assert (tmp_path / "parent/.git/modules/sub/hooks/pre-push").exists()
    gittrack("uninit", cwd=tmp_path / "parent/sub")
    assert read_tree(tmp_path / "parent/.git/hooks") == before
    assert not (tmp_path / "parent/.git/modules/sub/hooks/pre-push").exists()


def test_hooks_that_are_not_ours_to_write_are_listed(repo_dir: Path, git: Git, gittrack: Gittrack) -> None:
    """With husky, `init` does the rest and says which line goes into which file."""
    git("config", "core.hooksPath", ".husky/_")
    lines = gittrack("init", cwd=repo_dir)
    names = ("pre-push",) if HAS_HOOK_SETTINGS else HOOK_NAMES
    assert [line for line in lines if line.startswith("hook ")] == [
        f'hook {name}: not installed; add to .husky/{name}: gittrack hook {name} "$@"' for name in names
    ]
    assert not (repo_dir / ".husky").exists()


def test_commits_and_pushes_work_after_init(repo_dir: Path, remote: Path, git: Git, gittrack: Gittrack) -> None:
    """With the real hooks in place git's own commands succeed."""
    gittrack("init", cwd=repo_dir)
    for args in (("commit", "-q", "--allow-empty", "-m", "x"), ("commit", "-q", "--allow-empty", "--amend", "-m", "y")):
        subprocess.run(["git", *args], cwd=repo_dir, check=True, capture_output=True)
    git("push", "-q", "origin", "main")
    assert git("rev-parse", "main", cwd=remote) == git("rev-parse", "HEAD")


def test_outside_a_repository_is_an_error(tmp_path: Path, gittrack: Gittrack) -> None:
    """Without a repository every one of the commands says so and exits with 1."""
    for command in ("init", "uninit", "status", "doctor"):
        assert gittrack(command, cwd=tmp_path, code=1)[0].startswith("error: no git repository")


def test_branches_only_hosts_are_fetched_and_listed(
    tmp_path: Path, repo_dir: Path, remote: Path, git: Git, gittrack: Gittrack
) -> None:
    """With the namespace of a host that takes branches only, plain fetches and `exp list REMOTE` find experiments."""
    git("config", "gittrack.pushNamespace", "refs/heads/gittrack")
    gittrack("exp", "save", "-n", "calm-owl", cwd=repo_dir)
    gittrack("push", cwd=repo_dir)
    assert "calm-owl" in "\n".join(gittrack("exp", "list", "origin", cwd=repo_dir))
    git("clone", "-q", str(remote), str(tmp_path / "bob"), cwd=tmp_path)
    git("config", "gittrack.pushNamespace", "refs/heads/gittrack", cwd=tmp_path / "bob")
    gittrack("init", "--no-hooks", cwd=tmp_path / "bob")
    git("fetch", "-q", cwd=tmp_path / "bob")
    assert git("for-each-ref", "--format=%(refname)", "refs/gittrack", cwd=tmp_path / "bob").endswith("calm-owl")
