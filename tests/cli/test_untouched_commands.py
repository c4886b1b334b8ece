"""Your repository is yours: every command leaves everything alone that it does not say it changes."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from gittrack.cli.commands import COMMANDS
from gittrack.git.refs import create_ref
from tests.support.commands import (
    BRANCHES,
    CALLS,
    REMOTE,
    SETTINGS,
    WORK_TREE,
    all_calls,
    call_gittrack,
    write_untracked,
)
from tests.support.experiments import add_experiment
from tests.support.git_repository import find_locks, fsck, make_repository, open_repository, run_git
from tests.support.remotes import make_bare
from tests.support.untouched import stash_something

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

# Where gittrack writes: its own folder, and its refs and objects; `gc` packs refs.
_OURS = (".git/gittrack", ".git/objects", ".git/refs/gittrack", ".git/logs/refs/gittrack")


def test_every_command_is_called() -> None:
    """A new command needs an entry in the list of calls."""
    assert CALLS.keys() - {"hook"} == COMMANDS.keys()


def clean(folder: Path) -> None:
    """Nothing differs from HEAD."""
    run_git("status", cwd=folder)


def dirty(folder: Path) -> None:
    """Changed, removed, untracked and ignored files."""
    (folder / "train.py").write_text("print('changed')\n", encoding="utf-8")
    (folder / "new.py").write_text("new\n", encoding="utf-8")
    (folder / ".gitignore").write_text("ignored\n", encoding="utf-8")
    (folder / "ignored").write_text("x\n", encoding="utf-8")


def staged(folder: Path) -> None:
    """Changes in the index that the work tree has not, intent to add, and a file git shall not look at."""
    (folder / "staged.py").write_text("staged\n", encoding="utf-8")
    (folder / "train.py").write_text("staged\n", encoding="utf-8")
    run_git("add", "-A", cwd=folder)
    (folder / "train.py").write_text("not staged\n", encoding="utf-8")
    (folder / "later.py").write_text("later\n", encoding="utf-8")
    run_git("add", "-N", "later.py", cwd=folder)
    run_git("update-index", "--assume-unchanged", "staged.py", cwd=folder)


def conflicted(folder: Path) -> None:
    """A merge in progress, with a file in conflict."""
    run_git("switch", "-q", "-c", "side", cwd=folder)
    (folder / "train.py").write_text("side\n", encoding="utf-8")
    run_git("commit", "-q", "-a", "-m", "Side", cwd=folder)
    run_git("switch", "-q", "main", cwd=folder)
    (folder / "train.py").write_text("main\n", encoding="utf-8")
    run_git("commit", "-q", "-a", "-m", "Main", cwd=folder)
    run_git("merge", "side", cwd=folder, check=False)
    assert (folder / ".git" / "MERGE_HEAD").exists()


def detached(folder: Path) -> None:
    """HEAD names a commit."""
    run_git("checkout", "-q", "--detach", cwd=folder)


def unborn(folder: Path) -> None:
    """HEAD names a branch without a commit; files are staged."""
    run_git("switch", "-q", "--orphan", "empty", cwd=folder)
    (folder / "first.py").write_text("first\n", encoding="utf-8")
    run_git("add", "first.py", cwd=folder)


def make_place(folder: Path) -> Path:
    """Make a repository with a stash, a tag and experiments, and a remote with another experiment."""
    repo = make_repository(folder / "repo")
    stash_something(repo)
    remote = make_bare(folder / "team.git")
    run_git("remote", "add", "team", str(remote), cwd=repo)
    run_git("push", "-q", "team", "main", cwd=repo)
    repository = open_repository(repo)
    for name in ("good", "odd", "spare"):
        add_experiment(repository, name, params={"lr": 0.1}, metrics={"acc": 0.5})
    theirs = add_experiment(repository, "theirs")
    ref = f"refs/gittrack/exps/{run_git('rev-parse', 'main', cwd=repo)}/theirs"
    run_git("push", "-q", "team", f"{theirs}:{ref}", cwd=repo)
    run_git("update-ref", "-d", ref, cwd=repo)
    write_untracked(repo)
    return repo


def everything(folder: Path) -> Mapping[str, tuple[object, ...]]:
    """Return content and time of every file that is not gittrack's, and every ref that is not."""
    found: dict[str, tuple[object, ...]] = {}
    for parent, folders, names in os.walk(folder):
        here = os.path.relpath(parent, folder)
        if here == ".git/refs":
            folders[:] = [name for name in folders if name != "gittrack"]
        if here.startswith(_OURS):
            folders.clear()
            continue
        for name in names:
            path = Path(parent, name)
            status = path.lstat()
            found[os.path.normpath(f"{here}/{name}")] = (status.st_mode, status.st_mtime_ns, path.read_bytes())
    # git itself rewrites the file when experiments go or are packed.
    found.pop(".git/packed-refs", None)
    refs = run_git("for-each-ref", "--format=%(refname) %(objectname) %(symref)", cwd=folder).splitlines()
    found["refs"] = tuple(line for line in refs if not line.startswith("refs/gittrack/"))
    return found


def concerns(path: str, changes: frozenset[str]) -> bool:
    """Say whether a difference is one that the command announces."""
    if path == "refs" or path.startswith((".git/refs/heads", ".git/logs/refs/heads", ".git/refs/exps")):
        return BRANCHES in changes
    if path.startswith((".git/config", ".git/hooks/")):
        return SETTINGS in changes
    return WORK_TREE in changes and not path.startswith(".git/")


@pytest.mark.parametrize(
    "state", [clean, dirty, staged, conflicted, detached, unborn], ids=lambda state: state.__name__
)
def test_a_command_changes_only_what_it_says(tmp_path: Path, state: Callable[[Path], None]) -> None:
    """HEAD, index, work tree (bytes and times), branches, tags, stash and settings are as before each command."""
    repo = make_place(tmp_path)
    state(repo)
    before = everything(repo)
    for call in all_calls():
        output = call_gittrack(*call.words, cwd=repo)
        after = everything(repo)
        changed = {path for path in before.keys() | after.keys() if before.get(path) != after.get(path)}
        assert {path for path in changed if not concerns(path, call.changes)} == set(), (str(call), output)
        assert output.code in {call.code, 1}, (str(call), output)
        assert output.code in {0, 1, 2}, (str(call), output)
        if state is clean:
            assert output.code == call.code, (str(call), output)
        before = after
    assert find_locks(open_repository(repo)) == []
    assert fsck(repo) == ""


def test_a_command_changes_nothing_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Home, the folder for temporary files and the remote are as before, but for what a command sends."""
    repo = make_place(tmp_path)
    for name, variable in (("temporary", "TMPDIR"), ("cache", "XDG_CACHE_HOME"), ("settings", "XDG_CONFIG_HOME")):
        (tmp_path / name).mkdir()
        monkeypatch.setenv(variable, str(tmp_path / name))
    home = tmp_path / "home"
    home.mkdir()
    (home / ".gitconfig").write_text("[user]\n\tname = Ada\n\temail = a@example.org\n", encoding="utf-8")
    monkeypatch.setenv("HOME", str(home))

    def outside() -> dict[str, bytes]:
        files = [path for path in tmp_path.rglob("*") if path.is_file() and repo not in path.parents]
        return {str(path): path.read_bytes() for path in files}

    before = outside()
    for call in all_calls():
        call_gittrack(*call.words, cwd=repo)
        after = outside()
        changed = {path for path in before.keys() | after.keys() if before.get(path) != after.get(path)}
        if REMOTE in call.changes:
            changed = {path for path in changed if not path.startswith(str(tmp_path / "team.git"))}
        assert changed == set(), str(call)
        before = after


def test_branches_beside_ours_are_no_experiments(tmp_path: Path) -> None:
    """A branch or tag that is named like a ref of ours is left alone and not listed."""
    repo = make_repository(tmp_path / "repo")
    repository = open_repository(repo)
    head = run_git("rev-parse", "HEAD", cwd=repo)
    for ref in (f"refs/heads/refs/gittrack/exps/{head}/x", f"refs/tags/gittrack/exps/{head}/x", "refs/heads/-x"):
        create_ref(repository, ref, head)
    assert call_gittrack("exp", "list", "--names-only", cwd=repo).out == ""
    call_gittrack("gc", cwd=repo)
    assert len(run_git("for-each-ref", cwd=repo).splitlines()) == 4
