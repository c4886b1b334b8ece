"""Get artifacts and files out of any repository, cloned or not."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, NamedTuple

from gittrack.artifacts.restore import Restorer
from gittrack.errors import GittrackError
from gittrack.experiments.artifact_files import latest_entries, pointer_to
from gittrack.experiments.lineage import read_logged
from gittrack.experiments.names import NAMESPACE
from gittrack.git.objects import read_commit, read_path
from gittrack.git.process import Git, clean_environment
from gittrack.git.remotes import is_address, list_remotes, strip_credentials
from gittrack.git.repository import Repository
from gittrack.git.transfer import QUIET, fetch_refs, list_remote_refs
from gittrack.paths import check_repository_path
from gittrack.scratch import scratch_folder, sweep_scratch
from gittrack.storage.protocol import SILENT, Parcel
from gittrack.workspace.compare import is_whole, read_files
from gittrack.workspace.pointers import Tracked, list_commit_pointers
from gittrack.workspace.revisions import NotTrackedError, find_around, resolve_revision
from gittrack.workspace.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from gittrack.artifacts.cache import Cache
    from gittrack.artifacts.manifest import FileEntry
    from gittrack.git.transfer import Access
    from gittrack.storage.protocol import Progress, Storage

    OpenStorage = Callable[[Repository], Storage]

REMOTE = "origin"
_REF = "refs/get/revision"
_MAX_PLAIN_BYTES = 1 << 30


class Got(NamedTuple):
    """What was got.

    Attributes:
        path: Where it is now.
        n_files: How many files it has.
        n_bytes: How many bytes they have.
    """

    path: Path
    n_files: int
    n_bytes: int


@contextlib.contextmanager
def open_source(
    source: str, revision: str | None, folder: Path, environ: Mapping[str, str], access: Access = QUIET
) -> Iterator[tuple[Repository, str]]:
    """Give a repository and the commit that is meant; of an address, only that commit is fetched, for a moment.

    Args:
        source: A folder in a repository, or an address that git can fetch from.
        revision: An experiment or a git revision; HEAD by default.
        folder: Where a relative path is meant from, and where the moment's repository may be.
        environ: The environment.
        access: How git may talk to the person.

    Raises:
        NotARepositoryError: A folder is in no repository.
        GitError: The address cannot be fetched from.
        ExperimentMissingError: There is no such experiment or revision.
    """
    local = folder / source
    ref = None
    if local.is_dir():
        repository = Repository.discover(local, environ)
        commit = resolve_revision(repository, revision or "HEAD").commit
        if repository.work_tree is not None or list_remotes(repository):
            yield repository, commit
            return
        # What others push to: its artifacts are in its refs, and a cache does not belong into it.
        source, ref = str(repository.git_dir), commit
    elif not is_address(source):
        shown = strip_credentials(source)
        raise NotTrackedError(
            f"'{shown}' is neither a folder nor an address", hint="name a repository: a path or a URL"
        )
    root = folder / ".gittrack-get"
    sweep_scratch(root)
    try:
        with scratch_folder(root) as scratch:
            repository = _make_repository(scratch / "repository", source, folder, environ)
            ref = ref or _find_ref(repository, revision, access)
            fetch_refs(repository, REMOTE, [f"+{ref}:{_REF}"], depth=1, access=access)
            commit = resolve_revision(repository, _REF).commit
            (repository.git_dir / "HEAD").write_text(f"{commit}\n", encoding="ascii")
            yield repository, commit
    finally:
        with contextlib.suppress(OSError):
            root.rmdir()


def get(
    repository: Repository,
    commit: str,
    path: str,
    target: Path,
    open_storage: OpenStorage,
    *,
    cache: Cache | None = None,
    progress: Progress = SILENT,
) -> Got:
    """Write an artifact, a part of one, or a file that git tracks itself, to a place that is free.

    Args:
        repository: Where it is from.
        commit: The commit that has its pointer, or the file.
        path: Relative to the top of that repository.
        target: Where to; nothing may be there.
        open_storage: Opens the storage of the repository, if content must be fetched.
        cache: Where content is looked for and kept; that of the repository by default.
        progress: Whom to tell.

    Raises:
        NotTrackedError: The commit has nothing at the path.
        ContentMissingError: The content is neither in the cache nor shared.
        StorageError: The storage cannot be reached, or served other bytes.
        InTheWayError: Something is at the target.
    """
    check_repository_path(path)
    tracked = list_commit_pointers(repository, commit).tracked
    logged = latest_entries(read_logged(repository, [commit])).values()
    tracked += [Tracked(one.path, pointer_to(one)) for one in logged]  # what has no pointer, from outside the work tree
    found = find_around(tracked, path)
    with Workspace.open(repository) as workspace:
        own = workspace.cache
    cache = cache or own
    staging = target.parent / ".gittrack-get"
    try:
        if found is None:
            return _get_plain(repository, commit, path, target)
        artifact, rest = found
        source = own if is_whole(own, artifact.pointer.digest, artifact.pointer.kind) else cache
        _fetch(repository, source, artifact, open_storage, progress)
        restorer = Restorer(source, target.parent, staging)
        files = _files_of(source, artifact, rest)
        if files is None:
            restorer.write_file(target.name, artifact.pointer.digest)
            return Got(target, 1, artifact.pointer.size)
        if len(files) == 1 and files[0].path == "":
            restorer.write_file(target.name, files[0].digest, is_executable=files[0].is_executable)
        else:
            restorer.write_new_folder(target.name, files)
        return Got(target, len(files), sum(entry.size for entry in files))
    finally:
        with contextlib.suppress(OSError):
            staging.rmdir()


class ContentMissingError(GittrackError):
    """The content of an artifact is neither here nor shared."""


def _fetch(
    repository: Repository, cache: Cache, tracked: Tracked, open_storage: OpenStorage, progress: Progress
) -> None:
    pointer = tracked.pointer
    if is_whole(cache, pointer.digest, pointer.kind):
        return
    storage = open_storage(repository)
    parcel = Parcel(pointer.digest, pointer.kind, pointer.size, tracked.path)
    if storage.fetch([parcel], cache, progress):
        raise ContentMissingError(
            f"the content of '{tracked.path}' is not shared on {storage.label}", hint="where it is, run 'gittrack push'"
        )


def _files_of(cache: Cache, tracked: Tracked, rest: str) -> Sequence[FileEntry] | None:
    """Return the files that are meant, relative to what is meant; None for an artifact that is a file."""
    if tracked.pointer.kind == "file":
        return None
    files = read_files(cache, tracked.pointer.digest)
    if not rest:
        return files
    exact = [entry._replace(path="") for entry in files if entry.path == rest]
    below = [entry._replace(path=entry.path[len(rest) + 1 :]) for entry in files if entry.path.startswith(f"{rest}/")]
    if not exact and not below:
        raise NotTrackedError(f"'{tracked.path}' has no '{rest}'", hint=f"gittrack ls '{tracked.path}' lists its files")
    return exact or below


def _get_plain(repository: Repository, commit: str, path: str, target: Path) -> Got:
    tree = read_commit(repository, commit).tree
    data = read_path(repository, tree, path, max_bytes=_MAX_PLAIN_BYTES)
    if data is None:
        raise NotTrackedError(f"that commit has no artifact and no file '{path}'", hint="look for a misspelt path")
    with target.open("xb") as file:
        file.write(data)
    return Got(target, 1, len(data))


def _find_ref(repository: Repository, revision: str | None, access: Access) -> str:
    """Return the ref on the remote that a person means: an experiment of that name, or what git takes it for."""
    if revision is None:
        return "HEAD"
    if revision.isprintable() and "*" not in revision and not revision.startswith("-"):
        found = list_remote_refs(repository, REMOTE, [f"{NAMESPACE}/*/{revision}"], access=access)
        if len(found) == 1:
            return next(iter(found))
        if not found:
            return revision
    raise NotTrackedError(f"{revision!r} means no single revision there", hint="name a branch, a tag, or a full ref")


def _make_repository(folder: Path, address: str, base: Path, environ: Mapping[str, str]) -> Repository:
    """Make an empty bare repository with an address as its remote."""
    folder.mkdir()
    git = Git(clean_environment(environ), cwd=base)
    git.run("init", "--quiet", "--bare", "--template=", "--", str(folder))
    git.run("config", "--file", str(folder / "config"), f"remote.{REMOTE}.url", address)
    return Repository.discover(folder, {**environ, "GIT_DIR": str(folder)})
