"""Find the artifact that a script wants to use, bring it back where it is missing, and record that it is used."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gittrack.artifacts.cache import ObjectMissingError
from gittrack.artifacts.digest import PREFIX, hash_mapped, parse_digest
from gittrack.artifacts.manifest import FileEntry
from gittrack.artifacts.pointer import SUFFIX, pointer_path
from gittrack.artifacts.restore import Restorer, is_regular
from gittrack.artifacts.stat_cache import now_ns
from gittrack.errors import GittrackError
from gittrack.experiments.artifact_files import ArtifactEntry, entry_of_pointer, latest_entries
from gittrack.runs.artifact_log import find_repository
from gittrack.runs.artifact_request import Request, parse_path
from gittrack.workspace.add import repository_path
from gittrack.workspace.checkout import checkout
from gittrack.workspace.compare import compare, read_files
from gittrack.workspace.pointers import (
    Tracked,
    list_commit_pointers,
    list_workspace_pointers,
    read_workspace_pointer,
)
from gittrack.workspace.workspace import Workspace

if TYPE_CHECKING:
    from gittrack.experiments.lineage import Version
    from gittrack.git.repository import Repository
    from gittrack.runs.artifact_log import ArtifactLog
    from gittrack.runs.context import RunContext
    from gittrack.runs.opening import OpenedRun

USED = "used"  # below `.git/gittrack`: content that the work tree has no place for
_PULL = "run 'gittrack pull' to fetch what others have pushed"


class UnknownArtifactError(GittrackError):
    """There is no such artifact."""


def use_artifact(
    opened: OpenedRun | None, context: RunContext, log: ArtifactLog | None, artifact: Any, step: int | None
) -> Path:
    """Return where an artifact is, and record that the run uses it.

    Args:
        opened: The run; None in a process that does not write.
        context: The process.
        log: What records it; None where nothing is recorded.
        artifact: See `gittrack.Run.use_artifact`.
        step: The run's step.

    Raises:
        InvalidValueError: It is neither a text nor a path.
        UnknownArtifactError: There is no such artifact.
        GittrackError: It cannot be restored.
    """
    text = parse_path(artifact)
    path = text.removesuffix(SUFFIX) if os.path.isfile(text) else text  # noqa: PTH113  a text
    if os.path.lexists(path):
        if log is not None:
            log.use(Request(os.path.abspath(path)), step)  # noqa: PTH100  a link is kept
        return Path(path)
    with Workspace.open(find_repository(opened, context)) as workspace:
        entry = _pointed(workspace, path) if os.path.lexists(pointer_path(path)) else _find(workspace, text)
        place = _bring(workspace, entry)
    if log is not None:
        log.note_input(entry._replace(step=step, cached=False, pointer=False))
    return place


def _pointed(workspace: Workspace, path: str) -> ArtifactEntry:
    """Return the artifact of a pointer in the work tree."""
    inside = repository_path(workspace.repository, path, Path.cwd())
    pointer = read_workspace_pointer(workspace.repository, inside)
    if pointer is None:
        raise UnknownArtifactError(f"'{pointer_path(path)}' cannot be read")
    return entry_of_pointer(inside, pointer)


def _find(workspace: Workspace, text: str) -> ArtifactEntry:
    """Return the artifact that a digest, ``experiment:path`` or a name means."""
    if text.startswith(PREFIX):
        return _of_digest(workspace, text)
    experiment, colon, path = text.partition(":")
    if colon:
        return _of_experiment(workspace.repository, experiment, path)
    named = [one for one in list_workspace_pointers(workspace.repository).tracked if one.pointer.name == text]
    if len(named) == 1:
        return entry_of_pointer(named[0].path, named[0].pointer)
    versions = _made(workspace.repository, text)
    if not versions:
        raise UnknownArtifactError(
            f"there is no file, folder or artifact '{text}'", hint="name a path, a digest 'b3:…' or 'experiment:path'"
        )
    return _entry(versions[0])


def _of_digest(workspace: Workspace, text: str) -> ArtifactEntry:
    digest = parse_digest(text)
    for one in list_workspace_pointers(workspace.repository).tracked:
        if one.pointer.digest == digest:
            return entry_of_pointer(one.path, one.pointer)
    lineages = _lineages(workspace.repository)
    trace = lineages.trace(digest)
    for mention in (*trace.makers, *trace.users):
        return _entry(mention.version)
    size = workspace.cache.find_size(digest)
    if size is None:
        raise ObjectMissingError(f"no artifact '{text[:15]}…' is known here", hint=_PULL)
    return ArtifactEntry(digest[:16], "file", digest, size, outside=True)


def _of_experiment(repository: Repository, name: str, path: str) -> ArtifactEntry:
    from gittrack.experiments.resolve import resolve
    from gittrack.experiments.store import read_record

    tip = resolve(repository, name)
    logged = latest_entries(read_record(repository, tip.commit).artifacts)
    if path in logged:
        return logged[path]
    tracked = {one.path: one.pointer for one in list_commit_pointers(repository, tip.commit).tracked}
    if path in tracked:
        return entry_of_pointer(path, tracked[path])
    for entry in reversed(logged.values()):
        if entry.name == path:
            return entry
    known = ", ".join(sorted({*logged, *tracked})[:5])
    raise UnknownArtifactError(
        f"the experiment '{name}' has no artifact '{path}'", hint=f"it has: {known}" if known else "it has none"
    )


def _made(repository: Repository, name: str) -> list[Version]:
    return [mention.version for mention in _lineages(repository).find(name)]


def _lineages(repository: Repository) -> Any:
    from gittrack.experiments.index import Index
    from gittrack.experiments.lineage import list_lineages

    index = Index(repository)
    try:
        return list_lineages(repository, index)
    finally:
        index.close()


def _entry(version: Version) -> ArtifactEntry:
    kind: Any = version.kind
    digest = parse_digest(PREFIX + version.digest)
    return ArtifactEntry(version.path, kind, digest, version.size, name=version.name, files=version.files)


def _bring(workspace: Workspace, entry: ArtifactEntry) -> Path:
    """Return where the content of an artifact is; it is restored where it is nowhere."""
    pointer = None if entry.outside else read_workspace_pointer(workspace.repository, entry.path)
    if pointer is not None and pointer.digest == entry.digest:
        tracked = Tracked(entry.path, pointer)
        state = compare(workspace, tracked).state
        if state == "missing":
            result = checkout(workspace, [tracked])
            for refusal in (*result.kept, *result.failed):
                raise GittrackError(f"'{entry.path}' could not be restored: {refusal.reason}")
            state = "missing" if result.absent else "unchanged"
        if state == "unchanged":
            return workspace.root / entry.path
    return _restore_aside(workspace, entry)


def _restore_aside(workspace: Workspace, entry: ArtifactEntry) -> Path:
    """Restore an artifact that has no place in the work tree; what is there from last time is used again."""
    cache = workspace.cache
    if cache.find_size(entry.digest) is None:
        raise ObjectMissingError(f"the content of '{entry.path}' is not in the cache", hint=_PULL)
    name = f"{entry.digest[:16]}/{entry.path.rpartition('/')[2]}"
    files = {name: FileEntry(name, entry.digest, entry.size)}
    if entry.kind == "dir":
        files = {f"{name}/{one.path}": one for one in read_files(cache, entry.digest)}
    root = workspace.repository.state_dir / USED
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    if not files:
        (root / name).mkdir(exist_ok=True)
    restorer = Restorer(cache, root, workspace.repository.scratch_root, workspace.links)
    for path, one in files.items():
        if not _is_there(workspace, root / path, one):
            restored = restorer.write_file(path, one.digest, is_executable=one.is_executable)
            if restored.info is not None:
                workspace.stats.note(restored.info, one.digest, now_ns())
    return root / name


def _is_there(workspace: Workspace, path: Path, entry: FileEntry) -> bool:
    try:
        info = path.lstat()
    except OSError:
        return False
    known = workspace.stats.look_up(info)
    if known is None and is_regular(info):  # written a moment ago, or by nobody we know
        checked_ns = now_ns()
        known = hash_mapped(str(path), info.st_size)
        workspace.stats.note(info, known, checked_ns)
    return known == entry.digest
