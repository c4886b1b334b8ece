"""Holding on to content: what is read later is what was there, or a change is noticed."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from gittrack.artifacts import holding as holding_module
from gittrack.artifacts.cache import Cache
from gittrack.artifacts.copying import ContentChangedError
from gittrack.artifacts.digest import hash_bytes
from gittrack.artifacts.holding import Holder, NotHeldError, Room, read_open
from gittrack.artifacts.walk import UntrackableError
from gittrack.workspace.held import hash_held, store_held

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="descriptors of POSIX")
LARGE = b"x" * (3 << 20)


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(tmp_path / "cache")


@pytest.fixture
def holder(tmp_path: Path, cache: Cache) -> Holder:
    return Holder(Room(), tmp_path / "held", cache)


@pytest.mark.parametrize("content", [b"", b"small", LARGE], ids=["empty", "small", "large"])
@pytest.mark.parametrize("what", ["replaced", "removed", "moved", "left"])
def test_what_was_held_is_what_is_read(tmp_path: Path, holder: Holder, cache: Cache, content: bytes, what: str) -> None:
    """Whatever happens to the name of a file meanwhile."""
    path = tmp_path / "m.pt"
    path.write_bytes(content)
    holding = holder.hold(str(path))
    if what == "replaced":
        (tmp_path / "new").write_bytes(b"another")
        (tmp_path / "new").replace(path)
    elif what == "removed":
        path.unlink()
    elif what == "moved":
        path.rename(tmp_path / "old.pt")
    contents = store_held(holding, cache, None)
    holding.close()
    assert (contents.digest, contents.size) == (hash_bytes(content), len(content))
    assert cache.is_intact(contents.digest)


def test_a_small_file_is_held_against_any_change(tmp_path: Path, holder: Holder, cache: Cache) -> None:
    """It is in memory."""
    path = tmp_path / "m.json"
    path.write_bytes(b"first")
    holding = holder.hold(str(path))
    path.write_bytes(b"other")
    assert hash_held(holding, cache, None).digest == hash_bytes(b"first")


@pytest.mark.parametrize("new", [b"y" * len(LARGE), b"y", LARGE + b"y"], ids=["same size", "shorter", "longer"])
def test_a_change_in_place_is_noticed(tmp_path: Path, holder: Holder, cache: Cache, new: bytes) -> None:
    """And nothing of it reaches the cache."""
    path = tmp_path / "m.pt"
    path.write_bytes(LARGE)
    os.utime(path, ns=(1, 1))
    holding = holder.hold(str(path))
    path.write_bytes(new)
    with pytest.raises(ContentChangedError):
        store_held(holding, cache, None)
    assert list(cache.list_digests()) == []


def test_a_change_that_hides_its_time_is_noticed(tmp_path: Path, holder: Holder) -> None:
    """A program may set the old times after it wrote, while the file is read."""
    path = tmp_path / "m.pt"
    path.write_bytes(LARGE)
    os.utime(path, ns=(1, 1))
    (held,) = holder.hold(str(path)).files
    assert held.descriptor is not None

    def take(descriptor: int) -> str:
        digest = hash_bytes(os.pread(descriptor, len(LARGE), 0))
        path.write_bytes(b"y" * len(LARGE))
        os.utime(path, ns=(1, 1))
        return digest

    with pytest.raises(ContentChangedError):
        read_open(held, take)  # type: ignore[arg-type]


def test_a_disk_that_shares_blocks_holds_against_any_change(
    tmp_path: Path, holder: Holder, cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No such disk can be had here: what the system call would do is done by hand."""

    def clone(source: int, target: int) -> bool:
        os.write(target, os.pread(source, len(LARGE), 0))
        return True

    monkeypatch.setattr(holding_module, "clone_file", clone)
    path = tmp_path / "m.pt"
    path.write_bytes(LARGE)
    holding = holder.hold(str(path))
    path.write_bytes(b"y" * len(LARGE))
    assert store_held(holding, cache, None).digest == hash_bytes(LARGE)
    holding.close()
    assert list((tmp_path / "held").iterdir()) == []


def test_a_folder_is_held_file_by_file(tmp_path: Path, holder: Holder, cache: Cache) -> None:
    """Also when all of it is gone before it is read, as old checkpoints are."""
    folder = tmp_path / "ckpt"
    (folder / "sub").mkdir(parents=True)
    (folder / "large").write_bytes(LARGE)
    (folder / "sub" / "run.sh").write_bytes(b"#!/bin/sh\n")
    (folder / "sub" / "run.sh").chmod(0o755)
    (folder / "last").symlink_to("large")
    holding = holder.hold(str(folder))
    for path in (folder / "large", folder / "sub" / "run.sh"):
        path.unlink()
    contents = store_held(holding, cache, None)
    holding.close()
    large, script = hash_bytes(LARGE), hash_bytes(b"#!/bin/sh\n")
    found = [(one.path, one.digest, one.is_executable) for one in contents.files]
    assert found == [("large", large, False), ("last", large, False), ("sub/run.sh", script, True)]
    assert cache.find_missing([contents.digest, *(one.digest for one in contents.files)]) == []


def test_of_many_files_the_rest_is_noted(tmp_path: Path, holder: Holder, cache: Cache) -> None:
    """A changed one is noticed all the same."""
    folder = tmp_path / "many"
    folder.mkdir()
    for number in range(200):
        (folder / f"{number}").write_bytes(b"%d" % number)
        os.utime(folder / f"{number}", ns=(1, 1))
    holding = holder.hold(str(folder))
    assert hash_held(holding, cache, None).n_files == 200
    noted = [held for held in holding.files if held.data is None and held.descriptor is None]
    assert len(noted) > 100
    (folder / noted[0].path).write_bytes(b"changed")
    with pytest.raises(ContentChangedError):
        hash_held(holding, cache, None)


def test_descriptors_and_memory_are_given_back(tmp_path: Path, cache: Cache) -> None:
    """So that a run of any length holds no more than its room."""
    holder = Holder(Room(n_bytes=10, n_descriptors=1), tmp_path / "held", cache)
    (tmp_path / "small").write_bytes(b"0123456789")
    (tmp_path / "large").write_bytes(LARGE)
    descriptors = Path("/proc/self/fd")
    before = len(list(descriptors.iterdir())) if sys.platform == "linux" else 0
    for _ in range(300):
        holdings = [holder.hold(str(tmp_path / name)) for name in ("small", "large", "small", "large")]
        in_memory = [held.data is not None for one in holdings for held in one.files]
        is_open = [held.descriptor is not None for one in holdings for held in one.files]
        assert (in_memory, sum(is_open) <= 1) == ([True, False, False, False], True)
        for one in holdings:
            one.close()
    if sys.platform == "linux":
        assert len(list(descriptors.iterdir())) == before


def test_what_is_no_file_is_refused(tmp_path: Path, holder: Holder) -> None:
    """A pipe would block, a missing file is Python's own error, a folder's link out of it is named."""
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(NotHeldError):
        holder.hold(str(tmp_path / "pipe"))
    with pytest.raises(FileNotFoundError):
        holder.hold(str(tmp_path / "absent"))
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "link").symlink_to("/etc/passwd")
    with pytest.raises(UntrackableError, match="link"):
        holder.hold(str(tmp_path / "folder"))
