"""Restore artifacts in the work tree as their pointers say, and lose nothing on the way."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, NamedTuple

from gittrack.artifacts.cache import ObjectMissingError
from gittrack.artifacts.manifest import FileEntry, InvalidManifestError
from gittrack.artifacts.pointer import SUFFIX, InvalidPointerError
from gittrack.errors import GittrackError
from gittrack.paths import InvalidPathError, check_repository_path
from gittrack.scratch import sweep_scratch
from gittrack.workspace.compare import compare, read_files
from gittrack.workspace.ignore import exclude_paths
from gittrack.workspace.pointers import Tracked, read_workspace_pointer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from gittrack.artifacts.cache import Cache
    from gittrack.artifacts.digest import Digest
    from gittrack.artifacts.restore import Restored, Restorer
    from gittrack.workspace.compare import Compared
    from gittrack.workspace.workspace import Workspace


class Refusal(NamedTuple):
    """An artifact that was left as it is.

    Attributes:
        path: The artifact.
        reason: Why.
        files: The files that it is about; empty when it is the artifact itself.
    """

    path: str
    reason: str
    files: tuple[str, ...] = ()


class CheckedOut(NamedTuple):
    """What a checkout did.

    Attributes:
        restored: Artifacts that are now as their pointers say, and were not before.
        n_unchanged: How many were so already.
        kept: Artifacts with changes that only the work tree has, left as they are.
        absent: Artifacts whose content the cache lacks.
        failed: Artifacts that could not be written.
    """

    restored: list[str]
    n_unchanged: int
    kept: list[Refusal]
    absent: list[Tracked]
    failed: list[Refusal]


class _KeptError(Exception):
    """Files have changes that only the work tree has."""

    def __init__(self, files: tuple[str, ...]) -> None:
        super().__init__(files)
        self.files = files


def checkout(
    workspace: Workspace,
    artifacts: Iterable[Tracked],
    *,
    force: bool = False,
    on_bytes: Callable[[int], object] | None = None,
) -> CheckedOut:
    """Restore artifacts: write what is missing, replace what is another version, remove files that a folder lacks.

    A file whose content the cache does not have is never overwritten nor removed, unless that is forced.

    Args:
        workspace: The workspace.
        artifacts: Which ones.
        force: Whether changes that only the work tree has are given up.
        on_bytes: Called with the bytes of each piece that was written.
    """
    result = CheckedOut([], 0, [], [], [])
    sweep_scratch(workspace.repository.scratch_root)
    restorer = workspace.restorer(on_bytes)
    for tracked in artifacts:
        compared = compare(workspace, tracked)
        if compared.state == "unchanged":
            result = result._replace(n_unchanged=result.n_unchanged + 1)
            continue
        if compared.state == "unreadable":
            result.failed.append(Refusal(tracked.path, compared.problem or ""))
            continue
        try:
            _restore(workspace, restorer, compared, force=force)
            result.restored.append(tracked.path)
        except _KeptError as error:
            result.kept.append(Refusal(tracked.path, "it has changes that are nowhere else", error.files))
        except ObjectMissingError:
            result.absent.append(tracked)
        except (GittrackError, OSError) as error:
            result.failed.append(Refusal(tracked.path, str(error)))
    # A pointer that a training script made comes without an entry in `.gitignore`.
    exclude_paths(workspace.repository, result.restored)
    return result


def checkout_pointers(
    workspace: Workspace, names: Iterable[str], *, on_bytes: Callable[[int], object] | None = None
) -> CheckedOut:
    """Restore the artifacts of some pointers of the work tree, where the cache has them; see `checkout`.

    Args:
        workspace: The workspace.
        names: Files of the work tree, relative to its top; what is no pointer is passed over.
        on_bytes: Called with the bytes of each piece that was written.
    """
    tracked = []
    for name in names:
        with contextlib.suppress(InvalidPathError, InvalidPointerError):
            path = check_repository_path(name.removesuffix(SUFFIX)) if name.endswith(SUFFIX) else ""
            pointer = read_workspace_pointer(workspace.repository, path) if path else None
            if pointer is not None:
                tracked.append(Tracked(path, pointer))
    return checkout(workspace, tracked, on_bytes=on_bytes)


def _restore(workspace: Workspace, restorer: Restorer, compared: Compared, *, force: bool) -> None:
    path, pointer = compared.tracked.path, compared.tracked.pointer
    present = _present_files(compared)
    if pointer.kind == "dir":
        wanted = read_files(workspace.cache, pointer.digest)
        if missing := workspace.cache.find_missing(entry.digest for entry in wanted):
            raise ObjectMissingError(f"{len(missing)} objects of '{path}' are not in the cache")
        if compared.state == "missing":
            _note(workspace, restorer.write_new_folder(path, wanted))
            return
        _check_sizes(workspace.cache, wanted, path)
        files = {f"{path}/{entry.path}": entry for entry in wanted}
    else:
        if workspace.cache.find_size(pointer.digest) is None:
            raise ObjectMissingError(f"'{path}' is not in the cache")
        files = {path: FileEntry(path, pointer.digest, pointer.size, pointer.executable)}
    changed = [name for name, entry in present.items() if name not in files or not _is_same(files[name], entry)]
    if not force:
        _check_replaceable(workspace, {name: present[name].digest for name in changed}, path)
    for name in changed:
        if name not in files:
            restorer.remove_file(name)
    new = [name for name in files if name not in present or name in changed]
    restored = [restorer.write_file(name, files[name].digest, is_executable=files[name].is_executable) for name in new]
    _note(workspace, restored)


def _present_files(compared: Compared) -> dict[str, FileEntry]:
    """Return the files that stand where the artifact belongs, by their paths from the top."""
    contents, path = compared.contents, compared.tracked.path
    if contents is None:
        return {}
    if contents.kind == "file":
        return {path: FileEntry(path, contents.digest, contents.size, contents.is_executable)}
    return {f"{path}/{entry.path}": entry for entry in contents.files}


def _check_sizes(cache: Cache, wanted: Sequence[FileEntry], path: str) -> None:
    """Raise where a manifest lies: the folder would never be as it says."""
    for entry in wanted:
        if cache.find_size(entry.digest) != entry.size:
            raise InvalidManifestError(f"the list of files of '{path}' has a wrong size for '{entry.path}'")


def _is_same(wanted: FileEntry, present: FileEntry) -> bool:
    return (wanted.digest, wanted.is_executable) == (present.digest, present.is_executable)


def _check_replaceable(workspace: Workspace, digests: dict[str, Digest], path: str) -> None:
    """Raise when content would be lost: what the cache has can be brought back."""
    missing = set(workspace.cache.find_missing(digests.values()))
    unique = tuple(name for name, digest in digests.items() if digest in missing)
    if unique:
        raise _KeptError(tuple(name.removeprefix(f"{path}/") for name in unique if name != path))


def _note(workspace: Workspace, restored: Sequence[Restored]) -> None:
    """Remember the digests of files that were written, so that they need not be hashed, where that is safe."""
    for entry in restored:
        if entry.info is not None:
            workspace.stats.note(entry.info, entry.digest, entry.placed_ns)
