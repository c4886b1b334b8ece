"""Find the repository, exactly as git finds it.

git itself answers, so that worktrees, submodules, ``GIT_DIR``, ``safe.directory`` and ceiling directories mean
the same here as everywhere. The answer is taken once; every later call is told the repository explicitly.
"""

from __future__ import annotations

import os
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from gittrack.errors import GittrackError
from gittrack.git.process import Git, GitError

if TYPE_CHECKING:
    from collections.abc import Mapping

ObjectFormat = Literal["sha1", "sha256"]
RefFormat = Literal["files", "reftable"]

_REDIRECTIONS = ("GIT_DIR", "GIT_WORK_TREE", "GIT_COMMON_DIR")
_QUESTIONS = (
    "--is-bare-repository",
    "--show-object-format",
    "--is-shallow-repository",
    "--absolute-git-dir",
    "--git-common-dir",
    "--show-toplevel",  # last: it fails where there is no work tree, after the others were answered
)


class NotARepositoryError(GittrackError):
    """There is no git repository here, or git refuses to open it."""


class NoWorkTreeError(GittrackError):
    """The repository is bare, and what was asked needs files."""


def redirections(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the variables by which a user tells git another repository or work tree.

    Args:
        environ: The environment.
    """
    return {name: environ[name] for name in _REDIRECTIONS if name in environ}


class Repository:
    """One git repository as seen from one work tree.

    Args:
        git_dir: The directory of this work tree's HEAD and index.
        common_dir: The directory of objects and refs; differs from ``git_dir`` in a linked worktree.
        work_tree: The top folder of the files; None in a bare repository.
        object_format: The hash of object ids: ``sha1`` (40 hex) or ``sha256`` (64 hex).
        is_shallow: Whether history is cut.
        environ: The caller's environment, for the git program.
    """

    def __init__(
        self,
        *,
        git_dir: Path,
        common_dir: Path,
        work_tree: Path | None,
        object_format: ObjectFormat,
        is_shallow: bool,
        environ: Mapping[str, str],
    ) -> None:
        self.git_dir = git_dir
        self.common_dir = common_dir
        self.work_tree = work_tree
        self.object_format = object_format
        self.is_shallow = is_shallow
        self.environ = environ

    @classmethod
    def discover(cls, start: Path, environ: Mapping[str, str]) -> Repository:
        """Find the repository that git would use in a folder.

        Args:
            start: The folder to start from; usually the current one.
            environ: The environment; ``GIT_DIR`` and its kin are honoured.

        Raises:
            NotARepositoryError: git finds no repository, or refuses it (another owner: ``safe.directory``).
        """
        redirected = redirections(environ)
        git = Git(environ, cwd=start)
        try:
            completed = git.run("rev-parse", *_QUESTIONS, check=False, env=redirected)
        except (FileNotFoundError, NotADirectoryError) as error:
            raise NotARepositoryError(f"no such folder: '{start}'") from error
        answers = os.fsdecode(completed.stdout).split("\n")[:-1]
        has_work_tree = completed.returncode == 0
        n_expected = len(_QUESTIONS) if has_work_tree else len(_QUESTIONS) - 1
        if len(answers) < n_expected:
            raise _refusal(start, completed.stderr)
        if len(answers) > n_expected:
            raise NotARepositoryError(
                f"the path of the repository at {str(start)!r} contains a line break", hint="rename that folder"
            )
        git_dir = Path(answers[3])
        work_tree = Path(answers[5]) if has_work_tree else None
        if work_tree is None and answers[0] == "false":
            work_tree = _work_tree_of(git_dir)
        return cls(
            git_dir=git_dir,
            # Relative to the folder git ran in (git < 2.31 has no --path-format).
            common_dir=Path(os.path.normpath(start.absolute() / answers[4])),
            work_tree=work_tree,
            object_format="sha256" if answers[1] == "sha256" else "sha1",
            is_shallow=answers[2] == "true",
            environ=environ,
        )

    @cached_property
    def git(self) -> Git:
        """The git program, told this repository."""
        cwd = self.work_tree or self.git_dir
        return Git(self.environ, cwd=cwd, git_dir=self.git_dir, work_tree=self.work_tree)

    @cached_property
    def ref_format(self) -> RefFormat:
        """How refs are stored: ``files`` are read and written here, ``reftable`` by git alone."""
        return "reftable" if (self.common_dir / "reftable").is_dir() else "files"

    @property
    def state_dir(self) -> Path:
        """gittrack's own folder, shared by all worktrees: ``<common dir>/gittrack``."""
        return self.common_dir / "gittrack"

    @property
    def scratch_root(self) -> Path:
        """Where folders of work in progress are made, on the disk of the objects."""
        return self.state_dir / "tmp"

    @property
    def id_length(self) -> int:
        """The number of hex digits of an object id: 40 or 64."""
        return 64 if self.object_format == "sha256" else 40

    @property
    def zero_id(self) -> str:
        """The id that stands for no object: the baseline of an experiment on an unborn branch."""
        return "0" * self.id_length

    def require_work_tree(self) -> Path:
        """Return the work tree.

        Raises:
            NoWorkTreeError: The repository is bare.
        """
        if self.work_tree is None:
            raise NoWorkTreeError(
                f"'{self.git_dir}' is a bare repository without files to record",
                hint="run this in a clone with a work tree",
            )
        return self.work_tree


def _work_tree_of(git_dir: Path) -> Path | None:
    """Return the work tree when the search started inside ``.git``; None when git names none."""
    return git_dir.parent if git_dir.name == ".git" else None


def _refusal(start: Path, stderr: str) -> NotARepositoryError:
    if "dubious ownership" in stderr or "unsafe repository" in stderr:
        return NotARepositoryError(
            f"git refuses the repository at '{start}': another user owns it",
            hint=f"if you trust it: git config --global --add safe.directory '{start}'",
        )
    reason = next((line.removeprefix("fatal: ") for line in stderr.splitlines() if line.startswith("fatal:")), "")
    if "not a git repository" in reason or not reason:
        return NotARepositoryError(
            f"no git repository at '{start}'", hint="run 'git init' first, or change to a repository"
        )
    return NotARepositoryError(f"git cannot open the repository at '{start}': {reason}")


__all__ = ["GitError", "NoWorkTreeError", "NotARepositoryError", "ObjectFormat", "RefFormat", "Repository"]
