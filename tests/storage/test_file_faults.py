"""A folder as storage on a disk that is full, damaged or in use by others."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from gittrack.artifacts.cache import Cache, ObjectCorruptError
from gittrack.storage.file import FileBackend
from gittrack.storage.objectwise import ObjectwiseStorage
from gittrack.storage.protocol import StorageError
from tests.support.parcels import add_file, add_folder, find_faults, make_cache, read_folder, rot
from tests.support.small_disk import fill, set_read_only, small_disk

if TYPE_CHECKING:
    from pathlib import Path

LARGE = random.Random(5).randbytes(3_000_000)
FILES = {str(number): random.Random(number).randbytes(50_000) for number in range(60)}


def open_folder(folder: Path) -> ObjectwiseStorage:
    return ObjectwiseStorage(FileBackend(folder))


def test_a_full_disk_of_the_storage_is_an_error_and_leaves_no_half_object(tmp_path: Path) -> None:
    """A push to a full disk says so; what is there is whole, and the push goes on when there is room."""
    ada, bob = make_cache(tmp_path / "ada"), make_cache(tmp_path / "bob")
    folder = add_folder(ada, FILES)
    with small_disk(tmp_path / "disk", size="2m") as disk:
        storage = open_folder(disk / "store")
        with pytest.raises(StorageError, match="No space left"):
            storage.send([folder], ada)
        assert storage.find_absent([folder]) == [folder]
        assert find_faults(Cache(disk / "store")) == []
        subprocess.run(["mount", "-o", "remount,size=20m", str(disk)], check=True)
        storage.send([folder], ada)
        assert storage.fetch([folder], bob) == []
        assert read_folder(bob, folder) == FILES


@pytest.mark.parametrize("data", [LARGE, b"small" * 1000])
def test_a_full_disk_of_the_cache_is_an_error_and_leaves_no_half_object(tmp_path: Path, data: bytes) -> None:
    """A pull onto a full disk raises what the disk says, and leaves nothing behind."""
    ada = make_cache(tmp_path / "ada")
    parcel = add_file(ada, data)
    storage = open_folder(tmp_path / "store")
    storage.send([parcel], ada)
    with small_disk(tmp_path / "disk", size="2m") as disk:
        bob = make_cache(disk / "cache")
        ballast = fill(disk)
        with pytest.raises(OSError, match="No space left"):
            storage.fetch([parcel], bob)
        ballast.unlink()
        assert list(bob.list_digests()) == []
        assert find_faults(bob) == []


def test_a_read_only_storage_can_be_fetched_from_but_not_sent_to(tmp_path: Path) -> None:
    """A mounted archive serves, and refuses in words that name it."""
    ada, bob = make_cache(tmp_path / "ada"), make_cache(tmp_path / "bob")
    old, new = add_file(ada, b"old"), add_file(ada, b"new")
    with small_disk(tmp_path / "disk") as disk:
        storage = open_folder(disk / "store")
        storage.send([old], ada)
        set_read_only(disk)
        assert storage.fetch([old], bob) == []
        with pytest.raises(StorageError, match=r"store' cannot be written: Read-only"):
            storage.send([new], ada)
        set_read_only(disk, is_read_only=False)


@pytest.mark.parametrize("data", [LARGE, b"small" * 1000])
def test_every_damage_of_the_storage_is_found(tmp_path: Path, data: bytes) -> None:
    """A flipped bit, a truncation, a growth: an error that names the file, and nothing in the cache."""
    ada, bob = make_cache(tmp_path / "ada"), make_cache(tmp_path / "bob")
    parcel = add_file(ada, data)
    storage = open_folder(tmp_path / "store")
    storage.send([parcel], ada)
    middle = len(data) // 2
    flipped = data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :]
    for wrong in (flipped, data[:-1], b"", data + b"x", bytes(len(data))):
        rot(Cache(tmp_path / "store"), parcel, wrong)
        with pytest.raises(StorageError, match=f"{parcel.digest[2:]}' is damaged"):
            storage.fetch([parcel], bob)
        assert list(bob.list_digests()) == []
        assert find_faults(bob) == []


@pytest.mark.parametrize("kind", ["folder", "pipe", "link"])
def test_what_is_no_file_is_not_read(tmp_path: Path, kind: str) -> None:
    """A folder, a pipe or a link in the place of an object neither hangs nor leads anywhere."""
    ada, bob = make_cache(tmp_path / "ada"), make_cache(tmp_path / "bob")
    parcel = add_file(ada, b"weights")
    storage = open_folder(tmp_path / "store")
    storage.send([parcel], ada)
    path = Cache(tmp_path / "store").path(parcel.digest)
    path.unlink()
    if kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    else:
        path.symlink_to(ada.path(parcel.digest))
    with pytest.raises(StorageError):
        storage.fetch([parcel], bob)
    assert list(bob.list_digests()) == []


def test_a_corrupt_object_stays_out_of_the_storage_and_the_others_go(tmp_path: Path) -> None:
    """One damaged file of many holds up its directory only; what was sent before is durable."""
    ada = make_cache(tmp_path / "ada")
    folder, good = add_folder(ada, FILES), add_file(ada, b"good")
    bad = add_file(ada, FILES["7"])
    rot(ada, bad, FILES["7"][::-1])
    storage = open_folder(tmp_path / "store")
    with pytest.raises(ObjectCorruptError, match=f"{bad.digest[:12]} in the cache is corrupt"):
        storage.send([folder, good], ada)
    assert storage.find_absent([folder]) == [folder]
    assert find_faults(Cache(tmp_path / "store")) == []


PROGRAM = """
import sys
from pathlib import Path
from gittrack.artifacts.cache import Cache
from gittrack.storage.file import FileBackend
from gittrack.storage.objectwise import ObjectwiseStorage
from gittrack.storage.protocol import Parcel
cache, store, digest, size, verb = sys.argv[1:]
storage = ObjectwiseStorage(FileBackend(Path(store)))
print("begin", flush=True)
getattr(storage, verb)([Parcel(digest, "dir", int(size), "data")], Cache(Path(cache)))
"""


@pytest.mark.parametrize("verb", ["send", "fetch"])
def test_a_kill_leaves_whole_objects_only(tmp_path: Path, verb: str) -> None:
    """SIGKILL at any moment of a push or pull; the next one completes it and sweeps what was left."""
    ada, bob = make_cache(tmp_path / "ada"), make_cache(tmp_path / "bob")
    files = {**FILES, **{f"large{number}": LARGE[number:] for number in range(6)}}
    folder = add_folder(ada, files)
    storage = open_folder(tmp_path / "store")
    if verb == "fetch":
        storage.send([folder], ada)
    cache = ada if verb == "send" else bob
    target = Cache(tmp_path / "store") if verb == "send" else bob
    arguments = [str(cache.root), str(tmp_path / "store"), folder.digest, str(folder.size), verb]
    for delay in (0.0, 0.005, 0.01, 0.02, 0.04, 0.08):
        process = subprocess.Popen([sys.executable, "-c", PROGRAM, *arguments], stdout=subprocess.PIPE)
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(delay)
        os.kill(process.pid, signal.SIGKILL)
        process.communicate()
        assert [digest for digest in target.list_digests() if not target.is_intact(digest)] == []
    storage.send([folder], ada)
    other = make_cache(tmp_path / "other")
    assert storage.fetch([folder], other) == []
    assert read_folder(other, folder) == files
    assert find_faults(Cache(tmp_path / "store")) == []


def test_two_people_may_send_the_same(tmp_path: Path) -> None:
    """Two pushes of one directory at once end well, and the storage holds each object once and whole."""
    caches = [make_cache(tmp_path / name) for name in ("ada", "bob")]
    folders = [add_folder(cache, FILES) for cache in caches]
    arguments = [str(tmp_path / "store"), folders[0].digest, str(folders[0].size), "send"]
    processes = [
        subprocess.Popen([sys.executable, "-c", PROGRAM, str(cache.root), *arguments], stdout=subprocess.DEVNULL)
        for cache in caches
    ]
    assert [process.wait() for process in processes] == [0, 0]
    assert open_folder(tmp_path / "store").find_absent(folders) == []
    assert find_faults(Cache(tmp_path / "store")) == []
