"""Copies by the kernel and through a buffer: the same bytes, and the digest of what was written."""

from __future__ import annotations

import errno
import mmap
import os
import random
import threading
from typing import TYPE_CHECKING, Any

import pytest
from blake3 import blake3

from gittrack.artifacts import copying
from gittrack.artifacts.copying import ContentChangedError, copy_hashed

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MIB = 1 << 20
SIZES = (0, 1, MIB, MIB + 1, 4 * MIB - 1, 4 * MIB, 4 * MIB + 1, 9 * MIB + 5)
CONTENT = random.Random(1).randbytes(9 * MIB + 5)


class Copy:
    """A source and an empty target, open.

    Attributes:
        pieces: The sizes that were told.
    """

    def __init__(self, folder: Path, content: bytes) -> None:
        self.source, self.target = folder / "source", folder / "target"
        self.source.write_bytes(content)
        self.pieces: list[int] = []
        self.descriptors = (os.open(self.source, os.O_RDONLY), os.open(self.target, os.O_RDWR | os.O_CREAT | os.O_EXCL))

    def run(self, size: int) -> str:
        return copy_hashed(*self.descriptors, size, self.pieces.append)

    def close(self) -> None:
        for descriptor in self.descriptors:
            os.close(descriptor)
        self.target.unlink()


@pytest.fixture(params=["kernel", "kernel, odd pieces", "kernel, no map", "other disk", "made up as read", "no thread"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """A way in which a copy may go."""
    real = getattr(os, "copy_file_range", None)
    if real is None and request.param.startswith("kernel"):
        pytest.skip("the system copies no file ranges")

    def odd(source: int, target: int, count: int) -> int:
        return int(real(source, target, min(count, 1_000_003))) if real else 0

    def other_disk(*_: int) -> int:
        raise OSError(errno.EXDEV, "another disk")

    def no_map(*_: Any, **__: Any) -> mmap.mmap:
        raise OSError(errno.ENODEV, "no map")

    def no_thread(_: threading.Thread) -> None:
        raise RuntimeError("no thread")

    changes: dict[str, Any] = {
        "kernel, odd pieces": (os, "copy_file_range", odd),
        "kernel, no map": (mmap, "mmap", no_map),
        "other disk": (os, "copy_file_range", other_disk),
        "made up as read": (os, "copy_file_range", lambda *_: 0),
        "no thread": (threading.Thread, "start", no_thread),
    }
    if request.param in changes:
        monkeypatch.setattr(*changes[request.param], raising=False)
    return str(request.param)


@pytest.fixture
def copies() -> Iterator[list[Copy]]:
    made: list[Copy] = []
    yield made
    for copy in made:
        copy.close()


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("size", SIZES)
def test_what_is_written_is_hashed(tmp_path: Path, copies: list[Copy], size: int) -> None:
    """On both sides of each border of pieces; what the source has beyond its size is left."""
    copy = Copy(tmp_path, CONTENT[:size] + b"more")
    copies.append(copy)
    assert copy.run(size) == blake3(CONTENT[:size]).hexdigest()
    assert copy.target.read_bytes() == CONTENT[:size]
    assert sum(copy.pieces) == size


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("size", [10, 3 * MIB, 9 * MIB])
def test_a_source_that_became_shorter_is_noticed(tmp_path: Path, copies: list[Copy], size: int) -> None:
    """At its start, within a piece, and at the border of one."""
    for n_left in (0, size - 1, size // (4 * MIB) * 4 * MIB):
        copy = Copy(tmp_path, CONTENT[:n_left])
        copies.append(copy)
        with pytest.raises(ContentChangedError, match="shorter"):
            copy.run(size)
        copies.remove(copy)
        copy.close()


@pytest.mark.parametrize("n_first", [0, 2])
def test_a_full_disk_is_an_error(
    tmp_path: Path, copies: list[Copy], monkeypatch: pytest.MonkeyPatch, n_first: int
) -> None:
    """At the first piece and at a later one: no other way is tried."""
    n_calls = 0
    real = os.copy_file_range

    def full(source: int, target: int, count: int) -> int:
        nonlocal n_calls
        n_calls += 1
        if n_calls > n_first:
            raise OSError(errno.ENOSPC, "full")
        return real(source, target, count)

    monkeypatch.setattr(os, "copy_file_range", full)
    copy = Copy(tmp_path, CONTENT)
    copies.append(copy)
    with pytest.raises(OSError, match="full"):
        copy.run(len(CONTENT))
    assert n_calls == n_first + 1


def test_a_piece_that_cannot_be_read_back_is_an_error(
    tmp_path: Path, copies: list[Copy], monkeypatch: pytest.MonkeyPatch
) -> None:
    """No digest of a part is given for that of the whole."""

    def fail(*_: object) -> None:
        raise OSError(errno.EIO, "broken")

    monkeypatch.setattr(copying, "_hash_range", fail)
    copy = Copy(tmp_path, CONTENT)
    copies.append(copy)
    with pytest.raises(OSError, match="broken"):
        copy.run(len(CONTENT))
