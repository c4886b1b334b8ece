"""The entries in ``.gitignore`` and ``info/exclude`` by which git leaves artifacts alone."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from gittrack.git.work_tree import read_file
from gittrack.workspace.pointers import write_text_file

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from gittrack.git.repository import Repository

_SPECIAL = re.compile(r"([\\*?\[\]!#])")
_ESCAPED = r"\\\1"


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


def exclude_paths(repository: Repository, paths: Sequence[str]) -> list[str]:
    """Let git ignore artifacts in this clone, by lines in ``.git/info/exclude``; return those it did not ignore before.

    That is for what no person asked for, such as an artifact that a training script logs: a ``.gitignore`` is a file of
    the project, and a change of it would be a change of the code.

    Args:
        repository: A repository with a work tree.
        paths: Artifacts, relative to the top; one that git tracks is left as it is.
    """
    if not paths:
        return []
    listed = b"".join(os.fsencode(path) + b"\0" for path in paths)
    env = {"GIT_LITERAL_PATHSPECS": "0"}
    answer = repository.git.run("check-ignore", "--stdin", "-z", check=False, env=env, input=listed)
    ignored = set(os.fsdecode(answer.stdout).split("\0"))
    others = [path for path in paths if path not in ignored]
    if not others:
        return []
    tracked = os.fsdecode(repository.git.run("ls-files", "-z", "--", *others).stdout).split("\0")[:-1]
    new = [path for path in others if not any(name == path or name.startswith(f"{path}/") for name in tracked)]
    if new:
        file = repository.common_dir / "info" / "exclude"
        file.parent.mkdir(exist_ok=True)
        lines = "".join(f"/{_SPECIAL.sub(_ESCAPED, path)}\n" for path in new)
        # One write to the end of the file: runs that do this at the same time do not lose each other's lines.
        with file.open("ab+", buffering=0) as exclude:
            size = exclude.seek(0, os.SEEK_END)
            exclude.seek(max(0, size - 1))
            ending = b"" if exclude.read(1) in {b"", b"\n"} else b"\n"
            exclude.write(ending + os.fsencode(lines))
    return new


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
    return "/" + _SPECIAL.sub(_ESCAPED, path.rpartition("/")[2])


def _read(root: Path, path: str) -> str:
    data = read_file(root, path)
    return "" if data is None else data.decode("utf-8", "surrogateescape")
