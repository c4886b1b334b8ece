"""Finding the repository: the answers are those of git, wherever the search starts."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from gittrack.git.refs import list_refs
from gittrack.git.repository import NotARepositoryError, NoWorkTreeError, Repository
from gittrack.git.state import is_dirty, read_head
from tests.support.git_repository import HASH, REF_FORMAT, make_repository, open_repository, run_git
from tests.support.needs import need

if TYPE_CHECKING:
    from collections.abc import Callable

    Git = Callable[..., str]


def test_a_repository_is_found_from_its_top_folder(repo_dir: Path) -> None:
    """Directories, hash and shallowness are as git says."""
    repository = open_repository(repo_dir)
    assert (repository.git_dir, repository.common_dir) == (repo_dir / ".git", repo_dir / ".git")
    assert repository.work_tree == repo_dir
    assert (repository.object_format, repository.ref_format, repository.is_shallow) == (HASH, REF_FORMAT, False)
    assert repository.state_dir == repo_dir / ".git" / "gittrack"
    assert repository.zero_id == "0" * (64 if HASH == "sha256" else 40)


@pytest.mark.parametrize("name", ["a/b", "with space", "ünï", "a\u2028b", "a\x0cb", "-C", "q'\"$(x)", "tab\there"])
def test_a_repository_is_found_from_folders_of_any_name(tmp_path: Path, name: str) -> None:
    """Spaces, quotes, line separators of Unicode and leading dashes in a path change nothing."""
    folder = make_repository(tmp_path / name)
    inside = folder / name / "sub"
    inside.mkdir(parents=True)
    repository = open_repository(inside)
    assert (repository.work_tree, repository.common_dir) == (folder, folder / ".git")
    assert read_head(repository).sha == run_git("rev-parse", "HEAD", cwd=folder)
    assert not is_dirty(repository)


def test_a_path_that_is_not_utf8_is_kept_byte_for_byte(tmp_path: Path) -> None:
    """Undecodable bytes of a path survive."""
    folder = make_repository(Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff\xfe")))
    assert open_repository(folder).work_tree == folder


@pytest.mark.parametrize("is_bare", [False, True])
def test_a_line_break_in_the_path_is_refused(tmp_path: Path, is_bare: bool) -> None:
    """git answers with one path a line, so such a path is refused in so many words."""
    folder = tmp_path / "a\nb"
    folder.mkdir()
    run_git("init", "-q", *(["--bare"] if is_bare else []), cwd=folder)
    with pytest.raises(NotARepositoryError, match="contains a line break") as caught:
        open_repository(folder)
    assert "\n" not in caught.value.message


def test_a_line_break_below_the_repository_is_no_obstacle(repo_dir: Path) -> None:
    """Only the path of the repository itself matters."""
    folder = repo_dir / "a\nb"
    folder.mkdir()
    with pytest.raises(NotARepositoryError, match="no such folder"):
        open_repository(folder / "absent")
    assert open_repository(folder).work_tree == repo_dir


def test_a_linked_worktree_shares_refs_and_state(repo_dir: Path, git: Git, tmp_path: Path) -> None:
    """HEAD and index are the worktree's own, objects, refs and gittrack's folder those of the repository."""
    linked = tmp_path / "linked"
    git("worktree", "add", "-q", "-b", "side", str(linked))
    repository = open_repository(linked)
    assert repository.work_tree == linked
    assert repository.git_dir == repo_dir / ".git" / "worktrees" / "linked"
    assert repository.common_dir == repo_dir / ".git"
    assert repository.state_dir == open_repository(repo_dir).state_dir
    assert read_head(repository).branch == "side"


def test_a_submodule_is_a_repository_of_its_own(repo_dir: Path, git: Git, tmp_path: Path) -> None:
    """The innermost repository is found, with the git directory that lies in the outer one."""
    inner = make_repository(tmp_path / "inner")
    git("submodule", "--quiet", "add", str(inner), "sub")
    repository = open_repository(repo_dir / "sub")
    assert repository.work_tree == repo_dir / "sub"
    assert repository.git_dir == repository.common_dir == repo_dir / ".git" / "modules" / "sub"


def test_git_dir_and_work_tree_of_the_environment_win(repo_dir: Path, tmp_path: Path) -> None:
    """GIT_DIR and GIT_WORK_TREE mean what they mean to git, also from a folder outside."""
    outside = tmp_path / "outside"
    outside.mkdir()
    environ = {"GIT_DIR": str(repo_dir / ".git"), "GIT_WORK_TREE": str(repo_dir)}
    assert open_repository(outside, **environ).work_tree == repo_dir
    assert open_repository(repo_dir / ".git", GIT_WORK_TREE=str(repo_dir)).work_tree == repo_dir
    alone = open_repository(outside, GIT_DIR=str(repo_dir / ".git"))
    assert (alone.work_tree, alone.git_dir) == (outside, repo_dir / ".git")


def test_a_relative_git_dir_starts_at_the_folder(repo_dir: Path) -> None:
    """A hook gets GIT_DIR=.git; it is taken from the folder that was asked about."""
    repository = open_repository(repo_dir, GIT_DIR=".git")
    assert (repository.git_dir, repository.work_tree) == (repo_dir / ".git", repo_dir)


def test_variables_of_a_hook_redirect_no_later_call(repo_dir: Path, git: Git) -> None:
    """What git sets for a commit with a temporary index does not reach our calls."""
    repository = open_repository(repo_dir, GIT_INDEX_FILE=str(repo_dir / "nowhere"), GIT_OBJECT_DIRECTORY="/nowhere")
    assert not is_dirty(repository)
    assert repository.git.text("rev-parse", "HEAD^{tree}") == git("rev-parse", "HEAD^{tree}")


def test_a_bare_repository_has_no_work_tree(tmp_path: Path) -> None:
    """Refs can be read; what needs files is refused with a way out."""
    bare = tmp_path / "bare.git"
    run_git("init", "-q", "--bare", str(bare), cwd=tmp_path)
    repository = open_repository(bare)
    assert (repository.work_tree, repository.git_dir) == (None, bare)
    assert read_head(repository).branch == "main"
    with pytest.raises(NoWorkTreeError, match="is a bare repository"):
        repository.require_work_tree()


def test_inside_the_git_directory_the_work_tree_is_known(repo_dir: Path) -> None:
    """Started in `.git`, the repository is the same one."""
    repository = open_repository(repo_dir / ".git" / "refs")
    assert (repository.work_tree, repository.common_dir) == (repo_dir, repo_dir / ".git")


def test_no_repository_is_said_with_a_way_out(tmp_path: Path) -> None:
    """The message names the folder, the hint `git init`."""
    with pytest.raises(NotARepositoryError, match="no git repository at") as caught:
        open_repository(tmp_path)
    assert "git init" in (caught.value.hint or "")


@pytest.mark.parametrize("name", ["absent", "file", "file/below"])
def test_a_folder_that_is_none_is_said(tmp_path: Path, name: str) -> None:
    """A missing folder or a file is a plain error, never a traceback."""
    (tmp_path / "file").touch()
    with pytest.raises(NotARepositoryError, match="no such folder"):
        open_repository(tmp_path / name)


def test_another_owner_is_refused_as_git_does(repo_dir: Path) -> None:
    """`safe.directory` holds: the refusal of git is passed on, with the way to trust the repository."""
    with pytest.raises(NotARepositoryError, match="another user owns it") as caught:
        open_repository(repo_dir, GIT_TEST_ASSUME_DIFFERENT_OWNER="1")
    assert f"safe.directory '{repo_dir}'" in (caught.value.hint or "")


def test_the_files_of_another_user_are_refused(repo_dir: Path) -> None:
    """The same with a folder that really belongs to another user."""
    need(is_there=os.geteuid() == 0, what="root, to give a folder away")
    for path in (repo_dir, repo_dir / ".git"):
        os.chown(path, 65534, 65534)
    with pytest.raises(NotARepositoryError, match="another user owns it"):
        open_repository(repo_dir)


def test_a_shallow_clone_is_known_as_such(repo_dir: Path, git: Git, tmp_path: Path) -> None:
    """Cut history shows, and HEAD is read."""
    git("commit", "-q", "--allow-empty", "-m", "Second")
    run_git("clone", "-q", "--depth=1", f"file://{repo_dir}", "shallow", cwd=tmp_path)
    repository = open_repository(tmp_path / "shallow")
    assert repository.is_shallow
    assert read_head(repository).sha == git("rev-parse", "HEAD")


def test_a_sha256_repository_has_long_ids(tmp_path: Path) -> None:
    """Ids have 64 digits, also the one that stands for nothing."""
    repository = open_repository(make_repository(tmp_path / "repo", object_format="sha256"))
    assert (repository.object_format, repository.id_length, repository.zero_id) == ("sha256", 64, "0" * 64)
    assert read_head(repository).sha == run_git("rev-parse", "HEAD", cwd=tmp_path / "repo")


@pytest.mark.parametrize(
    "commands",
    [
        [["update-index", "--split-index"]],
        [["update-index", "--index-version=4"]],
        [["sparse-checkout", "set", "--cone", "--sparse-index", "kept"]],
        [["config", "core.repositoryFormatVersion", "1"], ["config", "extensions.preciousObjects", "true"]],
        [["config", "core.repositoryFormatVersion", "1"], ["config", "extensions.partialClone", "origin"]],
        [["config", "extensions.worktreeConfig", "true"], ["config", "--worktree", "core.bare", "false"]],
    ],
    ids=["split index", "index version 4", "sparse index", "precious objects", "partial clone", "worktree settings"],
)
def test_unusual_repositories_work(repo_dir: Path, git: Git, commands: list[list[str]]) -> None:
    """Split and sparse indexes and the extensions that git knows are no obstacle."""
    for folder in ("kept", "sparse"):
        (repo_dir / folder).mkdir()
        (repo_dir / folder / "file").touch()
    git("add", "-A")
    git("commit", "-q", "-m", "Folders")
    for command in commands:
        git(*command)
    repository = open_repository(repo_dir)
    assert read_head(repository).sha == git("rev-parse", "HEAD")
    assert not is_dirty(repository)
    (repo_dir / "train.py").write_text("changed\n", encoding="utf-8")
    assert is_dirty(repository)
    assert list_refs(repository, "refs/heads") == {"refs/heads/main": git("rev-parse", "HEAD")}


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"core.repositoryFormatVersion": "1", "extensions.fromTheFuture": "yes"}, "unknown repository extension"),
        ({"core.repositoryFormatVersion": "99"}, "found 99"),
    ],
)
def test_a_repository_of_a_newer_git_is_refused(
    repo_dir: Path, git: Git, settings: dict[str, str], reason: str
) -> None:
    """The reason of git is passed on."""
    for key, value in settings.items():
        git("config", key, value)
    with pytest.raises(NotARepositoryError, match=reason):
        open_repository(repo_dir)


@pytest.mark.parametrize("head", ["ref: ../../x", "ref: /etc/passwd", "garbage", "", "ref: "])
def test_a_hostile_head_is_no_repository(repo_dir: Path, head: str) -> None:
    """git does not take a folder with such a HEAD for a repository, and neither is anything read from it."""
    (repo_dir / ".git" / "HEAD").write_text(head, encoding="utf-8")
    with pytest.raises(NotARepositoryError):
        open_repository(repo_dir)


def test_a_repository_knows_the_environment_it_was_opened_with(repo_dir: Path) -> None:
    """Lower layers read variables from the repository alone."""
    assert Repository.discover(repo_dir, {"PATH": os.environ["PATH"], "X": "1"}).environ["X"] == "1"
