"""Ask git one question from inside a hook, without `subprocess`, whose import alone costs 6 ms."""

from __future__ import annotations

import os

from gittrack.git.fence import FIXED_ENVIRONMENT, SAFE_SETTINGS

TYPE_CHECKING = False  # as in `typing`, whose import costs a hook 8 ms
if TYPE_CHECKING:
    from collections.abc import Mapping

_CHUNK_BYTES = 1 << 16


def git_output(environ: Mapping[str, str], *args: str) -> bytes | None:
    """Return what git prints in the current folder; None when it fails, or cannot be started this way (Windows).

    Args:
        environ: The environment that git gave the hook; it says which repository is meant.
        args: The arguments after ``git``.
    """
    if not hasattr(os, "posix_spawnp"):
        return None
    reader, writer = os.pipe()
    try:
        pid = os.posix_spawnp(
            "git",
            ["git", *SAFE_SETTINGS, *args],
            {**environ, **FIXED_ENVIRONMENT},
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                (os.POSIX_SPAWN_DUP2, writer, 1),
                (os.POSIX_SPAWN_OPEN, 2, os.devnull, os.O_WRONLY, 0),
            ],
        )
    except OSError:
        os.close(reader)
        return None
    finally:
        os.close(writer)
    with open(reader, "rb", buffering=_CHUNK_BYTES) as pipe:  # noqa: PTH123  a descriptor, no path
        output = pipe.read()
    return output if os.waitpid(pid, 0)[1] == 0 else None
