"""What DVCLive asks of DVC's repository: here there is none, and git alone is needed."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any


def _find_dvc_root(root: Any = None) -> str | None:
    """Return the folder with ``.dvc``, from a folder upwards.

    Raises:
        NotADirectoryError: There is no such folder.
    """
    folder = Path(os.path.realpath(root or Path.cwd()))
    if not folder.is_dir():
        raise NotADirectoryError(f"'{folder}'")
    for candidate in (folder, *folder.parents):
        if (candidate / ".dvc").exists():
            return str(candidate)
    return None


def get_dvc_repo() -> Any:
    """Return None: DVC is not asked."""
    return None


def make_dvcyaml(live: Any) -> None:
    """Write DVC's configuration for a logger."""
    live.make_dvcyaml()


def get_exp_name(name: str | None, scm: Any = None, baseline_rev: str | None = None) -> str | None:  # noqa: ARG001
    """Return the name that an experiment was given; where there is none, or it is taken, the run finds one."""
    from gittrack.compat.dvclive import env

    return name or os.environ.get(env.DVC_EXP_NAME) or None


def find_overlapping_stage(dvc_repo: Any, path: Any) -> None:
    """Return None: DVC's stages are not asked."""


def ensure_dir_is_tracked(directory: str, dvc_repo: Any) -> None:
    """Do nothing: the run records the files itself."""
