"""Where the objects of a remote are that is a folder of this machine: they can be read there, and need not travel."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote

from gittrack.git.location import locate
from gittrack.git.remotes import contacted_url, is_local_url
from gittrack.git.settings import read_setting

if TYPE_CHECKING:
    from gittrack.git.repository import Repository

_FILE = "file://"
# Where git's `upload-pack` looks for the repository that a path means, in its order.
_SUFFIXES = ("/.git", "", ".git/.git", ".git")


def objects_folder(repository: Repository, remote: str) -> Path | None:
    """Return the folder of a remote's objects, or None where only git can say what the remote has.

    The remote's settings are not read, and nothing of it runs.

    Args:
        repository: The user's repository.
        remote: The remote's name, or its address where the repository has no name for it.
    """
    url = contacted_url(repository, remote)
    if not is_local_url(url) or read_setting(repository, f"remote.{remote}.uploadpack") is not None:
        return None  # a program that the user chose may answer otherwise
    path = unquote(url.removeprefix(_FILE), errors="surrogateescape") if url.startswith(_FILE) else url
    top = str((repository.work_tree or repository.git_dir) / path)
    for suffix in _SUFFIXES:
        location = locate(top, {"GIT_DIR": f"{top}{suffix}"})
        if location is not None:
            objects = Path(location.common_dir, "objects")
            return objects if objects.is_dir() and "\n" not in str(objects) else None
    return None
