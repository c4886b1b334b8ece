"""What no command may change unless it says so, to compare before and after."""

from __future__ import annotations

import contextlib
import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

from tests.support.git_repository import open_repository, run_git

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


@contextlib.contextmanager
def untouched(folder: Path) -> Iterator[None]:
    """Assert that the user's part of a repository is the same at the end of a block, byte by byte.

    That is HEAD, the index with its time, branches, tags, stash, settings and the whole work tree.

    Args:
        folder: The top of a work tree.
    """
    before = _everything(folder)
    yield
    assert _everything(folder) == before


def own_state(folder: Path) -> Mapping[str, str]:
    """Return HEAD, the index, and all branches, tags and stashes of a repository, byte by byte.

    Where refs are no files they are as git tells them, with their reflogs.

    Args:
        folder: The top of a work tree.
    """
    repository = open_repository(folder)
    files = [repository.git_dir / "HEAD", repository.git_dir / "index", repository.common_dir / "packed-refs"]
    for name in ("refs/heads", "refs/tags", "logs/refs/heads"):
        files += sorted(path for path in (repository.common_dir / name).rglob("*") if path.is_file())
    files += [repository.common_dir / "refs/stash", repository.common_dir / "logs/refs/stash"]
    state = {str(path): _digest(path) for path in files}
    if repository.ref_format != "files":
        state["HEAD"] = run_git("symbolic-ref", "HEAD", cwd=folder, check=False)
        refs = run_git("for-each-ref", "--format=%(refname) %(objectname)", cwd=folder).splitlines()
        for ref, oid in (line.split(" ") for line in refs if not line.startswith("refs/gittrack/")):
            reflog = run_git("reflog", "show", "--format=%H %gD %gs", ref, "--", cwd=folder)
            state[ref] = f"{oid} {reflog}"
    return state


def work_tree(folder: Path) -> Mapping[str, str]:
    """Return every file of a work tree, ignored ones included, with its mode and content.

    Args:
        folder: The top of a work tree.
    """
    paths = (path for path in folder.rglob("*") if ".git" not in path.relative_to(folder).parts)
    return {
        str(path.relative_to(folder)): f"-> {path.readlink()}"
        if path.is_symlink()
        else f"{path.stat().st_mode:o} {_digest(path)}"
        for path in paths
        if path.is_symlink() or path.is_file()
    }


def _everything(folder: Path) -> Mapping[str, object]:
    repository = open_repository(folder)
    index, config = repository.git_dir / "index", repository.common_dir / "config"
    index_time = index.stat().st_mtime_ns if index.exists() else None
    return {**own_state(folder), **work_tree(folder), "config": _digest(config), "index time": index_time}


def stash_something(folder: Path) -> None:
    """Give a repository a stash and a tag, so that there is something to leave alone."""
    (Path(folder) / "train.py").write_text("stashed\n", encoding="utf-8")
    run_git("stash", "-q", cwd=folder)
    run_git("tag", "v1", cwd=folder)


def _digest(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except FileNotFoundError:
        return "absent"
