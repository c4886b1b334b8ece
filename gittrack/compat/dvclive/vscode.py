"""Signals to DVC's extension for VS Code: files below ``.dvc``, where there is one."""

from __future__ import annotations

import json
import os
from pathlib import Path

from gittrack.compat.dvclive import env
from gittrack.compat.dvclive.dvc import _find_dvc_root


def mark_dvclive_step_completed(step: int) -> None:
    """Say that a step of an experiment in DVC's queue is complete."""
    _mark("DVCLIVE_STEP_COMPLETED", _queue_root(), {"pid": os.getpid(), "step": step})


def cleanup_dvclive_step_completed() -> None:
    """Take that back."""
    _unmark("DVCLIVE_STEP_COMPLETED", _queue_root())


def mark_dvclive_only_started(exp_name: str) -> None:
    """Say that an experiment runs in the workspace."""
    _mark("DVCLIVE_ONLY", _find_dvc_root(), {"exp_name": exp_name, "pid": os.getpid()})


def mark_dvclive_only_ended() -> None:
    """Take that back."""
    _unmark("DVCLIVE_ONLY", _find_dvc_root())


def _queue_root() -> str | None:
    return os.environ.get(env.DVC_ROOT) or _find_dvc_root()


def _mark(name: str, root: str | None, content: dict[str, str | int]) -> None:
    if root is not None:
        path = Path(root, ".dvc/tmp/exps/run", name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(content, sort_keys=True, ensure_ascii=False), encoding="utf-8")


def _unmark(name: str, root: str | None) -> None:
    if root is not None:
        Path(root, ".dvc/tmp/exps/run", name).unlink(missing_ok=True)
