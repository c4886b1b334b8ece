"""Read an object of the cache in the pieces that it has in git."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from gittrack.artifacts.cache import corrupt
from gittrack.storage.git_layout import BLOB_BYTES, chunk_bytes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gittrack.artifacts.cache import Cache
    from gittrack.artifacts.digest import Digest


def read_chunks(cache: Cache, digest: Digest, size: int) -> Iterator[bytes]:
    """Yield the chunks of an object, and raise at the end when it is not what its name says.

    Args:
        cache: Where it is.
        digest: The object.
        size: In bytes.

    Raises:
        ObjectMissingError: The cache does not have it.
        ObjectCorruptError: It is damaged.
    """
    from blake3 import blake3

    each = chunk_bytes(size) if size > BLOB_BYTES else size
    hasher = blake3()
    with os.fdopen(cache.open(digest), "rb") as file:
        n_left = size
        while True:
            data = file.read(min(each, n_left))
            hasher.update(data)
            n_left -= len(data)
            is_last = not n_left or not data
            if is_last and (n_left or file.read(1) or hasher.hexdigest() != digest):
                raise corrupt(digest)
            yield data
            if is_last:
                return
