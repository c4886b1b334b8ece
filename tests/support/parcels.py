"""Artifacts in a cache, for tests of storages."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from gittrack.artifacts.cache import Cache
from gittrack.artifacts.intake import Intake
from gittrack.artifacts.manifest import FileEntry, parse_manifest, render_manifest
from gittrack.storage.protocol import Parcel, Progress

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


def make_cache(folder: Path) -> Cache:
    """Return an empty cache."""
    folder.mkdir(parents=True, exist_ok=True)
    return Cache(folder)


def add_file(cache: Cache, data: bytes, path: str = "model.pt") -> Parcel:
    """Take a file into a cache."""
    with Intake(cache) as intake:
        digest = intake.add_bytes(data)
    return Parcel(digest, "file", len(data), path)


def add_folder(cache: Cache, files: Mapping[str, bytes], path: str = "data") -> Parcel:
    """Take a directory into a cache."""
    with Intake(cache) as intake:
        entries = [FileEntry(name, intake.add_bytes(data), len(data)) for name, data in files.items()]
        digest = intake.add_bytes(render_manifest(entries))
    return Parcel(digest, "dir", sum(len(data) for data in files.values()), path)


def read_folder(cache: Cache, parcel: Parcel) -> dict[str, bytes]:
    """Return the files of a directory, every one checked."""
    entries = parse_manifest(cache.read(parcel.digest, 1 << 30))
    return {entry.path: cache.read(entry.digest, 1 << 30) for entry in entries}


def find_faults(cache: Cache) -> list[str]:
    """Return what is wrong with a cache: objects that are not what their names say, and things left behind."""
    faults = [f"corrupt {digest}" for digest in cache.list_digests() if not cache.is_intact(digest)]
    if cache.scratch_root.is_dir():
        faults += [f"left {name}" for name in os.listdir(cache.scratch_root) if not name.startswith("partial~")]  # noqa: PTH208  names
    return faults


def rot(cache: Cache, parcel: Parcel, data: bytes) -> None:
    """Put other bytes in place of an object."""
    path = cache.path(parcel.digest)
    path.chmod(0o644)
    path.write_bytes(data)
    path.chmod(0o444)


class Meter:
    """Adds up what a transfer tells."""

    def __init__(self) -> None:
        self.total = 0
        self.n_bytes = 0
        self.progress = Progress(self._add_total, self._add_bytes)

    def _add_total(self, n_bytes: int) -> None:
        self.total += n_bytes

    def _add_bytes(self, n_bytes: int) -> None:
        self.n_bytes += n_bytes
