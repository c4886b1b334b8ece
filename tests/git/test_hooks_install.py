"""Hooks beside the hooks of others: installed, run by git, inspected, removed to the byte."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

from gittrack.git.hooks import (
    HOOK_NAMES,
    HookInstallError,
    find_place,
    git_version,
    inspect_hooks,
    install_hooks,
    remove_hooks,
)
from gittrack.git.repository import Repository
from tests.support.git_repository import ZERO_ID
from tests.support.hooks import LEFTHOOK_HOOK, PRE_COMMIT_HOOK, read_calls, write_program, write_script

if TYPE_CHECKING:
    from collections.abc import Callable

    from gittrack.git.hooks import HookState

    Git = Callable[..., str]

OLD_GIT = (2, 39)


def open_repository(folder: Path) -> Repository:
    return Repository.discover(folder, dict(os.environ))


def install(folder: Path, program: Path, version: tuple[int, int] = OLD_GIT) -> dict[str, HookState]:
    repository = open_repository(folder)
    states = install_hooks(repository, str(program), find_place(repository, version))
    return {state.name: state for state in states}


def inspect(folder: Path, program: Path, version: tuple[int, int] = OLD_GIT) -> dict[str, str]:
    repository = open_repository(folder)
    return {
        state.name: state.status for state in inspect_hooks(repository, str(program), find_place(repository, version))
    }


def read_tree(folder: Path) -> dict[str, tuple[bytes, int]]:
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {str(path.relative_to(folder)): (path.read_bytes(), path.stat().st_mode) for path in files}


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """A stand-in for gittrack, at a path that needs quoting."""
    return write_program(tmp_path / 'it\'s a "venv" $HOME')


@pytest.fixture
def remote(tmp_path: Path, repo_dir: Path, git: Git) -> Path:
    """A bare repository, as `origin` of `repo_dir`."""
    folder = tmp_path / "remote.git"
    git("init", "-q", "--bare", str(folder))
    git("remote", "add", "origin", str(folder), cwd=repo_dir)
    return folder


def commit(git: Git, *args: str) -> None:
    git("commit", "-q", "--allow-empty", "-m", "Next", *args)


@pytest.mark.parametrize("version", [OLD_GIT, (2, 54), (3, 0)])
def test_installing_and_removing_leave_no_trace(repo_dir: Path, program: Path, version: tuple[int, int]) -> None:
    """After removal the git directory is what it was, byte by byte; both steps may be repeated."""
    before = read_tree(repo_dir / ".git")
    assert set(inspect(repo_dir, program, version).values()) == {"missing"}
    for _ in range(2):
        states = install(repo_dir, program, version)
        assert {state.status for state in states.values()} == {"current"}
    assert read_tree(repo_dir / ".git") != before
    assert len(remove_hooks(open_repository(repo_dir))) == len(HOOK_NAMES)
    assert read_tree(repo_dir / ".git") == before
    assert remove_hooks(open_repository(repo_dir)) == []


def test_git_runs_every_hook(repo_dir: Path, program: Path, remote: Path, git: Git) -> None:
    """Each git command reaches gittrack with the hook's arguments and standard input, and the guard set."""
    install(repo_dir, program)
    old = git("rev-parse", "HEAD")
    git("commit", "-q", "--amend", "--allow-empty", "-m", "Better")
    new = git("rev-parse", "HEAD")
    git("push", "-q", "origin", "main")
    (repo_dir / ".git/FETCH_HEAD").touch()
    git("checkout", "-q", "-b", "side")
    commit(git)
    git("checkout", "-q", "main")
    git("merge", "-q", "side")
    calls = {call.arguments[1]: call for call in read_calls(program)}
    assert set(calls) == set(HOOK_NAMES)
    assert {call.arguments[0] for call in calls.values()} == {"hook"}
    assert {name: call.guard for name, call in calls.items()} == {name: name for name in HOOK_NAMES}
    assert calls["post-rewrite"].arguments[2:] == ["amend"]
    assert calls["post-rewrite"].input == [f"{old} {new}"]
    assert calls["pre-push"].arguments[2:] == ["origin", str(remote)]
    assert calls["pre-push"].input == [f"refs/heads/main {new} refs/heads/main {ZERO_ID}"]
    assert calls["post-checkout"].arguments[4] == "1"


@pytest.mark.parametrize(
    "shebang", ["#!/bin/sh", "#!/bin/sh -eu", "#!/usr/bin/env bash", "#!/bin/bash -eu", "#!/bin/dash", ""]
)
@pytest.mark.parametrize("end", ["exit 0", "exec true", "true"])
def test_existing_hooks_and_ours_both_get_everything(
    repo_dir: Path, program: Path, remote: Path, git: Git, shebang: str, end: str
) -> None:
    """A hook that was there still gets arguments and standard input; removal gives it back to the byte."""
    assert remote
    log = repo_dir / ".git" / "log"
    for name in ("pre-push", "post-rewrite", "post-commit"):
        body = f'echo "{name} $1 ${{GITTRACK_HOOK-}}${{GITTRACK_CHAINED-}}" >> "{log}"\ncat >> "{log}"\n{end}'
        first = f"{shebang}\n" if shebang else ""
        write_script(repo_dir / ".git/hooks" / name, first + body.replace("$1", "${1-}"))
    before = read_tree(repo_dir / ".git/hooks")
    install(repo_dir, program)
    git("commit", "-q", "--amend", "--allow-empty", "-m", "Better")
    git("push", "-q", "origin", "main")
    new = git("rev-parse", "HEAD")
    lines = log.read_text().splitlines()
    assert lines[0] == "post-commit  "
    assert lines[1] == "post-rewrite amend "
    assert lines[2].endswith(new)
    assert lines[3:] == ["pre-push origin ", f"refs/heads/main {new} refs/heads/main {ZERO_ID}"]
    calls = {call.arguments[1]: call for call in read_calls(program)}
    assert calls["pre-push"].input == lines[4:]
    assert calls["post-rewrite"].input == lines[2:3]
    remove_hooks(open_repository(repo_dir))
    assert read_tree(repo_dir / ".git/hooks") == before


def test_push_with_nothing_to_push_gives_empty_input(repo_dir: Path, program: Path, remote: Path, git: Git) -> None:
    """An empty standard input stays empty for both: no blank line is made up."""
    assert remote
    git("push", "-q", "origin", "main")
    log = repo_dir / ".git" / "log"
    write_script(repo_dir / ".git/hooks/pre-push", f'#!/bin/sh\ncat > "{log}"\n')
    install(repo_dir, program)
    git("push", "-q", "origin", "main")
    assert log.read_bytes() == b""
    assert [call.input for call in read_calls(program)] == [[]]


def test_a_push_that_another_hook_refuses_sends_nothing(repo_dir: Path, program: Path, remote: Path, git: Git) -> None:
    """The check of others comes first: gittrack is not called, and the push fails with their exit code."""
    write_script(repo_dir / ".git/hooks/pre-push", "#!/bin/sh\nexit 3\n")
    install(repo_dir, program)
    git("push", "-q", "origin", "main", check=False)
    assert git("for-each-ref", cwd=remote) == ""
    assert read_calls(program) == []


def test_many_pushed_refs_reach_both(repo_dir: Path, program: Path, remote: Path, git: Git) -> None:
    """Input beyond a pipe's buffer arrives whole, also past a hook that does not read its own."""
    assert remote
    head = git("rev-parse", "HEAD")
    git("update-ref", "--stdin", input="".join(f"create refs/heads/b{n:04} {head}\n" for n in range(1000)))
    write_script(repo_dir / ".git/hooks/pre-push", "#!/bin/sh\nexit 0\n")
    install(repo_dir, program)
    git("push", "-q", "origin", "--all")
    assert [len(call.input) for call in read_calls(program)] == [1001]


@pytest.mark.parametrize("exit_code", [1, 2, 3, 126, 127, 130])
def test_a_broken_gittrack_fails_nothing(
    repo_dir: Path, tmp_path: Path, remote: Path, git: Git, exit_code: int
) -> None:
    """Whatever gittrack exits with, commit, amend and push succeed."""
    install(repo_dir, write_program(tmp_path / "broken", exit_code=exit_code))
    commit(git)
    git("commit", "-q", "--amend", "--allow-empty", "-m", "Better")
    git("push", "-q", "origin", "main")
    assert git("rev-parse", "main", cwd=remote) == git("rev-parse", "HEAD")


def test_strict_stops_the_push(repo_dir: Path, tmp_path: Path, remote: Path, git: Git) -> None:
    """The one exit code that gittrack keeps for it stops the push."""
    install(repo_dir, write_program(tmp_path / "strict", exit_code=10))
    with pytest.raises(AssertionError, match="failed to push"):
        git("push", "-q", "origin", "main")
    assert git("for-each-ref", cwd=remote) == ""


def test_a_missing_gittrack_fails_nothing(
    repo_dir: Path, program: Path, remote: Path, git: Git, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After gittrack is uninstalled its hooks do nothing, and say nothing."""
    install(repo_dir, program)
    shutil.rmtree(program.parent)
    bin_dir = repo_dir.parent / "bin"
    bin_dir.mkdir()
    (bin_dir / "git").symlink_to(shutil.which("git") or "")
    (bin_dir / "cat").symlink_to(shutil.which("cat") or "")
    monkeypatch.setenv("PATH", str(bin_dir))
    done = subprocess.run(["git", "commit", "--allow-empty", "-qm", "x"], cwd=repo_dir, capture_output=True, check=True)
    assert done.stderr == b""
    git("push", "-q", "origin", "main")
    assert git("rev-parse", "main", cwd=remote) == git("rev-parse", "HEAD")


def test_gittrack_on_path_is_the_second_choice(
    repo_dir: Path, program: Path, tmp_path: Path, git: Git, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When the program has moved, the one on PATH is taken."""
    install(repo_dir, program)
    shutil.rmtree(program.parent)
    other = write_program(tmp_path / "bin")
    monkeypatch.setenv("PATH", f"{other.parent}:{os.environ['PATH']}")
    commit(git)
    assert [call.arguments for call in read_calls(other)] == [["hook", "post-commit"]]


def test_hooks_end_at_once_inside_hooks(
    repo_dir: Path, program: Path, git: Git, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Git commands that gittrack runs inside a hook do not call gittrack again."""
    install(repo_dir, program)
    monkeypatch.setenv("GITTRACK_HOOK", "post-commit")
    git("commit", "-q", "--amend", "--allow-empty", "-m", "x")
    assert read_calls(program) == []


def test_checkout_of_files_starts_nothing(repo_dir: Path, program: Path, git: Git) -> None:
    """Neither a checkout of single files nor one without a fetch before it costs a program start."""
    install(repo_dir, program)
    git("checkout", "-q", "-b", "side")
    assert read_calls(program) == []
    (repo_dir / ".git/FETCH_HEAD").touch()
    git("checkout", "-q", "--", "train.py")
    assert read_calls(program) == []
    git("checkout", "-q", "main")
    assert len(read_calls(program)) == 1


@pytest.mark.parametrize("text", [PRE_COMMIT_HOOK, LEFTHOOK_HOOK], ids=["pre-commit", "lefthook"])
def test_generated_hooks_coexist(
    repo_dir: Path, program: Path, remote: Path, git: Git, tmp_path: Path, text: str
) -> None:
    """The files of hook managers keep working with ours in them; when they overwrite it, that is seen and told."""
    assert remote
    manager = write_program(tmp_path / "manager")
    for name in ("pre-push", "post-commit"):
        write_script(repo_dir / ".git/hooks" / name, text.format(name=name, program=manager))
    before = read_tree(repo_dir / ".git/hooks")
    states = install(repo_dir, program)
    assert "may overwrite this file" in (states["pre-push"].advice or "")
    assert states["post-merge"].advice is None
    if text is LEFTHOOK_HOOK:
        advice = (states["pre-push"].advice or "").partition("add to lefthook.yml: ")[2]
        added = {"run": "gittrack hook pre-push {0}", "use_stdin": True}
        assert yaml.safe_load(advice) == {"pre-push": {"commands": {"gittrack": added}}}
    commit(git)
    git("push", "-q", "origin", "main")
    assert [call.arguments[1] for call in read_calls(program)] == ["post-commit", "pre-push"]
    assert len(read_calls(manager)) == 2
    remove_hooks(open_repository(repo_dir))
    assert read_tree(repo_dir / ".git/hooks") == before
    install(repo_dir, program)
    write_script(repo_dir / ".git/hooks/pre-push", text.format(name="pre-push", program=manager))
    assert inspect(repo_dir, program) == {**dict.fromkeys(HOOK_NAMES, "current"), "pre-push": "missing"}


def test_a_hook_that_pre_commit_set_aside_still_counts(repo_dir: Path, program: Path, tmp_path: Path) -> None:
    """pre-commit renames our file and goes on running it: it is current there, and not installed twice."""
    install(repo_dir, program)
    hooks = repo_dir / ".git/hooks"
    (hooks / "pre-push").rename(hooks / "pre-push.legacy")
    generated = write_script(hooks / "pre-push", PRE_COMMIT_HOOK.format(name="pre-push", program=tmp_path / "no"))
    before = generated.read_bytes()
    assert install(repo_dir, program)["pre-push"].status == "current"
    assert generated.read_bytes() == before
    remove_hooks(open_repository(repo_dir))
    assert not (hooks / "pre-push.legacy").exists()
    assert generated.read_bytes() == before


def test_calls_by_the_users_own_hand_are_respected(repo_dir: Path, program: Path, tmp_path: Path) -> None:
    """A hook file or a manager's file that names gittrack is left as it is, and not doubled."""
    hooks = repo_dir / ".git/hooks"
    write_script(hooks / "post-commit", '#!/bin/sh\ngittrack hook post-commit "$@"\n')
    (repo_dir / "lefthook.yml").write_text("pre-push:\n  commands:\n    g: {run: 'gittrack hook pre-push {0}'}\n")
    (repo_dir / ".pre-commit-config.yaml").write_text("repos:\n- hooks:\n  - id: gittrack-post-merge\n")
    assert set(inspect(repo_dir, program).values()) == {"missing", "manual"}  # no manager, so nobody calls
    write_script(hooks / "pre-push", LEFTHOOK_HOOK.format(name="pre-push", program=tmp_path / "lefthook"))
    write_script(hooks / "post-merge", PRE_COMMIT_HOOK.format(name="post-merge", program=tmp_path / "pre-commit"))
    statuses = {name: state.status for name, state in install(repo_dir, program).items()}
    by_hand = ("post-commit", "pre-push", "post-merge")
    assert statuses == {**dict.fromkeys(HOOK_NAMES, "current"), **dict.fromkeys(by_hand, "manual")}


def test_husky_is_told_what_to_add(repo_dir: Path, program: Path, git: Git) -> None:
    """With husky nothing is written; the line for its own file is given, and counts once it is there."""
    write_script(repo_dir / ".husky/_/post-commit", '#!/usr/bin/env sh\n. "$(dirname "$0")/h"\n')
    write_script(
        repo_dir / ".husky/_/h", '#!/usr/bin/env sh\nsh -e "$(dirname "$(dirname "$0")")/$(basename "$0")" "$@"\n'
    )
    git("config", "core.hooksPath", ".husky/_")
    before = read_tree(repo_dir)
    states = install(repo_dir, program)
    assert {state.status for state in states.values()} == {"blocked"}
    assert states["post-commit"].advice == 'add to .husky/post-commit: gittrack hook post-commit "$@"'
    assert read_tree(repo_dir) == before
    (repo_dir / ".husky/post-commit").write_text('npm test\ngittrack hook post-commit "$@"\n')
    assert inspect(repo_dir, program)["post-commit"] == "manual"


@pytest.mark.parametrize("where", ["inside", "outside", "global"])
def test_hooks_paths_of_others_are_not_written(
    repo_dir: Path, program: Path, tmp_path: Path, git: Git, where: str
) -> None:
    """A folder that the team commits or that other repositories share is left alone, with the line to add."""
    folder = repo_dir / "tools/hooks" if where == "inside" else tmp_path / "shared hooks"
    folder.mkdir(parents=True)
    git("config", *(["--global"] if where == "global" else []), "core.hooksPath", str(folder))
    states = install(repo_dir, program)
    assert {state.status for state in states.values()} == {"blocked"}
    shown = "tools/hooks" if where == "inside" else str(folder)
    assert states["pre-push"].advice == f'add to {shown}/pre-push: gittrack hook pre-push "$@"'
    assert list(folder.iterdir()) == []


def test_a_hooks_path_inside_the_git_directory_is_ours(repo_dir: Path, program: Path, git: Git) -> None:
    """A local core.hooksPath below .git is an ordinary hooks folder, made when it is missing."""
    git("config", "core.hooksPath", str(repo_dir / ".git/my hooks"))
    assert install(repo_dir, program)["post-commit"].status == "current"
    commit(git)
    assert len(read_calls(program)) == 1
    assert len(remove_hooks(open_repository(repo_dir))) == len(HOOK_NAMES)


def test_linked_worktree_and_submodule(repo_dir: Path, program: Path, tmp_path: Path, git: Git) -> None:
    """Hooks installed from a linked worktree, or in a submodule, land where git looks for them."""
    worktree = tmp_path / "linked tree"
    git("worktree", "add", "-q", str(worktree), "-b", "linked")
    install(worktree, program)
    assert (repo_dir / ".git/hooks/post-commit").exists()
    git("commit", "-q", "--allow-empty", "-m", "x", cwd=worktree)
    assert len(read_calls(program)) == 1
    parent = tmp_path / "parent"
    git("init", "-q", str(parent), cwd=tmp_path)
    git("-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(repo_dir), "sub", cwd=parent)
    install(parent / "sub", program)
    git("commit", "-q", "--allow-empty", "-m", "x", cwd=parent / "sub")
    assert len(read_calls(program)) == 2
    assert (parent / ".git/modules/sub/hooks/post-commit").exists()


def test_odd_hook_files_are_refused_with_a_reason(repo_dir: Path, program: Path, tmp_path: Path) -> None:
    """Links, folders, disabled hooks and other languages stay as they are; the rest is installed."""
    hooks = repo_dir / ".git/hooks"
    write_script(tmp_path / "shared", "#!/bin/sh\n")
    (hooks / "post-commit").symlink_to(tmp_path / "shared")
    (hooks / "pre-push").mkdir()
    write_script(hooks / "post-merge", "#!/usr/bin/env python3\nprint()\n")
    write_script(hooks / "post-rewrite", "#!/bin/sh\necho\n").chmod(0o644)
    states = install(repo_dir, program)
    advice = {name: state.advice or "" for name, state in states.items() if state.status == "blocked"}
    assert set(advice) == {"post-commit", "pre-push", "post-merge", "post-rewrite"}
    assert "symbolic link" in advice["post-commit"]
    assert "not a file" in advice["pre-push"]
    assert 'subprocess.run(["gittrack", "hook", "post-merge"' in advice["post-merge"]
    assert "not executable" in advice["post-rewrite"]
    assert states["post-checkout"].status == "current"
    assert (tmp_path / "shared").read_text() == "#!/bin/sh\n"


def test_a_folder_that_cannot_be_written_is_a_clear_error(repo_dir: Path, program: Path) -> None:
    """The error names the file and the way out."""
    shutil.rmtree(repo_dir / ".git/hooks")
    (repo_dir / ".git/hooks").write_text("in the way")
    with pytest.raises(HookInstallError, match="cannot write the hook") as caught:
        install(repo_dir, program)
    assert "--no-hooks" in (caught.value.hint or "")


def test_moved_program_is_outdated_and_renewed(repo_dir: Path, program: Path, tmp_path: Path) -> None:
    """A hook of another version or with another program's path is seen and replaced in its place."""
    write_script(repo_dir / ".git/hooks/post-commit", "#!/bin/sh\necho mine\n")
    install(repo_dir, program)
    moved = write_program(tmp_path / "elsewhere")
    assert set(inspect(repo_dir, moved).values()) == {"outdated"}
    install(repo_dir, moved)
    assert set(inspect(repo_dir, moved).values()) == {"current"}
    remove_hooks(open_repository(repo_dir))
    assert (repo_dir / ".git/hooks/post-commit").read_bytes() == b"#!/bin/sh\necho mine\n"


def test_version_of_git_is_read(repo_dir: Path) -> None:
    """The version decides between settings and files."""
    assert git_version(open_repository(repo_dir)) >= (2, 34)


def test_python_runs_the_hooks_without_activation(repo_dir: Path, git: Git) -> None:
    """A hook with the absolute path of a program works with an empty environment."""
    install(repo_dir, write_script(repo_dir.parent / "venv/bin/gittrack", f'#!{sys.executable}\nopen("ran", "w")\n'))
    environ = {"PATH": f"{Path(shutil.which('git') or '').parent}:/usr/bin:/bin", "HOME": os.environ["HOME"]}
    subprocess.run(["git", "commit", "--allow-empty", "-qm", "x"], cwd=repo_dir, env=environ, check=True)
    assert (repo_dir / "ran").exists()
    assert git("log", "-1", "--format=%s") == "x"


def test_git_commands_of_ours_start_no_hook_of_ours(repo_dir: Path, program: Path, git: Git) -> None:
    """Neither hook files nor hook settings lead from gittrack's own git calls back to gittrack."""
    install(repo_dir, program)
    repository = open_repository(repo_dir)
    repository.git.run("commit", "--allow-empty", "-q", "-m", "x")
    assert repository.git.environ["GITTRACK_HOOK"]
    assert read_calls(program) == []
    assert git("log", "-1", "--format=%s") == "x"
