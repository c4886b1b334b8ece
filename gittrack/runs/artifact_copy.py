"""Copy an artifact to where a run keeps copies, sharing blocks where the disk can."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from gittrack.artifacts.copying import clone_file
from gittrack.scratch import new_folder_name

COPIES = "gittrack-artifacts"


def copy_artifact(path: str, directory: Path) -> str:
    """Copy a file or folder into ``gittrack-artifacts``, in place of what was copied under that name before.

    Args:
        path: What to copy, absolute; links in it are followed.
        directory: The folder in which the copies' folder is, or is made.

    Returns:
        The absolute path of the copy.

    Raises:
        OSError: It cannot be read, or the disk is full; what was there before is as it was.
    """
    folder = directory / COPIES
    target = folder / os.path.basename(path.rstrip("/"))  # noqa: PTH119  a text
    if os.path.realpath(path) == os.path.realpath(target):
        return str(target)
    folder.mkdir(parents=True, exist_ok=True)
    staging = folder / f".{new_folder_name()}"
    staging.mkdir()
    try:
        new, old = staging / "new", staging / "old"
        if Path(path).is_dir():
            shutil.copytree(path, new, copy_function=_copy_file)
        else:
            _copy_file(path, str(new))
        if os.path.lexists(target):
            target.rename(old)
        new.rename(target)
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    return str(target)


def _copy_file(source: str, target: str) -> str:
    with open(source, "rb") as reading, open(target, "xb") as writing:  # noqa: PTH123  as `copytree` gives them
        is_cloned = clone_file(reading.fileno(), writing.fileno())
    if not is_cloned:
        shutil.copyfile(source, target)
    shutil.copystat(source, target)
    return target
