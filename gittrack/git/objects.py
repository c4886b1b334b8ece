"""Write objects durably and read single ones in-process.

dulwich gives the object model (serialisation, ids, packs); the files are written here, because dulwich's own
``<object>.lock`` survives a kill or a full disk and then blocks that object for ever. The steps: a
``tmp_obj_*`` file in the object folder (git's own name for it, so ``git prune`` removes leftovers), fsync, rename.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import stat
import time
import zlib
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from gittrack.errors import GittrackError
from gittrack.git.process import GitError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from dulwich.object_store import DiskObjectStore

    from gittrack.git.repository import ObjectFormat, Repository
    from gittrack.git.state import Identity

_N_NEW_FOLDER_TRIES = 100
_N_NEW_FILE_TRIES = 10
_FILE_MODE = 0o100644
_FOLDER_MODE = 0o040000
_MAX_SECONDS_DIGITS = 18  # what fits git's own 64 bits


class ObjectMissingError(GittrackError):
    """An object is not in the repository, or it is not of the kind that was asked for."""


class TreeEntry(NamedTuple):
    """One entry of a tree.

    Attributes:
        name: The name as git has it, in bytes of any encoding.
        mode: ``0o100644``, ``0o100755``, ``0o120000`` (link), ``0o040000`` (tree) or ``0o160000`` (submodule).
        oid: The object id in hex.
    """

    name: bytes
    mode: int
    oid: str


class CommitInfo(NamedTuple):
    """What a commit says.

    Attributes:
        tree: The id of its tree.
        parents: The ids of its parents.
        author: ``Name <email>``.
        time: When it was committed, UTC epoch seconds.
        subject: The first line of its message.
    """

    tree: str
    parents: tuple[str, ...]
    author: str
    time: float
    subject: str


def write_blob(repository: Repository, data: bytes) -> str:
    """Write a blob; durable when this returns. Returns its id in hex."""
    return _write(repository, b"blob", data)


def write_tree(repository: Repository, entries: Iterable[TreeEntry]) -> str:
    """Write a tree of entries in any order; durable when this returns. Returns its id in hex."""
    return _write(repository, b"tree", tree_content(entries))


class ObjectBatch:
    """Objects that belong together: their ids are known at once, and they are written together.

    Args:
        repository: The repository.
    """

    def __init__(self, repository: Repository) -> None:
        self._repository = repository
        self._objects: list[tuple[bytes, bytes]] = []

    def add_blob(self, data: bytes) -> str:
        """Add a blob and return its id in hex."""
        return self._add(b"blob", data)

    def add_tree(self, entries: Iterable[TreeEntry]) -> str:
        """Add a tree of entries in any order and return its id in hex."""
        return self._add(b"tree", tree_content(entries))

    def add_commit(
        self, tree: str, parents: Sequence[str], message: str, author: Identity, timestamp: float | None = None
    ) -> str:
        """Add a commit and return its id in hex; see `write_commit`."""
        return self._add(b"commit", commit_content(tree, parents, message, author, timestamp))

    def write(self) -> None:
        """Write what was added; durable when this returns.

        Raises:
            OSError: The disk is full or broken; no half object is left.
        """
        for kind, data in self._objects:
            _write(self._repository, kind, data)
        self._objects.clear()

    def _add(self, kind: bytes, data: bytes) -> str:
        self._objects.append((kind, data))
        return object_id(self._repository.object_format, kind, data)


def write_commit(
    repository: Repository,
    *,
    tree: str,
    parents: Sequence[str],
    message: str,
    author: Identity,
    timestamp: float | None = None,
) -> str:
    """Write a commit; durable when this returns.

    Args:
        repository: The repository.
        tree: The id of its tree.
        parents: The ids of its parents.
        message: Its message; NUL characters are dropped.
        author: Author and committer.
        timestamp: UTC epoch seconds; now by default.

    Returns:
        The commit's id in hex.
    """
    return _write(repository, b"commit", commit_content(tree, parents, message, author, timestamp))


def read_object(repository: Repository, oid: str, kind: str) -> bytes:
    """Return the content of one object, from loose files and packs; never what a damaged file holds instead.

    Args:
        repository: The repository.
        oid: Its whole id in hex.
        kind: ``blob``, ``tree`` or ``commit``.

    Raises:
        ObjectMissingError: There is no such object of that kind, or it is damaged.
    """
    data = _read_here(repository, oid, kind)
    if data is not None:
        return data
    try:
        data = repository.git.run("cat-file", kind, "--end-of-options", oid).stdout
    except GitError as error:
        raise ObjectMissingError(f"no {kind} {oid} in this repository: {error.message}") from error
    if object_id(repository.object_format, kind.encode(), data) != oid:
        raise ObjectMissingError(f"no {kind} {oid} in this repository: its file is damaged", hint="run 'git fsck'")
    return data


def read_tree(repository: Repository, oid: str) -> list[TreeEntry]:
    """Return the entries of a tree, in git's order.

    Raises:
        ObjectMissingError: There is no such tree.
    """
    from dulwich.objects import parse_tree

    raw = read_object(repository, oid, "tree")
    entries = parse_tree(raw, sha_len=repository.id_length // 2)
    return [TreeEntry(name, mode, hex_id.decode()) for name, mode, hex_id in entries]


def tree_with_blobs(
    repository: Repository, batch: ObjectBatch, tree: str, files: Mapping[str, bytes | None]
) -> list[TreeEntry]:
    """Return the entries of a tree with some files put into it, or put in place of those that are there, or removed.

    A file whose way leads through something that is no folder is left out.

    Args:
        repository: The repository.
        batch: Where the new blobs and folders are added.
        tree: The id of the tree to start from.
        files: Contents by checked path, ``/`` between components; None removes what is there, a folder too.
    """
    return _with_blobs(repository, batch, read_tree(repository, tree), files)


def _with_blobs(
    repository: Repository, batch: ObjectBatch, entries: list[TreeEntry], files: Mapping[str, bytes | None]
) -> list[TreeEntry]:
    named = {entry.name: entry for entry in entries}
    below: dict[bytes, dict[str, bytes | None]] = {}
    for path, data in files.items():
        first, slash, rest = path.partition("/")
        name = os.fsencode(first)
        there = named.get(name)
        if slash:
            if there is None or stat.S_ISDIR(there.mode):
                below.setdefault(name, {})[rest] = data
        elif data is None:
            named.pop(name, None)
        elif there is None or stat.S_ISREG(there.mode):
            named[name] = TreeEntry(name, _FILE_MODE, batch.add_blob(data))
    for name, inside in below.items():
        there = named.get(name)
        if there is not None and not stat.S_ISDIR(there.mode):
            continue
        old = read_tree(repository, there.oid) if there is not None else []
        new = _with_blobs(repository, batch, old, inside)
        if not new:
            named.pop(name, None)
        elif new != old:
            named[name] = TreeEntry(name, _FOLDER_MODE, batch.add_tree(new))
    return list(named.values())


def read_path(repository: Repository, tree: str, path: str, *, max_bytes: int) -> bytes | None:
    """Return the content of a file in a tree; None when it is absent, no regular file, or too large.

    Args:
        repository: The repository.
        tree: The id of the tree.
        path: A path with ``/``, relative to the tree.
        max_bytes: The largest content to return.
    """
    *folders, name = os.fsencode(path).split(b"/")
    for folder in folders:
        found = next((entry for entry in read_tree(repository, tree) if entry.name == folder), None)
        if found is None or not stat.S_ISDIR(found.mode):
            return None
        tree = found.oid
    entry = next((entry for entry in read_tree(repository, tree) if entry.name == name), None)
    if entry is None or not stat.S_ISREG(entry.mode):
        return None
    data = read_object(repository, entry.oid, "blob")
    return data if len(data) <= max_bytes else None


def read_commit(repository: Repository, oid: str) -> CommitInfo:
    """Return what a commit says.

    Raises:
        ObjectMissingError: There is no such commit.
    """
    header, _, message = read_object(repository, oid, "commit").decode("utf-8", "replace").partition("\n\n")
    tree, parents, author, seconds = "", [], "", 0
    for line in header.split("\n"):
        key, _, value = line.partition(" ")
        if key == "tree":
            tree = value
        elif key == "parent":
            parents.append(value)
        elif key in {"author", "committer"}:
            who, _, when = value.rpartition("> ")
            author = author or f"{who}>"
            seconds = _parse_seconds(when)
    return CommitInfo(tree, tuple(parents), author, float(seconds), message.partition("\n")[0])


def _parse_seconds(when: str) -> int:
    """Return the seconds of ``<seconds> <zone>``; 0 where somebody's program wrote something else."""
    seconds = when.partition(" ")[0]
    return int(seconds) if seconds.isdecimal() and len(seconds) <= _MAX_SECONDS_DIGITS else 0


def object_id(object_format: ObjectFormat, kind: bytes, data: bytes) -> str:
    """Return the id that git gives an object.

    Example:
        >>> object_id("sha1", b"blob", b"")
        'e69de29bb2d1d6434b8b29ae775ad8c2e48c5391'
    """
    content = b"%s %d\0%s" % (kind, len(data), data)
    if object_format == "sha1":
        # As Python's own `random` does it: hashlib loads OpenSSL, which costs the first run of a process 3 ms.
        with contextlib.suppress(ImportError):
            from _sha1 import sha1  # type: ignore[import-not-found]

            oid: str = sha1(content, usedforsecurity=False).hexdigest()
            return oid
    import hashlib

    return hashlib.new(object_format, content, usedforsecurity=False).hexdigest()


def tree_content(entries: Iterable[TreeEntry]) -> bytes:
    """Return the content of a tree of entries in any order."""
    from dulwich.objects import ObjectID, serialize_tree, sorted_tree_items

    by_name = {entry.name: (entry.mode, ObjectID(entry.oid.encode())) for entry in entries}
    return b"".join(serialize_tree(sorted_tree_items(by_name, name_order=False)))


def commit_content(tree: str, parents: Sequence[str], message: str, author: Identity, timestamp: float | None) -> bytes:
    """Return the content of a commit; see `write_commit`."""
    seconds = max(0, int(time.time() if timestamp is None else timestamp))
    who = f"{author} {seconds} +0000"
    lines = [f"tree {tree}", *(f"parent {parent}" for parent in parents), f"author {who}", f"committer {who}", ""]
    text = "\n".join([*lines, message.replace("\0", "").rstrip("\n") + "\n"])
    return text.encode("utf-8", "replace")


def _write(repository: Repository, kind: bytes, data: bytes) -> str:
    oid = object_id(repository.object_format, kind, data)
    folder = repository.common_dir / "objects" / oid[:2]
    target = folder / oid[2:]
    try:
        os.utime(target)  # present: fresh again, so that a concurrent `git gc` keeps it
    except FileNotFoundError:
        compressed = zlib.compress(b"%s %d\0%s" % (kind, len(data), data), 1)  # git's level for loose objects
        for _ in range(_N_NEW_FILE_TRIES):
            with contextlib.suppress(FileNotFoundError):  # `git prune` removes temporary files, too
                _publish(compressed, folder, target)
                return oid
        _publish(compressed, folder, target)
    except PermissionError:  # present, and owned by somebody else in a shared repository
        pass
    return oid


def _publish(compressed: bytes, folder: Path, target: Path) -> None:
    temporary = folder / f"tmp_obj_{os.urandom(8).hex()}"
    descriptor = _open_new(temporary)
    try:
        try:
            view = memoryview(compressed)
            while view:
                view = view[os.write(descriptor, view) :]
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        temporary.replace(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _open_new(path: Path) -> int:
    """Open a new file in an object folder, which ``git gc`` may remove whenever it is empty."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    for _ in range(_N_NEW_FOLDER_TRIES):
        try:
            return os.open(path, flags, 0o444)
        except FileNotFoundError:
            path.parent.mkdir(exist_ok=True)
    return os.open(path, flags, 0o444)


def _read_here(repository: Repository, oid: str, kind: str) -> bytes | None:
    """Return the content of an object without a process; None where git shall be asked."""
    store = _object_store(repository.common_dir, repository.object_format)
    if store is None:
        return None
    from dulwich.objects import ObjectID

    # Whatever is wrong with a loose file or a pack: git decides, and its message is the one to show.
    with contextlib.suppress(Exception):
        data: bytes = store.get_raw(ObjectID(oid.encode()))[1]
        # dulwich gives what is left of a truncated loose file; and the kind is a part of what is hashed.
        if object_id(repository.object_format, kind.encode(), data) == oid:
            return data
    return None


@lru_cache(maxsize=8)
def _object_store(common_dir: Path, object_format: ObjectFormat) -> DiskObjectStore | None:
    """Return dulwich's reader of loose objects and packs; None where git itself must read."""
    from dulwich.object_format import SHA1, SHA256
    from dulwich.object_store import DiskObjectStore

    try:
        store = DiskObjectStore(str(common_dir / "objects"), object_format=SHA1 if object_format == "sha1" else SHA256)
    except (OSError, ValueError):
        return None
    atexit.register(store.close)  # or its destructor complains when the interpreter is half gone
    return store
