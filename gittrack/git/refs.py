"""Refs: read them without a process, change them by compare-and-swap.

Where refs are files (the default of git until 3.0) they are read and written here, by the rules of git: a loose
file wins over ``packed-refs``, a change holds ``<ref>.lock``. Everywhere else git does it. Changes of several refs
at once are one transaction of ``git update-ref --stdin``.
"""

from __future__ import annotations

import contextlib
import os
import re
from typing import TYPE_CHECKING, NamedTuple

from gittrack.errors import GittrackError
from gittrack.git import loose_refs

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from gittrack.git.repository import Repository

# git's own rules (git-check-ref-format), tested against the program.
_REF = re.compile(
    r"refs(?!.*(?:\.\.|@\{|//|/\.|\.lock(?:/|$)|\.$|/$))/[^\x00-\x20\x7f~^:?*\[\\]+",
)
# An id of zeros stands for no object; git calls a ref with it broken.
_OID = re.compile(rb"(?=0*[1-9a-f])(?:[0-9a-f]{64}|[0-9a-f]{40})")
_PACKED = re.compile(r"^([0-9a-f]{64}|[0-9a-f]{40}) ([^\n]+)$", re.MULTILINE)
_MAX_SYMREF_DEPTH = 5
# git gives up on a busy lock after 0.1 s (loose, reftable) and 1 s (packed); many writers need more.
_PATIENT = (
    *("-c", "core.filesRefLockTimeout=10000"),
    *("-c", "core.packedRefsTimeout=20000"),
    *("-c", "reftable.lockTimeout=10000"),
)


class RefError(GittrackError):
    """A ref's name is not valid, or git refused a change."""


class RefChangedError(RefError):
    """A ref no longer has the value that a change expected."""


class RefExistsError(RefChangedError):
    """A ref that was to be created exists already."""


class RefUpdate(NamedTuple):
    """One change in a transaction.

    Attributes:
        ref: The full name.
        new: The object id it shall have; None removes it.
        old: The object id it must have now; None means that it must not exist.
    """

    ref: str
    new: str | None
    old: str | None


def check_ref(ref: str) -> str:
    """Return a full ref name that is safe to use as a path and as an argument.

    Args:
        ref: A name such as ``refs/heads/main``.

    Raises:
        RefError: ``git check-ref-format`` would refuse it.
    """
    if not _is_valid(ref):
        raise RefError(f"not a valid ref name: {ref!r}")
    return ref


def _is_valid(ref: str) -> bool:
    try:
        ref.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:  # a surrogate that stands for no byte
        return False
    return _REF.fullmatch(ref) is not None


def read_ref(repository: Repository, ref: str) -> str | None:
    """Return the object id of a ref (40 or 64 hex), or None when it does not exist.

    Args:
        repository: The repository.
        ref: A full name; symbolic refs are followed.
    """
    if repository.ref_format != "files":
        completed = repository.git.run(
            "rev-parse", "--verify", "--quiet", "--end-of-options", check_ref(ref), check=False
        )
        return completed.stdout.decode().strip() or None
    for _ in range(_MAX_SYMREF_DEPTH):
        content = _read_loose(repository.common_dir / check_ref(ref))
        if content is None:
            return _packed(repository, ref).get(ref)
        if not content.startswith(b"ref:"):
            return content.decode()
        ref = content[4:].strip().decode("utf-8", "surrogateescape")
        if not _is_valid(ref):
            return None
    return None


def list_refs(repository: Repository, prefix: str) -> dict[str, str]:
    """Return every ref below a prefix with its object id, in one pass over files.

    Broken loose refs (empty after a power loss, or not an object id) are left out, as in ``git for-each-ref``;
    symbolic refs are left out too.

    Args:
        repository: The repository.
        prefix: Whole components, such as ``refs/gittrack/exps`` or ``refs/gittrack/exps/<baseline>``.
    """
    prefix = check_ref(prefix)
    if repository.ref_format != "files":
        listing = repository.git.text("for-each-ref", "--format=%(objectname) %(symref) %(refname)", prefix + "/")
        lines = [line.split(" ", 2) for line in listing.split("\n") if line]
        return {ref: oid for oid, target, ref in lines if not target}
    # Loose first: pack-refs writes packed-refs before it removes the loose files, so nothing is missed.
    loose = _scan_loose(repository.common_dir / prefix, prefix)
    refs = _packed(repository, prefix + "/")
    refs.update(loose)
    return refs


def list_names(repository: Repository, prefix: str) -> set[str]:
    """Return the last components of the refs directly below a prefix, without reading what they name.

    Args:
        repository: The repository.
        prefix: Whole components, such as ``refs/gittrack/exps/<baseline>``.
    """
    if repository.ref_format != "files":
        return {ref.rpartition("/")[2] for ref in list_refs(repository, prefix)}
    names: set[str] = set()
    with contextlib.suppress(FileNotFoundError):
        names.update(os.listdir(repository.common_dir / check_ref(prefix)))  # noqa: PTH208  names, not paths
    names.update(ref.rpartition("/")[2] for ref in _packed(repository, prefix + "/"))
    return names


def create_ref(repository: Repository, ref: str, new: str) -> None:
    """Create a ref that must not exist yet; durable when this returns.

    Args:
        repository: The repository.
        ref: A full name.
        new: The object id it shall have.

    Raises:
        RefExistsError: The ref exists.
        RefError: Another ref is in the way: ``a`` and ``a/b`` cannot both exist.
        RefLockedError: Another process holds the ref for longer than the patience of ten seconds.
    """
    check_ref(ref)
    if repository.ref_format != "files":
        transaction(repository, [RefUpdate(ref, new, None)])
        return
    # Under the lock, although a link alone would fail on a loose ref: `git pack-refs` takes the lock to remove a loose
    # ref that it has packed, so the ref of a rival cannot slip from one place to the other between two looks.
    with _paths_free(ref), loose_refs.hold(repository, ref, new) as publish:
        if read_ref(repository, ref) is not None:
            raise RefExistsError(f"'{ref}' exists already")
        publish()


def update_ref(repository: Repository, ref: str, new: str, old: str) -> None:
    """Move a ref from one object to another by compare-and-swap; durable when this returns.

    Args:
        repository: The repository.
        ref: A full name.
        new: The object id it shall have.
        old: The object id it must have now.

    Raises:
        RefChangedError: The ref has another value.
        RefLockedError: Another process holds the ref for longer than the patience of ten seconds.
    """
    check_ref(ref)
    if repository.ref_format != "files":
        transaction(repository, [RefUpdate(ref, new, old)])
        return
    with _paths_free(ref), loose_refs.hold(repository, ref, new) as publish:
        current = read_ref(repository, ref)
        if current != old:
            raise RefChangedError(f"'{ref}' is at {current or 'nothing'}, not at {old}")
        publish()


def delete_ref(repository: Repository, ref: str, old: str) -> None:
    """Remove a ref that has an expected value.

    Raises:
        RefChangedError: The ref has another value.
    """
    transaction(repository, [RefUpdate(ref, None, old)])


def transaction(repository: Repository, updates: Iterable[RefUpdate]) -> None:
    """Apply several changes at once: all of them or none.

    Args:
        repository: The repository.
        updates: The changes; no ref twice.

    Raises:
        RefChangedError: One of the refs no longer has its expected value; nothing was changed.
        RefError: git refused the changes; nothing was changed.
    """
    updates = list(updates)
    if not updates:
        return
    loose_refs.sweep(repository)  # a lock of a killed process would make git wait, and then fail
    zero = repository.zero_id
    lines = [_transaction_line(check_ref(update.ref), update, zero) for update in updates]
    completed = repository.git.run(*_PATIENT, "update-ref", "--stdin", "-z", input=b"".join(lines), check=False)
    if not completed.returncode:
        return
    for update in updates:
        current = read_ref(repository, update.ref)
        if current != update.old:
            kind = RefExistsError if update.old is None else RefChangedError
            raise kind(f"'{update.ref}' is at {current or 'nothing'}, not at {update.old or 'nothing'}")
    raise RefError(f"git could not change the refs: {completed.stderr.strip()}")


@contextlib.contextmanager
def _paths_free(ref: str) -> Iterator[None]:
    try:
        yield
    except (NotADirectoryError, IsADirectoryError) as error:
        raise RefError(f"another ref is in the way of '{ref}'") from error


def _transaction_line(ref: str, update: RefUpdate, zero: str) -> bytes:
    name = ref.encode("utf-8", "surrogateescape")
    if update.new is None:
        return b"delete %s\0%s\0" % (name, (update.old or zero).encode())
    if update.old is None:
        return b"create %s\0%s\0" % (name, update.new.encode())
    return b"update %s\0%s\0%s\0" % (name, update.new.encode(), update.old.encode())


def _read_loose(path: Path | str) -> bytes | None:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:  # absent, a directory, or a link that leads elsewhere
        return None
    try:
        content = os.read(descriptor, 4096).strip()
    except OSError:
        return None
    finally:
        os.close(descriptor)
    return content if _OID.fullmatch(content) or content.startswith(b"ref:") else None


def _scan_loose(folder: Path, prefix: str) -> dict[str, str]:
    refs: dict[str, str] = {}
    pending = [(str(folder), prefix)]
    while pending:
        path, name = pending.pop()
        try:
            entries = list(os.scandir(path))
        except OSError:
            continue
        for entry in entries:
            ref = f"{name}/{entry.name}"
            if entry.is_dir(follow_symlinks=False):
                pending.append((entry.path, ref))
            elif (content := _read_loose(entry.path)) and not content.startswith(b"ref:") and _is_valid(ref):
                refs[ref] = content.decode()
    return refs


def _packed(repository: Repository, start: str) -> dict[str, str]:
    """Return the entries of ``packed-refs`` that are, or begin with, a name."""
    try:
        data = (repository.common_dir / "packed-refs").read_bytes()
    except FileNotFoundError:
        return {}
    name = start.encode("utf-8", "surrogateescape")
    first = data.find(b" " + name)
    if first < 0:
        return {}
    # The file is sorted: what begins alike stands together, and the rest of many lines need not be looked at.
    begin, end = data.rfind(b"\n", 0, first) + 1, data.find(b"\n", data.rfind(b" " + name))
    lines = data[begin : end if end > 0 else None].decode("utf-8", "surrogateescape")
    is_prefix = start.endswith("/")
    return {ref: oid for oid, ref in _PACKED.findall(lines) if (ref.startswith(start) if is_prefix else ref == start)}
