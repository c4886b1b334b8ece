"""The work tree as a tree object, with nothing of the user's touched."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from gittrack.config import SnapshotLimits
from gittrack.git.repository import NoWorkTreeError
from gittrack.git.snapshot import LeftOut, overlay, take_snapshot
from tests.support.git_repository import fsck, make_repository, open_repository, run_git

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from gittrack.git.repository import Repository
    from gittrack.git.snapshot import Snapshot

    Git = Callable[..., str]


def snap(repository: Repository, limits: SnapshotLimits | None = None) -> Snapshot:
    """Take a snapshot on top of HEAD; the user's index, refs and HEAD must stay byte for byte."""
    before = _user_state(repository)
    snapshot = take_snapshot(repository, _head(repository), limits)
    assert _user_state(repository) == before
    assert repository.work_tree is not None
    fsck(repository.work_tree)
    return snapshot


def _head(repository: Repository) -> str | None:
    sha = repository.git.run("rev-parse", "--verify", "--quiet", "HEAD", check=False).stdout.decode().strip()
    return sha or None


def _user_state(repository: Repository) -> list[bytes]:
    names = [repository.git_dir / "HEAD", repository.git_dir / "index", repository.common_dir / "packed-refs"]
    refs = sorted(path for path in (repository.common_dir / "refs").rglob("*") if path.is_file())
    return [path.read_bytes() for path in [*names, *refs] if path.exists()] + [os.fsencode(path) for path in refs]


def tree_by_add(repo_dir: Path, tmp_path: Path) -> str:
    """Return the tree that `git add --all` would commit, made with an index of its own."""
    index = tmp_path / "other-index"
    index.write_bytes((repo_dir / ".git" / "index").read_bytes())
    run_git("add", "-A", cwd=repo_dir, env={"GIT_INDEX_FILE": str(index)})
    return run_git("write-tree", cwd=repo_dir, env={"GIT_INDEX_FILE": str(index)})


def test_a_clean_work_tree_is_the_tree_of_head(repository: Repository, git: Git) -> None:
    """Nothing is written, and it is not dirty."""
    assert snap(repository) == (git("rev-parse", "HEAD^{tree}"), False, [])


def test_changes_of_every_kind_are_taken(repository: Repository, repo_dir: Path, git: Git, tmp_path: Path) -> None:
    """Changed, staged, deleted, untracked, executable and linked files, and names of any bytes."""
    for name in ("gone", "mode", "staged", "staged-gone", "renamed", "folder/file"):
        (repo_dir / name).parent.mkdir(exist_ok=True)
        (repo_dir / name).write_text(f"{name}\n", encoding="utf-8")
    git("add", "-A")
    git("commit", "-q", "-m", "Files")
    (repo_dir / "train.py").write_text("changed\n", encoding="utf-8")
    (repo_dir / "gone").unlink()
    (repo_dir / "mode").chmod(0o755)
    (repo_dir / "staged").write_text("new\n", encoding="utf-8")
    git("add", "staged")
    git("rm", "-q", "staged-gone")
    git("mv", "renamed", "moved")
    (repo_dir / "folder" / "file").unlink()
    (repo_dir / "folder").rmdir()
    (repo_dir / "folder").write_text("a file now\n", encoding="utf-8")
    (repo_dir / "link").symlink_to("/etc/passwd")
    for name in ("new", "a b", "a\nb", "-x", "\udcff", "ü", "*", "? x", "deep/er/file"):
        (repo_dir / name).parent.mkdir(parents=True, exist_ok=True)
        (repo_dir / name).write_text("new\n", encoding="utf-8")
    snapshot = snap(repository)
    assert snapshot == (tree_by_add(repo_dir, tmp_path), True, [])


@pytest.mark.parametrize(
    "command",
    [
        ["config", "status.showStash", "true"],
        ["config", "status.branch", "true"],
        ["config", "status.short", "true"],
        ["config", "status.showUntrackedFiles", "no"],
        ["config", "status.renames", "copies"],
        ["config", "status.relativePaths", "true"],
        ["config", "core.quotePath", "true"],
        ["config", "diff.ignoreSubmodules", "all"],
        ["config", "core.untrackedCache", "true"],
        ["update-index", "--split-index"],
        ["update-index", "--index-version=4"],
        ["sparse-checkout", "set", "--cone", "--sparse-index", "kept"],
        ["config", "core.autocrlf", "input"],
        ["config", "core.fsmonitor", "true"],
        ["add", "--intent-to-add", "new"],
    ],
    ids=" ".join,
)
def test_settings_of_the_user_change_nothing(repo_dir: Path, git: Git, tmp_path: Path, command: list[str]) -> None:
    """However git shows its status and keeps its index, the snapshot is what `git add --all` would take."""
    for folder in ("kept", "sparse"):
        (repo_dir / folder).mkdir()
        (repo_dir / folder / "file").write_text("x\n", encoding="utf-8")
    git("add", "-A")
    git("commit", "-q", "-m", "Folders")
    (repo_dir / "train.py").write_text("stashed\n", encoding="utf-8")
    git("stash", "-q")
    (repo_dir / "train.py").write_text("changed\r\n", encoding="utf-8", newline="")
    (repo_dir / "new").write_text("new\n", encoding="utf-8")
    git(*command)
    if command[0] != "update-index" or "--split-index" not in command:
        expected = tree_by_add(repo_dir, tmp_path)
    else:  # the index in two files cannot be copied; the tree is that of the whole one
        expected = tree_by_add_all(git)
        git("reset", "-q", "--mixed")
        git("update-index", "--split-index")
    snapshot = snap(open_repository(repo_dir))
    assert (snapshot.tree, snapshot.is_dirty) == (expected, True)


def tree_by_add_all(git: Git) -> str:
    """Return the tree of the user's index after `git add --all`."""
    git("add", "-A")
    return git("write-tree")


def test_an_unborn_branch_has_a_snapshot(tmp_path: Path) -> None:
    """Before the first commit everything is untracked."""
    run_git("init", "-q", "repo", cwd=tmp_path)
    repository = open_repository(tmp_path / "repo")
    assert snap(repository).tree == repository.git.run("mktree", input=b"").stdout.decode().strip()
    (tmp_path / "repo" / "train.py").write_text("x\n", encoding="utf-8")
    snapshot = snap(repository)
    assert snapshot.is_dirty
    assert run_git("ls-tree", "--name-only", snapshot.tree, cwd=tmp_path / "repo") == "train.py"


def test_a_bare_repository_has_none(tmp_path: Path) -> None:
    """There are no files to take."""
    run_git("init", "-q", "--bare", "bare", cwd=tmp_path)
    with pytest.raises(NoWorkTreeError):
        take_snapshot(open_repository(tmp_path / "bare"), None)


def test_sha256_and_linked_worktrees(tmp_path: Path) -> None:
    """The files of the worktree that was asked, with ids of the repository's hash."""
    folder = make_repository(tmp_path / "repo", object_format="sha256")
    run_git("worktree", "add", "-q", "../linked", cwd=folder)
    (tmp_path / "linked" / "train.py").write_text("linked\n", encoding="utf-8")
    snapshot = snap(open_repository(tmp_path / "linked"))
    assert len(snapshot.tree) == 64
    assert run_git("cat-file", "blob", f"{snapshot.tree}:train.py", cwd=folder) == "linked"
    assert not snap(open_repository(folder)).is_dirty


def test_what_is_left_out_is_named_with_its_reason(repository: Repository, repo_dir: Path, git: Git) -> None:
    """Large files, secrets, environments, generated files, other repositories; never a tracked file."""
    git("-C", str(repo_dir), "config", "core.excludesFile", "/dev/null")
    sizes = {"large": 2000, ".env": 1, "tracked": 2000, "small": 10}
    for name, size in sizes.items():
        (repo_dir / name).write_bytes(b"x" * size)
    git("add", "tracked")
    for folder in ("venv", "__pycache__", "deep/node_modules/x"):
        (repo_dir / folder).mkdir(parents=True)
        (repo_dir / folder / "file").touch()
    (repo_dir / "venv" / "pyvenv.cfg").touch()
    make_repository(repo_dir / "inner")
    (repo_dir / ".git" / "info" / "exclude").write_text("*.ignored\n", encoding="utf-8")
    (repo_dir / "x.ignored").touch()
    snapshot = snap(repository, SnapshotLimits(max_file_bytes=1000))
    assert sorted(snapshot.left_out) == [
        LeftOut(".env", "looks like a secret", 1),
        LeftOut("__pycache__/", "generated files", None),
        LeftOut("deep/node_modules/", "generated files", None),
        LeftOut("inner/", "another repository", 0),
        LeftOut("large", f"larger than {1000 / (1 << 20):g} MiB", 2000),
        LeftOut("venv/", "an environment", None),
    ]
    assert git("ls-tree", "-r", "--name-only", snapshot.tree).split("\n") == [
        "params.yaml",
        "small",
        "tracked",
        "train.py",
    ]


@pytest.mark.parametrize("limits", [SnapshotLimits(max_files=3), SnapshotLimits(max_total_bytes=30)])
def test_too_many_files_are_left_out(repository: Repository, repo_dir: Path, limits: SnapshotLimits) -> None:
    """Up to the limit they are taken, and the rest is named."""
    for number in range(5):
        (repo_dir / f"file{number}").write_bytes(b"0123456789")
    assert snap(repository, limits).left_out == [
        LeftOut(f"file{number}", "too many untracked files", 10) for number in (3, 4)
    ]


def test_a_change_within_the_same_second_is_seen(repository: Repository, repo_dir: Path, git: Git) -> None:
    """A file of the same size and time as in the index, but of other content, is not taken for unchanged."""
    for number in range(10):
        (repo_dir / "train.py").write_text(f"{number}\n", encoding="utf-8")
        git("add", "train.py")
        (repo_dir / "train.py").write_text(f"{number + 1}\n", encoding="utf-8")
        assert git("cat-file", "blob", f"{snap(repository).tree}:train.py") == str(number + 1)


def test_conflicts_are_taken_as_the_files_stand(repository: Repository, repo_dir: Path, git: Git) -> None:
    """In the middle of a merge the snapshot holds the files with their markers."""
    for branch, text in (("side", "side\n"), ("main", "ours\n")):
        git("checkout", "-q", "-B", branch)
        (repo_dir / "train.py").write_text(text, encoding="utf-8")
        git("commit", "-q", "-a", "-m", text)
        git("checkout", "-q", "-B", "main", "HEAD~1" if branch == "side" else "HEAD")
    git("merge", "side", check=False)
    snapshot = snap(repository)
    assert snapshot.is_dirty
    assert git("cat-file", "blob", f"{snapshot.tree}:train.py").startswith("<<<<<<<")


def test_changes_in_submodules_are_named(repository: Repository, repo_dir: Path, git: Git, tmp_path: Path) -> None:
    """A new commit of a submodule is taken; files that are not committed there are named as left out."""
    make_repository(tmp_path / "inner")
    git("submodule", "--quiet", "add", str(tmp_path / "inner"), "sub")
    git("commit", "-q", "-m", "Submodule")
    git("commit", "-q", "--allow-empty", "-m", "New", cwd=repo_dir / "sub")
    (repo_dir / "sub" / "train.py").write_text("changed\n", encoding="utf-8")
    snapshot = snap(repository)
    assert snapshot.left_out == [LeftOut("sub", "uncommitted changes in a submodule", None)]
    assert git("rev-parse", f"{snapshot.tree}:sub") == git("rev-parse", "HEAD", cwd=repo_dir / "sub")


@pytest.mark.skipif(os.geteuid() == 0, reason="root can read everything")
def test_a_file_that_cannot_be_read_is_named(repository: Repository, repo_dir: Path) -> None:
    """One unreadable file does not cost the rest of the snapshot."""
    (repo_dir / "train.py").write_text("changed, and longer\n", encoding="utf-8")
    (repo_dir / "train.py").chmod(0)
    (repo_dir / "params.yaml").write_text("changed\n", encoding="utf-8")
    snapshot = snap(repository)
    assert snapshot.left_out == [LeftOut("train.py", "cannot be read", None)]
    assert repository.git.text("cat-file", "blob", f"{snapshot.tree}:params.yaml") == "changed"


def test_an_overlay_takes_single_paths(repository: Repository, repo_dir: Path, git: Git) -> None:
    """Only what is named is taken from the work tree; what is gone goes."""
    (repo_dir / "train.py").write_text("changed\n", encoding="utf-8")
    (repo_dir / "metrics.json").write_text("{}\n", encoding="utf-8")
    (repo_dir / "params.yaml").unlink()
    tree = overlay(repository, git("rev-parse", "HEAD^{tree}"), ["metrics.json", "params.yaml", "absent"])
    assert git("ls-tree", "--name-only", tree).split("\n") == ["metrics.json", "train.py"]
    assert git("cat-file", "blob", f"{tree}:train.py") == "print('training')"


def test_nothing_is_left_in_the_folder_for_work(repository: Repository, repo_dir: Path) -> None:
    """The private index is gone afterwards."""
    (repo_dir / "train.py").write_text("changed\n", encoding="utf-8")
    snap(repository)
    assert not list((repository.state_dir / "tmp").iterdir())


def test_a_tracked_file_that_became_a_pipe_is_left_out(repository: Repository, repo_dir: Path) -> None:
    """A named pipe in place of a tracked file neither blocks nor fails the snapshot; it is named."""
    (repo_dir / "train.py").unlink()
    os.mkfifo(repo_dir / "train.py")
    (repo_dir / "params.yaml").write_text("train:\n  lr: 0.5\n", encoding="utf-8")
    snapshot = snap(repository)
    assert [(item.path, item.reason) for item in snapshot.left_out] == [("train.py", "cannot be read")]
