"""Stores that other trackers wrote: recorded once by the real programs, kept in tests/data, unpacked for a test.

MLflow 3.17 (files and SQLite), tensorboardX 2.6 and TensorBoard 2.21, Weights & Biases 0.31 (offline), DVC 3.67 with
DVCLive 3.49. `tensorboard-plots` has images, histograms and curves by the same two writers.
"""

from __future__ import annotations

import tarfile
from typing import TYPE_CHECKING

from tests.support.git_repository import run_git
from tests.support.source_code import ROOT

if TYPE_CHECKING:
    from pathlib import Path

DATA = ROOT / "tests" / "data"


def unpack_store(name: str, folder: Path) -> Path:
    """Unpack a store and return the folder it is in.

    Args:
        name: `mlflow-files`, `mlflow-database`, `mlflow-datasets`, `tensorboard`, `tensorboard-plots`, `wandb`,
            `wandb-media` or `dvclive`.
        folder: Where to.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with tarfile.open(DATA / f"{name}.tar.xz") as archive:
        if hasattr(tarfile, "data_filter"):  # Python 3.14 warns without it, and early 3.10 has none
            archive.extraction_filter = tarfile.data_filter
        archive.extractall(folder)
    return folder


def make_dvc_repository(folder: Path) -> Path:
    """Make a clone of a repository in which DVC has the experiments `slow`, `fast` and `saved`, and return its folder.

    Args:
        folder: Where to.
    """
    folder.mkdir()
    run_git("init", "-q", "--object-format=sha1", cwd=folder)
    bundle = str(DATA / "dvc.bundle")
    run_git("fetch", "-q", bundle, "refs/heads/main:refs/remotes/origin/main", "refs/exps/*:refs/exps/*", cwd=folder)
    run_git("reset", "-q", "--hard", "origin/main", cwd=folder)
    return folder
