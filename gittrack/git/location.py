"""Find the git directory from inside a git hook, by reading files instead of starting git.

git runs hooks in the top folder of the work tree, after it has opened the repository and found it safe. What is left
is to follow ``GIT_DIR``, ``.git`` (a file in linked worktrees and submodules) and ``commondir``. Everywhere else
`gittrack.git.repository.Repository.discover` asks git.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False  # as in `typing`, whose import costs a hook 8 ms
if TYPE_CHECKING:
    from collections.abc import Mapping

_MAX_BYTES = 4096


class Location:
    """The directories of a repository, as plain absolute paths.

    Args:
        git_dir: The directory of this work tree's HEAD, index and FETCH_HEAD.
        common_dir: The directory of objects and refs.
    """

    def __init__(self, git_dir: str, common_dir: str) -> None:
        self.git_dir = git_dir
        self.common_dir = common_dir

    @property
    def state_dir(self) -> str:
        """gittrack's own folder."""
        return os.path.join(self.common_dir, "gittrack")  # noqa: PTH118  pathlib costs a hook 4 ms


def locate(folder: str, environ: Mapping[str, str]) -> Location | None:
    """Return where the git directory is; None when it is not to be seen from this folder alone.

    Args:
        folder: The current folder of a hook.
        environ: The environment that git gave the hook.
    """
    git_dir = _join(folder, environ.get("GIT_DIR") or ".git")
    pointer = _first_line(git_dir)
    if pointer.startswith("gitdir: "):
        git_dir = _join(folder, pointer.removeprefix("gitdir: "))
    if not os.path.exists(_join(git_dir, "HEAD")):  # noqa: PTH110  pathlib costs a hook 4 ms
        return None
    common = environ.get("GIT_COMMON_DIR")
    common_dir = _join(folder, common) if common else _join(git_dir, _first_line(_join(git_dir, "commondir")))
    return Location(git_dir, common_dir)


def _join(folder: str, path: str) -> str:
    return os.path.normpath(os.path.join(folder, path))  # noqa: PTH118  pathlib costs a hook 4 ms


def _first_line(path: str) -> str:
    try:
        with open(path, "rb") as stream:  # noqa: PTH123  pathlib costs a hook 4 ms
            return os.fsdecode(stream.read(_MAX_BYTES)).partition("\n")[0].removesuffix("\r")
    except OSError:
        return ""
