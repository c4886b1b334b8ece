"""HEAD, dirt and the user, in every state that git leaves a repository in."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from gittrack.git.objects import write_commit
from gittrack.git.refs import RefError
from gittrack.git.state import Head, Identity, is_dirty, read_head, read_identity
from tests.support.git_repository import fsck, open_repository, refs_in_files, run_git

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from gittrack.git.repository import Repository

    Git = Callable[..., str]


@pytest.fixture(params=["files", "git"])
def store(request: pytest.FixtureRequest, repository: Repository) -> Repository:
    """A repository whose refs are read by us, and one where git must do it, as with reftable."""
    if request.param == "git":
        repository.__dict__["ref_format"] = "reftable"
    return repository


def test_head_on_a_branch(store: Repository, git: Git) -> None:
    """Commit and short name of the branch, loose or packed, with slashes or not."""
    sha = git("rev-parse", "HEAD")
    assert read_head(store) == Head(sha, "main", None)
    git("checkout", "-q", "-b", "feature/ünï,x")
    git("pack-refs", "--all")
    assert read_head(store) == Head(sha, "feature/ünï,x", None)


def test_head_on_an_unborn_branch(store: Repository, git: Git) -> None:
    """No commit yet, but a branch."""
    git("checkout", "-q", "--orphan", "new")
    assert read_head(store) == Head(None, "new", None)


def test_head_detached(store: Repository, git: Git) -> None:
    """A commit, and no branch."""
    git("checkout", "-q", "--detach")
    assert read_head(store) == Head(git("rev-parse", "HEAD"), None, None)


@refs_in_files
@pytest.mark.parametrize("target", ["refs/heads/../../../x", "refs/../../x", "refs/heads/.x", "refs/heads/a b"])
def test_a_hostile_head_is_refused(repository: Repository, target: str) -> None:
    """A HEAD that leads out of the refs is an error and reads no file."""
    (repository.git_dir / "HEAD").write_text(f"ref: {target}\n", encoding="utf-8")
    with pytest.raises(RefError, match="not a valid ref name"):
        read_head(repository)


@pytest.mark.parametrize(
    ("commands", "operation"),
    [
        (["rebase side"], "rebase"),
        (["rebase --apply side"], "rebase"),
        (["merge side"], "merge"),
        (["cherry-pick side"], "cherry-pick"),
        (["commit -q --allow-empty -m more", "revert --no-edit HEAD~2"], "revert"),
        (["bisect start", "bisect bad", "bisect good HEAD~1"], "bisect"),
    ],
)
def test_operations_in_progress_are_known(
    store: Repository, repo_dir: Path, git: Git, commands: list[str], operation: str
) -> None:
    """The record says when a commit was made in the middle of something."""
    script = repo_dir / "train.py"
    for branch, text in (("side", "side\n"), ("main", "ours\n"), ("main", "ours again\n")):
        git("checkout", "-q", "-B", branch, *(["main"] if branch == "side" else []))
        script.write_text(text, encoding="utf-8")
        git("commit", "-q", "-a", "-m", text)
        if branch == "side":
            git("checkout", "-q", "main")
    for command in commands:
        git(*command.split(" "), check=False)
    head = read_head(store)
    assert head.operation == operation
    assert head.sha == git("rev-parse", "HEAD")


def test_dirt_of_every_kind_is_seen(repository: Repository, repo_dir: Path, git: Git) -> None:
    """Changed, staged, untracked and deleted files count, ignored ones do not."""
    assert not is_dirty(repository)
    (repo_dir / ".git" / "info" / "exclude").write_text("*.log\n", encoding="utf-8")
    (repo_dir / "x.log").touch()
    assert not is_dirty(repository)
    for change, undo in (
        (lambda: (repo_dir / "train.py").write_text("x\n"), lambda: git("checkout", "-q", "train.py")),
        ((repo_dir / "train.py").unlink, lambda: git("checkout", "-q", "train.py")),
        ((repo_dir / "new\n").touch, (repo_dir / "new\n").unlink),
        (lambda: git("rm", "-q", "--cached", "train.py"), lambda: git("add", "train.py")),
    ):
        change()
        assert is_dirty(repository)
        undo()
        assert not is_dirty(repository)


def test_asking_about_dirt_leaves_the_index_alone(repository: Repository, repo_dir: Path) -> None:
    """The user's index is the same byte for byte, although its times are stale."""
    (repo_dir / "train.py").touch()
    index = (repository.git_dir / "index").read_bytes()
    assert not is_dirty(repository)
    assert (repository.git_dir / "index").read_bytes() == index


def test_a_changed_submodule_is_dirt(repository: Repository, repo_dir: Path, git: Git, tmp_path: Path) -> None:
    """Also where the user told git to be silent about it."""
    run_git("clone", "-q", str(repo_dir), "inner", cwd=tmp_path)
    git("submodule", "--quiet", "add", str(tmp_path / "inner"), "sub")
    git("commit", "-q", "-m", "Submodule")
    git("config", "submodule.sub.ignore", "all")
    assert not is_dirty(repository)
    (repo_dir / "sub" / "train.py").write_text("changed\n", encoding="utf-8")
    assert is_dirty(repository)


def test_the_user_is_who_git_says(repo_dir: Path) -> None:
    """Settings, and variables before settings."""
    assert read_identity(open_repository(repo_dir)) == Identity("Ada Test", "ada@example.org")
    by_variable = open_repository(repo_dir, GIT_COMMITTER_NAME="Bob", GIT_COMMITTER_EMAIL="bob@example.org")
    assert read_identity(by_variable) == Identity("Bob", "bob@example.org")


def test_an_unknown_user_is_a_neutral_one(repo_dir: Path, git: Git, tmp_path: Path) -> None:
    """On a cluster node without any settings nothing fails."""
    git("config", "user.useConfigOnly", "true")
    identity = read_identity(open_repository(repo_dir, HOME=str(tmp_path)))
    assert identity == Identity("gittrack", "gittrack@localhost")


@pytest.mark.parametrize(
    ("name", "email"),
    [
        ("Ünï Cödé", "ü@example.org"),
        ("", "x@y"),
        ("<script>", "<x@y>"),
        ("a\nb", "x\ny@z"),
        ("a> 5 +0000\nparent " + "1" * 40, "x@y"),
        (".,;<>", "x@y"),
        ("\udcff", "x@y"),
        ("x" * 10_000, "x@y"),
        ("A", ""),
        ("  ", "  "),
        ("\u2028 \x7f \x1b[31m", "x@y"),
    ],
)
def test_a_name_of_any_characters_makes_a_valid_commit(repo_dir: Path, git: Git, name: str, email: str) -> None:
    """Whatever the settings hold, the identity is one that git's own check takes."""
    git("config", "user.name", name)
    git("config", "user.email", email)
    repository = open_repository(repo_dir)
    identity = read_identity(repository)
    assert identity.name
    assert identity.email
    tree = git("rev-parse", "HEAD^{tree}")
    commit = write_commit(repository, tree=tree, parents=[], message="m", author=identity)
    git("update-ref", "refs/gittrack/x", commit)
    assert fsck(repo_dir) == ""
    assert git("log", "-1", "--format=%an <%ae>", commit) == str(identity)
