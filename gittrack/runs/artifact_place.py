"""Where the artifacts of a run go: the repository's cache and work tree, or else the run's own folder."""

from __future__ import annotations

import contextlib
import os
import re
from typing import TYPE_CHECKING, NamedTuple

from gittrack.artifacts.cache import Cache
from gittrack.artifacts.pointer import InvalidPointerError, render_pointer
from gittrack.errors import GittrackError, UsageError
from gittrack.experiments.artifact_files import pointer_to
from gittrack.paths import InvalidPathError, check_repository_path
from gittrack.workspace.add import TrackedByGitError, check_trackable, repository_path
from gittrack.workspace.held import hash_held, store_held
from gittrack.workspace.ignore import exclude_paths
from gittrack.workspace.pointers import read_workspace_pointer, write_pointer
from gittrack.workspace.workspace import Workspace

if TYPE_CHECKING:
    from pathlib import Path

    from gittrack.artifacts.holding import Holding
    from gittrack.artifacts.pointer import Pointer
    from gittrack.experiments.artifact_files import ArtifactEntry
    from gittrack.git.repository import Repository
    from gittrack.workspace.contents import Contents

CACHE = "cache"  # in the folder of a run that has no repository
_UNUSABLE = re.compile(r"[^A-Za-z0-9_-]+")


class Located(NamedTuple):
    """Where an artifact belongs.

    Attributes:
        path: Relative to the top of the repository, or only its name.
        is_outside: Whether it is only its name: it is not in the work tree, or a path that not every system takes.
        has_pointer: Whether a pointer to it can stand beside it.
        problem: What is in the pointer's way; None where that is nothing odd.
    """

    path: str
    is_outside: bool = False
    has_pointer: bool = False
    problem: str | None = None


class ArtifactPlace:
    """Where the artifacts of a run go.

    Args:
        cache: The cache.
        workspace: The repository's files; None for a run outside of any repository.
        base: The folder that paths are relative to.
    """

    def __init__(self, cache: Cache, workspace: Workspace | None, base: Path) -> None:
        self.cache = cache
        self.workspace = workspace
        self._base = base

    @classmethod
    def of_repository(cls, repository: Repository) -> ArtifactPlace:
        """Return the place of a run in a repository with a work tree."""
        workspace = Workspace.open(repository)
        return cls(workspace.cache, workspace, workspace.root)

    @classmethod
    def of_folder(cls, folder: Path, directory: Path) -> ArtifactPlace:
        """Return the place of a run that is kept in a folder.

        Args:
            folder: The run's folder.
            directory: The folder that the run's process was started in.
        """
        return cls(Cache(folder / CACHE), None, directory)

    def locate(self, path: str) -> Located:
        """Return where an artifact belongs.

        Args:
            path: Where it is, absolute.
        """
        try:
            if self.workspace is None:
                return Located(check_repository_path(os.path.relpath(path, self._base)), has_pointer=True)
            inside = repository_path(self.workspace.repository, path, self._base)
        except (InvalidPathError, ValueError):
            return Located(plain_name(path), is_outside=True)
        try:
            check_trackable(self.workspace.repository, [inside])
        except (TrackedByGitError, UsageError):  # git has it, or the pointer of a folder above it stands for it
            return Located(inside)
        except InvalidPointerError as error:
            return Located(inside, problem=error.message)
        return Located(inside, has_pointer=True)

    def take(self, holding: Holding, *, is_cached: bool) -> Contents:
        """Take what is held into the cache, or only hash it; see `gittrack.workspace.held`."""
        stats = None if self.workspace is None else self.workspace.stats
        contents = (store_held if is_cached else hash_held)(holding, self.cache, stats)
        if stats is not None:
            stats.save()
        return contents

    def point(self, entry: ArtifactEntry) -> None:
        """Write the pointer to an artifact beside it, and let git ignore the content.

        Raises:
            GittrackError: A link stands on the way to it, or git failed.
            OSError: The disk is full or broken.
        """
        if self.workspace is None:
            return
        repository = self.workspace.repository
        previous = read_workspace_pointer(repository, entry.path)
        pointer = _continued(pointer_to(entry), previous)
        if pointer != previous:
            write_pointer(repository, entry.path, pointer)
        exclude_paths(repository, [entry.path])

    def close(self) -> None:
        """Keep what was learnt about files."""
        if self.workspace is not None:
            self.workspace.stats.close()


def _continued(pointer: Pointer, previous: Pointer | None) -> Pointer:
    """Return a pointer with what the one before it says that the run knows nothing of, where there is room for it."""
    if previous is None:
        return pointer
    continued = pointer._replace(media_type=previous.media_type, extra=previous.extra)
    with contextlib.suppress(GittrackError):
        render_pointer(continued)
        return continued
    return pointer


def plain_name(path: str) -> str:
    """Return the last component of a path as every system takes it.

    Args:
        path: A path of any form.

    Example:
        >>> plain_name("/mnt/checkpoints/epoch=3 12:30.pt")
        'epoch_3_12_30.pt'
    """
    name = os.path.basename(path.rstrip("/"))  # noqa: PTH119  a text
    with contextlib.suppress(InvalidPathError):
        return check_repository_path(name)
    stem, dot, suffix = name.rpartition(".")
    plain = [_UNUSABLE.sub("_", part) for part in (stem, suffix)]
    try:
        return check_repository_path((plain[0] + dot + plain[1])[-100:].strip("."))
    except InvalidPathError:
        return "artifact"
