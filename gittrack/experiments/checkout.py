"""Make the work tree like another tree, without losing anything, and with nothing but the work tree changed.

git does it, as when a branch is switched: ``git read-tree -m -u`` checks every path of a hostile tree, follows no link
and runs the user's filters. It works on a private index that says what the work tree holds now, uncommitted changes
included, so that the user's own index stays as it is.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from gittrack.errors import GittrackError
from gittrack.experiments.landed import changes_between
from gittrack.git.process import GitError
from gittrack.git.work_tree import find_behind_links
from gittrack.scratch import scratch_folder

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from gittrack.experiments.landed import Change
    from gittrack.git.repository import Repository

_SUBMODULE = "160000"
_SKIPPED = "S"  # of `git ls-files -t`: an entry that a sparse checkout leaves out
# Trees for which only another system would be at risk are refused as well; no private split or sparse index.
_SETTINGS = (
    *("-c", "core.protectHFS=true"),
    *("-c", "core.protectNTFS=true"),
    *("-c", "core.splitIndex=false"),
    *("-c", "submodule.recurse=false"),
)


class CheckoutError(GittrackError):
    """The work tree cannot be made like a tree."""


class Checkout(NamedTuple):
    """What it takes to make the work tree like a tree.

    Attributes:
        repository: The repository.
        current: The tree of what the work tree holds now: all tracked files, and all files in the way of new ones.
        target: The tree it shall be like.
        changes: How each path will change; submodules are left as they are.
        uncommitted: Of these paths, those whose present content no commit of HEAD holds, with that content's id.
        submodules: Submodules that would be at another commit.
        index_path: The private index.
    """

    repository: Repository
    current: str
    target: str
    changes: Mapping[str, Change]
    uncommitted: Mapping[str, str]
    submodules: tuple[str, ...]
    index_path: Path

    def run(self) -> None:
        """Change the work tree.

        Raises:
            CheckoutError: A file was changed meanwhile or git refuses the tree, and nothing was changed; or files could
                not be written, as on a full disk, and some were changed.
        """
        env = {"GIT_INDEX_FILE": str(self.index_path)}
        try:
            self.repository.git.run(*_SETTINGS, "read-tree", "-m", "-u", self.current, self.target, env=env)
        except GitError as error:
            raise CheckoutError(f"the workspace cannot be changed: {error.message}") from error


@contextlib.contextmanager
def prepare_checkout(repository: Repository, target: str, head_sha: str | None) -> Iterator[Checkout]:
    """Yield what it takes to make the work tree like a tree; nothing has changed yet.

    Tracked files that the tree lacks will be removed, untracked ones stay.

    Args:
        repository: A repository with a work tree.
        target: The tree.
        head_sha: The commit of HEAD; None on an unborn branch.

    Raises:
        CheckoutError: A folder or file that is not tracked is in the way.
        GitError: git cannot read the work tree.
    """
    root = repository.require_work_tree()
    with scratch_folder(repository.scratch_root) as folder:
        private = _PrivateIndex(repository, folder / "index")
        private.take_up_changes(root)
        tracked = set(private.list_entries())
        new = [path for path in private.list_tree(target) if path not in tracked]
        standing = {path: _find_standing(root, path) for path in new}
        obstacles = [found for path, found in standing.items() if found not in {None, path, *tracked}]
        obstacles += [f"{path}/" for path in new if standing[path] is None and _holds_others(root, path, tracked)]
        if obstacles:
            listed = ", ".join(f"'{path}'" for path in dict.fromkeys(obstacles))
            raise CheckoutError(f"in the way, and not tracked by git: {listed}", hint="move it away first")
        private.add(path for path in new if standing[path] == path)
        current = private.write_tree()
        wanted = changes_between(repository, current, target)
        changes = {path: change for path, change in wanted.items() if change.mode != _SUBMODULE}
        yield Checkout(
            repository,
            current,
            target,
            changes,
            _uncommitted(repository, head_sha, current, changes),
            tuple(path for path in wanted if path not in changes),
            private.path,
        )


def _uncommitted(
    repository: Repository, head_sha: str | None, current: str, changes: Mapping[str, Change]
) -> dict[str, str]:
    head = head_sha or repository.git.run("mktree", input=b"").stdout.decode().strip()
    made = changes_between(repository, head, current)
    return {path: made[path].oid for path in changes if path in made and made[path].status != "D"}


class _PrivateIndex:
    """An index of our own, which begins as a copy of the user's."""

    def __init__(self, repository: Repository, path: Path) -> None:
        self.path = path
        self._git = repository.git
        self._env = {"GIT_INDEX_FILE": str(path)}
        original = repository.git_dir / "index"
        if original.exists():
            shutil.copy2(original, path)  # with its times, by which git finds the entries it cannot trust

    def take_up_changes(self, root: Path) -> None:
        """Take up what the tracked files hold now; those that are gone are removed."""
        # Files that git was told to pass over are not passed over where they could be lost.
        skipped = [path for path, tag in self.list_entries().items() if tag == _SKIPPED]
        self._update([path for path in skipped if _mode(root / path) is not None], "--no-skip-worktree")
        self._run("update-index", "-q", "--really-refresh", check=False)
        changed = self._run("diff-files", "-z", "--name-only", "--ignore-submodules=dirty").split("\0")[:-1]
        gone = find_behind_links(root, changed)
        self._update(gone, "--force-remove")
        self.add(dict.fromkeys(path for path in changed if path not in set(gone)))

    def add(self, paths: Iterable[str]) -> None:
        """Take up files as they are now; those that are gone are removed."""
        self._update(paths, "--add", "--remove")

    def list_tree(self, tree: str) -> list[str]:
        """Return all paths of a tree."""
        return self._run("ls-tree", "-r", "-z", "--name-only", "--full-tree", tree).split("\0")[:-1]

    def write_tree(self) -> str:
        """Return the tree of what was taken up."""
        return self._run("write-tree").strip()

    def list_entries(self) -> dict[str, str]:
        """Return all paths with the letter that ``git ls-files -t`` gives them."""
        entries = self._run("ls-files", "-t", "-z").split("\0")[:-1]
        return {path: tag for tag, _, path in (entry.partition(" ") for entry in entries)}

    def _update(self, paths: Iterable[str], *options: str) -> None:
        names = b"".join(os.fsencode(path) + b"\0" for path in paths)
        if names:
            self._git.run(*_SETTINGS, "update-index", *options, "-z", "--stdin", input=names, env=self._env)

    def _run(self, *args: str, check: bool = True) -> str:
        return os.fsdecode(self._git.run(*_SETTINGS, *args, check=check, env=self._env).stdout)


def _find_standing(root: Path, path: str) -> str | None:
    """Return the path if something is there, or the parent in whose place something else than a folder is."""
    parts = path.split("/")
    for depth in range(1, len(parts) + 1):
        part = "/".join(parts[:depth])
        mode = _mode(root / part)
        if mode is None:
            return None
        if not stat.S_ISDIR(mode):
            return part
    return None


def _holds_others(root: Path, path: str, tracked: set[str]) -> bool:
    """Return whether a path is a folder with files that are not tracked."""
    inside = (Path(folder, name) for folder, folders, names in os.walk(root / path) for name in (*folders, *names))
    files = (one.relative_to(root).as_posix() for one in inside if one.is_symlink() or not one.is_dir())
    return any(name not in tracked for name in files)


def _mode(path: Path) -> int | None:
    try:
        return path.lstat().st_mode
    except OSError:
        return None
