"""The packs that are written here: as git's own programs read them."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from gittrack.git import pack as pack_module
from gittrack.git.pack import PackWriter
from tests.support.git_repository import run_git

if TYPE_CHECKING:
    from pathlib import Path

    from gittrack.git.repository import ObjectFormat

# Around the most that one stored block of a zlib stream can have, and one of more pieces than one call writes.
SIZES = (0, 1, 65_534, 65_535, 65_536, 131_070, 1 << 20, 20 << 20)


def write_pack(folder: Path, object_format: ObjectFormat, *, is_for_one_push: bool = False) -> dict[str, bytes]:
    """Make a repository with a pack, and return what is in that by its ids."""
    run_git("init", "-q", "--bare", f"--object-format={object_format}", str(folder), cwd=folder.parent)
    contents = [os.urandom(size) for size in SIZES]
    with PackWriter(folder / "objects/pack", object_format, is_for_one_push=is_for_one_push) as writer:
        written = {writer.add("blob", data): data for data in contents}
        assert writer.add("blob", contents[3]) in written  # passed over
        assert writer.finish() is not None
    return written


def read_blob(folder: Path, oid: str) -> bytes:
    command = ["git", "-C", str(folder), "cat-file", "blob", oid]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout


@pytest.mark.parametrize("object_format", ["sha1", "sha256"])
@pytest.mark.parametrize("is_for_one_push", [False, True])
def test_git_reads_every_object(tmp_path: Path, object_format: ObjectFormat, is_for_one_push: bool) -> None:
    """By its id, byte for byte; also through a pack whose checksum nobody will ask for."""
    written = write_pack(tmp_path / "x.git", object_format, is_for_one_push=is_for_one_push)
    assert len(written) == len(SIZES)
    for oid, data in written.items():
        assert read_blob(tmp_path / "x.git", oid) == data


@pytest.mark.parametrize("object_format", ["sha1", "sha256"])
def test_git_finds_nothing_wrong(tmp_path: Path, object_format: ObjectFormat) -> None:
    """Neither in the pack nor in its index, CRCs and checksums included."""
    folder = tmp_path / "x.git"
    written = write_pack(folder, object_format)
    index = next(folder.glob("objects/pack/*.idx"))
    listing = run_git("verify-pack", "-v", str(index), cwd=folder)
    assert {line.split()[0] for line in listing.splitlines() if " blob " in line} == written.keys()
    run_git("fsck", "--full", "--strict", cwd=folder)


def test_a_write_that_is_cut_short_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a disk that is almost full, or when a signal comes."""
    n_cut = 0

    def writev(descriptor: int, pieces: list[bytes]) -> int:
        nonlocal n_cut
        n_cut += 1
        return os.write(descriptor, b"".join(pieces)[:1000])

    monkeypatch.setattr(pack_module.os, "writev", writev)
    written = write_pack(tmp_path / "x.git", "sha1")
    assert n_cut > len(SIZES)
    monkeypatch.undo()
    for oid, data in written.items():
        assert read_blob(tmp_path / "x.git", oid) == data
