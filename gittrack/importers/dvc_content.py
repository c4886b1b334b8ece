"""Content that DVC keeps out of git: found by the MD5 in a lock or ``.dvc`` file of the commit, in DVC's caches."""

from __future__ import annotations

import os
import posixpath
from typing import TYPE_CHECKING

from gittrack.errors import GittrackError
from gittrack.workspace.dvc_files import LOCK_NAME, SUFFIX, hash_dvc, parse_dvc_file
from gittrack.workspace.dvc_stores import DvcStores, find_stores

if TYPE_CHECKING:
    from collections.abc import Callable

    from gittrack.git.repository import Repository
    from gittrack.workspace.dvc_files import DvcOut


class DvcContent:
    """The files that a commit has in DVC rather than in git.

    Args:
        repository: The repository; of a bare one nothing is found.
        read: Returns the content of a path of the commit, None when there is no such file.
        max_bytes: The largest content.
    """

    def __init__(self, repository: Repository, read: Callable[[str], bytes | None], max_bytes: int) -> None:
        self._repository = repository
        self._read_git = read
        self._max_bytes = max_bytes
        self._stores: DvcStores | None = None
        self._outs: dict[str, dict[str, DvcOut]] = {}
        self._in_folders: dict[str, tuple[str, bool]] = {}

    def read(self, path: str) -> bytes | None:
        """Return the content of a path, from git or from DVC; None when it is in neither.

        Args:
            path: Relative to the top folder.
        """
        data = self._read_git(path)
        if data is not None:
            return data
        if path in self._in_folders:
            return self._read_stored(*self._in_folders[path])
        out = self._find(path)
        if out is None or out.is_dir:
            return None
        return self._read_stored(out.md5, out.is_legacy)

    def list_files(self, path: str) -> list[str]:
        """Return the paths of the files of a folder that DVC keeps; none for any other.

        Args:
            path: Relative to the top folder.
        """
        out = self._find(path)
        if out is None or not out.is_dir:
            return []
        try:
            entries = self._open_stores().read_list(out.md5) or []
        except (GittrackError, OSError):
            return []
        found = {f"{path}/{entry.path}": (entry.md5, out.is_legacy) for entry in entries}
        self._in_folders.update(found)
        return sorted(found)

    def is_tracked(self, path: str) -> bool:
        """Return whether the commit says that DVC keeps a path."""
        return self._find(path) is not None

    def is_here(self, path: str) -> bool:
        """Return whether content that DVC keeps is in a cache, of a folder at least a part."""
        return bool(self.list_files(path)) or self.read(path) is not None

    def _find(self, path: str) -> DvcOut | None:
        folders = {"", f"{posixpath.dirname(path)}/".removeprefix("/")}
        for source in (f"{path}{SUFFIX}", *(f"{folder}{LOCK_NAME}" for folder in sorted(folders))):
            if source not in self._outs:
                self._outs[source] = self._parse(source)
            if path in self._outs[source]:
                return self._outs[source][path]
        return None

    def _parse(self, source: str) -> dict[str, DvcOut]:
        data = self._read_git(source)
        if data is None:
            return {}
        pipeline = self._read_git(source.removesuffix(LOCK_NAME) + "dvc.yaml") if source.endswith(LOCK_NAME) else None
        try:
            return {out.path: out for out in parse_dvc_file(data, source, pipeline).outs}
        except GittrackError:
            return {}

    def _open_stores(self) -> DvcStores:
        if self._stores is None:
            try:
                self._stores = find_stores(self._repository.require_work_tree(), allow_outside=False)
            except GittrackError:
                self._stores = DvcStores((), ())
        return self._stores

    def _read_stored(self, md5: str, is_legacy: bool) -> bytes | None:  # noqa: FBT001  as DVC's files say it
        for descriptor in self._open_stores().open(md5):
            if os.fstat(descriptor).st_size > self._max_bytes or hash_dvc(descriptor, is_legacy=is_legacy) != md5:
                continue
            os.lseek(descriptor, 0, os.SEEK_SET)
            with os.fdopen(descriptor, "rb", closefd=False) as file:
                return file.read(self._max_bytes)
        return None
