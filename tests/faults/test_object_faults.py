"""Objects under fire: a full disk, and many writers while git collects garbage."""

from __future__ import annotations

import contextlib
import errno
import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from gittrack.git import loose_refs, objects
from gittrack.git.objects import read_object, write_blob, write_commit, write_tree
from gittrack.git.refs import RefError, RefUpdate, create_ref, list_refs, read_ref, transaction, update_ref
from tests.support.git_repository import find_locks, fsck, looping, make_repository, open_repository, refs_in_files
from tests.support.needs import need
from tests.support.ref_writer import WHO, finish, start_writers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from gittrack.git.repository import Repository


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of three mebibytes."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(folder)]
    need(
        is_there=os.geteuid() == 0 and subprocess.run(mount, capture_output=True, check=False).returncode == 0,
        what="root that may mount a tmpfs",
    )
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(disk: Path) -> Path:
    """Fill a disk to the last byte, and return the file that fills it."""
    ballast = disk / "ballast"
    with contextlib.suppress(OSError), ballast.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))
    return ballast


def test_a_full_disk_is_an_error_and_nothing_more(small_disk: Path) -> None:
    """Nothing half written and no lock stays, what was there is sound, and with space again all works."""
    repository = open_repository(make_repository(small_disk / "repo", "--template="))
    tree = write_tree(repository, [])
    first = write_commit(repository, tree=tree, parents=[], message="first", author=WHO)
    second = write_commit(repository, tree=tree, parents=[first], message="second", author=WHO)
    create_ref(repository, "refs/gittrack/a", first)
    content = os.urandom(200_000)
    steps: list[Callable[[], object]] = [
        lambda: write_blob(repository, content),
        lambda: write_blob(repository, b"small"),
        lambda: update_ref(repository, "refs/gittrack/a", second, first),
        lambda: create_ref(repository, "refs/gittrack/exps/new/b", first),
        lambda: transaction(repository, [RefUpdate("refs/gittrack/exps/new/c", first, None)]),
    ]
    ballast = fill(small_disk)
    for step in steps:
        with pytest.raises((OSError, RefError), match=r"No space left|could not change the refs"):
            step()
        assert not find_locks(repository)
        assert not list((repository.state_dir / "refs").glob("*"))
    assert list_refs(repository, "refs/gittrack") == {"refs/gittrack/a": first}
    ballast.unlink()
    assert fsck(small_disk / "repo") == ""
    for step in steps:
        step()
    assert list_refs(repository, "refs/gittrack") == {
        "refs/gittrack/a": second,
        "refs/gittrack/exps/new/b": first,
        "refs/gittrack/exps/new/c": first,
    }
    assert fsck(small_disk / "repo") == ""


def test_a_disk_that_fills_up_keeps_what_was_acknowledged(small_disk: Path) -> None:
    """Records go in until there is no space; each one that was acknowledged is whole."""
    repository = open_repository(make_repository(small_disk / "repo", "--template="))
    blobs: dict[str, bytes] = {}

    def write_for_ever() -> None:
        while True:
            content = os.urandom(50_000)
            blobs[write_blob(repository, content)] = content

    with pytest.raises(OSError, match="No space left"):
        write_for_ever()
    assert len(blobs) > 5
    assert not find_locks(repository)
    assert all(read_object(repository, oid, "blob") == content for oid, content in blobs.items())


@refs_in_files
@pytest.mark.parametrize("code", [errno.EIO, errno.ENOSPC, errno.EDQUOT])
@pytest.mark.parametrize("call", ["write", "fsync"])
def test_a_failing_disk_leaves_nothing_behind(
    repository: Repository, monkeypatch: pytest.MonkeyPatch, call: str, code: int
) -> None:
    """Whichever call fails, the error passes and neither object, lock nor temporary file stays."""
    first = write_commit(repository, tree=write_tree(repository, []), parents=[], message="m", author=WHO)
    create_ref(repository, "refs/gittrack/a", first)

    def fail(*_: object) -> int:
        raise OSError(code, os.strerror(code))

    with monkeypatch.context() as patch:
        patch.setattr(os, call, fail)
        for step in (
            lambda: write_blob(repository, b"content"),
            lambda: update_ref(repository, "refs/gittrack/a", first, first),
            lambda: create_ref(repository, "refs/gittrack/b", first),
        ):
            with pytest.raises(OSError, match=os.strerror(code)):
                step()
    assert not find_locks(repository)
    assert not list((repository.state_dir / "refs").glob("*"))
    oid = objects.object_id(repository.object_format, b"blob", b"content")
    assert not (repository.common_dir / "objects" / oid[:2] / oid[2:]).exists()
    assert write_blob(repository, b"content") == oid


@pytest.mark.parametrize(
    ("n_writers", "n_records"), [(8, 25), pytest.param(32, 100, marks=pytest.mark.slow)], ids=["short", "long"]
)
def test_many_record_while_git_collects_garbage(
    repository: Repository, repo_dir: Path, n_writers: int, n_records: int
) -> None:
    """Every acknowledged ref and object is there, without one error, under `git gc` and `git pack-refs` in a loop."""
    tasks = [["record", f"w{number}", str(n_records)] for number in range(n_writers)]
    with (
        looping(repo_dir, ["gc", "-q"], ["pack-refs", "--all"]),
        start_writers(repo_dir, tasks) as writers,
    ):
        acknowledged = [line.split() for lines in finish(writers) for line in lines]
    assert len(acknowledged) == 2 * n_writers * n_records
    found = list_refs(repository, "refs/gittrack")
    assert found == dict(acknowledged)
    assert all(read_ref(repository, ref) == oid for ref, oid in list(found.items())[::50])
    loose_refs.sweep(repository)
    assert not find_locks(repository)
    assert fsck(repo_dir) == ""
