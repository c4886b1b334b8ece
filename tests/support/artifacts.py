"""Folders of data, caches with damage, and the calls by which tests track and restore."""

from __future__ import annotations

import shutil
import time
from typing import TYPE_CHECKING

from gittrack.artifacts.cache import Cache
from gittrack.artifacts.intake import Intake
from gittrack.artifacts.pointer import SUFFIX, parse_pointer
from gittrack.workspace.add import NOTHING_SAID, add
from gittrack.workspace.checkout import checkout
from gittrack.workspace.compare import is_whole
from gittrack.workspace.pointers import list_workspace_pointers
from gittrack.workspace.workspace import Workspace
from tests.support.git_repository import open_repository

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
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


def copies(template: Path, name: str = "repo") -> Iterator[Path]:
    """Yield a fresh copy of a folder as often as it is asked for; all have the same place, beside it, of a name."""
    folder = template.with_name(name)
    while True:
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(template, folder)
        yield folder


def check_store(folder: Path) -> None:
    """Every object of a repository's cache is whole, and every pointer at its top has its objects."""
    cache = Cache(folder / ".git/gittrack/cache")
    assert all(cache.is_intact(digest) for digest in cache.list_digests())
    for name in folder.glob(f"*{SUFFIX}"):
        pointer = parse_pointer(name.read_bytes())
        assert is_whole(cache, pointer.digest, pointer.kind)


def restore_all(folder: Path) -> None:
    """Restore every artifact of a repository; what goes wrong is an `OSError`, as the disk's."""
    result = restore(folder)
    if result.failed:
        raise OSError(str(result.failed))
    assert not result.kept
    assert not result.absent
