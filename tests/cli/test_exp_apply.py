"""`gittrack exp apply`: the files of an experiment come into the workspace and nothing is lost."""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING

import pytest

from gittrack.cli.entry import run
from gittrack.experiments.checkout import Checkout, CheckoutError
from tests.support.experiments import add_experiment
from tests.support.git_repository import fsck, make_repository, open_repository, run_git
from tests.support.untouched import own_state, stash_something, work_tree

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Git = Callable[..., str]
    Gittrack = Callable[..., list[str]]

ODD_NAME = "größe \t日本.txt"


@pytest.fixture
def repo(repo_dir: Path, git: Git) -> Path:
    """A repository with links, executables and odd names, a tag and a stash."""
    (repo_dir / "model").mkdir()
    (repo_dir / "model" / "net.py").write_text("layers = 1\n", encoding="utf-8")
    (repo_dir / "run.sh").write_text("#!/bin/sh\n", encoding="utf-8")
    (repo_dir / ODD_NAME).write_text("odd\n", encoding="utf-8")
    (repo_dir / "latest").symlink_to("train.py")
    (repo_dir / ".gitignore").write_text("*.log\n.env\n", encoding="utf-8")
    git("add", "-A")
    git("commit", "-q", "-m", "More files")
    stash_something(repo_dir)
    return repo_dir


def change_everything(folder: Path) -> None:
    """Change content, mode, kind and presence of files, and add new ones."""
    (folder / "train.py").write_text("print('better')\n", encoding="utf-8")
    (folder / "run.sh").chmod(0o755)
    (folder / ODD_NAME).unlink()
    (folder / "latest").unlink()
    (folder / "latest").symlink_to("model/net.py")
    (folder / "model" / "net.py").unlink()
    (folder / "model").rmdir()
    (folder / "model").write_text("a file now\n", encoding="utf-8")
    (folder / "new").mkdir()
    (folder / "new" / "läyer.py").write_text("new\n", encoding="utf-8")


def save(gittrack: Gittrack, folder: Path, name: str) -> Path:
    """Record the workspace under a name, and put it back as it was committed."""
    gittrack("exp", "save", "-n", name, cwd=folder)
    clean(folder)
    return folder


def clean(folder: Path) -> None:
    """Put the workspace back as it was committed."""
    run_git("reset", "-q", "--hard", cwd=folder)
    run_git("clean", "-q", "-f", "-d", cwd=folder)


def experiments(folder: Path) -> list[str]:
    """Return the names of all experiments."""
    refs = run_git("for-each-ref", "--format=%(refname:lstrip=4)", "refs/gittrack/exps", cwd=folder)
    return refs.splitlines()


def test_all_kinds_of_changes_arrive(repo: Path, gittrack: Gittrack) -> None:
    """Content, executable bits, links, removed files, odd names; the index and the refs stay as they are."""
    change_everything(repo)
    wanted = work_tree(repo)
    save(gittrack, repo, "wide")
    before = own_state(repo)
    assert gittrack("exp", "apply", "wide", cwd=repo) == ["applied wide: 3 changed, 2 added, 2 removed"]
    assert work_tree(repo) == wanted
    assert own_state(repo) == before
    assert run_git("diff", "--cached", "--name-only", cwd=repo) == ""
    assert gittrack("exp", "apply", "wide", cwd=repo) == ["the workspace is as in wide already"]
    assert experiments(repo) == ["wide"]


def test_a_dirty_workspace_is_recorded_and_can_be_brought_back(repo: Path, gittrack: Gittrack) -> None:
    """What was uncommitted becomes an experiment, and the line to go back works as it is printed."""
    (repo / "train.py").write_text("print('theirs')\n", encoding="utf-8")
    save(gittrack, repo, "theirs")
    (repo / "params.yaml").write_text("train: {lr: 9}\n", encoding="utf-8")
    (repo / "notes.md").write_text("not tracked\n", encoding="utf-8")
    before = work_tree(repo)
    first, second = gittrack("exp", "apply", "theirs", cwd=repo, code=1)
    assert first == "error: uncommitted changes in 'params.yaml' are in no experiment yet"
    assert "--force" in second
    assert work_tree(repo) == before
    assert experiments(repo) == ["theirs"]
    lines = gittrack("exp", "apply", "--force", "theirs", cwd=repo)
    assert lines[0].startswith("recorded the workspace as before-theirs; to go back: gittrack exp apply before-theirs@")
    assert lines[1] == "applied theirs: 2 changed"
    assert (repo / "params.yaml").read_text(encoding="utf-8").startswith("train:\n")
    assert (repo / "notes.md").exists()
    gittrack(*lines[0].partition("gittrack ")[2].split(), cwd=repo)
    assert work_tree(repo) == before


def test_changes_elsewhere_do_not_stop_it(repo: Path, gittrack: Gittrack) -> None:
    """An uncommitted file that the experiment holds the same way, or that git does not track, is no conflict."""
    (repo / "train.py").write_text("print('theirs')\n", encoding="utf-8")
    (repo / "run.sh").chmod(0o755)
    save(gittrack, repo, "theirs")
    (repo / "train.py").write_text("print('theirs')\n", encoding="utf-8")
    (repo / "mine.py").write_text("mine\n", encoding="utf-8")
    lines = gittrack("exp", "apply", "theirs", cwd=repo)
    assert lines[1] == "applied theirs: 1 changed"
    assert (repo / "mine.py").read_text(encoding="utf-8") == "mine\n"
    assert experiments(repo) == ["before-theirs", "theirs"]


def test_what_an_experiment_holds_needs_no_force(repo: Path, gittrack: Gittrack) -> None:
    """Going from one experiment to another is not stopped by the files of the first."""
    for name in ("a", "b"):
        (repo / "train.py").write_text(f"print('{name}')\n", encoding="utf-8")
        save(gittrack, repo, name)
    gittrack("exp", "apply", "a", cwd=repo)
    lines = gittrack("exp", "apply", "b", cwd=repo)
    assert lines[0].startswith("the workspace was recorded as a; to go back: gittrack exp apply a@")
    assert (repo / "train.py").read_text(encoding="utf-8") == "print('b')\n"
    assert experiments(repo) == ["a", "b"]


def test_a_description_that_lies_is_not_believed(repo: Path, git: Git, gittrack: Gittrack) -> None:
    """An experiment that only claims to hold the workspace does not keep it from being recorded."""
    (repo / "train.py").write_text("print('theirs')\n", encoding="utf-8")
    save(gittrack, repo, "theirs")
    (repo / "mine.py").write_text("mine\n", encoding="utf-8")
    gittrack("exp", "save", "-n", "mine", cwd=repo)
    head = git("rev-parse", "HEAD")
    tree = json.loads(git("show", f"refs/gittrack/exps/{head}/mine:.gittrack/meta.json"))["code_tree"]
    git("update-ref", "-d", f"refs/gittrack/exps/{head}/mine")
    add_experiment(open_repository(repo), "liar", code_tree=tree)
    gittrack("exp", "apply", "theirs", cwd=repo)
    assert experiments(repo) == ["before-theirs", "liar", "theirs"]


def test_a_failure_says_where_the_workspace_is(repo: Path, gittrack: Gittrack, monkeypatch: pytest.MonkeyPatch) -> None:
    """When files cannot be written after the workspace was recorded."""
    (repo / "train.py").write_text("print('theirs')\n", encoding="utf-8")
    save(gittrack, repo, "theirs")
    (repo / "mine.py").write_text("mine\n", encoding="utf-8")

    def fail(_: Checkout) -> None:
        raise CheckoutError("the workspace cannot be changed: no space left on device")

    monkeypatch.setattr(Checkout, "run", fail)
    lines = gittrack("exp", "apply", "theirs", cwd=repo, code=1)
    assert lines[1] == "hint: the workspace as it was is the experiment 'before-theirs'"


def test_a_folder_that_became_a_link(repo: Path, gittrack: Gittrack) -> None:
    """Its files are gone, and the link is there, in the experiment and after it was applied."""
    (repo / "elsewhere").mkdir()
    (repo / "model").rename(repo / "elsewhere" / "model")
    (repo / "model").symlink_to("elsewhere/model")
    wanted = work_tree(repo)
    save(gittrack, repo, "moved")
    gittrack("exp", "apply", "moved", cwd=repo)
    assert work_tree(repo) == wanted


def test_a_dry_run_changes_nothing(repo: Path, gittrack: Gittrack) -> None:
    """It lists the files with git's letters, and neither records nor writes anything."""
    change_everything(repo)
    save(gittrack, repo, "wide")
    files, state = work_tree(repo), own_state(repo)
    lines = gittrack("exp", "apply", "-n", "wide", cwd=repo)
    assert "M  train.py" in lines
    assert "D  model/net.py" in lines
    assert "A  model" in lines
    assert (work_tree(repo), own_state(repo)) == (files, state)
    assert experiments(repo) == ["wide"]


def test_a_staged_change_stays_staged(repo: Path, gittrack: Gittrack) -> None:
    """The index is the user's: what they staged there is there afterwards, also where the file was changed."""
    (repo / "run.sh").chmod(0o755)
    (repo / "train.py").write_text("print('theirs')\n", encoding="utf-8")
    save(gittrack, repo, "theirs")
    (repo / "train.py").write_text("print('staged')\n", encoding="utf-8")
    run_git("add", "train.py", cwd=repo)
    gittrack("exp", "save", "-n", "mine", cwd=repo)
    before = own_state(repo)
    gittrack("exp", "apply", "theirs", cwd=repo)
    assert own_state(repo) == before
    assert run_git("show", ":train.py", cwd=repo) == "print('staged')"


@pytest.mark.parametrize("content", [b"x" * (2 << 20), b"SECRET=1\n"])
def test_what_no_snapshot_holds_is_never_overwritten(repo: Path, git: Git, gittrack: Gittrack, content: bytes) -> None:
    """A file too large for a snapshot, or a secret, is refused even with --force."""
    name = "big.bin" if len(content) > 100 else ".env"
    (repo / name).write_bytes(b"small\n")
    git("add", "-f", name)
    git("commit", "-q", "-m", "With the file")
    (repo / "train.py").write_text("print('theirs')\n", encoding="utf-8")
    save(gittrack, repo, "theirs")
    git("reset", "-q", "--hard", "HEAD~1")
    (repo / name).write_bytes(content)
    before = work_tree(repo)
    lines = gittrack("exp", "apply", "--force", "theirs", cwd=repo, code=1)
    assert f"'{name}' would be lost" in "\n".join(lines)
    assert work_tree(repo) == before


@pytest.mark.parametrize("obstacle", ["folder of ignored files", "ignored file", "link to elsewhere"])
def test_things_in_the_way_are_left_alone(repo: Path, tmp_path: Path, gittrack: Gittrack, obstacle: str) -> None:
    """Ignored files, and folders that are no folders, stop it before anything changes, and links are not followed."""
    (repo / "pack").mkdir()
    (repo / "pack" / "data").write_text("theirs\n", encoding="utf-8")
    save(gittrack, repo, "theirs")
    outside = tmp_path / "outside"
    outside.mkdir()
    if obstacle == "folder of ignored files":
        (repo / "pack" / "data").mkdir(parents=True)
        (repo / "pack" / "data" / "my.log").write_text("mine\n", encoding="utf-8")
    elif obstacle == "ignored file":
        (repo / ".gitignore").write_text("*.log\npack\n", encoding="utf-8")
        (repo / "pack").write_text("mine\n", encoding="utf-8")
    else:
        (repo / "pack").symlink_to(outside)
    before = work_tree(repo)
    lines = gittrack("exp", "apply", "-f", "theirs", cwd=repo, code=1)
    assert "in the way" in lines[0]
    assert work_tree(repo) == before
    assert list(outside.iterdir()) == []


@pytest.mark.parametrize("flag", ["--assume-unchanged", "--skip-worktree"])
def test_files_that_git_shall_not_look_at_are_not_lost(repo: Path, gittrack: Gittrack, flag: str) -> None:
    """A local change that git was told to pass over counts as uncommitted."""
    (repo / "train.py").write_text("print('theirs')\n", encoding="utf-8")
    save(gittrack, repo, "theirs")
    run_git("update-index", flag, "train.py", cwd=repo)
    (repo / "train.py").write_text("print('hidden change')\n", encoding="utf-8")
    state = own_state(repo)
    gittrack("exp", "apply", "theirs", cwd=repo, code=1)
    gittrack("exp", "apply", "--force", "theirs", cwd=repo, code=1)
    assert (repo / "train.py").read_text(encoding="utf-8") == "print('hidden change')\n"
    assert own_state(repo) == state


def test_a_newer_head_is_brought_to_the_experiment(repo: Path, git: Git, gittrack: Gittrack) -> None:
    """The tracked files are those of the experiment, also after later commits added some."""
    (repo / "train.py").write_text("print('theirs')\n", encoding="utf-8")
    wanted = work_tree(repo)
    save(gittrack, repo, "theirs")
    (repo / "later.py").write_text("later\n", encoding="utf-8")
    git("add", "-A")
    git("commit", "-q", "-m", "Later")
    gittrack("exp", "apply", "theirs", cwd=repo)
    assert work_tree(repo) == wanted


def test_a_gittrack_folder_of_the_project_stays(repo: Path, git: Git, gittrack: Gittrack) -> None:
    """Experiments keep their description in a folder of that name, so it is no part of the code."""
    (repo / ".gittrack").mkdir()
    (repo / ".gittrack" / "own.txt").write_text("the project's own\n", encoding="utf-8")
    git("add", "-A")
    git("commit", "-q", "-m", "A folder of that name")
    (repo / "train.py").write_text("print('theirs')\n", encoding="utf-8")
    save(gittrack, repo, "theirs")
    assert gittrack("exp", "apply", "theirs", cwd=repo) == ["applied theirs: 1 changed"]
    assert [path.name for path in (repo / ".gittrack").iterdir()] == ["own.txt"]


def test_a_linked_worktree_is_a_workspace_of_its_own(repo: Path, tmp_path: Path, git: Git, gittrack: Gittrack) -> None:
    """Files, HEAD and index of the other worktrees stay."""
    change_everything(repo)
    wanted = work_tree(repo)
    save(gittrack, repo, "wide")
    other = tmp_path / "other"
    git("worktree", "add", "-q", str(other), "-b", "side")
    main_files, states = work_tree(repo), (own_state(repo), own_state(other))
    gittrack("exp", "apply", "wide", cwd=other)
    assert work_tree(other) == wanted
    assert work_tree(repo) == main_files
    assert (own_state(repo), own_state(other)) == states


def test_a_repository_of_sha256(tmp_path: Path, gittrack: Gittrack) -> None:
    """Ids of 64 digits make no difference."""
    folder = make_repository(tmp_path / "sha256", object_format="sha256")
    (folder / "train.py").write_text("print('theirs')\n", encoding="utf-8")
    wanted = work_tree(folder)
    save(gittrack, folder, "theirs")
    gittrack("exp", "apply", "theirs", cwd=folder)
    assert work_tree(folder) == wanted
    assert fsck(folder) == ""


def test_a_subfolder_is_no_limit(repo: Path, gittrack: Gittrack) -> None:
    """The whole workspace is applied, wherever in it one is."""
    (repo / "train.py").write_text("print('theirs')\n", encoding="utf-8")
    save(gittrack, repo, "theirs")
    gittrack("exp", "apply", "theirs", cwd=repo / "model")
    assert (repo / "train.py").read_text(encoding="utf-8") == "print('theirs')\n"


@pytest.mark.parametrize("path", [".git/hooks/post-commit", "../evil", "a/../../evil", ".GIT/config", "git~1/config"])
def test_a_hostile_tree_writes_nothing(repo: Path, tmp_path: Path, gittrack: Gittrack, path: str) -> None:
    """Paths that leave the work tree or lead into .git are refused by git, before any file is written."""
    write_hostile_experiment(repo, path)
    files = work_tree(repo)
    config = (repo / ".git/config").read_bytes()
    lines = gittrack("exp", "apply", "--force", "hostile", cwd=repo, code=1)
    assert lines[0].startswith("error: ")
    assert work_tree(repo) == files
    assert (repo / ".git/config").read_bytes() == config
    assert not (tmp_path / "evil").exists()
    assert not (repo / ".git/hooks/post-commit").exists()


@pytest.mark.parametrize("path", ["door/evil", "inner/door/evil"])
def test_a_tree_with_a_link_and_files_behind_it_writes_nothing_outside(
    repo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    """A link and a folder of the same name in one tree: the file never goes through the link."""
    outside = tmp_path / "outside"
    outside.mkdir()
    write_hostile_experiment(repo, path, link=os.fsencode(outside))
    monkeypatch.chdir(repo)
    run(["exp", "apply", "--force", "hostile"], dict(os.environ))
    assert list(outside.iterdir()) == []
    assert run_git("symbolic-ref", "HEAD", cwd=repo) == "refs/heads/main"


def write_hostile_experiment(folder: Path, path: str, link: bytes | None = None) -> None:
    """Write an experiment whose tree has a file at a path, and a link beside its folder, as git never would."""
    repository = open_repository(folder)

    def write(kind: str, data: bytes) -> bytes:
        written = repository.git.run("hash-object", "-w", "-t", kind, "--literally", "--stdin", input=data)
        return bytes.fromhex(written.stdout.decode())

    oid, mode = write("blob", b"evil\n"), b"100644"
    for name in reversed(path.split("/")):
        twin = b"120000 %s\0%s" % (name.encode(), write("blob", link)) if link is not None and name == "door" else b""
        oid, mode = write("tree", twin + b"%s %s\0%s" % (mode, name.encode(), oid)), b"40000"
    head = run_git("rev-parse", "HEAD", cwd=folder)
    commit = run_git("commit-tree", oid.hex(), "-p", head, "-m", "hostile", cwd=folder)
    run_git("update-ref", f"refs/gittrack/exps/{head}/hostile", commit, cwd=folder)


@pytest.mark.skipif(sys.platform == "win32", reason="needs a shell")
def test_no_program_of_the_repository_runs(repo: Path, tmp_path: Path, gittrack: Gittrack) -> None:
    """Hooks and fsmonitor that the repository's settings name stay silent."""
    (repo / "train.py").write_text("print('theirs')\n", encoding="utf-8")
    save(gittrack, repo, "theirs")
    trap = repo / ".git/hooks/post-index-change"
    trap.parent.mkdir(exist_ok=True)
    trap.write_text(f"#!/bin/sh\ntouch '{tmp_path}/trapped'\n", encoding="utf-8")
    trap.chmod(0o755)
    (trap.parent / "post-checkout").write_bytes(trap.read_bytes())
    (trap.parent / "post-checkout").chmod(0o755)
    run_git("config", "core.fsmonitor", str(trap), cwd=repo)
    gittrack("exp", "apply", "theirs", cwd=repo)
    assert not (tmp_path / "trapped").exists()


def test_before_the_first_commit(tmp_path: Path, gittrack: Gittrack) -> None:
    """An experiment without a baseline comes back into an unborn branch."""
    folder = tmp_path / "unborn"
    folder.mkdir()
    run_git("init", "-q", cwd=folder)
    (folder / "train.py").write_text("first\n", encoding="utf-8")
    gittrack("exp", "save", "-n", "first", cwd=folder)
    (folder / "train.py").unlink()
    gittrack("exp", "apply", "first", cwd=folder)
    assert (folder / "train.py").read_text(encoding="utf-8") == "first\n"


def test_an_unknown_name_and_a_bare_repository(repo: Path, tmp_path: Path, git: Git, gittrack: Gittrack) -> None:
    """Both end with an error that says what is missing."""
    assert "no experiment 'nothing'" in gittrack("exp", "apply", "nothing", cwd=repo, code=1)[0]
    git("clone", "-q", "--bare", str(repo), str(tmp_path / "bare.git"))
    assert "bare repository" in gittrack("exp", "apply", "x", cwd=tmp_path / "bare.git", code=1)[0]
