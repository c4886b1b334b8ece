"""Create many refs at once, in the one file ``packed-refs``.

git itself creates the refs of a clone this way. A thousand loose refs are a thousand files to write; here it is one,
written beside the old one, made durable, and put in its place while ``packed-refs.lock`` is held. A loose ref of the
same name still wins, so whoever creates one meanwhile loses nothing.
"""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

from gittrack.git import loose_refs
from gittrack.git.refs import RefExistsError, RefUpdate, check_ref, list_refs, transaction

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from gittrack.git.repository import Repository

# Below this, loose refs are as fast, and they leave the file to `git gc`.
_MANY = 20
_HEADER = b"# pack-refs with: peeled fully-peeled sorted \n"
_N_TRIES = 100


def create_refs(repository: Repository, refs: Mapping[str, str], *, namespace: str) -> set[str]:
    """Create refs to commits, as many of them as do not exist yet; durable when this returns.

    Args:
        repository: The repository.
        refs: Full names and the commits that they shall have; never tag objects, whose peeled value would be missing.
        namespace: The whole components that all names begin with.

    Returns:
        The names that existed already; they stay as they are.

    Raises:
        RefError: git refused a change.
        RefLockedError: Another process holds the file for longer than our patience.
    """
    for ref in refs:
        check_ref(ref)
    create = _create_packed if repository.ref_format == "files" and len(refs) > _MANY else _create_loose
    for _ in range(_N_TRIES):
        present = refs.keys() & list_refs(repository, namespace).keys()
        if create(repository, {ref: oid for ref, oid in refs.items() if ref not in present}, namespace):
            return present
    raise RefExistsError(f"refs below '{namespace}' change faster than they can be created")


def _create_loose(repository: Repository, refs: Mapping[str, str], _namespace: str) -> bool:
    try:
        transaction(repository, [RefUpdate(ref, oid, None) for ref, oid in refs.items()])
    except RefExistsError:
        return False
    return True


def _create_packed(repository: Repository, refs: Mapping[str, str], namespace: str) -> bool:
    """Add lines to ``packed-refs``; False when that, or a loose ref of one of the names, came meanwhile."""
    path = repository.common_dir / "packed-refs"
    before = _state(path)
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        content = _HEADER
    with loose_refs.hold(repository, path.name, _insert(content, refs)) as publish:
        if _state(path) != before or not refs.keys().isdisjoint(list_refs(repository, namespace)):
            return False
        publish()
    return True


def _state(path: Path) -> tuple[int, int, int] | None:
    """Return what differs whenever the file was replaced: it is only ever replaced, never written in place."""
    try:
        info = path.stat()
    except FileNotFoundError:
        return None
    return info.st_ino, info.st_size, info.st_mtime_ns


def _insert(content: bytes, refs: Mapping[str, str]) -> bytes:
    r"""Return the file's content with further refs, sorted by name as its first line promises.

    Example:
        >>> content = b"# pack-refs with: peeled sorted \n11 refs/a\n22 refs/tags/t\n^33\n"
        >>> _insert(content, {"refs/b": "44"}).splitlines()[1:]
        [b'11 refs/a', b'44 refs/b', b'22 refs/tags/t', b'^33']
    """
    entries = {ref.encode(): [f"{oid} {ref}\n".encode()] for ref, oid in refs.items()}
    header: list[bytes] = []
    last = header
    for line in content.splitlines(keepends=True):
        if not line.startswith((b"#", b"^")):
            last = entries.setdefault(line.rstrip(b"\n").partition(b" ")[2], [])
        last.append(line)
    return b"".join(chain(header, *(lines for _, lines in sorted(entries.items()))))
