"""Hooks that a hook manager calls in its own way.

pre-commit gives its hooks no standard input and no arguments of git's, but variables that say the same.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_REMOTE_VARIABLES = ("PRE_COMMIT_REMOTE_NAME", "PRE_COMMIT_REMOTE_URL")
_REF_VARIABLES = (
    "PRE_COMMIT_LOCAL_BRANCH",
    "PRE_COMMIT_TO_REF",
    "PRE_COMMIT_REMOTE_BRANCH",
    "PRE_COMMIT_FROM_REF",
)


def pre_push_call(
    arguments: Sequence[str], stdin: BinaryIO, environ: Mapping[str, str]
) -> tuple[Sequence[str], BinaryIO]:
    r"""Return the arguments and the standard input that git gave ``pre-push``, also when pre-commit stands between.

    Args:
        arguments: What the hook was called with: the remote's name and URL.
        stdin: Lines of local ref, local id, remote ref, remote id.
        environ: The environment, where pre-commit puts the same.

    Example:
        >>> names = ["REMOTE_NAME", "REMOTE_URL", "LOCAL_BRANCH", "TO_REF", "REMOTE_BRANCH", "FROM_REF"]
        >>> environ = {f"PRE_COMMIT_{name}": name.lower() for name in names}
        >>> arguments, stdin = pre_push_call([], io.BytesIO(), environ)
        >>> arguments, stdin.read()
        (['remote_name', 'remote_url'], b'local_branch to_ref remote_branch from_ref\n')
    """
    if arguments or not all(name in environ for name in (*_REMOTE_VARIABLES, *_REF_VARIABLES)):
        return arguments, stdin
    line = " ".join(environ[name] for name in _REF_VARIABLES) + "\n"
    return [environ[name] for name in _REMOTE_VARIABLES], io.BytesIO(line.encode("utf-8", "surrogateescape"))
