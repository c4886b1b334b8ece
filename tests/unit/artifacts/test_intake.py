"""Taking content in: whole objects or none, whatever happens to the file or to the process."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import pytest

from gittrack.artifacts import intake as intake_module
from gittrack.artifacts.cache import Cache
from gittrack.artifacts.copying import ContentChangedError
from gittrack.artifacts.digest import hash_bytes
from gittrack.artifacts.intake import Intake, NotAFileError, WrongContentError
from tests.support.artifacts import age, damage, drop, fill_cache, read_files, write_files

if TYPE_CHECKING:
    from pathlib import Path

LARGE = (1 << 20) + 17


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(tmp_path / "cache")


def objects(cache: Cache) -> set[str]:
    return set(cache.list_digests())


@pytest.mark.parametrize("n_bytes", [0, 1, LARGE, 33 << 20])
def test_a_file_is_taken(tmp_path: Path, cache: Cache, n_bytes: int) -> None:
    """Small and large ones, with the bytes counted."""
    data = os.urandom(n_bytes)
    write_files(tmp_path, {"file": data})
    counted: list[int] = []
    with Intake(cache) as intake:
        taken = intake.add_file(str(tmp_path / "file"), on_bytes=counted.append)
        assert objects(cache) == set()
    assert taken.digest == hash_bytes(data)
    assert (sum(counted), intake.n_new_bytes, taken.info.st_size) == (n_bytes, n_bytes, n_bytes)
    assert cache.path(taken.digest).read_bytes() == data
    assert list(cache.scratch_root.iterdir()) == []


def test_equal_content_is_stored_once(tmp_path: Path, cache: Cache) -> None:
    """Within a batch and between batches; what is there becomes young again."""
    write_files(tmp_path, {"a": b"same", "b": b"same", "large": b"x" * LARGE, "too": b"x" * LARGE})
    for n_new in (4 + LARGE, 0):
        with Intake(cache) as intake:
            digests = [intake.add_file(str(tmp_path / name)).digest for name in ("a", "b", "large", "too")]
        assert intake.n_new_bytes == n_new
        assert len(objects(cache)) == 2
        age(cache.path(digests[0]))
    with Intake(cache) as intake:
        intake.add_bytes(b"same")
    assert cache.path(digests[0]).stat().st_mtime > age_limit()


def age_limit() -> float:
    import time

    return time.time() - 3600


@pytest.mark.parametrize("content", [b"", b"sam", b"same and more"])
def test_a_cut_object_is_replaced(tmp_path: Path, content: bytes) -> None:
    """A size that is wrong gives it away, also when many are asked for."""
    cache, (digest,) = fill_cache(tmp_path / "cache", b"same")
    damage(cache, digest, content)
    with Intake(cache) as intake:
        for number in range(150):
            intake.add_bytes(str(number).encode())
        intake.add_bytes(b"same")
    assert cache.is_intact(digest)


def test_an_object_that_goes_away_in_between_is_written_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As when a collection of garbage takes an old object just after it was found to be there."""
    cache, (digest,) = fill_cache(tmp_path / "cache", b"same")
    age(cache.path(digest))
    find_size = cache.find_size

    def find_and_lose(wanted: str) -> int | None:
        size = find_size(wanted)  # type: ignore[arg-type]
        drop(cache, digest)
        return size

    with Intake(cache) as intake:
        monkeypatch.setattr(cache, "find_size", find_and_lose)
        intake.add_bytes(b"same")
        monkeypatch.undo()
    assert cache.is_intact(digest)


def test_an_error_leaves_nothing(tmp_path: Path, cache: Cache) -> None:
    """Neither an object nor a folder of work in progress."""
    write_files(tmp_path, {"a": b"x" * LARGE})

    def add_both() -> None:
        with Intake(cache) as intake:
            intake.add_file(str(tmp_path / "a"))
            intake.add_file(str(tmp_path / "absent"))

    with pytest.raises(FileNotFoundError):
        add_both()
    assert objects(cache) == set()
    assert read_files(cache.root) == {}


def test_only_regular_files_are_taken(tmp_path: Path, cache: Cache) -> None:
    """No folder, link, pipe or device, and none of them makes it wait."""
    write_files(tmp_path, {"a": b"x"})
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("a")
    with Intake(cache) as intake:
        for name in ("pipe", "."):
            with pytest.raises(NotAFileError):
                intake.add_file(str(tmp_path / name))
        with pytest.raises(NotAFileError):
            intake.add_file(os.devnull)
        with pytest.raises(OSError, match="symbolic"):
            intake.add_file(str(tmp_path / "link"))
    assert objects(cache) == set()


@pytest.mark.parametrize("n_bytes", [100, LARGE])
@pytest.mark.parametrize("change", ["shorter", "longer", "other"])
def test_a_file_that_changes_while_it_is_read_is_read_again(
    tmp_path: Path, cache: Cache, n_bytes: int, change: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once changed, the last content is taken; when it never rests, that is said."""
    path = write_files(tmp_path, {"a": b"a" * n_bytes}) / "a"
    new = {"shorter": b"b" * (n_bytes - 7), "longer": b"b" * (n_bytes + 7), "other": b"b" * n_bytes}[change]
    n_left = 1
    take = Intake._take

    def change_and_take(self: Intake, *args: object) -> object:
        nonlocal n_left
        digest = take(self, *args) if change == "other" else None  # type: ignore[arg-type]
        if n_left:
            n_left -= 1
            path.write_bytes(new)
            os.utime(path, ns=(n_left, n_left))
        return take(self, *args) if digest is None else digest  # type: ignore[arg-type]

    monkeypatch.setattr(Intake, "_take", change_and_take)
    with Intake(cache) as intake:
        assert intake.add_file(str(path)).digest == hash_bytes(new)
    assert cache.path(hash_bytes(new)).read_bytes() == new
    n_left = 100
    path.write_bytes(b"a" * n_bytes)
    with pytest.raises(ContentChangedError, match="changes while it is read"), Intake(cache) as intake:
        intake.add_file(str(path))


def test_an_unreadable_file_is_an_error_of_the_system(tmp_path: Path, cache: Cache) -> None:
    """It names the file."""
    with pytest.raises(FileNotFoundError, match="absent"), Intake(cache) as intake:
        intake.add_file(str(tmp_path / "absent"))


def test_what_a_killed_process_left_is_swept(cache: Cache) -> None:
    """By the next batch; the work of a living process stays."""
    code = (
        "import os, sys; from pathlib import Path; from gittrack.artifacts.cache import Cache\n"
        "from gittrack.artifacts.intake import Intake\n"
        f"Intake(Cache(Path({str(cache.root)!r}))).add_bytes(b'x'); os.kill(os.getpid(), 9)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == -9
    (left,) = cache.scratch_root.iterdir()
    with Intake(cache) as first:
        assert not left.exists()
        with Intake(cache) as second:
            assert len(list(cache.scratch_root.iterdir())) == 2
            second.add_bytes(b"second")
        first.add_bytes(b"first")
    assert objects(cache) == {hash_bytes(b"first"), hash_bytes(b"second")}


def test_several_at_once_add_the_same(cache: Cache) -> None:
    """Threads with batches of their own, over and over, end with whole objects."""
    contents = [str(number).encode() * 1000 for number in range(50)]
    errors: list[BaseException] = []

    def work() -> None:
        try:
            with Intake(cache) as intake:
                for content in contents:
                    intake.add_bytes(content)
        except BaseException as error:  # noqa: BLE001  shown below
            errors.append(error)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert objects(cache) == {hash_bytes(content) for content in contents}
    assert all(cache.is_intact(digest) for digest in cache.list_digests())


def test_many_files_are_synced_at_once(cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is visible before it is on the disk, for few and for many."""
    calls: list[str] = []
    monkeypatch.setattr(intake_module, "sync_file", lambda *_: calls.append("file"))
    monkeypatch.setattr(intake_module, "sync_file_system", lambda *_: calls.append("system"))
    monkeypatch.setattr(intake_module, "sync_folder", lambda *_: calls.append("folder"))
    rename_all = Intake._rename_all
    monkeypatch.setattr(Intake, "_rename_all", lambda self: calls.append("rename") or rename_all(self))
    for n_files, before in ((3, ["file"] * 3), (40, ["system"])):
        calls.clear()
        with Intake(cache) as intake:
            for number in range(n_files):
                intake.add_bytes(f"{n_files} {number}".encode())
        assert calls[: len(before) + 1] == [*before, "rename"]
        assert calls[-1] in {"folder", "system"}


@pytest.mark.parametrize("n_bytes", [10, LARGE])
def test_what_arrives_is_checked(cache: Cache, n_bytes: int) -> None:
    """Too few, too many or other bytes are kept nowhere; the right ones are an object."""
    data = os.urandom(n_bytes)
    digest = hash_bytes(data)

    def receive(*pieces: bytes) -> None:
        with Intake(cache) as intake, intake.receive(digest, n_bytes) as incoming:
            for piece in pieces:
                incoming.write(piece)
            incoming.finish()

    for wrong in (data[:-1], data + b"x", bytes(n_bytes)):
        with pytest.raises(WrongContentError):
            receive(wrong)
    assert objects(cache) == set()
    receive(data[:3], data[3:])
    assert cache.path(digest).read_bytes() == data


def test_names_of_what_arrives_are_none_of_the_folders_of_small_objects(tmp_path: Path) -> None:
    """Both are in the folder of the batch: numbered files, and folders such as `10` and `99`."""
    cache = Cache(tmp_path / "cache")
    contents = [b"small %d" % number for number in range(1000)]
    arriving = [b"arriving %d" % number for number in range(120)]
    with Intake(cache) as batch:
        for content in contents:
            batch.add_bytes(content)
        for content in arriving:
            incoming = batch.receive(hash_bytes(content), len(content))
            incoming.write(content)
            incoming.finish()
    digests = [hash_bytes(content) for content in contents + arriving]
    assert {"10", "99"} <= {digest[:2] for digest in digests}
    assert all(cache.is_intact(digest) for digest in digests)
