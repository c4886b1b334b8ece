"""The entries in ``.gitignore`` by which git leaves artifacts alone."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from gittrack.git.work_tree import read_file
from gittrack.workspace.pointers import write_text_file

if TYPE_CHECKING:
    from pathlib import Path

    from gittrack.git.repository import Repository

_SPECIAL = re.compile(r"([\\*?\[\]!#])")


def ignore_path(repository: Repository, path: str) -> bool:
    """Let git ignore an artifact, by a line in the ``.gitignore`` beside it; return whether one was added.

    Args:
        repository: A repository with a work tree.
        path: The artifact.
    """
    env = {"GIT_LITERAL_PATHSPECS": "0"}  # check-ignore takes paths, and ends at that variable
    if not repository.git.run("check-ignore", "--quiet", "--no-index", "--", path, check=False, env=env).returncode:
        return False
    root = repository.require_work_tree()
    text = _read(root, _file(path))
    ending = "" if not text or text.endswith("\n") else "\n"
    write_text_file(repository, _file(path), f"{text}{ending}{_line(path)}\n".encode("utf-8", "surrogateescape"))
    return True


def stop_ignoring(repository: Repository, path: str) -> bool:
    """Remove the line of an artifact again, and a file that it leaves empty; return whether there was one.

    Args:
        repository: A repository with a work tree.
        path: The artifact.
    """
    root = repository.require_work_tree()
    lines = _read(root, _file(path)).splitlines(keepends=True)
    kept = [line for line in lines if line.rstrip("\r\n") != _line(path)]
    if len(kept) == len(lines):
        return False
    if kept:
        write_text_file(repository, _file(path), "".join(kept).encode("utf-8", "surrogateescape"))
    else:
        (root / _file(path)).unlink()
    return True


def _file(path: str) -> str:
    folder = path.rpartition("/")[0]
    return f"{folder}/.gitignore" if folder else ".gitignore"


def _line(path: str) -> str:
    r"""Return the line for an artifact, anchored to its folder, with nothing that git reads as a pattern.

    Example:
        >>> _line("data/[a].csv")
        '/\\[a\\].csv'
    """
    return "/" + _SPECIAL.sub(r"\\\1", path.rpartition("/")[2])


def _read(root: Path, path: str) -> str:
    data = read_file(root, path)
    return "" if data is None else data.decode("utf-8", "surrogateescape")
