"""Check what came from a remote before it is treated as an experiment.

Whoever can push to a remote decides what lies there. What is checked: the ref names a commit, its ``.gittrack`` folder
holds nothing but ordinary files with harmless names, and ``meta.json`` and what it says of artifacts and plots can be
read. All commits are read through one ``git cat-file``, and what only some of them have through another one.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from gittrack.errors import GittrackError
from gittrack.experiments.format import (
    FOLDER,
    LINEAGE_FILES,
    MAX_FILE_BYTES,
    META_FILE,
    PLOTS_FILE,
    FormatError,
    parse_entries,
    parse_meta,
    parse_plots,
)
from gittrack.git.batch import read_many
from gittrack.git.process import GitError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from gittrack.experiments.format import Status
    from gittrack.git.batch import GitObject
    from gittrack.git.repository import Repository

_LINEAGE_NAMES = frozenset(name.encode() for name in (*LINEAGE_FILES, PLOTS_FILE))
_FILE_MODES = (b"100644", b"100755")
_TREE_MODE = b"40000"
# Separators, control characters, and names that a file system may take for `.`, `..` or `.git`.
_BAD_NAME = re.compile(
    rb"(?i)\.{0,2}|\.git\b.*|git~\d.*|.*[/\\\x00-\x1f\x7f:].*|.*[. ]|.*\xe2\x80[\x8c-\x8f\xaa-\xae].*", re.DOTALL
)
_TOO_LARGE = f"{META_FILE} is larger than {MAX_FILE_BYTES >> 20} MiB"
_MAX_DEPTH = 8
_MAX_FOLDERS = 1_000


class Checked(NamedTuple):
    """What a commit turned out to be.

    Attributes:
        problem: Why it is not treated as an experiment; None when all is well.
        status: The experiment's status; None with a problem.
        missing: The id of its ``meta.json`` when a partial clone left that out.
    """

    problem: str | None
    status: Status | None = None
    missing: str | None = None


class _Entry(NamedTuple):
    mode: bytes
    name: bytes
    oid: str


def check_commits(repository: Repository, commits: Sequence[str]) -> dict[str, Checked]:
    """Check commits that are meant to be those of experiments.

    Args:
        repository: The repository.
        commits: Object ids.

    Returns:
        What each turned out to be.
    """
    try:
        return _check_together(repository, commits)
    except (GitError, ValueError):  # one that git, or we, cannot parse must not hide the others
        if len(commits) == 1:
            return {commits[0]: Checked("its objects are damaged")}
    half = len(commits) // 2
    return {**check_commits(repository, commits[:half]), **check_commits(repository, commits[half:])}


def _check_together(repository: Repository, commits: Sequence[str]) -> dict[str, Checked]:
    specs = [spec for oid in commits for spec in (oid, f"{oid}:{FOLDER}", f"{oid}:{FOLDER}/{META_FILE}")]
    found = read_many(repository, specs, max_bytes=MAX_FILE_BYTES)
    id_bytes = repository.id_length // 2
    checked: dict[str, Checked] = {}
    inside: dict[str, list[_Entry]] = {}
    for oid in commits:
        checked[oid], inside[oid] = _check(next(found), next(found), next(found), id_bytes)
    folders = {oid: [one.oid for one in entries if one.mode == _TREE_MODE] for oid, entries in inside.items()}
    for oid, problem in (*_check_subfolders(repository, folders, id_bytes), *_check_lineage(repository, inside)):
        checked[oid] = Checked(problem)
    return checked


def _check(
    commit: GitObject | None, folder: GitObject | None, meta: GitObject | None, id_bytes: int
) -> tuple[Checked, list[_Entry]]:
    """Return what a commit is, and what is inside ``.gittrack`` and still to be looked at."""
    if commit is None or commit.kind != "commit":
        return Checked("its ref does not name a commit that is here"), []
    if folder is None or folder.kind != "tree" or folder.data is None:
        return Checked(f"it has no folder {FOLDER} that can be read"), []
    entries = _parse_tree(folder.data, id_bytes)
    problem = _entry_problem(entries) or (meta and meta.data is None and _TOO_LARGE)
    if problem:
        return Checked(problem), []
    if meta is None or meta.data is None:
        missing = next((entry.oid for entry in entries if entry.name == META_FILE.encode()), None)
        return Checked(f"{META_FILE} is not here" if missing else f"it has no {META_FILE}", missing=missing), []
    try:
        status = parse_meta(meta.data).status
    except GittrackError as error:
        return Checked(error.message), []
    return Checked(None, status), entries


def _check_lineage(repository: Repository, inside: dict[str, list[_Entry]]) -> Iterator[tuple[str, str]]:
    """Yield the commits whose lists are damaged or name paths that must not be used, with the problem."""
    files = [
        (oid, entry.name.decode(), entry.oid)
        for oid, entries in inside.items()
        for entry in entries
        if entry.name in _LINEAGE_NAMES and entry.mode in _FILE_MODES
    ]
    blobs = read_many(repository, [blob for _, _, blob in files], max_bytes=MAX_FILE_BYTES) if files else iter(())
    for (oid, name, _), blob in zip(files, blobs, strict=True):
        if blob is None:  # left out by a partial clone
            continue
        try:
            if name == PLOTS_FILE:
                parse_plots(blob.data or b"")
            else:
                parse_entries(blob.data or b"", name)
        except FormatError as error:
            yield oid, error.message


def _check_subfolders(
    repository: Repository, folders: dict[str, list[str]], id_bytes: int
) -> Iterator[tuple[str, str]]:
    """Yield the commits whose folders below ``.gittrack`` hold what they must not, with the problem."""
    for _ in range(_MAX_DEPTH):
        pending = [(oid, tree) for oid, trees in folders.items() for tree in dict.fromkeys(trees)]
        if not pending:
            return
        inside: dict[str, list[str]] = {}
        trees = read_many(repository, [tree for _, tree in pending], max_bytes=MAX_FILE_BYTES)
        for (oid, _), tree in zip(pending, trees, strict=True):
            entries = _parse_tree(tree.data if tree else None, id_bytes)
            if problem := _entry_problem(entries):
                yield oid, problem
            else:
                inside.setdefault(oid, []).extend(entry.oid for entry in entries if entry.mode == _TREE_MODE)
        folders = {oid: found for oid, found in inside.items() if len(found) <= _MAX_FOLDERS}
        yield from ((oid, f"{FOLDER} holds too many folders") for oid in inside.keys() - folders.keys())
    for oid, trees_left in folders.items():
        if trees_left:
            yield oid, f"folders in {FOLDER} are nested too deeply"


def _entry_problem(entries: list[_Entry]) -> str | None:
    for entry in entries:
        if _BAD_NAME.fullmatch(entry.name):
            return f"{FOLDER} holds a file of a name that is not allowed: {entry.name[:100]!r}"
        if entry.mode not in _FILE_MODES and entry.mode != _TREE_MODE:
            return f"{FOLDER} holds a link or a submodule: {entry.name[:100]!r}"
    return None


def _parse_tree(data: bytes | None, id_bytes: int) -> list[_Entry]:
    """Return the entries of a raw tree: ``<mode> <name>``, NUL, the id in bytes."""
    entries = []
    start = 0
    data = data or b""
    while start < len(data):
        end = data.index(b"\0", start)
        mode, _, name = data[start:end].partition(b" ")
        start = end + 1 + id_bytes
        entries.append(_Entry(mode, name, data[end + 1 : start].hex()))
    return entries
