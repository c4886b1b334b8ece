"""Track files and folders: their content into the cache, pointers to git."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from gittrack.artifacts.intake import Intake
from gittrack.artifacts.pointer import SUFFIX, InvalidPointerError, Pointer, pointer_path
from gittrack.errors import GittrackError, UsageError
from gittrack.paths import InvalidPathError, check_repository_path
from gittrack.scratch import sweep_scratch
from gittrack.workspace.contents import Taker, read_contents
from gittrack.workspace.ignore import find_ignored, ignore_paths
from gittrack.workspace.pointers import read_workspace_pointer, write_pointer

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from gittrack.artifacts.digest import Digest
    from gittrack.git.repository import Repository
    from gittrack.values import PlainValue
    from gittrack.workspace.contents import Contents
    from gittrack.workspace.workspace import Workspace

_N_AT_ONCE = 1000  # paths on a command line
_LINKED = {"hardlink", "symlink"}


class TrackedByGitError(GittrackError):
    """git tracks the files itself."""


class NothingThereError(GittrackError):
    """There is no file or folder of that name."""


class Details(NamedTuple):
    """What a person says of an artifact; None keeps what its pointer said before.

    Attributes:
        type: What it is, such as ``model`` or ``dataset``.
        name: What people call it.
        desc: One text that says what it is about.
        labels: Words to find it by.
        meta: Anything else, as plain values.
        media_type: The kind of content, such as ``text/csv``.
    """

    type: str | None = None
    name: str | None = None
    desc: str | None = None
    labels: tuple[str, ...] | None = None
    meta: PlainValue = None
    media_type: str | None = None


NOTHING_SAID = Details()


class Added(NamedTuple):
    """An artifact that is tracked now.

    Attributes:
        path: Relative to the top folder.
        pointer: What its pointer says.
        previous: What its pointer said before; None when there was none.
        n_new_bytes: How many bytes the cache did not have.
    """

    path: str
    pointer: Pointer
    previous: Pointer | None
    n_new_bytes: int


def repository_path(repository: Repository, path: str, folder: Path) -> str:
    """Return a path that a person wrote, relative to the top of the repository.

    Args:
        repository: A repository with a work tree.
        path: Absolute, or relative to the folder; a pointer's path means its artifact.
        folder: The folder that the person is in.

    Raises:
        InvalidPathError: It is outside the work tree, inside ``.git``, or not a name that every system takes.
    """
    root = Path(os.path.realpath(repository.require_work_tree()))
    # The last component may be a link and is kept; the way to it is resolved, so that both sides compare.
    absolute = Path(os.path.normpath(folder / path.removesuffix("/").removesuffix(SUFFIX)))
    resolved = Path(os.path.realpath(absolute.parent), absolute.name)
    try:
        relative = resolved.relative_to(root).as_posix()
    except ValueError as error:
        raise InvalidPathError(
            f"'{path}' is outside the repository", hint=f"files below '{root}' can be tracked"
        ) from error
    if relative == ".":
        raise InvalidPathError("the repository as a whole cannot be an artifact", hint="name a file or folder in it")
    return check_repository_path(relative)


def add(
    workspace: Workspace,
    paths: Sequence[str],
    details: Details = NOTHING_SAID,
    *,
    on_bytes: Callable[[int], object] | None = None,
) -> list[Added]:
    """Track files and folders: all content is durable in the cache before the first pointer is written.

    Args:
        workspace: The workspace.
        paths: Relative to its top folder, checked; see `repository_path`.
        details: What is said of each.
        on_bytes: Called with the bytes of each piece that was copied.

    Raises:
        NothingThereError: There is nothing at a path.
        TrackedByGitError: git tracks files there.
        UsageError: A path is inside of a folder that is tracked as a whole, or of another repository, or holds an
            artifact itself, or git ignores the place of its pointer.
        UntrackableError: A folder holds links out of it, pipes or names that are not portable.
        ContentChangedError: A file changes while it is read.
        OSError: A file cannot be read, or the disk is full; no pointer was changed.
    """
    repository = workspace.repository
    sweep_scratch(repository.scratch_root)
    previous = check_trackable(repository, list(dict.fromkeys(paths)))
    found: dict[str, tuple[Contents, int]] = {}
    with Intake(workspace.cache) as intake:
        for path in previous:
            n_before = intake.n_new_bytes
            contents = take_contents(workspace, intake, path, on_bytes)
            _check_holds_none(repository, path, contents)
            found[path] = contents, intake.n_new_bytes - n_before
    added = []
    for path, (contents, n_new_bytes) in found.items():
        pointer = make_pointer(path, contents, details, previous[path])
        if pointer != previous[path]:
            write_pointer(repository, path, pointer)
        added.append(Added(path, pointer, previous[path], n_new_bytes))
    ignore_paths(repository, list(found))
    if workspace.links[0] in _LINKED:
        for path, (contents, _) in found.items():
            _share_bytes(workspace, path, contents)
    return added


def take_contents(
    workspace: Workspace, intake: Intake, path: str, on_bytes: Callable[[int], object] | None = None
) -> Contents:
    """Take a file or folder of the work tree into a batch; what is known to be in the cache is not read again.

    Args:
        workspace: The workspace.
        intake: The batch.
        path: Relative to the top folder, checked.
        on_bytes: Called with the bytes of each piece that was copied.

    Raises:
        NothingThereError: There is nothing.
        GittrackError: See `add`.
        OSError: The same.
    """
    take = Taker(
        one=lambda name, folder_fd: intake.add_file(name, folder_fd, on_bytes),
        many=lambda files: intake.add_many(files, on_bytes),
        is_into_cache=True,
    )
    contents = read_contents(workspace, path, take)
    if contents is None:
        raise NothingThereError(f"there is no file or folder '{path}'", hint="look for a misspelt name")
    if contents.kind == "dir":
        intake.add_bytes(contents.manifest)
    return contents


def make_pointer(path: str, contents: Contents, details: Details, previous: Pointer | None) -> Pointer:
    """Return the pointer to contents; what is not said of them now stays as it was said before.

    Args:
        path: Where the artifact belongs.
        contents: What it is.
        details: What is said of it now.
        previous: Its pointer before.
    """
    said = {key: value for key, value in details._asdict().items() if value is not None}
    base = previous or Pointer(path, contents.kind, contents.digest, contents.size)
    return base._replace(
        path=path,
        kind=contents.kind,
        digest=contents.digest,
        size=contents.size,
        files=contents.n_files,
        executable=contents.is_executable,
        **said,
    )


def check_trackable(repository: Repository, paths: Sequence[str]) -> dict[str, Pointer | None]:
    """Check that paths can be tracked, by a few questions to git, and return the pointers that are there.

    Args:
        repository: A repository with a work tree.
        paths: Relative to the top folder, checked.

    Raises:
        TrackedByGitError: git tracks files there.
        InvalidPointerError: Something that is no pointer stands at the place of one.
        GittrackError: See `check_places`.
    """
    check_places(repository, paths)
    for start in range(0, len(paths), _N_AT_ONCE):
        _check_not_in_git(repository, paths[start : start + _N_AT_ONCE])
    return {path: _read_pointer(repository, path) for path in paths}


def check_places(repository: Repository, paths: Sequence[str]) -> None:
    """Check that there can be artifacts at paths, and pointers beside them that git takes.

    Args:
        repository: A repository with a work tree.
        paths: Relative to the top folder, checked.

    Raises:
        InvalidPathError: The name of a pointer would be too long.
        UsageError: A path is inside of a folder that is tracked as a whole, or of another repository, or git ignores
            its pointer.
    """
    pointers = [check_repository_path(pointer_path(path)) for path in paths]
    for path in paths:
        _check_not_inside(repository.require_work_tree(), path)
    for pointer in sorted(find_ignored(repository, pointers)):
        raise UsageError(
            f"git ignores '{pointer}', so nobody would get it",
            hint=f"change the line of the ignore file that 'git check-ignore -v {pointer}' names",
        )


def _check_not_inside(root: Path, path: str) -> None:
    above = path.rpartition("/")[0]
    while above:
        if (root / (above + SUFFIX)).exists():
            raise UsageError(
                f"'{path}' is part of '{above}', which is tracked as a whole", hint=f"gittrack add '{above}'"
            )
        if os.path.lexists(root / above / ".git"):
            raise UsageError(
                f"'{path}' is inside of another git repository, '{above}'", hint="track it from within that repository"
            )
        above = above.rpartition("/")[0]


def _check_not_in_git(repository: Repository, paths: Sequence[str]) -> None:
    tracked = os.fsdecode(repository.git.run("ls-files", "-z", "--", *paths).stdout).split("\0")[:-1]
    if tracked:
        path = next(one for one in paths if tracked[0] == one or tracked[0].startswith(f"{one}/"))
        raise TrackedByGitError(f"git tracks '{tracked[0]}' itself", hint=f"git rm -r --cached -- '{path}'")


def _read_pointer(repository: Repository, path: str) -> Pointer | None:
    try:
        return read_workspace_pointer(repository, path)
    except InvalidPointerError as error:
        raise InvalidPointerError(
            f"'{path}{SUFFIX}' is in the way: {error.message}", hint=error.hint or "move it away"
        ) from error


def _check_holds_none(repository: Repository, path: str, contents: Contents) -> None:
    """Check that a folder does not hold an artifact of its own: its pointer would be data, and its content be twice."""
    for entry in contents.files:
        inside = f"{path}/{entry.path.removesuffix(SUFFIX)}"
        if entry.path.endswith(SUFFIX):
            try:
                read_workspace_pointer(repository, inside)
            except InvalidPointerError:
                continue
            raise UsageError(
                f"'{path}' holds the artifact '{inside}'", hint=f"gittrack rm --cached '{inside}', then add '{path}'"
            )


def _share_bytes(workspace: Workspace, path: str, contents: Contents) -> None:
    """Replace files of the work tree by links into the cache, where the person asked for that."""
    restorer = workspace.restorer()
    entries: list[tuple[str, Digest, bool]] = [
        (f"{path}/{entry.path}", entry.digest, entry.is_executable) for entry in contents.files
    ]
    if contents.kind == "file":
        entries = [(path, contents.digest, contents.is_executable)]
    for name, digest, is_executable in entries:
        restorer.write_file(name, digest, is_executable=is_executable)
