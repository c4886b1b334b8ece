"""Which experiments made an artifact, and which used it: found by the digest of its content.

What an experiment made is what its run logged (``artifacts.json``) and what changed while its command ran
(``outputs.json``). What it used is what its run named (``inputs.json``) and every artifact that its code has a pointer
to, except those that it made itself. Names and paths do not matter: the same content is the same artifact.

All that follows from a commit alone, so the index keeps it, beside what tables show and never read with that.
"""

from __future__ import annotations

import contextlib
import re
from typing import TYPE_CHECKING, Any, NamedTuple

from gittrack.experiments import format as fmt
from gittrack.git.batch import read_many

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from gittrack.artifacts.pointer import Pointer
    from gittrack.experiments.artifact_files import ArtifactEntry
    from gittrack.experiments.index import Index
    from gittrack.experiments.names import ExperimentRef
    from gittrack.git.batch import GitObject
    from gittrack.git.repository import Repository

FACT = "lineage"
_MAX_DEPTH = 100
_MAX_POINTERS = 100_000
_SUFFIX = b".gittrack"
_FOLDER = fmt.FOLDER.encode()
_TREE, _FILES = b"40000", (b"100644", b"100755")


class Version(NamedTuple):
    """An artifact as one experiment has it.

    Attributes:
        path: Where it belongs; of one from outside of the repository only its name.
        digest: Of its content, 64 hex digits.
        kind: ``file`` or ``dir``.
        size: In bytes.
        how: ``logged`` or ``made`` of what the experiment made; ``used`` or ``tracked`` of what it used.
        name: What people call it; None when it has no name.
        time: When it was logged, UTC epoch seconds; 0 when that is not known.
        files: How many files it has; 1 for a file.
    """

    path: str
    digest: str
    kind: str
    size: int
    how: str
    name: str | None = None
    time: float = 0.0
    files: int = 1


class Lineage(NamedTuple):
    """What went into an experiment and what came out.

    Attributes:
        inputs: What it used.
        outputs: What it made, every version, in the order in which they were made.
        problem: Why its files cannot be read; None when they can.
    """

    inputs: tuple[Version, ...] = ()
    outputs: tuple[Version, ...] = ()
    problem: str | None = None


class Mention(NamedTuple):
    """An experiment that made or used an artifact.

    Attributes:
        experiment: The experiment.
        version: The artifact as it has it.
    """

    experiment: ExperimentRef
    version: Version


class Trace(NamedTuple):
    """Where an artifact comes from and where it went.

    Attributes:
        digest: Of its content.
        makers: The experiments that made it, the earliest first.
        users: Those that used it.
    """

    digest: str
    makers: list[Mention]
    users: list[Mention]


class Lineages:
    """The lineage of many experiments, by digest.

    Args:
        known: The lineage of each experiment.
    """

    def __init__(self, known: Mapping[ExperimentRef, Lineage]) -> None:
        self.known = known
        self._makers: dict[str, list[Mention]] = {}
        self._users: dict[str, list[Mention]] = {}
        for experiment, lineage in known.items():
            for mentions, versions in ((self._makers, lineage.outputs), (self._users, lineage.inputs)):
                for version in {(one.digest, one.path): one for one in versions}.values():
                    mentions.setdefault(version.digest, []).append(Mention(experiment, version))

    def trace(self, digest: str) -> Trace:
        """Return which experiments made and used content."""
        makers = sorted(self._makers.get(digest, ()), key=_time_and_name)
        return Trace(digest, makers, sorted(self._users.get(digest, ()), key=_time_and_name))

    def find(self, name: str) -> list[Mention]:
        """Return what experiments made under a path or a name, the latest first.

        Args:
            name: A path, or what people call it.
        """
        made = [mention for mentions in self._makers.values() for mention in mentions]
        found = [one for one in made if one.version.path == name] or [one for one in made if one.version.name == name]
        return sorted(found, key=_time_and_name, reverse=True)


def load_lineages(repository: Repository, index: Index, commits: Collection[str]) -> dict[str, Lineage]:
    """Return the lineage of commits, from the index and, where it lacks some, from git.

    Args:
        repository: The repository.
        index: Its index, which is filled on the way.
        commits: Commits, of experiments or others.
    """
    known = index.load_facts(FACT, commits)
    found = {commit: _parse_fact(fact) for commit, fact in known.items()}
    missing = [commit for commit in dict.fromkeys(commits) if commit not in found]
    if missing:
        read = dict(zip(missing, read_lineages(repository, missing), strict=True))
        index.save_facts(FACT, {commit: list(one) for commit, one in read.items() if one is not None})
        found.update({commit: one or Lineage(problem="its commit is not here") for commit, one in read.items()})
    return found


def list_lineages(repository: Repository, index: Index) -> Lineages:
    """Return the lineage of all experiments, local and of remotes.

    Args:
        repository: The repository.
        index: Its index, which is filled on the way.
    """
    from gittrack.experiments.query import list_tips

    tips = list_tips(repository)
    found = load_lineages(repository, index, set(tips.values()))
    return Lineages({experiment: found[commit] for experiment, commit in tips.items()})


def read_lineages(repository: Repository, commits: Sequence[str]) -> Iterator[Lineage | None]:
    """Yield the lineage of each commit; None where objects of it are not here.

    Args:
        repository: The repository.
        commits: Full ids.
    """
    names = fmt.LINEAGE_FILES
    specs = [spec for one in commits for spec in (f"{one}^{{tree}}", *(f"{one}:{fmt.FOLDER}/{name}" for name in names))]
    objects = read_many(repository, specs, max_bytes=fmt.MAX_FILE_BYTES)
    roots: list[GitObject | None] = []
    entries: list[Any] = []
    for _ in commits:
        roots.append(next(objects))
        files = {name: blob for name in names if (blob := next(objects)) is not None}
        entries.append(_parse_files(files))
    trees = _PointerTrees(repository, [root for root in roots if root is not None])
    for root, own in zip(roots, entries, strict=True):
        if root is None or not trees.is_whole(root.oid):
            yield None
        elif isinstance(own, str):
            yield Lineage(problem=own)
        else:
            yield _lineage(own, trees.pointers(root.oid))


def read_logged(repository: Repository, commits: Sequence[str]) -> list[ArtifactEntry]:
    """Return every version of an artifact that experiments logged and put into the cache, also those without pointer.

    Args:
        repository: The repository.
        commits: The commits of experiments; what cannot be read is passed over.
    """
    specs = [f"{commit}:{fmt.FOLDER}/{fmt.ARTIFACTS_FILE}" for commit in commits]
    blobs = {blob.oid: blob.data for blob in read_many(repository, specs, max_bytes=fmt.MAX_FILE_BYTES) if blob}
    return parse_logged(data for data in blobs.values() if data)


def parse_logged(records: Iterable[bytes]) -> list[ArtifactEntry]:
    """Return every version of an artifact that was put into the cache, from the records of logged artifacts.

    Args:
        records: The contents of files ``artifacts.json``; one that cannot be read is passed over.
    """
    logged: list[ArtifactEntry] = []
    for data in records:
        with contextlib.suppress(fmt.FormatError):
            logged += [entry for entry in fmt.parse_entries(data, fmt.ARTIFACTS_FILE) if entry.cached]
    return logged


def _parse_files(files: Mapping[str, GitObject]) -> dict[str, tuple[ArtifactEntry, ...]] | str:
    """Return the entries by file, or what is wrong with them."""
    try:
        return {name: fmt.parse_entries(blob.data or b"", name) for name, blob in files.items()}
    except fmt.FormatError as error:
        return error.message


def _lineage(entries: Mapping[str, Iterable[ArtifactEntry]], pointers: Mapping[str, Pointer]) -> Lineage:
    made = [_version(one, "logged") for one in entries.get(fmt.ARTIFACTS_FILE, ())]
    made += [_version(one, "made") for one in entries.get(fmt.OUTPUTS_FILE, ())]
    used = [_version(one, "used") for one in entries.get(fmt.INPUTS_FILE, ())]
    own = {one.path for one in made}
    named = {(one.path, one.digest) for one in used}
    used += [
        Version(path, pointer.digest, pointer.kind, pointer.size, "tracked", pointer.name, files=pointer.files)
        for path, pointer in sorted(pointers.items())
        if path not in own and (path, pointer.digest) not in named
    ]
    return Lineage(tuple(used), tuple(made))


def _version(entry: ArtifactEntry, how: str) -> Version:
    return Version(entry.path, entry.digest, entry.kind, entry.size, how, entry.name, entry.time or 0.0, entry.files)


def _parse_fact(fact: Any) -> Lineage:
    inputs, outputs, problem = fact
    return Lineage(tuple(Version(*one) for one in inputs), tuple(Version(*one) for one in outputs), problem)


def _time_and_name(mention: Mention) -> tuple[float, str, str]:
    return mention.version.time, mention.experiment.name, mention.experiment.baseline


class _Tree(NamedTuple):
    """What of a tree leads to pointers: names and ids."""

    pointers: list[tuple[bytes, str]]
    folders: list[tuple[bytes, str]]


class _PointerTrees:
    """The pointers in many trees, each folder read once however many trees share it.

    Args:
        repository: The repository.
        roots: The trees.
    """

    def __init__(self, repository: Repository, roots: Sequence[GitObject]) -> None:
        self._entry = re.compile(rb"([0-9]+) ([^\0]+)\0(.{%d})" % (repository.id_length // 2), re.DOTALL)
        self._trees: dict[str, _Tree | None] = {}
        self._flat: dict[str, tuple[list[tuple[bytes, str]], bool]] = {}
        for root in roots:
            if root.oid not in self._trees:
                self._trees[root.oid] = self._parse(root.data, is_root=True)
        self._read_below(repository)
        blobs = {oid for tree in self._trees.values() if tree is not None for _, oid in tree.pointers}
        self._pointers = _read_pointers(repository, list(blobs))

    def is_whole(self, oid: str) -> bool:
        """Return whether everything of a tree that leads to pointers is here."""
        entries, is_whole = self._flatten(oid, 0)
        return is_whole and all(blob in self._pointers for _, blob in entries)

    def pointers(self, oid: str) -> dict[str, Pointer]:
        """Return the artifacts of a tree with their pointers; what only looks like a pointer is passed over."""
        from gittrack.paths import InvalidPathError, check_repository_path

        found = {}
        for name, blob in self._flatten(oid, 0)[0]:
            pointer = self._pointers.get(blob)
            with contextlib.suppress(InvalidPathError, UnicodeDecodeError):
                if pointer is not None:
                    found[check_repository_path(name.removesuffix(_SUFFIX).decode())] = pointer
        return found

    def _parse(self, data: bytes | None, *, is_root: bool = False) -> _Tree | None:
        if data is None:
            return None
        tree = _Tree([], [])
        for mode, name, oid in self._entry.findall(data):
            if mode == _TREE:
                if not (is_root and name == _FOLDER):
                    tree.folders.append((name, oid.hex()))
            elif mode in _FILES and name.endswith(_SUFFIX) and name != _SUFFIX:
                tree.pointers.append((name, oid.hex()))
        return tree

    def _read_below(self, repository: Repository) -> None:
        """Read the folders of the trees, level by level."""
        level = list(self._trees.values())
        for _ in range(_MAX_DEPTH):
            oids = {
                oid: None for tree in level if tree is not None for _, oid in tree.folders if oid not in self._trees
            }
            if not oids:
                return
            objects = read_many(repository, list(oids), max_bytes=fmt.MAX_FILE_BYTES)
            level = []
            for oid, found in zip(oids, objects, strict=True):
                tree = self._parse(found.data if found is not None and found.kind == "tree" else None)
                self._trees[oid] = tree
                level.append(tree)

    def _flatten(self, oid: str, depth: int) -> tuple[list[tuple[bytes, str]], bool]:
        """Return the pointers of a tree by their paths, and whether all of it is here."""
        if oid in self._flat:
            return self._flat[oid]
        tree = self._trees.get(oid)
        if tree is None:
            return [], depth > _MAX_DEPTH  # a hostile depth is no reason to read the tree again and again
        entries = list(tree.pointers)
        is_whole = True
        for name, folder in tree.folders:
            below, is_below_whole = self._flatten(folder, depth + 1)
            entries += [(name + b"/" + path, blob) for path, blob in below]
            is_whole = is_whole and is_below_whole
            if len(entries) > _MAX_POINTERS:  # a few small trees can stand for billions of paths
                del entries[_MAX_POINTERS:]
                break
        self._flat[oid] = entries, is_whole
        return self._flat[oid]


def _read_pointers(repository: Repository, oids: Sequence[str]) -> dict[str, Pointer | None]:
    """Return the pointers of blobs, None for what is no pointer; those that are not here are left out."""
    if not oids:
        return {}
    from gittrack.artifacts.pointer import MAX_POINTER_BYTES, InvalidPointerError, parse_pointer

    pointers: dict[str, Pointer | None] = {}
    for oid, blob in zip(oids, read_many(repository, oids, max_bytes=MAX_POINTER_BYTES), strict=True):
        if blob is None:
            continue
        pointers[oid] = None
        with contextlib.suppress(InvalidPointerError):
            if blob.data is not None:
                pointers[oid] = parse_pointer(blob.data)
    return pointers
