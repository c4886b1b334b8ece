"""The entries in ``.gitignore`` and ``info/exclude`` by which git leaves artifacts alone."""

from __future__ import annotations

import contextlib
import os
import re
import sys
from typing import TYPE_CHECKING

from gittrack.errors import GittrackError
from gittrack.git.process import GitError
from gittrack.git.work_tree import read_file
from gittrack.workspace.pointers import write_text_file

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from gittrack.git.repository import Repository


class UnusualIgnoreFileError(GittrackError):
    """A ``.gitignore`` is nothing that a line can be added to."""


_SPECIAL = re.compile(r"([\\*?\[\]!#])")
_ESCAPED = r"\\\1"


def find_ignored(repository: Repository, paths: Sequence[str], *, even_tracked: bool = False) -> set[str]:
    """Return those of many paths that git ignores, by one question.

    Args:
        repository: A repository with a work tree.
        paths: Relative to the top folder, checked.
        even_tracked: Whether files count that git tracks all the same.

    Raises:
        GitError: git cannot answer.
    """
    if not paths:
        return set()
    listed = b"".join(os.fsencode(path) + b"\0" for path in paths)
    env = {"GIT_LITERAL_PATHSPECS": "0"}  # check-ignore takes paths, and ends at that variable
    options = ("--no-index",) if even_tracked else ()
    answer = repository.git.run("check-ignore", "--stdin", "-z", *options, check=False, env=env, input=listed)
    if answer.returncode not in {0, 1}:
        raise GitError(f"git check-ignore failed: {answer.stderr.strip()}", returncode=answer.returncode, stderr="")
    return set(os.fsdecode(answer.stdout).split("\0")[:-1])


def ignore_paths(repository: Repository, paths: Sequence[str]) -> list[str]:
    """Let git ignore artifacts, by lines in the ``.gitignore`` beside each; return those it did not ignore before.

    Args:
        repository: A repository with a work tree.
        paths: The artifacts.
    """
    root = repository.require_work_tree()
    with _alone(repository):  # asked under the lock, or two processes would write the same line
        ignored = find_ignored(repository, paths, even_tracked=True)
        new = [path for path in dict.fromkeys(paths) if path not in ignored]
        by_file: dict[str, list[str]] = {}
        for path in new:
            by_file.setdefault(ignore_file(path), []).append(_line(path))
        for file, lines in by_file.items():
            text = _read(root, file)
            ending = "" if not text or text.endswith("\n") else "\n"
            added = "".join(f"{line}\n" for line in lines)
            write_text_file(repository, file, f"{text}{ending}{added}".encode("utf-8", "surrogateescape"))
    return new


def exclude_paths(repository: Repository, paths: Sequence[str]) -> list[str]:
    """Let git ignore artifacts in this clone, by lines in ``.git/info/exclude``; return those it did not ignore before.

    That is for what no person asked for, such as an artifact that a training script logs: a ``.gitignore`` is a file of
    the project, and a change of it would be a change of the code.

    Args:
        repository: A repository with a work tree.
        paths: Artifacts, relative to the top; one that git tracks is left as it is.
    """
    ignored = find_ignored(repository, paths)
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
    with _alone(repository):
        lines = [f"{line}\n" for line in _read(root, ignore_file(path)).split("\n")]
        kept = [line for line in lines if line.rstrip("\r\n") != _line(path)]
        if len(kept) == len(lines):
            return False
        text = "".join(kept).removesuffix("\n")
        if text:
            write_text_file(repository, ignore_file(path), text.encode("utf-8", "surrogateescape"))
        else:
            (root / ignore_file(path)).unlink()
    return True


@contextlib.contextmanager
def _alone(repository: Repository) -> Iterator[None]:
    """Keep other processes from changing an ignore file meanwhile: one of two lines would be lost."""
    if sys.platform == "win32":
        yield
        return
    import fcntl

    repository.state_dir.mkdir(parents=True, exist_ok=True)
    with (repository.state_dir / "ignoring").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def ignore_file(path: str) -> str:
    """Return the ignore file that has the line of an artifact.

    Example:
        >>> ignore_file("data/train")
        'data/.gitignore'
    """
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
    if data is None and os.path.lexists(root / path):  # writing it would lose what it says
        raise UnusualIgnoreFileError(f"'{path}' is a link, a folder or very large", hint="replace it by a usual file")
    return "" if data is None else data.decode("utf-8", "surrogateescape")
