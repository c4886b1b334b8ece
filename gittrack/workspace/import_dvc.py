"""Track what DVC tracks: its content from the work tree, its cache or a remote that is a folder, without DVC."""

from __future__ import annotations

import contextlib
import os
import stat
from typing import TYPE_CHECKING, NamedTuple

from gittrack.artifacts.copying import ContentChangedError
from gittrack.artifacts.intake import Intake
from gittrack.artifacts.manifest import FileEntry, render_manifest
from gittrack.artifacts.placing import InTheWayError, open_folder, opened
from gittrack.artifacts.walk import walk_files
from gittrack.errors import GittrackError
from gittrack.git.work_tree import read_file
from gittrack.workspace.add import Details, TrackedByGitError, check_trackable, make_pointer
from gittrack.workspace.contents import Contents
from gittrack.workspace.dvc_files import (
    LOCK_NAME,
    MAX_FILE_BYTES,
    SUFFIX,
    DvcEntry,
    DvcFile,
    InvalidDvcFileError,
    hash_dvc,
    parse_dvc_file,
    render_dvc_list,
)
from gittrack.workspace.dvc_stores import OPEN, find_stores
from gittrack.workspace.ignore import ignore_paths
from gittrack.workspace.pointers import Tracked, write_pointer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    from gittrack.git.repository import Repository
    from gittrack.workspace.dvc_files import DvcOut
    from gittrack.workspace.dvc_stores import DvcStores
    from gittrack.workspace.workspace import Workspace


class NotImported(NamedTuple):
    """Something that could not be imported.

    Attributes:
        path: The artifact, or the file of DVC.
        reason: Why.
    """

    path: str
    reason: str


class Imported(NamedTuple):
    """What was imported.

    Attributes:
        tracked: Artifacts that are tracked now.
        already: Those that were tracked before, left as they are.
        absent: Those of which content is nowhere to be found.
        failed: What cannot be imported for another reason.
        removed: Files of DVC that were removed.
        outside: Folders outside of the repository that may hold content and were not looked into.
    """

    tracked: list[Tracked]
    already: list[str]
    absent: list[NotImported]
    failed: list[NotImported]
    removed: list[str]
    outside: tuple[Path, ...]


class _AbsentError(Exception):
    """Content is nowhere to be found."""


def import_dvc(
    workspace: Workspace,
    paths: Sequence[str],
    *,
    allow_outside: bool = False,
    remove: bool = False,
    on_bytes: Callable[[int], object] | None = None,
) -> Imported:
    """Track what DVC tracks; all content is durable in the cache before the first pointer is written.

    Args:
        workspace: The workspace.
        paths: Files of DVC, artifacts of DVC, or folders, relative to the top folder; empty for all.
        allow_outside: Whether to look into folders outside of the repository that the settings of DVC name.
        remove: Whether to remove ``.dvc`` files of which everything is tracked now.
        on_bytes: Called with the bytes of each piece that was taken.

    Raises:
        InvalidDvcFileError: The settings of DVC cannot be read.
        OSError: The disk is full or broken; no pointer was written.
    """
    stores = find_stores(workspace.root, allow_outside=allow_outside)
    result = Imported([], [], [], [], [], stores.outside)
    outs = list(_read_outs(workspace.repository, paths, result))
    taken: list[tuple[DvcOut, Contents]] = []
    with Intake(workspace.cache) as intake:
        taker = _Taker(workspace, stores, intake, on_bytes)
        for out in outs:
            contents = _take(taker, out, result)
            if contents is not None:
                taken.append((out, contents))
    for out, contents in taken:
        _track(workspace, out, contents, result)
    if remove:
        done = {*result.already, *(one.path for one in result.tracked)}
        _remove_sources(workspace, outs, done, result)
    return result


def _read_outs(repository: Repository, paths: Sequence[str], result: Imported) -> Iterator[DvcOut]:
    """Yield what the files of DVC that are meant say, each path once, and note what is wrong with them."""
    root = repository.require_work_tree()
    seen: set[str] = set()
    for source in _list_sources(repository):
        pipeline = read_file(root, source.removesuffix(LOCK_NAME) + "dvc.yaml", MAX_FILE_BYTES)
        try:
            found = parse_dvc_file(read_file(root, source, MAX_FILE_BYTES) or b"", source, pipeline)
        except InvalidDvcFileError as error:
            found = DvcFile([], [error.message])
        if _is_meant(paths, source):
            result.failed.extend(NotImported(source, problem) for problem in found.problems)
        for out in found.outs:
            if out.path not in seen and (_is_meant(paths, source) or _is_meant(paths, out.path)):
                seen.add(out.path)
                yield out


def _list_sources(repository: Repository) -> list[str]:
    """Return the files of DVC in the work tree; those that git ignores are nobody's."""
    env = {"GIT_LITERAL_PATHSPECS": "0"}
    patterns = (f"*{SUFFIX}", LOCK_NAME, f"*/{LOCK_NAME}")
    arguments = ("ls-files", "-z", "--cached", "--others", "--exclude-standard", "--deduplicate", "--", *patterns)
    names = os.fsdecode(repository.git.run(*arguments, env=env).stdout).split("\0")[:-1]
    root = repository.require_work_tree()
    return sorted(name for name in dict.fromkeys(names) if os.path.lexists(root / name))


def _is_meant(paths: Sequence[str], path: str) -> bool:
    return not paths or any(not one or path == one or path.startswith(f"{one}/") for one in paths)


def _take(taker: _Taker, out: DvcOut, result: Imported) -> Contents | None:
    """Take what DVC tracks into the batch; None when that was noted to be impossible or needless."""
    try:
        if check_trackable(taker.workspace.repository, [out.path])[out.path] is not None:
            result.already.append(out.path)
            return None
        return taker.take_folder(out) if out.is_dir else taker.take_file(out)
    except TrackedByGitError as error:
        if not out.source.endswith(LOCK_NAME):  # where it stands for a metric or plot that is not DVC's to keep
            result.failed.append(NotImported(out.path, error.message))
    except _AbsentError as error:
        result.absent.append(NotImported(out.path, str(error)))
    except GittrackError as error:
        result.failed.append(NotImported(out.path, error.message))
    return None


class _Taker:
    """Take content that is known by DVC's MD5 into a batch.

    Args:
        workspace: The workspace.
        stores: Where DVC keeps content.
        intake: The batch.
        on_bytes: Called with the bytes of each piece that was taken.
    """

    def __init__(
        self, workspace: Workspace, stores: DvcStores, intake: Intake, on_bytes: Callable[[int], object] | None
    ) -> None:
        self.workspace = workspace
        self._stores = stores
        self._intake = intake
        self._on_bytes = on_bytes

    def take_file(self, out: DvcOut) -> Contents:
        """Take a file.

        Raises:
            _AbsentError: It is nowhere.
        """
        entry = self._find(out.path, out.md5, is_legacy=out.is_legacy)
        if entry is None:
            raise _AbsentError(f"no content with the MD5 {out.md5}")
        is_executable = entry.is_executable or out.is_executable
        return Contents("file", entry.digest, entry.size, is_executable=is_executable)

    def take_folder(self, out: DvcOut) -> Contents:
        """Take a folder.

        Raises:
            _AbsentError: A file of it, or the list of its files, is nowhere.
            InvalidDvcFileError: The list is hostile or damaged.
            InvalidManifestError: It holds files that cannot stand beside each other everywhere.
        """
        listed = self._stores.read_list(out.md5)
        if listed is None:
            listed = self._list_again(out)
        found = {entry: self._find(f"{out.path}/{entry.path}", entry.md5, is_legacy=out.is_legacy) for entry in listed}
        absent = [entry.path for entry, taken in found.items() if taken is None]
        if absent:
            raise _AbsentError(f"no content for {len(absent)} of {len(found)} files, such as '{absent[0]}'")
        files = tuple(sorted(taken._replace(path=entry.path) for entry, taken in found.items() if taken is not None))
        digest = self._intake.add_bytes(render_manifest(files))
        return Contents("dir", digest, sum(entry.size for entry in files), files)

    def _list_again(self, out: DvcOut) -> list[DvcEntry]:
        """Return the list of a folder's files by reading the folder, if that is the list that DVC means."""
        entries = []
        with contextlib.suppress(OSError, GittrackError), open_folder(self.workspace.root, out.path) as folder:
            for found in walk_files(folder, self.workspace.cache):
                with opened(os.open(found.name, OPEN, dir_fd=found.folder_fd)) as descriptor:
                    entries.append(DvcEntry(found.path, hash_dvc(descriptor, is_legacy=out.is_legacy)))
        if _hash_list(entries) != out.md5:
            raise _AbsentError(f"no list of its files with the MD5 {out.md5}")
        return entries

    def _find(self, path: str, md5: str, *, is_legacy: bool) -> FileEntry | None:
        """Take the file with an MD5 from the work tree, or else from where DVC stores it; None when it is nowhere."""
        present = _open_file(self.workspace.root, path)
        if present is not None:
            with opened(present):
                if (taken := self._take(path, present, md5, is_legacy=is_legacy)) is not None:
                    return taken
        for descriptor in self._stores.open(md5):
            if (taken := self._take(path, descriptor, md5, is_legacy=is_legacy)) is not None:
                return taken._replace(is_executable=False)  # of DVC's own file, the mode says nothing
        return None

    def _take(self, path: str, descriptor: int, md5: str, *, is_legacy: bool) -> FileEntry | None:
        """Take an open file if it has an MD5; None when it has another one, or changes meanwhile."""
        before = os.fstat(descriptor)
        if not stat.S_ISREG(before.st_mode) or hash_dvc(descriptor, is_legacy=is_legacy) != md5:
            return None
        try:
            os.lseek(descriptor, 0, os.SEEK_SET)
            taken = self._intake.add_open_file(descriptor, path, self._on_bytes)
        except ContentChangedError:
            return None
        if (taken.info.st_size, taken.info.st_mtime_ns) != (before.st_size, before.st_mtime_ns):
            return None
        return FileEntry(path, taken.digest, before.st_size, bool(before.st_mode & stat.S_IXUSR))


def _open_file(root: Path, path: str) -> int | None:
    """Open a file of the work tree; None where there is none, or a link."""
    folder, _, name = path.rpartition("/")
    try:
        with open_folder(root, folder) as above:
            return os.open(name, OPEN, dir_fd=above)
    except (OSError, InTheWayError):
        return None


def _hash_list(entries: Iterable[DvcEntry]) -> str:
    import hashlib

    return hashlib.md5(render_dvc_list(entries), usedforsecurity=False).hexdigest()


def _track(workspace: Workspace, out: DvcOut, contents: Contents, result: Imported) -> None:
    details = Details(type=out.type, desc=out.desc, labels=out.labels or None, meta=out.meta)
    pointer = make_pointer(out.path, contents, details, None)
    try:
        write_pointer(workspace.repository, out.path, pointer)
        ignore_paths(workspace.repository, [out.path])
    except GittrackError as error:
        result.failed.append(NotImported(out.path, error.message))
        return
    result.tracked.append(Tracked(out.path, pointer))
    _replace_links(workspace, out.path, contents)


def _replace_links(workspace: Workspace, path: str, contents: Contents) -> None:
    """Replace the links into DVC's cache that stand for files (its `cache.type symlink`) by files of our own."""
    entries = [(path, FileEntry(path, contents.digest, contents.size, contents.is_executable))]
    if contents.kind == "dir":
        entries = [(f"{path}/{entry.path}", entry) for entry in contents.files]
    restorer = workspace.restorer()
    for name, entry in entries:
        folder, _, last = name.rpartition("/")
        with contextlib.suppress(OSError, GittrackError):
            with open_folder(workspace.root, folder) as above:
                target = os.readlink(last, dir_fd=above)
            if _is_stored_name(target):
                restorer.write_file(name, entry.digest, is_executable=entry.is_executable)


def _is_stored_name(target: str) -> bool:
    """Return whether a link leads to a file that is named as DVC names content."""
    folder, _, name = target.rpartition("/")
    digits = folder[-2:] + name
    return len(digits) == len("0" * 32) and all(digit in "0123456789abcdef" for digit in digits)


def _remove_sources(workspace: Workspace, outs: Sequence[DvcOut], done: set[str], result: Imported) -> None:
    sources: dict[str, bool] = {}
    for out in outs:
        sources[out.source] = sources.get(out.source, True) and out.path in done
    for source, is_done in sources.items():
        if is_done and source.endswith(SUFFIX):
            workspace.restorer().remove_file(source)
            result.removed.append(source)
