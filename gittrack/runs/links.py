"""Let a throw-away worktree see ignored files of the workspace, such as data, without copying them."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

from gittrack.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


def paths_to_link(workspace: Path, directory: Path, paths: Sequence[str]) -> list[str]:
    """Return what to link as paths relative to the top of the workspace.

    Args:
        workspace: The top of the workspace.
        directory: The folder that the paths are relative to.
        paths: Files or folders.

    Raises:
        UsageError: One does not exist, or is not inside the workspace.
    """
    return [_path_inside(workspace, directory, path) for path in paths]


@contextlib.contextmanager
def linked(workspace: Path, worktree: Path, paths: Sequence[str]) -> Iterator[None]:
    """Link files or folders of the workspace into a worktree, and take the links away afterwards.

    A folder that the worktree has too (``data/`` with a tracked ``.gitignore`` in it) gets links to what is missing.

    Args:
        workspace: The top of the workspace.
        worktree: The top of the worktree.
        paths: What to link, relative to the top.
    """
    made: list[Path] = []
    try:
        for path in paths:
            (worktree / path).parent.mkdir(parents=True, exist_ok=True)
            _link(workspace / path, worktree / path, made)
        yield
    finally:
        for link in made:
            with contextlib.suppress(OSError):  # the command may have removed it, or put something in its place
                if link.is_symlink():
                    link.unlink()


def _path_inside(workspace: Path, directory: Path, path: str) -> str:
    absolute = os.path.normpath(directory / path)
    relative = os.path.relpath(absolute, workspace)
    if relative == "." or Path(relative).parts[0] in {"..", ".git"}:
        raise UsageError(f"'{path}' is no file or folder inside the workspace", hint=f"link something in '{workspace}'")
    if not os.path.lexists(absolute):
        raise UsageError(f"no such file or folder to link: '{path}'")
    return relative


def _link(source: Path, target: Path, made: list[Path]) -> None:
    if not os.path.lexists(target):
        target.symlink_to(source, target_is_directory=source.is_dir())
        made.append(target)
    elif source.is_dir() and target.is_dir() and not target.is_symlink():
        for child in source.iterdir():
            _link(child, target / child.name, made)
