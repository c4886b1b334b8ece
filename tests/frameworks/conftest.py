"""Real, tiny trainings: each in a repository of its own, with the framework as it is installed."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

import gittrack
from gittrack.runs import open_runs
from tests.support.git_repository import make_repository

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(autouse=True)
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The top of a repository, which is the current folder; no network, no home."""
    folder = make_repository(tmp_path / "repo")
    monkeypatch.chdir(folder)
    for name in list(os.environ):
        if name.startswith(("DVC_", "DVCLIVE_")):
            monkeypatch.delenv(name)
    for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_HUB_DISABLE_TELEMETRY", "DO_NOT_TRACK", "YOLO_OFFLINE"):
        monkeypatch.setenv(name, "1")
    monkeypatch.setenv("YOLO_CONFIG_DIR", str(tmp_path / "yolo"))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    yield folder
    gittrack.autolog_off()
    left = open_runs.newest()
    if left is not None:
        left.end("failed")
        pytest.fail("a run was left open, and would take what the next test logs")
