"""The body of the post-commit hook: record a commit that changed params or metrics, mark what landed in it.

Most commits are of no interest. That is found out from one small question to git, the text of the declaring files
and a look at the refs, without any of the heavy imports; at worst a commit is looked at closely in vain.
"""

from __future__ import annotations

import os
import sys

from gittrack.git.location import locate
from gittrack.git.spawn import git_output

TYPE_CHECKING = False  # as in `typing`, whose import costs a hook 8 ms
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import BinaryIO

    from gittrack.git.location import Location

# What is read without any declaration (experiments/declared.py), and what declares.
_DEFAULT_FILES = frozenset({b"params.yaml", b"metrics.json"})
_DECLARING_FILES = ("gittrack.yaml", "dvc.yaml")
_REBASE_FOLDERS = ("rebase-merge", "rebase-apply")
_EXPERIMENTS = "refs/gittrack/exps"
# The experiments of so many commits before HEAD may land in it.
_N_ANCESTORS = 8


def main(argv: Sequence[str], stdin: BinaryIO, environ: Mapping[str, str]) -> int:  # noqa: ARG001  every body's form
    """Record HEAD's commit if it changed declared values, mark experiments that landed in it; return 0.

    Args:
        argv: The hook's arguments: none.
        stdin: Nothing.
        environ: The environment that git gave the hook.
    """
    folder = os.getcwd()  # noqa: PTH109  pathlib costs a hook 4 ms
    location = locate(folder, environ)
    if location is not None and _is_of_no_interest(location, folder, environ):
        return 0
    from pathlib import Path

    from gittrack.git.repository import Repository
    from gittrack.runs.capture import capture_commit
    from gittrack.runs.context import RunContext

    repository = Repository.discover(Path(folder), environ)
    for captured in capture_commit(repository, RunContext(dict(environ), (), Path(folder)), _N_ANCESTORS):
        meta = captured.record.meta
        verb = "recorded this commit as" if captured.is_new else "landed here:"
        sys.stderr.write(f"gittrack: {verb} {meta.name}\n")
    return 0


def _is_of_no_interest(location: Location, folder: str, environ: Mapping[str, str]) -> bool:
    """Say whether a commit can neither be an experiment nor take one in."""
    if any(os.path.exists(os.path.join(location.git_dir, name)) for name in _REBASE_FOLDERS):  # noqa: PTH110, PTH118  the same
        return True  # a rebase makes commits that the user made before
    listing = git_output(
        environ, "diff-tree", "--root", "--no-renames", "-r", "--name-only", "-z", "--pretty=format:%P%x00", "HEAD"
    )
    if listing is None:
        return False
    parents, _, names = listing.partition(b"\0")
    if len(parents.split()) != 1:
        return True  # of a merge git prints nothing at all, of a first commit no parent
    return not _may_declare(folder, names) and not _may_land(location, environ)


def _may_declare(folder: str, listing: bytes) -> bool:
    """Return whether a changed file is declared, or is named in a file that declares."""
    names = {path.rpartition(b"/")[2] for path in listing.strip(b"\n\0").split(b"\0")}
    if names & _DEFAULT_FILES or names & {os.fsencode(name) for name in _DECLARING_FILES}:
        return True
    texts = [_read(os.path.join(folder, name)) for name in _DECLARING_FILES]  # noqa: PTH118  pathlib costs 4 ms
    # A backslash may stand for any character of a name.
    return any(b"\\" in text or any(name in text for name in names) for text in texts if text)


def _may_land(location: Location, environ: Mapping[str, str]) -> bool:
    """Return whether there are experiments of one of the commits that this one follows."""
    refs = os.path.join(location.common_dir, _EXPERIMENTS)  # noqa: PTH118  the same
    packed = _read(os.path.join(location.common_dir, "packed-refs"))  # noqa: PTH118  the same
    is_files = not os.path.isdir(os.path.join(location.common_dir, "reftable"))  # noqa: PTH112, PTH118  the same
    if is_files and not os.path.isdir(refs) and f" {_EXPERIMENTS}/".encode() not in packed:  # noqa: PTH112  the same
        return False
    ancestors = git_output(environ, "rev-list", "--first-parent", f"--max-count={_N_ANCESTORS}", "HEAD~")
    if ancestors is None:
        return True
    if not is_files:
        patterns = [f"{_EXPERIMENTS}/{commit}/" for commit in ancestors.decode().split()]
        found = git_output(environ, "for-each-ref", "--count=1", "--format=%(refname)", *patterns) if patterns else b""
        return found != b""
    return any(
        _has_entries(os.path.join(refs, commit)) or f" {_EXPERIMENTS}/{commit}/".encode() in packed  # noqa: PTH118  the same
        for commit in ancestors.decode().split()
    )


def _has_entries(folder: str) -> bool:
    try:
        return bool(os.listdir(folder))  # noqa: PTH208  the same
    except OSError:
        return False


def _read(path: str) -> bytes:
    try:
        with open(path, "rb") as stream:  # noqa: PTH123  the same
            return stream.read()
    except OSError:
        return b""
