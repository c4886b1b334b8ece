"""Single files of the work tree are read without leaving it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from gittrack.git import work_tree
from gittrack.git.work_tree import read_file


@pytest.fixture(params=["folder by folder", "by resolving"])
def tree(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a work tree with a secret beside it, on a system with and one without ``dir_fd``."""
    if request.param == "by resolving":
        monkeypatch.setattr(work_tree.os, "supports_dir_fd", set())
    outside = tmp_path / "outside"
    (outside / "deep").mkdir(parents=True)
    (outside / "params.yaml").write_text("secret: 1\n")
    (outside / "deep" / "params.yaml").write_text("secret: 2\n")
    root = tmp_path / "tree"
    (root / "conf" / "model").mkdir(parents=True)
    (root / "params.yaml").write_text("lr: 1\n")
    (root / "conf" / "model" / "params.yaml").write_text("lr: 2\n")
    return root


def test_regular_files_are_read(tree: Path) -> None:
    """At the top and in folders, up to the size that is asked for."""
    assert read_file(tree, "params.yaml") == b"lr: 1\n"
    assert read_file(tree, "conf/model/params.yaml") == b"lr: 2\n"
    assert read_file(tree, "params.yaml", max_bytes=6) == b"lr: 1\n"
    assert read_file(tree, "params.yaml", max_bytes=5) is None


@pytest.mark.parametrize("path", ["absent.yaml", "absent/params.yaml", "params.yaml/x", "conf/model", "pipe"])
def test_what_is_no_file_is_absent(tree: Path, path: str) -> None:
    """Missing files, folders and a pipe that nobody writes to are None, at once."""
    if path == "pipe":
        if work_tree.os.open not in work_tree.os.supports_dir_fd:
            pytest.skip("a system without dir_fd has no named pipes in folders")
        os.mkfifo(tree / path)
    assert read_file(tree, path) is None


@pytest.mark.parametrize(
    ("link", "target", "path"),
    [
        ("link.yaml", "../outside/params.yaml", "link.yaml"),
        ("conf/link.yaml", "../params.yaml", "conf/link.yaml"),
        ("link", "../outside", "link/params.yaml"),
        ("link", "../outside", "link/deep/params.yaml"),
        ("conf/link", "../../outside/deep", "conf/link/params.yaml"),
        ("conf/link", "/", "conf/link/etc/hostname"),
        ("link", "conf", "link/model/params.yaml"),
        ("loop", "loop", "loop/params.yaml"),
    ],
)
def test_links_are_not_followed(tree: Path, link: str, target: str, path: str) -> None:
    """Neither a link in the place of the file nor one in the place of any folder, wherever it leads."""
    (tree / link).symlink_to(target)
    assert read_file(tree, path) is None


def test_work_tree_may_be_behind_a_link(tree: Path, tmp_path: Path) -> None:
    """Only links within the work tree are refused."""
    (tmp_path / "alias").symlink_to(tree)
    assert read_file(tmp_path / "alias", "conf/model/params.yaml") == b"lr: 2\n"


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="counts open files in /proc")
def test_no_descriptor_is_left_open(tree: Path) -> None:
    """Whether a file is read or not."""
    (tree / "link").symlink_to("conf")
    before = len(list(Path("/proc/self/fd").iterdir()))
    for path in ("conf/model/params.yaml", "conf/none/params.yaml", "link/model/params.yaml", "conf/model"):
        read_file(tree, path)
    assert len(list(Path("/proc/self/fd").iterdir())) == before
