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


def is_ignored(repository: Repository, path: str) -> bool:
    """Return whether git ignores a path; never for a file that it tracks.

    Args:
        repository: A repository with a work tree.
        path: Relative to the top folder.
    """
    return _check_ignore(repository, path)


def ignore_path(repository: Repository, path: str) -> bool:
    """Let git ignore an artifact, by a line in the ``.gitignore`` beside it; return whether one was added.

    Args:
        repository: A repository with a work tree.
        path: The artifact.
    """
    if _check_ignore(repository, path, "--no-index"):
        return False
    root = repository.require_work_tree()
    with _alone(repository):
        text = _read(root, ignore_file(path))
        ending = "" if not text or text.endswith("\n") else "\n"
        write_text_file(
            repository, ignore_file(path), f"{text}{ending}{_line(path)}\n".encode("utf-8", "surrogateescape")
        )
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


def _check_ignore(repository: Repository, path: str, *options: str) -> bool:
    env = {"GIT_LITERAL_PATHSPECS": "0"}  # check-ignore takes paths, and ends at that variable
    answer = repository.git.run("check-ignore", "--quiet", *options, "--", f"./{path}", check=False, env=env)
    if answer.returncode not in {0, 1}:
        raise GitError(f"git check-ignore failed: {answer.stderr.strip()}", returncode=answer.returncode, stderr="")
    return answer.returncode == 0


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
