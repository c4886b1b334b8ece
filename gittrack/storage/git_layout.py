"""How artifacts lie in git objects; docs/design/format.md is normative.

An artifact is the tree of a root commit. A file's content is ``object``; a directory has its ``manifest`` and
``objects/<2 hex>/<62 hex>``. Content of more than 64 KiB is a tree of chunks, ``<thousands>/<rest>``, for a receiver
keeps a pack of a hundred objects as it is, and unpacks and compresses a smaller one, twenty times slower. What lies in
other artifacts, or in parts of this one, is not there again: ``from`` names them.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from gittrack.git.objects import TreeEntry, commit_content, tree_content
from gittrack.git.state import Identity
from gittrack.storage.protocol import StorageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import TypeAlias

    from gittrack.artifacts.digest import Digest

    _Folder: TypeAlias = dict[str, str | "_Folder"]

BLOB_BYTES = 64 << 10  # the largest content that is one blob
CHUNK_BYTES = 1 << 20
_N_CHUNKS = 128
_GRAIN_BYTES = 4096
_PER_FOLDER = 1000  # hosts advise against wider trees
_BLOB_MODE, _TREE_MODE = 0o100644, 0o040000
_AUTHOR = Identity("gittrack", "gittrack@localhost")
FILE_PATH = "object"
MANIFEST_PATH = "manifest"
_NAME = re.compile(r"[0-9a-f]{64}(?:\.[0-9]{4,9})?")
OBJECTS_PATH = "objects"
FROM_PATH = "from"


def chunk_bytes(size: int) -> int:
    """Return the size of the chunks of an object; all but the last one have it.

    Args:
        size: Of the object, more than 64 KiB.

    Example:
        >>> chunk_bytes(100_000), chunk_bytes(50 << 20), chunk_bytes(1 << 30)
        (65536, 409600, 1048576)
    """
    if size >= _N_CHUNKS * CHUNK_BYTES:
        return CHUNK_BYTES
    grains = -(-size // (_N_CHUNKS * _GRAIN_BYTES))
    return max(BLOB_BYTES, grains * _GRAIN_BYTES)


def chunk_paths(path: str, size: int) -> list[str]:
    """Return the paths of an object's blobs, in order.

    Args:
        path: Of the object.
        size: In bytes.

    Example:
        >>> chunk_paths("object", 5), chunk_paths("object", 100_000)
        (['object'], ['object/00000/000', 'object/00000/001'])
    """
    if size <= BLOB_BYTES:
        return [path]
    return [chunk_path(path, number) for number in range(-(-size // chunk_bytes(size)))]


def chunk_path(path: str, number: int) -> str:
    """Return the path of one chunk."""
    return f"{path}/{number // _PER_FOLDER:05}/{number % _PER_FOLDER:03}"


def chunk_size(size: int, number: int) -> int:
    """Return how many bytes a chunk of an object has.

    Args:
        size: Of the object.
        number: Of the chunk, from 0.
    """
    if size <= BLOB_BYTES:
        return size
    each = chunk_bytes(size)
    return min(each, size - number * each)


def object_path(digest: Digest) -> str:
    """Return where a file of a directory is."""
    return f"{OBJECTS_PATH}/{digest[:2]}/{digest[2:]}"


class TreeBuilder:
    """A tree that grows path by path."""

    def __init__(self) -> None:
        self._root: _Folder = {}

    def add(self, path: str, oid: str) -> None:
        """Put a blob at a path."""
        *folders, name = path.split("/")
        place = self._root
        for folder in folders:
            below = place.setdefault(folder, {})
            if isinstance(below, str):
                raise ValueError(f"a blob stands at a folder of {path!r}")  # noqa: TRY004  the path is wrong, no type
            place = below
        place[name] = oid

    def write(self, add: Callable[[str, bytes], str]) -> str:
        """Write the tree with all below it, and return its id.

        Args:
            add: Writes an object of a kind and returns its id.
        """
        return _write_tree(self._root, add)


def write_commit(add: Callable[[str, bytes], str], tree: str, digest: Digest) -> str:
    """Write the commit of an artifact, the same for the same tree, and return its id.

    Args:
        add: Writes an object of a kind and returns its id.
        tree: The id of its tree.
        digest: The artifact's.
    """
    return add("commit", commit_content(tree, [], f"gittrack artifact {digest}", _AUTHOR, 0))


def render_from(names: Iterable[str]) -> bytes:
    """Return the content of ``from``: where else an artifact's objects are.

    Args:
        names: Digests of artifacts and names of parts, in the order in which they are to be fetched.
    """
    return "".join(f"{name}\n" for name in names).encode()


def parse_from(data: bytes) -> list[str]:
    """Read the content of ``from``.

    Raises:
        StorageError: It holds something else than names.
    """
    names = data.decode("ascii", "replace").splitlines()
    if not all(_NAME.fullmatch(name) for name in names):
        raise StorageError("an artifact names something that is none as a place of its objects")
    return names


def _write_tree(folder: _Folder, add: Callable[[str, bytes], str]) -> str:
    entries = []
    for name, item in folder.items():
        if isinstance(item, str):
            entries.append(TreeEntry(name.encode(), _BLOB_MODE, item))
        else:
            entries.append(TreeEntry(name.encode(), _TREE_MODE, _write_tree(item, add)))
    return add("tree", tree_content(entries))
