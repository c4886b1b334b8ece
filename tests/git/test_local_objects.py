"""Where the objects of a remote are that is a folder: as git itself would find it, and only there."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from gittrack.git.local_objects import objects_folder
from tests.support.git_repository import make_repository, open_repository, run_git
from tests.support.remotes import make_bare, use_protocol

if TYPE_CHECKING:
    from pathlib import Path

    from gittrack.git.repository import Repository


@pytest.fixture
def clone(tmp_path: Path) -> Repository:
    """A repository whose remote is set by each test."""
    folder = make_repository(tmp_path / "clone")
    run_git("remote", "add", "origin", "../team.git", cwd=folder)
    return open_repository(folder)


def find(clone: Repository, url: str) -> Path | None:
    run_git("config", "remote.origin.url", url, cwd=clone.git_dir)
    return objects_folder(clone, "origin")


def test_a_bare_repository_is_found_by_each_of_its_names(clone: Repository, tmp_path: Path) -> None:
    """Relative, absolute, without its ending, as a URL with escapes, rewritten, and without a remote's name."""
    objects = make_bare(tmp_path / "my team.git") / "objects"
    for url in ("../my team.git", "../my team", str(tmp_path / "my team.git/"), f"file://{tmp_path}/my%20team.git"):
        found = find(clone, url)
        assert found is not None, url
        assert found.samefile(objects)
        assert objects_folder(clone, url) == found
    run_git("config", f"url.{tmp_path}/.insteadOf", "https://example.org/", cwd=clone.git_dir)
    assert find(clone, "https://example.org/my team.git") == objects


def test_a_repository_with_files_is_found(clone: Repository, tmp_path: Path) -> None:
    """At its top, at its ``.git``, and through a linked worktree, whose objects are elsewhere."""
    other = make_repository(tmp_path / "other")
    run_git("worktree", "add", "-q", "../linked", cwd=other)
    for url in ("../other", "../other/.git", "../linked"):
        assert find(clone, url) == other / ".git/objects", url


def test_the_order_is_that_of_git(clone: Repository, tmp_path: Path) -> None:
    """Where two repositories could be meant, both take the same."""
    bare = make_bare(tmp_path / "two.git")
    files = make_repository(tmp_path / "two")
    run_git("commit", "-q", "--allow-empty", "-m", "Only here", cwd=files)
    for url in ("../two", "../two.git"):
        found = find(clone, url)
        heads = run_git("ls-remote", "origin", "HEAD", cwd=clone.work_tree)
        assert found == (files / ".git/objects" if heads else bare / "objects"), url


def test_elsewhere_git_is_asked(clone: Repository, tmp_path: Path) -> None:
    """Other machines, bundles, nothing at all, and a remote with a program of its own."""
    (tmp_path / "plain").mkdir()
    run_git("bundle", "create", "-q", "../all.bundle", "HEAD", cwd=clone.work_tree)
    for url in ("https://example.org/x.git", "example.org:x.git", "ext::sh -c x", "../all.bundle", "../plain", "../no"):
        assert find(clone, url) is None, url
    make_bare(tmp_path / "team.git")
    assert find(clone, "../team.git") is not None
    use_protocol(clone.git_dir)
    assert find(clone, "../team.git") is None


def test_a_line_break_is_left_to_git(clone: Repository, tmp_path: Path) -> None:
    """The list of other repositories' objects has one a line."""
    make_bare(tmp_path / "te\nam.git")
    assert find(clone, "../te\nam.git") is None
