"""Digests: one form, and the same name for the same content however it is read."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from blake3 import blake3

from gittrack.artifacts.digest import (
    InvalidDigestError,
    hash_bytes,
    hash_mapped,
    hash_stream,
    is_digest,
    parse_digest,
    render_digest,
)

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("n_bytes", [0, 1, 1 << 20, (1 << 20) + 1, 9 << 20])
def test_every_way_to_read_gives_the_same_digest(tmp_path: Path, n_bytes: int) -> None:
    """In memory, as a stream and mapped by several threads, as BLAKE3 itself."""
    data = os.urandom(n_bytes)
    path = tmp_path / "file"
    path.write_bytes(data)
    with path.open("rb") as file:
        streamed = hash_stream(file.fileno())
    assert {hash_bytes(data), hash_mapped(str(path), n_bytes), streamed} == {blake3(data).hexdigest()}


def test_a_digest_reads_back() -> None:
    """What is written is read."""
    digest = hash_bytes(b"x")
    assert parse_digest(render_digest(digest)) == digest
    assert is_digest(digest)


@pytest.mark.parametrize(
    "text", ["", "b3:", "b3:" + "0" * 63, "b3:" + "0" * 65, "b3:" + "A" * 64, "0" * 64, "md5:" + "0" * 64, None, 3,
             "b3:" + "0" * 64 + "\n", "b3:" + "\u0660" * 64],
)  # fmt: skip
def test_another_form_is_refused(text: object) -> None:
    """Nothing but the prefix and 64 lower-case hex digits."""
    with pytest.raises(InvalidDigestError):
        parse_digest(text)
