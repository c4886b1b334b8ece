"""What DVCLive asks of DVC's repository: here there is none, and git alone is needed."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from gittrack.errors import GittrackError

if TYPE_CHECKING:
    from collections.abc import Iterator


class Stage(NamedTuple):
    """What ``dvc.yaml`` says of a stage.

    Attributes:
        addressing: Its name.
        outs: The absolute paths of its outputs.
    """

    addressing: str
    outs: tuple[str, ...]


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


def find_overlapping_stage(dvc_repo: Any, path: Any) -> Stage | None:  # noqa: ARG001  DVC is not asked
    """Return the stage that has a path among its outputs, or in one; None where no stage does.

    The ``dvc.yaml`` of the current folder and of those above it are read, up to the one with ``.dvc``.

    Args:
        dvc_repo: Not needed.
        path: The path.
    """
    root, place = _find_dvc_root(), Path(os.path.abspath(path))  # noqa: PTH100  a link is not followed
    if root is None:
        return None
    for folder in (here := Path(os.path.realpath(Path.cwd())), *here.parents):
        for stage in _read_stages(folder / "dvc.yaml"):
            if any(Path(out) in (place, *place.parents) for out in stage.outs):
                return stage
        if str(folder) == root:
            return None
    return None


def _read_stages(path: Path) -> Iterator[Stage]:
    """Yield the stages of a ``dvc.yaml``; one that cannot be read has none."""
    from gittrack.live_files.params_file import read_yaml

    try:
        document = read_yaml(path) if path.is_file() else None
    except (OSError, ValueError, GittrackError):
        return
    stages = document.get("stages") if isinstance(document, dict) else None
    for name, stage in stages.items() if isinstance(stages, dict) else ():
        if not isinstance(stage, dict):
            continue
        folder = path.parent / str(stage.get("wdir") or "")
        outs = stage.get("outs")
        listed: list[Any] = outs if isinstance(outs, list) else []
        named = (next(iter(out), None) if isinstance(out, dict) else out for out in listed)
        yield Stage(str(name), tuple(os.path.normpath(folder / out) for out in named if isinstance(out, str)))


def ensure_dir_is_tracked(directory: str, dvc_repo: Any) -> None:
    """Do nothing: the run records the files itself."""
