"""Hash what the cache has, set aside what is corrupt, and take it again from where it is still whole."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from gittrack.artifacts.cache import ObjectCorruptError, ObjectMissingError
from gittrack.artifacts.digest import MAX_THREADS
from gittrack.artifacts.intake import Intake
from gittrack.artifacts.manifest import InvalidManifestError, render_manifest
from gittrack.artifacts.placing import open_folder
from gittrack.errors import GittrackError
from gittrack.workspace.compare import read_files
from gittrack.workspace.contents import read_contents

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from gittrack.artifacts.cache import Cache
    from gittrack.artifacts.digest import Digest
    from gittrack.storage.protocol import Progress
    from gittrack.workspace.pointers import Tracked
    from gittrack.workspace.workspace import Workspace

    Fetch = Callable[[Sequence[Tracked]], object]

_N_AT_ONCE = 256  # objects that are given to the threads at a time


class Place(NamedTuple):
    """Where an object is used.

    Attributes:
        tracked: The artifact.
        file: A file of it, relative to it; empty for the artifact itself, or for the list of its files.
    """

    tracked: Tracked
    file: str = ""


class Damaged(NamedTuple):
    """An object that is not as it must be.

    Attributes:
        digest: The object.
        problem: ``corrupt``, ``missing``, or ``invalid``: a pointer calls it a folder, and it is no list of files.
        places: Where it is used; empty when no artifact of the work tree uses it.
        is_repaired: Whether it is whole again.
    """

    digest: Digest
    problem: str
    places: tuple[Place, ...]
    is_repaired: bool = False


class Verified(NamedTuple):
    """What was found.

    Attributes:
        n_objects: How many objects were hashed.
        n_bytes: How many bytes those are.
        damaged: Objects that were corrupt or missing, repaired or not.
    """

    n_objects: int
    n_bytes: int
    damaged: list[Damaged]


def verify(
    workspace: Workspace,
    artifacts: Sequence[Tracked],
    progress: Progress,
    *,
    is_everything: bool = False,
    is_repair: bool = False,
    fetch: Fetch | None = None,
) -> Verified:
    """Hash objects of the cache; those that are corrupt are moved out of the way.

    Args:
        workspace: The workspace.
        artifacts: Those whose objects are looked at, and named.
        progress: Whom to tell of bytes.
        is_everything: Whether to hash every other object of the cache, too.
        is_repair: Whether to take what is damaged again: from files of the work tree that still are as their pointers
            say, then by `fetch`.
        fetch: Brings the objects of artifacts into the cache, as far as it can; it may raise.

    Raises:
        GittrackError: What `fetch` raises.
        OSError: The disk is broken or full.
    """
    checker = _Checker(workspace.cache, progress)
    places = _check_artifacts(checker, artifacts)
    if is_everything:
        checker.check(digest for digest in workspace.cache.list_digests() if digest not in places)
    if is_repair and checker.problems:
        _repair(workspace, checker, places, artifacts, fetch)
    damaged = [
        Damaged(digest, problem, tuple(places.get(digest, ())), digest in checker.repaired)
        for digest, problem in checker.problems.items()
    ]
    return Verified(checker.n_objects, checker.n_bytes, damaged)


class _Checker:
    """Hash objects by several threads, each once.

    Args:
        cache: Where they are.
        progress: Whom to tell of bytes.
    """

    def __init__(self, cache: Cache, progress: Progress) -> None:
        self.cache = cache
        self.n_objects = 0
        self.n_bytes = 0
        self.problems: dict[Digest, str] = {}
        self.repaired: set[Digest] = set()
        self._progress = progress
        self._seen: set[Digest] = set()

    def check(self, digests: Iterable[Digest]) -> None:
        """Hash objects, note what is wrong, and set corrupt ones aside."""
        left = iter(dict.fromkeys(digest for digest in digests if digest not in self._seen))
        with ThreadPoolExecutor(min(MAX_THREADS, os.cpu_count() or 1)) as pool:
            while batch := list(islice(left, _N_AT_ONCE)):
                sizes = {digest: self.cache.find_size(digest) for digest in batch}
                self._progress.on_total(sum(size or 0 for size in sizes.values()))
                present = [digest for digest, size in sizes.items() if size is not None]
                self.problems.update((digest, "missing") for digest, size in sizes.items() if size is None)
                for digest, is_intact in zip(present, pool.map(self._is_intact, present), strict=True):
                    self._note(digest, sizes[digest] or 0, is_intact=is_intact)
                self._seen.update(batch)

    def recheck(self) -> None:
        """Note which damaged objects are whole again."""
        for digest, problem in self.problems.items():
            if problem != "invalid" and digest not in self.repaired and self._is_intact(digest):
                self.repaired.add(digest)

    def _note(self, digest: Digest, size: int, *, is_intact: bool | None) -> None:
        self.n_objects += 1
        self.n_bytes += size
        self._progress.on_bytes(size)
        if is_intact is None:
            self.problems[digest] = "missing"
        elif not is_intact:
            self.problems[digest] = "corrupt"
            self.cache.set_aside(digest)

    def _is_intact(self, digest: Digest) -> bool | None:
        """Hash an object; None when it is gone, and False when it cannot be read: a bad block is no better."""
        try:
            return self.cache.is_intact(digest)
        except (ObjectMissingError, FileNotFoundError):
            return None
        except OSError:
            return False


def _check_artifacts(checker: _Checker, artifacts: Iterable[Tracked]) -> dict[Digest, list[Place]]:
    """Hash what artifacts consist of, lists of files first, and return where each object is used."""
    places: dict[Digest, list[Place]] = {}
    for tracked in artifacts:
        places.setdefault(tracked.pointer.digest, []).append(Place(tracked))
    checker.check(list(places))
    files: dict[Digest, list[Place]] = {}
    for digest, users in places.items():
        for entry in _files_of(checker, digest, users):
            files.setdefault(entry[0], []).extend(Place(user.tracked, entry[1]) for user in users)
    checker.check(files)
    for digest, users in files.items():
        places.setdefault(digest, []).extend(users)
    return places


def _files_of(checker: _Checker, digest: Digest, users: Sequence[Place]) -> Iterator[tuple[Digest, str]]:
    if digest in checker.problems and digest not in checker.repaired:
        return
    if any(user.tracked.pointer.kind == "dir" for user in users):
        try:
            for entry in read_files(checker.cache, digest):
                yield entry.digest, entry.path
        except (ObjectMissingError, ObjectCorruptError, InvalidManifestError):
            checker.problems[digest] = "invalid"


def _repair(
    workspace: Workspace,
    checker: _Checker,
    places: dict[Digest, list[Place]],
    artifacts: Sequence[Tracked],
    fetch: Fetch | None,
) -> None:
    _take_from_work_tree(workspace, checker, places)
    checker.recheck()
    _learn_files(checker, places)
    _take_from_work_tree(workspace, checker, places)
    checker.recheck()
    left = [digest for digest in checker.problems if digest not in checker.repaired]
    wanted = {place.tracked.path for digest in left for place in places.get(digest, ())}
    if fetch is not None and wanted:
        fetch([tracked for tracked in artifacts if tracked.path in wanted])
        checker.recheck()
        _learn_files(checker, places)


def _learn_files(checker: _Checker, places: dict[Digest, list[Place]]) -> None:
    """Hash the files of those folders whose list is whole again."""
    again = {digest: places[digest] for digest in checker.repaired if digest in places}
    for users in again.values():
        for digest, found in _check_artifacts(checker, [user.tracked for user in users if not user.file]).items():
            known = places.setdefault(digest, [])
            known.extend(place for place in found if place not in known)


def _take_from_work_tree(workspace: Workspace, checker: _Checker, places: dict[Digest, list[Place]]) -> None:
    """Add the files that damaged objects came from again; what is not the same any more is another object."""
    for digest, problem in checker.problems.items():
        for place in places.get(digest, ()) if problem != "invalid" and digest not in checker.repaired else ():
            if _take(workspace, digest, place):
                checker.repaired.add(digest)
                break


def _take(workspace: Workspace, digest: Digest, place: Place) -> bool:
    path = f"{place.tracked.path}/{place.file}" if place.file else place.tracked.path
    try:
        if place.tracked.pointer.kind == "dir" and not place.file:
            contents = read_contents(workspace, path)
            if contents is None or contents.digest != digest:
                return False
            with Intake(workspace.cache) as intake:
                intake.add_bytes(render_manifest(contents.files))
            return True
        folder, _, name = path.rpartition("/")
        with open_folder(workspace.root, folder) as above, Intake(workspace.cache) as intake:
            _add_same(intake, name, above, digest)
    except (_OtherContentError, GittrackError, OSError):
        return False
    return True


def _add_same(intake: Intake, name: str, folder_fd: int, digest: Digest) -> None:
    """Add a file to a batch, which is dropped by the error when the file is not what the object was made of."""
    if intake.add_file(name, folder_fd).digest != digest:
        raise _OtherContentError


class _OtherContentError(Exception):
    """A file is not what an object was made of."""
