"""Write thousands of objects at once: one compressed pack, which git keeps until refs name what is in it."""

from __future__ import annotations

import contextlib
import os
import shutil
from typing import TYPE_CHECKING

from gittrack.git.objects import commit_content, tree_content
from gittrack.git.pack import PackWriter
from gittrack.scratch import new_folder_name, sweep_scratch

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path
    from types import TracebackType

    from typing_extensions import Self

    from gittrack.git.objects import TreeEntry
    from gittrack.git.repository import Repository
    from gittrack.git.state import Identity

_LEVEL = 1  # git's level for loose objects


class PackBatch:
    """Objects on their way into a repository; nothing of them is there before `published`.

    Args:
        repository: The repository.
    """

    def __init__(self, repository: Repository) -> None:
        self._repository = repository
        # Beside the objects, so that a rename brings the pack into place.
        sweep_scratch(repository.scratch_root)
        self._folder = repository.scratch_root / new_folder_name()
        self._folder.mkdir(parents=True, mode=0o700)
        self._writer = PackWriter(self._folder, repository.object_format, _LEVEL)

    def add_blob(self, data: bytes) -> str:
        """Add a blob and return its id in hex."""
        return self._writer.add("blob", data)

    def add_tree(self, entries: Iterable[TreeEntry]) -> str:
        """Add a tree of entries in any order and return its id in hex."""
        return self._writer.add("tree", tree_content(entries))

    def add_commit(
        self, tree: str, parents: Sequence[str], message: str, author: Identity, timestamp: float | None = None
    ) -> str:
        """Add a commit and return its id in hex; see `gittrack.git.objects.write_commit`."""
        return self._writer.add("commit", commit_content(tree, parents, message, author, timestamp))

    @contextlib.contextmanager
    def published(self) -> Iterator[None]:
        """Make the objects durable and visible; within the block no ``git gc`` removes them, so refs are made there.

        Raises:
            OSError: The disk is full or broken.
        """
        pack = self._writer.finish()
        if pack is None:
            yield
            return
        target = self._repository.common_dir / "objects" / "pack"
        target.mkdir(exist_ok=True)
        keep = target / f"{pack.stem}.keep"
        keep.write_bytes(b"gittrack\n")
        try:
            for file in (pack, pack.with_suffix(".idx")):  # git looks for the index first
                file.chmod(0o444)
                _sync(file)
                file.rename(target / file.name)
            _sync(target)
            yield
        finally:
            keep.unlink(missing_ok=True)

    def close(self) -> None:
        """Forget what was not published."""
        self._writer.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
