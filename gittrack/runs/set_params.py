"""Set params in their files, in a work tree: all of the changes, or none."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

from gittrack.experiments.overrides import OverrideError, apply_overrides
from gittrack.git.work_tree import find_behind_links, read_file

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from gittrack.experiments.overrides import Override


def set_params(root: Path, overrides: Sequence[Override]) -> None:
    """Set params in the files of a work tree; comments and formatting stay.

    Args:
        root: The top of the work tree.
        overrides: The changes, in order.

    Raises:
        OverrideError: A file does not exist, is a link or no text, or a change does not fit it.
        OSError: A file cannot be written.
    """
    by_file: dict[str, list[Override]] = {}
    for override in overrides:
        by_file.setdefault(override.file, []).append(override)
    texts = {path: apply_overrides(_read(root, path), path, changes) for path, changes in by_file.items()}
    for path, text in texts.items():
        _write(root / path, text)


def _read(root: Path, path: str) -> str:
    if (root / path).is_symlink() or find_behind_links(root, [path]):
        raise OverrideError(f"'{path}' is, or is behind, a symbolic link: its params are not set")
    data = read_file(root, path)
    if data is None and os.path.lexists(root / path):
        raise OverrideError(f"'{path}' is no file of params: its params are not set")
    if data is None:
        raise OverrideError(
            f"there is no file '{path}' to set params in",
            hint="create it first; a file that git ignores is only seen with --in-place",
        )
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise OverrideError(f"'{path}' is not UTF-8 text: its params are not set") from error


def _write(target: Path, text: str) -> None:
    temporary = target.with_name(f".{target.name}.gittrack-{os.getpid()}")
    try:
        temporary.write_text(text, encoding="utf-8", newline="")
        shutil.copymode(target, temporary)
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)
