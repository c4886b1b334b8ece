"""The path of the gittrack program, for hooks that run it when its virtual environment is not active."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_NAMES = ("gittrack", "gittrack.exe")


def find_program(environ: Mapping[str, str]) -> str:
    """Return the absolute path of the program that runs now; ``gittrack`` when only PATH can tell.

    Links are not followed: a link such as ``~/.local/bin/gittrack`` outlives the environment it leads to.

    Args:
        environ: The environment, for PATH.
    """
    beside_python = [Path(sys.executable).with_name(name) for name in _NAMES] if sys.executable else []
    called = [Path(sys.argv[0]).absolute()] if Path(sys.argv[0]).name in _NAMES else []
    for path in (*called, *beside_python):
        if path.is_file() and os.access(path, os.X_OK) and str(path).isprintable():
            return str(path)
    found = shutil.which("gittrack", path=environ.get("PATH", os.defpath))
    return str(Path(found).absolute()) if found and found.isprintable() else "gittrack"
