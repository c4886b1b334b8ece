"""The git remote as a storage: artifacts there and back, whole and in parts, and against hostile remotes."""

from __future__ import annotations

import hashlib
import os
import random
import subprocess
from typing import TYPE_CHECKING

import pytest

from gittrack.artifacts.cache import Cache, ObjectCorruptError, ObjectMissingError
from gittrack.artifacts.digest import hash_bytes
from gittrack.git.objects import TreeEntry, tree_content
from gittrack.storage import git_send
from gittrack.storage.git import GitStorage
from gittrack.storage.git_layout import (
    BLOB_BYTES,
    CHUNK_BYTES,
    chunk_bytes,
    chunk_paths,
    chunk_size,
    parse_from,
)
from gittrack.storage.protocol import Parcel, StorageError
from tests.support.git_repository import make_repository, open_repository, run_git
from tests.support.parcels import Meter, add_file, add_folder, find_faults, make_cache, read_folder, rot
from tests.support.remotes import use_protocol
from tests.support.untouched import own_state

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

NAMESPACE = "refs/gittrack/artifacts"
PART_BYTES = 300_000


class Pair:
    """Two clones with a cache each, and the bare remote between them.

    Args:
        folder: Where they are made.
        object_format: The hash of all three.
        way: How artifacts come: read in the remote's ``folder``, or by git's ``protocol``.
    """

    def __init__(self, folder: Path, object_format: str = "sha1", way: str = "folder") -> None:
        self.remote = folder / "remote.git"
        run_git("init", "-q", "--bare", f"--object-format={object_format}", str(self.remote), cwd=folder)
        run_git("config", "receive.fsckObjects", "true", cwd=self.remote)
        self.folders = [make_repository(folder / name, object_format=object_format) for name in ("ada", "bob")]  # type: ignore[arg-type]
        for clone in self.folders:
            run_git("remote", "add", "origin", "../remote.git", cwd=clone)
            if way == "protocol":
                use_protocol(clone)
        self.ada, self.bob = (make_cache(folder / name / ".git/gittrack/cache") for name in ("ada", "bob"))

    def storage(self, number: int = 0, part_bytes: int = 1 << 30) -> GitStorage:
        return GitStorage(open_repository(self.folders[number]), "origin", part_bytes=part_bytes)

    def send(self, *parcels: Parcel, part_bytes: int = 1 << 30) -> None:
        self.storage(part_bytes=part_bytes).send(parcels, self.ada)

    def fetch(self, *parcels: Parcel, part_bytes: int = 1 << 30) -> list[Parcel]:
        return self.storage(1, part_bytes).fetch(parcels, self.bob)

    def refs(self) -> list[str]:
        return run_git("for-each-ref", "--format=%(refname)", cwd=self.remote).splitlines()

    def n_objects(self) -> int:
        listing = run_git("cat-file", "--batch-all-objects", "--batch-check", cwd=self.remote)
        return len(listing.splitlines())


@pytest.fixture(params=["folder", "protocol"])
def pair(tmp_path: Path, request: pytest.FixtureRequest) -> Pair:
    return Pair(tmp_path, way=request.param)


def content(size: int, seed: int = 0) -> bytes:
    """Return bytes that do not repeat and do not shrink."""
    return random.Random(size * 1000 + seed).randbytes(size)


@pytest.mark.parametrize("object_format", ["sha1", "sha256"])
@pytest.mark.parametrize("way", ["folder", "protocol"])
def test_files_of_every_size_arrive(tmp_path: Path, object_format: str, way: str) -> None:
    """On both sides of each border of blobs and chunks, with zeros that repeat; the remote is sound."""
    pair = Pair(tmp_path, object_format, way)
    sizes = (0, 1, BLOB_BYTES - 1, BLOB_BYTES, BLOB_BYTES + 1, 2 * BLOB_BYTES, 2 * BLOB_BYTES + 1, 9_000_000)
    parcels = [add_file(pair.ada, content(size), f"f{size}") for size in sizes]
    parcels.append(add_file(pair.ada, bytes(200_000), "zeros"))
    before = [own_state(folder) for folder in pair.folders]
    meter = Meter()
    pair.storage().send(parcels, pair.ada, meter.progress)
    assert meter.n_bytes == pytest.approx(meter.total, abs=2)
    assert pair.storage(1).find_absent(parcels) == []
    assert pair.fetch(*parcels) == []
    for parcel in parcels:
        assert pair.bob.read(parcel.digest, 1 << 30) == pair.ada.read(parcel.digest, 1 << 30)
    assert run_git("fsck", "--strict", "--no-dangling", cwd=pair.remote) == ""
    assert sorted(pair.refs()) == sorted(f"{NAMESPACE}/{parcel.digest}" for parcel in parcels)
    assert [own_state(folder) for folder in pair.folders] == before
    assert find_faults(pair.bob) == []


def test_a_folder_arrives_and_a_changed_file_travels_alone(pair: Pair) -> None:
    """One changed file costs one file on the way there and back, though neither clone's git has any of it."""
    files = {f"d{number % 7}/f{number}": content(3000, number) for number in range(200)}
    first = add_folder(pair.ada, files)
    pair.send(first)
    assert pair.fetch(first) == []
    n_before = pair.n_objects()
    meter = Meter()
    second = add_folder(pair.ada, {**files, "d1/f1": b"changed", "big": content(200_000)})
    pair.storage().send([second], pair.ada, meter.progress)
    assert meter.total < 260_000
    assert pair.n_objects() - n_before < 25
    assert pair.fetch(second) == []
    assert read_folder(pair.bob, second) == {**files, "d1/f1": b"changed", "big": content(200_000)}


def test_versions_stay_flat(pair: Pair, tmp_path: Path) -> None:
    """A newcomer fetches the tenth version, most of whose files lie in those before."""
    files = {f"f{number}": content(1000, number) for number in range(30)}
    for number in range(10):
        files[f"f{number}"] = content(1000, 100 + number)
        parcel = add_folder(pair.ada, files)
        pair.send(parcel)
    named = run_git("show", f"{NAMESPACE}/{parcel.digest}:from", cwd=pair.remote).splitlines()
    assert 1 <= len(named) <= 10
    newcomer = make_cache(tmp_path / "newcomer")
    assert pair.storage(1).fetch([parcel], newcomer) == []
    assert read_folder(newcomer, parcel) == files


def test_a_chain_is_followed_where_nothing_is_remembered(pair: Pair) -> None:
    """Who sends a further version without knowing where the former's files lie names the former alone."""
    files = {f"f{number}": content(1000, number) for number in range(5)}
    for number in range(4):
        files[f"f{number}"] = content(1000, 100 + number)
        parcel = add_folder(pair.ada, files)
        pair.send(parcel)
        (pair.folders[0] / ".git/gittrack/storage.sqlite").unlink()
    assert pair.fetch(parcel) == []
    assert read_folder(pair.bob, parcel) == files


@pytest.mark.parametrize("kind", ["file", "dir"])
def test_large_artifacts_travel_in_parts(pair: Pair, kind: str) -> None:
    """Several pushes of a limited size, then the whole; there and back."""
    files = {f"f{number}": content(90_000, number) for number in range(12)}
    parcel = add_file(pair.ada, content(64 << 20)) if kind == "file" else add_folder(pair.ada, files)
    part_bytes = PART_BYTES if kind == "dir" else 20 << 20
    pair.send(parcel, part_bytes=part_bytes)
    names = [ref.rpartition("/")[2] for ref in pair.refs()]
    assert names == sorted(names)
    assert len(names) > 3 or kind == "file"
    assert pair.fetch(parcel, part_bytes=part_bytes) == []
    assert find_faults(pair.bob) == []
    if kind == "dir":
        assert read_folder(pair.bob, parcel) == files


def test_a_very_large_file_is_continued_at_its_part(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    """A push that was cut sends no part twice; a fetch that was cut fetches none twice."""
    monkeypatch.setattr(git_send, "_SPLIT_ABOVE_BYTES", 1 << 20)
    monkeypatch.setattr("gittrack.artifacts.intake.RESUME_ABOVE_BYTES", 1 << 20)
    monkeypatch.setattr("gittrack.storage.git_fetch.RESUME_ABOVE_BYTES", 1 << 20)
    parcel = add_file(pair.ada, content(9_000_000))
    push = git_send.push_refs
    pushed: list[str] = []

    def cut(*args: object, **settings: object) -> object:
        if len(pushed) == 2:
            raise KeyboardInterrupt
        pushed.append("push")
        return push(*args, **settings)  # type: ignore[arg-type]

    monkeypatch.setattr(git_send, "push_refs", cut)
    with pytest.raises(KeyboardInterrupt):
        pair.send(parcel, part_bytes=2_000_000)
    assert len(pair.refs()) == 2
    assert pair.storage().find_absent([parcel]) == [parcel]
    pushed.clear()

    def count(*args: object, **settings: object) -> object:
        pushed.append("push")
        return push(*args, **settings)  # type: ignore[arg-type]

    monkeypatch.setattr(git_send, "push_refs", count)
    pair.send(parcel, part_bytes=2_000_000)
    assert len(pushed) == len(pair.refs()) - 2
    hide = pair.refs()[3]
    oid = run_git("rev-parse", hide, cwd=pair.remote)
    run_git("update-ref", "-d", hide, cwd=pair.remote)
    with pytest.raises(StorageError, match="is not whole"):
        pair.fetch(parcel)
    assert pair.bob.find_size(parcel.digest) is None
    run_git("update-ref", hide, oid, cwd=pair.remote)
    assert pair.fetch(parcel) == []
    assert pair.bob.is_intact(parcel.digest)


def test_what_is_there_is_not_sent_again(pair: Pair) -> None:
    """Nor what is in the cache fetched."""
    parcels = [add_file(pair.ada, content(100, number), f"f{number}") for number in range(20)]
    pair.send(*parcels)
    n_before = pair.n_objects()
    pair.send(*parcels)
    assert pair.n_objects() == n_before
    pair.fetch(*parcels)
    times = [pair.bob.path(parcel.digest).stat().st_mtime_ns for parcel in parcels]
    pair.fetch(*parcels)
    assert [pair.bob.path(parcel.digest).stat().st_mtime_ns for parcel in parcels] == times


def test_what_nobody_sent_is_returned(pair: Pair) -> None:
    """The others arrive."""
    there, absent = add_file(pair.ada, b"there", "a"), add_file(pair.ada, b"absent", "b")
    pair.send(there)
    assert pair.fetch(there, absent) == [absent]
    assert pair.bob.read(there.digest, 100) == b"there"


def test_damage_is_never_sent(pair: Pair) -> None:
    """A corrupt or missing object is an error, and nothing that needs it is visible."""
    folder = add_folder(pair.ada, {"a": content(70_000), "b": b"b"})
    rot(pair.ada, Parcel(hash_bytes(content(70_000)), "file", 70_000, "a"), content(70_000, 1))
    with pytest.raises(ObjectCorruptError):
        pair.send(folder)
    pair.ada.remove(hash_bytes(content(70_000)))
    with pytest.raises(ObjectMissingError):
        pair.send(folder)
    with pytest.raises(ObjectMissingError):
        pair.send(Parcel(hash_bytes(b"nowhere"), "file", 7, "x"))
    assert pair.refs() == []
    assert list((pair.folders[0] / ".git/gittrack/tmp").iterdir()) == []


class Forger:
    """Writes refs of artifacts that hold something else."""

    def __init__(self, remote: Path) -> None:
        self.remote = remote

    def blob(self, data: bytes) -> str:
        return self._write("blob", data)

    def tree(self, **entries: str) -> str:
        """Make a tree of blobs, and of trees whose names end with an underscore."""
        return self._write(
            "tree",
            tree_content(
                TreeEntry(name.rstrip("_").encode(), 0o040000 if name.endswith("_") else 0o100644, oid)
                for name, oid in entries.items()
            ),
        )

    def publish(self, name: str, tree: str) -> None:
        who = {f"GIT_{role}_{what}": "x" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
        commit = run_git("commit-tree", tree, "-m", "x", cwd=self.remote, env=who)
        run_git("update-ref", f"{NAMESPACE}/{name}", commit, cwd=self.remote)

    def _write(self, kind: str, data: bytes) -> str:
        arguments = ["git", "hash-object", "-t", kind, "-w", "--stdin"]
        done = subprocess.run(arguments, cwd=self.remote, input=data, capture_output=True, check=True)
        return done.stdout.decode().strip()


def wrong_bytes(forger: Forger, name: str) -> None:
    forger.publish(name, forger.tree(object=forger.blob(b"x" * 100_000)))


def wrong_size(forger: Forger, name: str) -> None:
    forger.publish(name, forger.tree(object_=forger.tree(**{"00000_": forger.tree(**{"000": forger.blob(b"x")})})))


def nothing(forger: Forger, name: str) -> None:
    forger.publish(name, forger.tree(other=forger.blob(b"x")))


def bomb(forger: Forger, name: str) -> None:
    tree = forger.tree(a=forger.blob(b"x"))
    for _ in range(25):
        tree = forger.tree(**{f"t{number}_": tree for number in range(10)})
    forger.publish(name, forger.tree(object_=tree, objects_=tree, manifest_=tree))


def odd_origins(forger: Forger, name: str) -> None:
    forger.publish(name, forger.tree(**{"from": forger.blob(b"../../heads/main\n")}))


def circle(forger: Forger, name: str) -> None:
    forger.publish(name, forger.tree(**{"from": forger.blob(f"{name}\n{'0' * 64}\n".encode())}))


def manifest_of_lies(forger: Forger, name: str) -> None:
    forger.publish(name, forger.tree(manifest=forger.blob(b'{"path":"../../evil"}\n'), object=forger.blob(b"x")))


FORGERIES = [wrong_bytes, wrong_size, nothing, bomb, odd_origins, circle, manifest_of_lies]


@pytest.mark.parametrize("forge", FORGERIES, ids=lambda one: one.__name__)
@pytest.mark.parametrize("kind", ["file", "dir"])
def test_a_hostile_remote_brings_nothing_in(pair: Pair, forge: Callable[[Forger, str], None], kind: str) -> None:
    """Other bytes, sizes and trees are an error that names the artifact; nothing is kept, nothing written elsewhere."""
    parcel = Parcel(hash_bytes(content(100_000)), kind, 100_000, "wanted")  # type: ignore[arg-type]
    forge(Forger(pair.remote), parcel.digest)
    before = own_state(pair.folders[1])
    with pytest.raises(StorageError):
        pair.fetch(parcel)
    assert list(pair.bob.list_digests()) == []
    assert own_state(pair.folders[1]) == before


def test_a_manifest_that_is_what_its_name_says_may_still_be_hostile(pair: Pair) -> None:
    """Its digest is right and its paths are not: nothing is done with it."""
    line = f'{{"digest":"b3:{hash_bytes(b"x")}","path":"../evil","size":1}}\n'.encode()
    forger = Forger(pair.remote)
    parcel = Parcel(hash_bytes(line), "dir", 1, "wanted")
    forger.publish(parcel.digest, forger.tree(manifest=forger.blob(line)))
    with pytest.raises(StorageError, match="leaves the repository"):
        pair.fetch(parcel)
    assert not (pair.folders[1].parent / "evil").exists()


def test_a_remote_that_refuses_says_the_way_out(pair: Pair) -> None:
    """A host that takes branches only: the reason, and the setting that helps; which does."""
    hook = pair.remote / "hooks/update"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text('#!/bin/sh\ncase "$1" in refs/heads/*) exit 0;; esac\necho "branches only" >&2\nexit 1\n')
    hook.chmod(0o755)
    parcel = add_file(pair.ada, b"x")
    with pytest.raises(StorageError, match=r"hook declined.*branches only") as caught:
        pair.send(parcel)
    assert "gittrack.pushNamespace" in str(caught.value.hint)
    for folder in pair.folders:
        run_git("config", "gittrack.pushNamespace", "refs/heads/gittrack", cwd=folder)
    pair.send(parcel)
    assert pair.refs() == [f"refs/heads/gittrack/artifacts/{parcel.digest}"]
    assert pair.fetch(parcel) == []


def test_a_remote_that_is_gone_is_an_error(pair: Pair) -> None:
    """With git's own reason."""
    run_git("config", "remote.origin.url", "/nowhere/x.git", cwd=pair.folders[0])
    with pytest.raises(StorageError, match="could not travel"):
        pair.storage().find_absent([add_file(pair.ada, b"x")])


def test_a_folder_is_read_where_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is fetched from a remote that is a folder, nor anything of it kept in the clone's git."""
    pair = Pair(tmp_path)
    parcels = [add_file(pair.ada, content(9_000_000)), add_folder(pair.ada, {"a": content(70_000), "b": b"b"})]
    pair.send(*parcels, part_bytes=PART_BYTES)
    monkeypatch.delattr("gittrack.storage.git_fetch.fetch_refs")
    before = own_state(pair.folders[1])
    meter = Meter()
    assert pair.storage(1).fetch(parcels, pair.bob, meter.progress) == []
    assert meter.n_bytes == pytest.approx(meter.total, abs=2)
    assert find_faults(pair.bob) == []
    assert own_state(pair.folders[1]) == before


def test_a_damaged_remote_is_told(pair: Pair) -> None:
    """Its objects are there and cannot be read: an error that says so, and nothing comes in; mended, it works."""
    parcel = add_file(pair.ada, content(9_000_000))
    pair.send(parcel)
    for pack in (pair.remote / "objects/pack").glob("*.pack"):
        pack.chmod(0o644)
        whole = pack.read_bytes()
        pack.write_bytes(whole[:4_000_000] + bytes(200_000) + whole[4_200_000:])
    with pytest.raises(StorageError, match=r"could not travel|cannot be read"):
        pair.fetch(parcel)
    assert list(pair.bob.list_digests()) == []
    pack.write_bytes(whole)
    assert pair.fetch(parcel) == []


def test_partial_and_shallow_clones_share_too(pair: Pair, tmp_path: Path) -> None:
    """Their promises and cuts concern the code, not artifacts."""
    parcel = add_file(pair.ada, content(100_000))
    pair.send(parcel)
    run_git("push", "-q", "origin", "HEAD:refs/heads/main", cwd=pair.folders[0])
    run_git("config", "uploadpack.allowFilter", "true", cwd=pair.remote)
    for name, option in (("partial", "--filter=blob:none"), ("shallow", "--depth=1")):
        run_git("clone", "-q", option, "-b", "main", f"file://{pair.remote}", name, cwd=tmp_path)
        cache = Cache(tmp_path / f"{name}-cache")
        storage = GitStorage(open_repository(tmp_path / name), "origin")
        assert storage.fetch([parcel], cache) == []
        own = add_file(cache, name.encode())
        storage.send([own], cache)
        assert pair.fetch(own) == []


def test_chunks_cover_an_object(pair: Pair) -> None:
    """Their number and sizes follow from the object's size alone, and a pack of some size has a hundred of them."""
    del pair
    for size in (0, 1, BLOB_BYTES, BLOB_BYTES + 1, 7 << 20, (128 << 20) - 1, 128 << 20, (1 << 30) + 1):
        paths = chunk_paths("object", size)
        assert sum(chunk_size(size, number) for number in range(len(paths))) == size
        assert len(set(paths)) == len(paths)
        if size > 7 << 20:
            assert len(paths) >= 100
            assert chunk_bytes(size) <= CHUNK_BYTES


def test_origins_are_names_alone() -> None:
    """A digest, or a digest with the number of a part."""
    digest = hashlib.sha256(os.urandom(8)).hexdigest()
    assert parse_from(f"{digest}\n{digest}.0001\n".encode()) == [digest, f"{digest}.0001"]
    for text in (b"x\n", b"refs/heads/main\n", digest.encode() + b"/x\n", b"\xff\n"):
        with pytest.raises(StorageError):
            parse_from(text)
