"""Making the work tree like a tree, in all the states that a work tree can be in."""

from __future__ import annotations

import os
import random
import shutil
from typing import TYPE_CHECKING

import pytest

from gittrack.cli.entry import run
from gittrack.experiments.checkout import CheckoutError, prepare_checkout
from gittrack.git.state import read_head
from tests.support.git_repository import find_locks, make_repository, open_repository, run_git
from tests.support.untouched import own_state, work_tree

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Git = Callable[..., str]
    Gittrack = Callable[..., list[str]]

NAMES = ("a", "b", "d", "d/a", "d/e", "d/e/f", "ä ö", "x.log", "y.log")


def commit_files(folder: Path, files: dict[str, str], message: str = "Files") -> str:
    """Commit files and return the tree."""
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    run_git("add", "-A", cwd=folder)
    run_git("commit", "-q", "-m", message, cwd=folder)
    return run_git("rev-parse", "HEAD^{tree}", cwd=folder)


def check_out(folder: Path, tree: str) -> dict[str, str]:
    """Make the work tree like a tree, and return the paths whose content was uncommitted."""
    repository = open_repository(folder)
    with prepare_checkout(repository, tree, read_head(repository).sha) as checkout:
        uncommitted = dict(checkout.uncommitted)
        checkout.run()
    return uncommitted


@pytest.fixture
def two(repo_dir: Path, git: Git) -> tuple[Path, str]:
    """A repository at its first commit, and the tree of a second one with another train.py."""
    tree = commit_files(repo_dir, {"train.py": "second\n", "more.py": "more\n"})
    git("reset", "-q", "--hard", "HEAD~1")
    return repo_dir, tree


def test_a_file_that_changes_meanwhile_is_not_overwritten(two: tuple[Path, str]) -> None:
    """Between the look at the work tree and its change somebody saves a file: nothing happens."""
    folder, tree = two
    repository = open_repository(folder)
    with prepare_checkout(repository, tree, read_head(repository).sha) as checkout:
        (folder / "train.py").write_text("typed just now\n", encoding="utf-8")
        before = work_tree(folder)
        with pytest.raises(CheckoutError, match="cannot be changed"):
            checkout.run()
    assert work_tree(folder) == before


def test_a_file_that_appears_meanwhile_is_not_overwritten(two: tuple[Path, str]) -> None:
    """The same for a new file."""
    folder, tree = two
    repository = open_repository(folder)
    with prepare_checkout(repository, tree, read_head(repository).sha) as checkout:
        (folder / "more.py").write_text("made just now\n", encoding="utf-8")
        with pytest.raises(CheckoutError, match="cannot be changed"):
            checkout.run()
    assert (folder / "more.py").read_text(encoding="utf-8") == "made just now\n"
    assert find_locks(repository) == []


def test_a_merge_in_progress(two: tuple[Path, str], git: Git) -> None:
    """Conflicted files are uncommitted; the three sides in the index stay."""
    folder, tree = two
    git("branch", "other")
    commit_files(folder, {"train.py": "ours\n"})
    git("switch", "-q", "other")
    commit_files(folder, {"train.py": "theirs\n"})
    git("merge", "-q", "main", check=False)
    sides, state = git("ls-files", "-u"), own_state(folder)
    assert sides
    assert list(check_out(folder, tree)) == ["train.py"]
    assert (folder / "train.py").read_text(encoding="utf-8") == "second\n"
    assert git("ls-files", "-u") == sides
    assert own_state(folder) == state


def test_a_file_that_was_only_announced(two: tuple[Path, str], git: Git) -> None:
    """`git add -N` makes a file tracked without content: what it holds is uncommitted."""
    folder, tree = two
    (folder / "more.py").write_text("mine\n", encoding="utf-8")
    git("add", "-N", "more.py")
    assert list(check_out(folder, tree)) == ["more.py"]


def test_a_touched_file_is_not_changed(two: tuple[Path, str]) -> None:
    """Other times and the same content are no change, as for git."""
    folder, tree = two
    os.utime(folder / "train.py", (1e9, 1e9))
    assert check_out(folder, tree) == {}
    assert (folder / "train.py").read_text(encoding="utf-8") == "second\n"


def test_filters_and_line_ends_are_git_s(repo_dir: Path, git: Git) -> None:
    """The user's own filters and line ends apply, as in a checkout, by the attributes of the tree."""
    git("config", "filter.shout.smudge", "tr a-z A-Z")
    git("config", "filter.shout.clean", "tr A-Z a-z")
    attributes = {".gitattributes": "*.up filter=shout\n*.bat text eol=crlf\n"}
    tree = commit_files(repo_dir, {**attributes, "x.up": "LOUD\n", "y.bat": "dir\n"})
    git("reset", "-q", "--hard", "HEAD~1")
    check_out(repo_dir, tree)
    assert (repo_dir / "x.up").read_bytes() == b"LOUD\n"
    assert (repo_dir / "y.bat").read_bytes() == b"dir\r\n"
    assert check_out(repo_dir, tree) == {}


def test_submodules_are_left_as_they_are(repo_dir: Path, tmp_path: Path, git: Git) -> None:
    """Their commit is not changed; it is named."""
    library = make_repository(tmp_path / "library")
    git("submodule", "--quiet", "add", str(library), "lib")
    git("commit", "-q", "-m", "With a library")
    first = git("rev-parse", "HEAD")
    commit_files(repo_dir / "lib", {"train.py": "newer\n"})
    tree = commit_files(repo_dir, {"train.py": "second\n"})
    git("reset", "-q", "--hard", first)
    git("submodule", "--quiet", "update")
    before = run_git("rev-parse", "HEAD", cwd=repo_dir / "lib")
    repository = open_repository(repo_dir)
    with prepare_checkout(repository, tree, first) as checkout:
        assert checkout.submodules == ("lib",)
        checkout.run()
    assert (repo_dir / "train.py").read_text(encoding="utf-8") == "second\n"
    assert run_git("rev-parse", "HEAD", cwd=repo_dir / "lib") == before


def test_a_sparse_checkout_stays_sparse(repo_dir: Path, git: Git) -> None:
    """Folders that are not checked out stay away, and their files in the index."""
    commit_files(repo_dir, {"big/data.txt": "1\n", "src/a.py": "1\n"})
    tree = commit_files(repo_dir, {"big/data.txt": "2\n", "src/a.py": "2\n"})
    git("reset", "-q", "--hard", "HEAD~1")
    git("sparse-checkout", "set", "--no-sparse-index", "src")
    state = own_state(repo_dir)
    check_out(repo_dir, tree)
    assert (repo_dir / "src/a.py").read_text(encoding="utf-8") == "2\n"
    assert not (repo_dir / "big").exists()
    assert own_state(repo_dir) == state


@pytest.mark.parametrize("setting", ["core.splitIndex", "index.sparse", "core.untrackedCache", "core.fsmonitor"])
def test_kinds_of_index(two: tuple[Path, str], git: Git, setting: str) -> None:
    """Split and sparse indexes and caches are read, and left as they are."""
    folder, tree = two
    git("config", setting, "true")
    git("update-index", "--refresh")
    if setting == "core.splitIndex":
        git("update-index", "--split-index")
    state, shared = own_state(folder), sorted((folder / ".git").glob("sharedindex.*"))
    check_out(folder, tree)
    assert (folder / "train.py").read_text(encoding="utf-8") == "second\n"
    assert own_state(folder) == state
    assert sorted((folder / ".git").glob("sharedindex.*")) == shared


def test_names_that_are_not_utf8(repo_dir: Path, git: Git) -> None:
    """Any byte that a file system takes."""
    name = os.fsencode(repo_dir) + b"/\xff\xfe.txt"
    try:
        with open(name, "w", encoding="utf-8") as file:  # noqa: PTH123  a path of bytes
            file.write("odd\n")
    except OSError:
        pytest.skip("this file system takes UTF-8 only")
    tree = commit_files(repo_dir, {})
    git("reset", "-q", "--hard", "HEAD~1")
    assert not os.path.exists(name)  # noqa: PTH110  a path of bytes
    check_out(repo_dir, tree)
    assert os.path.exists(name)  # noqa: PTH110  a path of bytes


@pytest.mark.parametrize("seed", range(60))
def test_nothing_is_ever_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], seed: int
) -> None:
    """Whatever the workspace looks like: what a file held is there, or in a commit, or in an experiment."""
    chance = random.Random(seed)
    folder = make_repository(tmp_path / "repo")
    (folder / ".gitignore").write_text("*.log\n", encoding="utf-8")
    scatter(folder, chance)
    run_git("add", "-A", cwd=folder)
    run_git("commit", "-q", "-m", "Base", cwd=folder)
    monkeypatch.chdir(folder)
    scatter(folder, chance)
    assert run(["exp", "save", "-n", "target"], dict(os.environ)) == 0
    target = run_git("rev-parse", "refs/gittrack/exps/*/target", cwd=folder, check=False)
    scatter(folder, chance)
    if chance.random() < 0.5:
        run_git("add", "-A", cwd=folder)
    scatter(folder, chance)
    before, state = work_tree(folder), own_state(folder)
    contents = {path: file.read_bytes() for path in before if not (file := folder / path).is_symlink()}
    code = run(["exp", "apply", *(["--force"] if chance.random() < 0.7 else []), "target"], dict(os.environ))
    said = capsys.readouterr()
    assert code in {0, 1}, said
    assert own_state(folder) == state
    after = work_tree(folder)
    if code:
        assert after == before, said
    target = run_git("for-each-ref", "--format=%(refname)", "refs/gittrack/exps/*/target", cwd=folder)
    commits = ["HEAD", *run_git("for-each-ref", "--format=%(refname)", "refs/gittrack/exps", cwd=folder).splitlines()]
    for path, content in contents.items():
        if after.get(path) != before[path]:
            kept = [run_git("show", f"{commit}:{path}", cwd=folder, check=False).encode() for commit in commits]
            assert content.rstrip(b"\n") in kept, (path, said)
    if not code:
        wanted = set(run_git("ls-tree", "-r", "-z", "--name-only", target, cwd=folder).split("\0")[:-1])
        wanted = {path for path in wanted if not path.startswith(".gittrack/")}
        assert wanted <= set(after)
        for path in wanted:
            if not (folder / path).is_symlink():
                shown = run_git("show", f"{target}:{path}", cwd=folder)
                assert (folder / path).read_text(encoding="utf-8").rstrip("\n") == shown
        tracked = set(run_git("ls-files", "-z", cwd=folder).split("\0")[:-1])
        assert not (tracked - wanted) & set(after)


def scatter(folder: Path, chance: random.Random) -> None:
    """Make, change, remove and replace a few files, folders and links at random."""
    for name in chance.sample(NAMES, 5):
        path = folder / name
        if any(parent.is_symlink() for parent in path.parents if parent != folder and folder in parent.parents):
            continue
        if path.is_dir() and not path.is_symlink():
            if chance.random() < 0.5:
                continue
            shutil.rmtree(path)
        for parent in reversed([one for one in path.parents if folder in one.parents]):
            if parent.is_file():
                parent.unlink()
            parent.mkdir(exist_ok=True)
        path.unlink(missing_ok=True)
        kind = chance.random()
        if kind < 0.6:
            path.write_text(f"{chance.random()}\n", encoding="utf-8")
            path.chmod(chance.choice([0o644, 0o755]))
        elif kind < 0.75:
            path.symlink_to(chance.choice(["train.py", ".", "nowhere"]))
