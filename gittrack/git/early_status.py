"""Ask what a snapshot asks first, while git still looks for the repository."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

from gittrack.git.process import Git
from gittrack.git.repository import redirections

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

STATUS = ("status", "--porcelain=v2", "-z", "--untracked-files=all", "--no-renames", "--ignore-submodules=none")
_NICE = 10


class EarlyStatus:
    """The first question of a snapshot, on its way.

    Args:
        start: The folder to start from.
        environ: The environment; ``GIT_DIR`` and its kin are honoured, as by `Repository.discover`.

    Raises:
        GitMissingError: There is no git program.
        OSError: There is no such folder.
    """

    def __init__(self, start: Path, environ: Mapping[str, str]) -> None:
        self._process = Git(environ, cwd=start).popen(*STATUS, env=redirections(environ))
        if hasattr(os, "setpriority"):
            # git goes through many files in up to twenty threads, which would leave the caller a tenth of two CPUs.
            with contextlib.suppress(OSError):
                os.setpriority(os.PRIO_PROCESS, self._process.pid, _NICE)

    def read(self) -> bytes | None:
        """Wait for the answer and return it; None when git had none."""
        answer, _ = self._process.communicate()
        return None if self._process.returncode else answer

    def close(self) -> None:
        """End it, unread."""
        self._process.kill()
        self._process.communicate()
