"""What counts as a file of a folder."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from gittrack.artifacts.cache import Cache
from gittrack.artifacts.placing import opened
from gittrack.artifacts.walk import FOLDER_FLAGS, UntrackableError, temporary_name, walk_files
from tests.support.artifacts import fill_cache, write_files


def walked(folder: Path, cache: Cache | None = None) -> dict[str, str | None]:
    with opened(os.open(folder, FOLDER_FLAGS)) as descriptor:
        found = walk_files(descriptor, cache or Cache(folder.parent / "cache"))
        return {one.path: one.digest or one.link_path for one in found}


def test_files_at_every_level(tmp_path: Path) -> None:
    """Empty folders are passed over; the descriptors are closed at the end."""
    folder = write_files(tmp_path / "data", {"a": "1", "b/c": "2", "b/d/e ü": "3", ".hidden/f": "4", "-dash": "5"})
    (folder / "empty").mkdir()
    n_open = len(list(Path("/proc/self/fd").iterdir()))
    assert walked(folder) == dict.fromkeys(["a", "b/c", "b/d/e ü", ".hidden/f", "-dash"])
    assert len(list(Path("/proc/self/fd").iterdir())) == n_open


def test_links_inside_count_as_what_they_lead_to(tmp_path: Path) -> None:
    """A link to a file of the same folder, through links, and one to an object of the cache."""
    cache, (digest,) = fill_cache(tmp_path / "cache", b"object")
    folder = write_files(tmp_path / "data", {"a": "1", "b/c": "2"})
    (folder / "last").symlink_to("b/c")
    (folder / "b" / "up").symlink_to("../last")
    (folder / "b" / "absolute").symlink_to(folder / "a")
    (folder / "object").symlink_to(cache.path(digest))
    assert walked(folder, cache) == {
        "a": None, "b/c": None, "last": "b/c", "b/up": "b/c", "b/absolute": "a", "object": digest,
    }  # fmt: skip


@pytest.mark.parametrize("target", ["../secret", "/etc/passwd", ".", "b", "nowhere", "loop", "../data/../secret"])
def test_other_links_are_refused(tmp_path: Path, target: str) -> None:
    """Out of the folder, to a folder, to nothing or to itself; the way out is said."""
    write_files(tmp_path, {"secret": "s"})
    folder = write_files(tmp_path / "data", {"b/c": "2"})
    (folder / "loop").symlink_to(target)
    with pytest.raises(UntrackableError, match="'loop' is a link") as caught:
        walked(folder)
    assert "cp -L" in str(caught.value.hint)


def test_a_link_to_an_object_of_another_cache_is_refused(tmp_path: Path) -> None:
    """Its name may be anything."""
    cache, (digest,) = fill_cache(tmp_path / "elsewhere", b"object")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "a").symlink_to(cache.path(digest))
    with pytest.raises(UntrackableError):
        walked(tmp_path / "data")


def test_pipes_and_sockets_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They would block, or have no content."""
    folder = write_files(tmp_path / "data", {"a": "1"})
    os.mkfifo(folder / "pipe")
    with pytest.raises(UntrackableError, match="'pipe' is neither"):
        walked(folder)
    (folder / "pipe").unlink()
    monkeypatch.chdir(folder)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("s")
        with pytest.raises(UntrackableError, match="'s' is neither"):
            walked(folder)


@pytest.mark.parametrize("name", [".git", ".GIT", ".Git"])
@pytest.mark.parametrize("is_file", [True, False])
def test_a_repository_inside_is_refused(tmp_path: Path, name: str, is_file: bool) -> None:
    """Its settings could run programs in another clone; and a submodule's `.git` is a file."""
    content = {f"sub/{name}": "gitdir: x"} if is_file else {f"sub/{name}/config": "x"}
    folder = write_files(tmp_path / "data", {"a": "1", **content})
    with pytest.raises(UntrackableError, match="'sub' is a git repository"):
        walked(folder)


def test_names_that_are_not_utf_8_are_refused(tmp_path: Path) -> None:
    """They have no form on other systems."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / os.fsdecode(b"\xff")).write_text("x")
    with pytest.raises(UntrackableError, match="not UTF-8"):
        walked(tmp_path / "data")


def test_depth_is_limited(tmp_path: Path) -> None:
    """A hundred levels; the stack does not overflow, whatever there is."""
    folder = tmp_path / "data"
    write_files(folder, {"d/" * 99 + "f": "x"})
    assert len(walked(folder)) == 1
    write_files(folder, {"d/" * 300 + "f": "x"})
    with pytest.raises(UntrackableError, match="more than 100 folders"):
        walked(folder)


def test_files_being_written_are_passed_over(tmp_path: Path) -> None:
    """What a checkout puts beside its target, and what a kill left of that."""
    folder = write_files(tmp_path / "data", {"a": "1", f"{temporary_name()}/new": "2", ".gittrack-notes": "3"})
    assert walked(folder) == dict.fromkeys(["a", ".gittrack-notes"])
