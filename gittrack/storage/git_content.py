"""From an object of the cache to the git objects that it is, and back to their id."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from gittrack.artifacts.cache import corrupt
from gittrack.git.objects import object_id
from gittrack.storage.git_layout import BLOB_BYTES, Oid, chunk_bytes, write_object_tree

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from gittrack.artifacts.cache import Cache
    from gittrack.artifacts.digest import Digest
    from gittrack.git.repository import ObjectFormat


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


def object_oid(object_format: ObjectFormat, size: int, ids: Sequence[str]) -> Oid:
    """Return what stands for an object in a tree: its only blob, or the tree of its chunks.

    Args:
        object_format: The hash of ids.
        size: Of the object, in bytes.
        ids: Of its blobs, in order.
    """
    if size <= BLOB_BYTES:
        return Oid(ids[0], is_tree=False)
    tree = write_object_tree(lambda kind, data: object_id(object_format, kind.encode(), data), ids)
    return Oid(tree, is_tree=True)


def compute_oid(cache: Cache, digest: Digest, object_format: ObjectFormat) -> Oid:
    """Read an object and return what stands for it in a tree.

    Raises:
        ObjectMissingError: The cache does not have it.
        ObjectCorruptError: It is damaged.
    """
    size = cache.path(digest).stat().st_size
    ids = [object_id(object_format, b"blob", data) for data in read_chunks(cache, digest, size)]
    return object_oid(object_format, size, ids)
