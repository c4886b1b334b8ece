"""Hooks in git's settings: run by a git that is new enough, beside the hooks of others, exactly once."""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from gittrack.git.hook_settings import read_hook_settings
from gittrack.git.hooks import HOOK_NAMES, find_place, git_version, inspect_hooks, install_hooks, remove_hooks
from tests.support.git_repository import make_repository, open_repository
from tests.support.hooks import read_calls, with_hook_settings, write_program, write_script

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from gittrack.git.hooks import HookState

    Git = Callable[..., str]

OLD_GIT, NEW_GIT = (2, 39), (2, 54)
IN_SETTINGS = [name for name in HOOK_NAMES if name != "pre-push"]
# What `work` makes git run, in order.
WORK = ["post-commit", "post-rewrite", "pre-push", "post-checkout", "post-commit", "post-checkout", "post-merge"]


def install(folder: Path, program: Path, version: tuple[int, int] = NEW_GIT) -> dict[str, HookState]:
    repository = open_repository(folder)
    states = install_hooks(repository, str(program), find_place(repository, version))
    return {state.name: state for state in states}


def inspect(folder: Path, program: Path, version: tuple[int, int] = NEW_GIT) -> dict[str, str]:
    repository = open_repository(folder)
    states = inspect_hooks(repository, str(program), find_place(repository, version))
    return {state.name: state.status for state in states}


def read_tree(folder: Path) -> dict[str, tuple[bytes, int]]:
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {str(path.relative_to(folder)): (path.read_bytes(), path.stat().st_mode) for path in files}


def list_settings(git: Git) -> list[str]:
    return git("config", "--local", "--name-only", "--get-regexp", "^hook", check=False).splitlines()


def work(folder: Path, git: Git) -> None:
    """Commit, push, branch and merge, so that git runs each hook."""
    git("commit", "-q", "--amend", "--allow-empty", "-m", "Better")
    git("push", "-q", "origin", "main")
    (folder / ".git/FETCH_HEAD").touch()
    git("checkout", "-q", "-b", "side")
    git("commit", "-q", "--allow-empty", "-m", "Next")
    git("checkout", "-q", "main")
    git("merge", "-q", "side")


def take_back_work(remote: Path, git: Git) -> None:
    git("reset", "-q", "--hard", "HEAD~")
    git("branch", "-q", "-D", "side")
    git("update-ref", "-d", "refs/heads/main", cwd=remote)


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


def test_version_of_the_git_at_hand_decides(repo_dir: Path) -> None:
    """What this git can do is what gittrack uses."""
    repository = open_repository(repo_dir)
    version = git_version(repository)
    assert find_place(repository, version).has_settings == (version >= NEW_GIT)


@with_hook_settings
def test_git_runs_every_hook_once(repo_dir: Path, program: Path, remote: Path, git: Git) -> None:
    """Each git command reaches gittrack once, with the hook's arguments and standard input, and the guard set."""
    install(repo_dir, program)
    old = git("rev-parse", "HEAD")
    work(repo_dir, git)
    calls = read_calls(program)
    new = calls[2].input[0].split()[1]
    assert [call.arguments[:2] for call in calls] == [["hook", name] for name in WORK]
    assert [call.guard for call in calls] == WORK
    assert calls[1].arguments[2:] == ["amend"]
    assert calls[1].input == [f"{old} {new}"]
    assert calls[2].arguments[2:] == ["origin", str(remote)]
    assert calls[2].input == [f"refs/heads/main {new} refs/heads/main {'0' * len(new)}"]
    assert calls[3].arguments[2:] == [new, new, "1"]
    assert calls[6].arguments[2:] == ["0"]


@with_hook_settings
def test_hooks_of_others_run_too(repo_dir: Path, program: Path, remote: Path, git: Git) -> None:
    """A hook file and a hook in the user's settings get every event beside ours, and stay when ours go."""
    log = repo_dir / ".git/log"
    for name in HOOK_NAMES:
        text = f'#!/bin/sh\necho "file {name} $#" >> "{log}"\ncat | wc -l >> "{log}"\n'
        write_script(repo_dir / ".git/hooks" / name, text)
        git("config", "--global", "--add", "hook.mine.event", name)
    git("config", "--global", "hook.mine.command", f'cat | wc -l >> "{log}"; echo setting >> "{log}"; :')
    before = read_tree(repo_dir / ".git/hooks")
    work(repo_dir, git)
    without_ours = log.read_text()
    assert without_ours.count("file") == without_ours.count("setting") == len(WORK)
    take_back_work(remote, git)
    log.unlink()
    install(repo_dir, program)
    work(repo_dir, git)
    assert log.read_text() == without_ours
    assert [call.arguments[1] for call in read_calls(program)] == WORK
    remove_hooks(open_repository(repo_dir))
    assert read_tree(repo_dir / ".git/hooks") == before
    assert list_settings(git) == []


@with_hook_settings
def test_hooks_of_an_older_git_go_on_and_are_taken_over(repo_dir: Path, program: Path, remote: Path, git: Git) -> None:
    """After an update of git the hook files still run, once; after the next init the settings do, once."""
    own = write_script(repo_dir / ".git/hooks/post-merge", "#!/bin/sh\ntrue\n")
    text = own.read_bytes()
    install(repo_dir, program, OLD_GIT)
    assert set(inspect(repo_dir, program).values()) == {"current"}
    work(repo_dir, git)
    assert [call.arguments[1] for call in read_calls(program)] == WORK
    install(repo_dir, program)
    assert list_settings(git) == [f"hook.gittrack-{name}.{key}" for name in IN_SETTINGS for key in ("command", "event")]
    assert own.read_bytes() == text
    take_back_work(remote, git)
    program.with_name("calls").unlink()
    work(repo_dir, git)
    assert [call.arguments[1] for call in read_calls(program)] == WORK


def test_each_git_takes_over_from_the_other(repo_dir: Path, program: Path, git: Git) -> None:
    """Whichever git init runs with, what the other left is gone, so that nothing runs twice."""
    before = read_tree(repo_dir / ".git")
    install(repo_dir, program, OLD_GIT)
    files = read_tree(repo_dir / ".git")
    install(repo_dir, program, NEW_GIT)
    made = read_tree(repo_dir / ".git")
    assert made.keys() - before.keys() == {"hooks/pre-push"}
    assert set(inspect(repo_dir, program, NEW_GIT).values()) == {"current"}
    install(repo_dir, program, NEW_GIT)
    assert read_tree(repo_dir / ".git") == made
    assert inspect(repo_dir, program, OLD_GIT) == {**dict.fromkeys(HOOK_NAMES, "missing"), "pre-push": "current"}
    install(repo_dir, program, OLD_GIT)
    assert read_tree(repo_dir / ".git") == files
    install(repo_dir, program, NEW_GIT)
    removed = [f"hook.gittrack-{name}" for name in IN_SETTINGS]
    assert remove_hooks(open_repository(repo_dir)) == [*removed, str(repo_dir / ".git/hooks/pre-push")]
    assert read_tree(repo_dir / ".git") == before
    assert list_settings(git) == []


def test_removing_leaves_settings_of_others(repo_dir: Path, program: Path, git: Git) -> None:
    """Settings before and after ours stay to the byte, comments included."""
    config = repo_dir / ".git/config"
    with config.open("a", encoding="utf-8") as stream:
        stream.write('# mine\n[hook "gittrack"]\n\tcommand = true ; yes\n\tevent = post-commit\n')
    before = config.read_bytes()
    install(repo_dir, program)
    git("config", "hook.gittrack-post-merge.enabled", "false")
    assert config.read_bytes() != before
    remove_hooks(open_repository(repo_dir))
    assert config.read_bytes() == before


@with_hook_settings
def test_a_push_that_a_hook_file_refuses_sends_nothing(repo_dir: Path, program: Path, remote: Path, git: Git) -> None:
    """The check in the hook file comes first; of a refusal by one in the settings git says nothing, so init warns."""
    check = write_script(repo_dir / ".git/hooks/pre-push", "#!/bin/sh\nexit 3\n")
    assert install(repo_dir, program)["pre-push"].advice is None
    git("push", "-q", "origin", "main", check=False)
    assert git("for-each-ref", cwd=remote) == ""
    assert read_calls(program) == []
    remove_hooks(open_repository(repo_dir))
    check.unlink()
    git("config", "hook.lint.command", "exit 3;")
    git("config", "hook.lint.event", "pre-push")
    advice = install(repo_dir, program)["pre-push"].advice or ""
    assert advice.startswith("git goes on when the setting hook.lint refuses a push")
    git("push", "-q", "origin", "main", check=False)
    assert git("for-each-ref", cwd=remote) == ""
    assert len(read_calls(program)) == 1
    git("config", "hook.lint.enabled", "false")
    assert install(repo_dir, program)["pre-push"].advice is None


@with_hook_settings
def test_calls_by_the_users_own_hand_are_not_doubled(
    repo_dir: Path, program: Path, git: Git, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A setting or a hook file of the user that calls gittrack takes the place of ours, also afterwards."""
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    install(repo_dir, program)
    git("config", "--global", "hook.all.command", "gittrack hook post-commit")
    git("config", "--global", "hook.all.event", "post-commit")
    write_script(repo_dir / ".git/hooks/post-rewrite", '#!/bin/sh\ngittrack hook post-rewrite "$@"\n')
    states = install(repo_dir, program)
    assert (states["post-commit"].status, states["post-commit"].where) == ("manual", "the setting hook.all")
    assert states["post-rewrite"].status == "manual"
    git("commit", "-q", "--amend", "--allow-empty", "-m", "Better")
    assert [call.arguments[1] for call in read_calls(program)] == ["post-commit", "post-rewrite"]


@with_hook_settings
@pytest.mark.parametrize("exit_code", [1, 10, 127, 130])
def test_a_broken_gittrack_fails_nothing(repo_dir: Path, tmp_path: Path, exit_code: int) -> None:
    """Whatever gittrack exits with, commit, amend and checkout succeed and say nothing more."""
    program = write_program(tmp_path / "broken", exit_code=exit_code)
    install(repo_dir, program)
    (repo_dir / ".git/FETCH_HEAD").touch()
    for line in ("commit -qm x --allow-empty", "commit -q --amend --allow-empty -m y", "checkout -qb side"):
        done = subprocess.run(["git", *line.split()], cwd=repo_dir, check=False, capture_output=True)
        assert (done.returncode, done.stderr) == (0, b"")
    assert len(read_calls(program)) == 4


@with_hook_settings
def test_a_moved_and_a_missing_gittrack(
    repo_dir: Path, program: Path, tmp_path: Path, git: Git, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When the program has moved, the one on PATH is taken; when there is none, nothing is said."""
    install(repo_dir, program)
    program.unlink()
    other = write_program(tmp_path / "bin")
    monkeypatch.setenv("PATH", f"{other.parent}:{os.environ['PATH']}")
    git("commit", "-q", "--allow-empty", "-m", "x")
    assert [call.arguments for call in read_calls(other)] == [["hook", "post-commit"]]
    tools = tmp_path / "tools"
    tools.mkdir()
    for name in ("git", "sh"):
        (tools / name).symlink_to(shutil.which(name) or "")
    monkeypatch.setenv("PATH", str(tools))
    done = subprocess.run(["git", "commit", "--allow-empty", "-qm", "x"], cwd=repo_dir, capture_output=True, check=True)
    assert done.stderr == b""


@with_hook_settings
def test_nothing_to_do_starts_nothing(repo_dir: Path, program: Path, git: Git) -> None:
    """No program is started by a checkout of files, without a fetch before, or by git commands of our own."""
    install(repo_dir, program)
    git("checkout", "-q", "-b", "side")
    (repo_dir / ".git/FETCH_HEAD").touch()
    git("checkout", "-q", "--", "train.py")
    open_repository(repo_dir).git.run("commit", "--allow-empty", "-q", "-m", "x")
    assert read_calls(program) == []
    git("checkout", "-q", "main")
    assert [call.arguments[1] for call in read_calls(program)] == ["post-checkout"]


@with_hook_settings
def test_linked_worktree_submodule_and_foreign_hooks_folder(
    repo_dir: Path, program: Path, tmp_path: Path, git: Git
) -> None:
    """The settings serve every worktree, a submodule has its own, and husky's folder is no obstacle."""
    worktree = tmp_path / "linked tree"
    git("worktree", "add", "-q", str(worktree), "-b", "linked")
    install(worktree, program)
    git("commit", "-q", "--allow-empty", "-m", "x", cwd=worktree)
    git("commit", "-q", "--allow-empty", "-m", "x")
    assert len(read_calls(program)) == 2
    parent = make_repository(tmp_path / "parent")
    git("-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(repo_dir), "sub", cwd=parent)
    git("config", "core.hooksPath", ".husky", cwd=parent / "sub")
    states = install(parent / "sub", program)
    assert [state.name for state in states.values() if state.status != "current"] == ["pre-push"]
    assert states["pre-push"].advice == 'add to .husky/pre-push: gittrack hook pre-push "$@"'
    git("commit", "-q", "--allow-empty", "-m", "x", cwd=parent)
    assert len(read_calls(program)) == 2
    git("commit", "-q", "--allow-empty", "-m", "x", cwd=parent / "sub")
    assert len(read_calls(program)) == 3


@pytest.mark.parametrize("exit_code", [0, 1, 10, 127])
def test_command_of_a_setting(repo_dir: Path, tmp_path: Path, git: Git, exit_code: int) -> None:
    """The command, run as a new git runs it: through sh, with the arguments after it."""
    program = write_program(tmp_path / "it's $here", exit_code=exit_code)
    install(repo_dir, program)
    assert git("config", "hook.gittrack-post-rewrite.event") == "post-rewrite"
    command = git("config", "hook.gittrack-post-rewrite.command")
    shell = ["sh", "-c", f'{command} "$@"', command, "amend", "two words"]
    done = subprocess.run(shell, input=b"a b\nc d\n", check=False, capture_output=True)
    assert (done.returncode, done.stderr) == (0, b"")
    assert [call[:2] for call in read_calls(program)] == [
        (["hook", "post-rewrite", "amend", "two words"], ["a b", "c d"])
    ]
    assert subprocess.run(shell, check=False, env={**os.environ, "GITTRACK_HOOK": "x"}).returncode == 0
    assert len(read_calls(program)) == 1
    command = git("config", "hook.gittrack-post-checkout.command")
    for flag, n_calls in (("0", 1), ("1", 1)):
        subprocess.run(["sh", "-c", f'{command} "$@"', command, "x", "y", flag], check=True, cwd=repo_dir)
        assert len(read_calls(program)) == n_calls
    (repo_dir / ".git/FETCH_HEAD").touch()
    subprocess.run(["sh", "-c", f'{command} "$@"', command, "x", "y", "1"], check=True, cwd=repo_dir)
    assert len(read_calls(program)) == 2


def test_settings_are_read_as_git_reads_them(repo_dir: Path, git: Git) -> None:
    """Of commands the last counts, of events all since the last empty one, and the last switch."""
    git("config", "--global", "hook.a.b.command", "one")
    git("config", "--global", "hook.a.b.event", "update")
    for event in ("", "post-commit", "pre-push", "post-commit"):
        git("config", "--add", "hook.a.b.event", event)
    git("config", "hook.a.b.command", "two\nlines")
    for name, value in (("off", "off"), ("post-merge", "0"), ("on", "false")):
        git("config", f"hook.{name}.enabled", value)
    git("config", "--add", "hook.on.enabled", "true")
    git("config", "hook.jobs", "2")
    settings = read_hook_settings(open_repository(repo_dir))
    assert dict(settings.by_name) == {"a.b": (("post-commit", "pre-push"), "two\nlines")}
    assert settings.switched_off == {"off", "post-merge"}
    assert [name for name, _ in settings.others("pre-push")] == ["a.b"]
