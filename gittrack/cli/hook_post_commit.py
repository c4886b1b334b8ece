"""The body of the post-commit hook: record a commit that changed params or metrics, mark what landed in it.

Most commits are of no interest. That is found out from two small questions to git and the text of the declaring
files, without any of the heavy imports.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from gittrack.git.refs import list_refs
from gittrack.git.repository import Repository

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import BinaryIO

# What is read without any declaration (experiments/declared.py), and what declares.
_DEFAULT_FILES = frozenset({"params.yaml", "metrics.json"})
_DECLARING_FILES = ("gittrack.yaml", "dvc.yaml")
_REBASE_FOLDERS = ("rebase-merge", "rebase-apply")


def main(argv: Sequence[str], stdin: BinaryIO, environ: Mapping[str, str]) -> int:  # noqa: ARG001  every body's form
    """Record HEAD's commit if it changed declared values, mark experiments that landed in it; return 0.

    Args:
        argv: The hook's arguments: none.
        stdin: Nothing.
        environ: The environment that git gave the hook.
    """
    repository = Repository.discover(Path.cwd(), environ)
    if repository.work_tree is None or any((repository.git_dir / name).exists() for name in _REBASE_FOLDERS):
        return 0  # a rebase makes commits that the user made before
    changed = _changed_files(repository)
    if not (_may_declare(repository, changed) or _has_experiments(repository)):
        return 0
    from gittrack.runs.capture import capture_commit
    from gittrack.runs.context import RunContext

    for captured in capture_commit(repository, RunContext(dict(environ), (), Path.cwd())):
        meta = captured.record.meta
        verb = "recorded this commit as" if meta.source == "commit" else "landed here:"
        sys.stderr.write(f"gittrack: {verb} {meta.name}\n")
    return 0


def _changed_files(repository: Repository) -> list[str]:
    listing = repository.git.run(
        "diff-tree", "--root", "--no-commit-id", "-r", "--name-only", "-z", "HEAD", check=False
    )
    return os.fsdecode(listing.stdout).split("\0")[:-1]


def _may_declare(repository: Repository, changed: Sequence[str]) -> bool:
    """Return whether a changed file is declared, or is named in a file that declares."""
    names = {path.rpartition("/")[2] for path in changed}
    if names & _DEFAULT_FILES or names & set(_DECLARING_FILES):
        return True
    texts = [_read(repository.require_work_tree() / name) for name in _DECLARING_FILES]
    return any(name in text for text in texts if text for name in names)


def _has_experiments(repository: Repository) -> bool:
    parents = repository.git.text("rev-list", "--parents", "--max-count=1", "HEAD").split()[1:]
    return any(list_refs(repository, f"refs/gittrack/exps/{parent}") for parent in parents)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
