"""Folders of data, caches with damage, and the calls by which tests track and restore."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from gittrack.artifacts.cache import Cache
from gittrack.artifacts.intake import Intake
from gittrack.workspace.add import NOTHING_SAID, add
from gittrack.workspace.checkout import checkout
from gittrack.workspace.pointers import list_workspace_pointers
from gittrack.workspace.workspace import Workspace
from tests.support.git_repository import open_repository

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from gittrack.artifacts.digest import Digest
    from gittrack.workspace.add import Added, Details
    from gittrack.workspace.checkout import CheckedOut


def write_files(folder: Path, files: Mapping[str, str | bytes]) -> Path:
    """Write files below a folder, by their paths, and return the folder."""
    for path, content in files.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content.encode() if isinstance(content, str) else content)
    return folder


def read_files(folder: Path) -> dict[str, bytes]:
    """Return the content of every file below a folder, by its path."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def fill_cache(folder: Path, *contents: bytes) -> tuple[Cache, list[Digest]]:
    """Make a cache with objects, and return it with their digests."""
    cache = Cache(folder)
    with Intake(cache) as intake:
        digests = [intake.add_bytes(content) for content in contents]
    return cache, digests


def damage(cache: Cache, digest: Digest, content: bytes = b"damaged") -> None:
    """Give an object another content."""
    path = cache.path(digest)
    path.chmod(0o644)
    path.write_bytes(content)
    path.chmod(0o444)


def drop(cache: Cache, digest: Digest) -> None:
    """Take an object away."""
    cache.path(digest).unlink()


def track(folder: Path, *paths: str, details: Details = NOTHING_SAID) -> list[Added]:
    """Track files and folders of a repository."""
    with Workspace.open(open_repository(folder)) as workspace:
        return add(workspace, paths, details)


def restore(folder: Path, *, force: bool = False) -> CheckedOut:
    """Restore all artifacts of a repository."""
    with Workspace.open(open_repository(folder)) as workspace:
        return checkout(workspace, list_workspace_pointers(workspace.repository).tracked, force=force)


def cache_of(folder: Path) -> Cache:
    """Return the cache of a repository."""
    return Workspace.open(open_repository(folder)).cache


def age(path: Path, days: float = 30) -> None:
    """Let a file have been changed long ago."""
    import os

    moment = time.time() - days * 86_400
    os.utime(path, (moment, moment))
