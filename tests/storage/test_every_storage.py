"""What every storage must do, on real servers of each kind."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest

from gittrack.artifacts.cache import ObjectCorruptError, ObjectMissingError
from gittrack.artifacts.digest import hash_bytes
from gittrack.artifacts.intake import Intake
from gittrack.artifacts.manifest import FileEntry, render_manifest
from gittrack.storage.lfs import LfsBackend
from gittrack.storage.protocol import Parcel, StorageError
from tests.support.parcels import Meter, add_file, add_folder, find_faults, make_cache, read_folder, rot

if TYPE_CHECKING:
    from pathlib import Path

    from tests.storage.conftest import Place

FILES = {"a.txt": b"one", "b/c.bin": bytes(range(256)) * 5000, "b/empty": b"", "b/same": b"one"}


def test_artifacts_arrive_as_they_were(place: Place, tmp_path: Path) -> None:
    """A file, an empty one and a directory come out in another clone byte for byte, and are known to be there."""
    ada, bob = make_cache(tmp_path / "ada"), make_cache(tmp_path / "bob")
    parcels = [add_file(ada, b"weights" * 1000), add_file(ada, b"", "empty"), add_folder(ada, FILES)]
    assert place.storage.find_absent(parcels) == parcels
    place.storage.send(parcels, ada)
    other = place.again()
    assert other.find_absent(parcels) == []
    assert other.fetch(parcels, bob) == []
    assert bob.read(parcels[0].digest, 1 << 20) == b"weights" * 1000
    assert bob.read(parcels[1].digest, 0) == b""
    assert read_folder(bob, parcels[2]) == FILES
    assert find_faults(bob) == []


def test_large_files_arrive_in_parts(place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is sent and fetched in several parts is put together in the right order."""
    monkeypatch.setattr("gittrack.storage.object_store._LARGE_BYTES", 1 << 20)
    ada, bob = make_cache(tmp_path / "ada"), make_cache(tmp_path / "bob")
    parcel = add_file(ada, random.Random(1).randbytes((27 << 20) + 12345))
    sent, fetched = Meter(), Meter()
    place.storage.send([parcel], ada, sent.progress)
    assert place.again().fetch([parcel], bob, fetched.progress) == []
    assert bob.is_intact(parcel.digest)
    assert (sent.total, sent.n_bytes) == (fetched.total, fetched.n_bytes) == (parcel.size, parcel.size)


def test_what_is_there_does_not_travel_again(place: Place, tmp_path: Path) -> None:
    """A second push or pull moves nothing, and a changed directory only its new files."""
    ada, bob = make_cache(tmp_path / "ada"), make_cache(tmp_path / "bob")
    first, second = add_folder(ada, FILES), add_folder(ada, {**FILES, "new": b"12345"})
    place.storage.send([first], ada)
    place.again().fetch([first], bob)
    sent, resent, fetched = Meter(), Meter(), Meter()
    place.storage.send([first, second], ada, sent.progress)
    place.storage.send([first, second], ada, resent.progress)
    assert place.again().fetch([first, second], bob, fetched.progress) == []
    assert (sent.total, sent.n_bytes) == (5, 5)
    assert (resent.total, resent.n_bytes) == (0, 0)
    assert (fetched.total, fetched.n_bytes) == (5, 5)
    assert read_folder(bob, second) == {**FILES, "new": b"12345"}


def test_what_the_storage_lacks_is_told(place: Place, tmp_path: Path) -> None:
    """A fetch returns what the storage does not hold, and brings the rest."""
    ada, bob = make_cache(tmp_path / "ada"), make_cache(tmp_path / "bob")
    here, folder = add_file(ada, b"here"), add_folder(ada, FILES)
    gone = Parcel(hash_bytes(b"gone"), "file", 4, "gone")
    nowhere = Parcel(hash_bytes(b"nowhere"), "dir", 4, "nowhere")
    place.storage.send([here, folder], ada)
    place.tamper(hash_bytes(FILES["a.txt"]), None)
    assert place.again().fetch([here, gone, nowhere, folder], bob) == [gone, nowhere, folder]
    assert bob.read(here.digest, 10) == b"here"
    assert bob.find_size(hash_bytes(FILES["b/c.bin"])) is not None  # whole objects stay, for the next attempt


def test_a_directory_is_not_there_before_its_files(place: Place, tmp_path: Path) -> None:
    """When a file of a directory cannot be sent, its manifest is not sent either."""
    ada = make_cache(tmp_path / "ada")
    folder = add_folder(ada, FILES)
    ada.remove(hash_bytes(FILES["b/c.bin"]))
    with pytest.raises(ObjectMissingError, match="cannot be sent"):
        place.storage.send([folder], ada)
    assert place.storage.find_absent([folder]) == [folder]


def test_a_corrupt_object_is_never_sent(place: Place, tmp_path: Path) -> None:
    """A flipped bit in the cache is found before the object leaves, and the storage stays without it."""
    ada = make_cache(tmp_path / "ada")
    parcel, other = add_file(ada, b"weights"), add_folder(ada, FILES)
    rot(ada, parcel, b"weighty")
    rot(ada, Parcel(hash_bytes(b"one"), "file", 3, ""), b"on")
    for item in (parcel, other):
        with pytest.raises(ObjectCorruptError):
            place.storage.send([item], ada)
        assert place.storage.find_absent([item]) == [item]


@pytest.mark.parametrize("wrong", [b"other b", b"short", b"", b"much longer than it was"])
def test_other_bytes_are_refused(place: Place, tmp_path: Path, wrong: bytes) -> None:
    """Bytes that are not those of the object never get into the cache, whatever their number."""
    ada, bob = make_cache(tmp_path / "ada"), make_cache(tmp_path / "bob")
    parcel = add_file(ada, b"weights")
    place.storage.send([parcel], ada)
    place.tamper(parcel.digest, wrong)
    other = place.again()
    if isinstance(other.backend, LfsBackend) and len(wrong) != parcel.size:
        assert other.fetch([parcel], bob) == [parcel]  # the server says itself that it has none of this size
    else:
        with pytest.raises(StorageError):
            other.fetch([parcel], bob)
    assert list(bob.list_digests()) == []
    assert find_faults(bob) == []


def test_a_hostile_manifest_is_refused(place: Place, tmp_path: Path) -> None:
    """A directory whose manifest leads out of it is refused as a whole."""
    ada, bob = make_cache(tmp_path / "ada"), make_cache(tmp_path / "bob")
    manifest = render_manifest([FileEntry("a", hash_bytes(b"x"), 1)]).replace(b'"a"', b'"../a"')
    with Intake(ada) as intake:
        parcel = Parcel(intake.add_bytes(manifest), "file", len(manifest), "data")
    place.storage.send([parcel], ada)
    with pytest.raises(StorageError, match="cannot be used"):
        place.again().fetch([parcel._replace(kind="dir", size=1)], bob)


def test_a_damaged_copy_is_replaced_by_the_next_push(place: Place, tmp_path: Path) -> None:
    """An object that is shorter in the storage than it should be counts as absent, and is sent again."""
    ada, bob = make_cache(tmp_path / "ada"), make_cache(tmp_path / "bob")
    parcel = add_file(ada, b"weights")
    place.storage.send([parcel], ada)
    place.tamper(parcel.digest, b"weig")
    assert place.storage.find_absent([parcel]) == [parcel]
    place.storage.send([parcel], ada)
    assert place.again().fetch([parcel], bob) == []
    assert bob.read(parcel.digest, 10) == b"weights"


def test_many_small_files(place: Place, tmp_path: Path) -> None:
    """More objects than fit into a page or a batch are all found, sent and fetched."""
    ada, bob = make_cache(tmp_path / "ada"), make_cache(tmp_path / "bob")
    files = {f"{number:04}.txt": b"%d" % number for number in range(250)}
    folder = add_folder(ada, files)
    place.storage.send([folder], ada)
    loose = [Parcel(hash_bytes(data), "file", len(data), name) for name, data in files.items()]
    other = place.again()
    assert other.find_absent(loose) == []
    assert other.fetch([folder], bob) == []
    assert read_folder(bob, folder) == files
