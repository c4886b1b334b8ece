"""The body of ``pre-push``: send the experiments of the commits that are pushed, in one push of their own.

What the remote has is known from the last fetch or push, so that a push with nothing to add costs no connection, and
where there is nothing to share not even a process of git.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gittrack.git.repository import Repository

_N_FIELDS = 4


def main(argv: Sequence[str], stdin: BinaryIO, environ: Mapping[str, str]) -> int:
    """Send the experiments whose baseline is among the pushed commits and that the remote lacks.

    Args:
        argv: The remote's name and its URL.
        stdin: For each ref that is pushed: local ref, local id, remote ref, remote id.
        environ: The environment of the hook.

    Returns:
        The exit code.

    Raises:
        GittrackError: The experiments could not be sent.
    """
    folder = os.getcwd()  # noqa: PTH109  pathlib costs a hook 4 ms
    pushed = _pushed_ids(stdin.read())
    # Of an address without a name nobody knows what is there; git gives it twice.
    is_nameless = len(argv) > 1 and argv[0] == argv[1]
    if not argv or is_nameless or pushed == []:
        return 0
    if not _has_experiments(folder, environ) and not _has_artifacts(folder, environ):
        return 0
    from pathlib import Path

    from gittrack.git.repository import Repository

    return _share(Repository.discover(Path(folder), environ), argv[0], pushed)


def _pushed_ids(lines: bytes) -> list[str] | None:
    """Return the commits that are pushed; None when git has none to push, which is no refusal to share.

    Removing branches alone is an empty list: nothing is to be sent with that.
    """
    rows = [line.split(" ") for line in lines.decode("utf-8", "replace").splitlines()]
    ids = [row[1] for row in rows if len(row) == _N_FIELDS]
    return [oid for oid in ids if oid.strip("0")] if ids else None


def _has_experiments(folder: str, environ: Mapping[str, str]) -> bool:
    """Say whether there may be any local experiment: from files alone, but where git keeps refs in tables."""
    from gittrack.git.location import locate

    location = locate(folder, environ)
    if location is None:
        return True  # git finds it
    common = location.common_dir
    if os.path.isdir(f"{common}/reftable"):  # noqa: PTH112  pathlib
        from gittrack.git.spawn import git_output

        return git_output(environ, "for-each-ref", "--count=1", "--format=%(refname)", "refs/gittrack/exps/") != b""
    if os.path.isdir(f"{common}/refs/gittrack/exps"):  # noqa: PTH112  the same
        return True
    try:
        with open(f"{common}/packed-refs", "rb") as stream:  # noqa: PTH123  the same
            return b" refs/gittrack/exps/" in stream.read()
    except OSError:
        return False


def _has_artifacts(folder: str, environ: Mapping[str, str]) -> bool:
    """Say from files alone whether there may be any artifact: whoever adds or looks for one leaves a trace."""
    from gittrack.git.location import locate

    location = locate(folder, environ)
    if location is None:
        return True
    return has_artifacts(location.state_dir)


def has_artifacts(state_dir: str) -> bool:
    """Say from files alone whether a clone may have any artifact.

    Args:
        state_dir: gittrack's own folder.
    """
    return any(os.path.exists(f"{state_dir}/{name}") for name in ("cache", "stat.sqlite", "storage.sqlite"))  # noqa: PTH110  pathlib


def _share(repository: Repository, remote: str, pushed: list[str] | None) -> int:
    from gittrack.experiments.publishing import Selection, list_unshared, push
    from gittrack.experiments.store import read_tip
    from gittrack.git.ancestry import list_contained
    from gittrack.git.remotes import list_remotes
    from gittrack.git.state import read_head

    unshared = list_unshared(repository, remote)
    if remote not in list_remotes(repository):
        return 0
    head = read_head(repository).sha
    tips = [head] if pushed is None and head else pushed or []
    baselines = {experiment.baseline for experiment in unshared}
    due = list_contained(repository, baselines, tips) | (baselines & {repository.zero_id})
    # Artifacts first, refs last: no experiment arrives without what it points to.
    commits = [commit for one in unshared if one.baseline in due and (commit := read_tip(repository, one))]
    if has_artifacts(str(repository.state_dir)):
        from gittrack.cli.hook_artifacts import send

        send(repository, remote, [*tips, *commits])
    if not due:
        return 0
    sent = push(repository, remote, Selection(baselines=frozenset(due)), may_rename=False)
    n_sent = len(sent.created) + len(sent.moved)
    if n_sent:
        sys.stderr.write(f"gittrack: sent {n_sent} experiment{'' if n_sent == 1 else 's'} to {remote}\n")
    return 0
