"""`gittrack hook NAME …`: what the hook scripts call.

A hook never fails the user's git command: whatever goes wrong here is one line on stderr. Only ``pre-push`` can stop a
push, when the user set ``gittrack.strict``. This module and the bodies that have nothing to do must stay light: no
click, no dulwich, no yaml (they would double the time of a commit).
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False  # as in `typing`, whose import costs a hook 8 ms
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import BinaryIO

# The exit code by which the hook scripts know that a push shall not happen; a crash of Python gives 1, a missing
# interpreter 126 or 127.
STOP_PUSH = 10

_USAGE = "usage: gittrack hook post-commit|post-rewrite|pre-push|post-merge|post-checkout [ARGUMENT…]"


def main(argv: Sequence[str], environ: Mapping[str, str]) -> int:
    """Run a hook's body and return the exit code for the hook script.

    Args:
        argv: The hook's name and the arguments that git gave it.
        environ: The environment that git gave it.
    """
    name, *arguments = argv or [""]
    # Every git command that the body runs sees the mark, and its hooks end at once.
    environ = {**environ, "GITTRACK_HOOK": name}
    try:
        code = _run(name, arguments, sys.stdin.buffer, environ)
    except Exception as error:  # noqa: BLE001  a defect here must not fail the user's git command
        _say(f"{name} hook: {_first_line(error)}")
        code = 1
    if name != "pre-push" or code == 0:
        return 2 if code == 2 else 0  # noqa: PLR2004  2: the call itself is wrong
    return STOP_PUSH if _is_strict(environ) else 0


def _run(name: str, arguments: Sequence[str], stdin: BinaryIO, environ: Mapping[str, str]) -> int:
    if name == "post-commit":
        from gittrack.cli import hook_post_commit

        return hook_post_commit.main(arguments, stdin, environ)
    if name == "pre-push":
        from gittrack.cli import hook_pre_push
        from gittrack.cli.hook_frameworks import pre_push_call

        return hook_pre_push.main(*pre_push_call(arguments, stdin, environ), environ)
    if name == "post-rewrite":
        return _keep_rewrites(stdin, environ)
    if name in {"post-merge", "post-checkout"}:
        try:
            return _announce(name, environ)
        finally:
            _restore_artifacts(environ)
    sys.stderr.write(f"{_USAGE}\n")
    return 2


def _keep_rewrites(stdin: BinaryIO, environ: Mapping[str, str]) -> int:
    """Add the old and new ids that git reports to the list of rewrites."""
    from gittrack.git.location import locate
    from gittrack.git.rewrites import append_rewrites, parse_rewrites

    location = locate(os.getcwd(), environ)  # noqa: PTH109  pathlib costs a hook 4 ms
    if location is not None:
        append_rewrites(location.state_dir, parse_rewrites(stdin.read().decode("ascii", "replace")))
    return 0


def _announce(name: str, environ: Mapping[str, str]) -> int:
    """Say which experiments arrived from remotes since the last time; after a merge, take them up."""
    from gittrack.experiments.arrivals import (
        Announced,
        fetch_state,
        read_announced,
        remote_experiments,
        render_arrivals,
        write_announced,
    )
    from gittrack.git.location import locate

    location = locate(os.getcwd(), environ)  # noqa: PTH109  pathlib costs a hook 4 ms
    if location is None:
        return 0
    fetched = fetch_state(location.git_dir)
    before = read_announced(location.state_dir)
    if before is not None and before.fetched == fetched:
        return 0
    refs = _remote_refs(environ)
    present = remote_experiments(refs)
    line = render_arrivals(present - (before.experiments if before else frozenset()))
    if line:
        _say(line)
    write_announced(location.state_dir, Announced(fetched, present))
    if name == "post-merge":
        from gittrack.cli.hook_post_merge import take_up

        take_up(refs, environ)
    return 0


def _restore_artifacts(environ: Mapping[str, str]) -> None:
    """Restore artifacts as the pointers say that are checked out now, where the person set that up."""
    from gittrack.git.spawn import git_output

    if git_output(environ, "config", "--type=bool", "--get", "gittrack.autocheckout") == b"true\n":
        from gittrack.cli.hook_artifacts import restore

        restore(environ)


def _remote_refs(environ: Mapping[str, str]) -> list[str]:
    from pathlib import Path

    from gittrack.git.refs import list_refs
    from gittrack.git.repository import Repository

    return list(list_refs(Repository.discover(Path.cwd(), environ), "refs/gittrack/remotes"))


def _is_strict(environ: Mapping[str, str]) -> bool:
    """Return whether the user wants a push to fail when its experiments could not be sent."""
    from pathlib import Path

    from gittrack.errors import GittrackError
    from gittrack.git.repository import Repository
    from gittrack.git.settings import read_bool_setting

    try:
        return read_bool_setting(Repository.discover(Path.cwd(), environ), "gittrack.strict")
    except (GittrackError, OSError):
        return False


def _first_line(error: Exception) -> str:
    text = str(error).strip().partition("\n")[0]
    return "".join(char for char in text if char.isprintable()) or type(error).__name__


def _say(text: str) -> None:
    sys.stderr.buffer.write(f"gittrack: {text}\n".encode("utf-8", "replace"))
    sys.stderr.flush()
