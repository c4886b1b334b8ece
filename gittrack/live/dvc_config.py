"""The section ``studio`` of DVC's configuration files, read without DVC.

``dvc studio login`` writes the token into the file of the user; ``dvc config`` writes into ``.dvc/config``, which is
committed, or ``.dvc/config.local``, which is not. A file that git tracks comes with the repository, from whoever wrote
it, so of such a file neither address nor token is used: else a clone could make this machine send its token away.
"""

from __future__ import annotations

import configparser
import contextlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from gittrack.git.work_tree import read_file

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from gittrack.git.repository import Repository

SECTION = "studio"

_FOLDER = ".dvc"
_NAME = "config"
_FILES = (_NAME, f"{_NAME}.local")  # later ones win
_MAX_BYTES = 1 << 20
_FROM_ANYBODY = frozenset({"offline", "repo_url"})


def read_studio_config(repository: Repository | None, directory: Path, environ: Mapping[str, str]) -> dict[str, str]:
    """Return what DVC's files say of Studio: of ``token``, ``url``, ``repo_url`` and ``offline`` what is set.

    Args:
        repository: The repository; None outside of one.
        directory: The folder from which a project of DVC is looked for, upwards.
        environ: The environment, which says where the user's own files are.
    """
    settings = _read_section(_read_user_file(environ))
    if repository is not None and repository.work_tree is not None:
        for path in _project_files(repository.work_tree, directory):
            section = _read_section(read_file(repository.work_tree, path, _MAX_BYTES) or b"")
            if section.keys() - _FROM_ANYBODY and _is_tracked(repository, repository.work_tree, path):
                section = {key: value for key, value in section.items() if key in _FROM_ANYBODY}
            settings |= section
    return settings


def _project_files(root: Path, directory: Path) -> Iterator[str]:
    """Yield the files of the DVC project that a folder belongs to, relative to the top of the work tree."""
    root, directory = root.resolve(), directory.resolve()
    for folder in (directory, *directory.parents):
        if not folder.is_relative_to(root):
            return
        if (folder / _FOLDER).is_dir():
            yield from ((folder / _FOLDER / name).relative_to(root).as_posix() for name in _FILES)
            return


def _is_tracked(repository: Repository, root: Path, path: str) -> bool:
    """Return whether git tracks a file, under whatever name: where case does not count, `.DVC/config` is the same."""
    for name in repository.git.run("ls-files", "-z", cwd=root).stdout.decode("utf-8", "surrogateescape").split("\0"):
        if _NAME in name.rpartition("/")[2].casefold():
            with contextlib.suppress(OSError):
                if name == path or (root / name).samefile(root / path):
                    return True
    return False


def _read_user_file(environ: Mapping[str, str]) -> bytes:
    home = environ.get("HOME") or environ.get("USERPROFILE")
    folder = environ.get("DVC_GLOBAL_CONFIG_DIR")
    if not folder and sys.platform == "darwin" and home:
        folder = f"{home}/Library/Application Support/dvc"
    if not folder:
        base = environ.get("XDG_CONFIG_HOME") or (f"{home}/.config" if home else None)
        folder = f"{base}/dvc" if base else None
    if not folder:
        return b""
    try:
        with (Path(folder) / "config").open("rb") as file:
            return file.read(_MAX_BYTES)
    except OSError:
        return b""


def _read_section(data: bytes) -> dict[str, str]:
    parser = configparser.ConfigParser(interpolation=None, strict=False, allow_no_value=True, comment_prefixes=("#",))
    try:
        parser.read_string(data.decode("utf-8", "replace"))
    except configparser.Error:  # DVC itself says so, when it is used
        return {}
    if not parser.has_section(SECTION):
        return {}
    return {key: _unquoted(value) for key, value in parser.items(SECTION) if value}


def _unquoted(value: str) -> str:
    is_quoted = len(value) > 1 and value[0] == value[-1] and value[0] in "'\""
    return value[1:-1] if is_quoted else value
