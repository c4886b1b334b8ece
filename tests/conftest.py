"""Isolation for every test: an empty home, no git settings and no GIT_* or GITTRACK_* variables of the machine."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from tests.support.git_repository import FORMATS, make_repository, open_repository, run_git

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from gittrack.git.repository import Repository

GITCONFIG = """\
[user]
	name = Ada Test
	email = ada@example.org
[init]
	defaultBranch = main
[advice]
	detachedHead = false
[protocol "file"]
	allow = always
[gc]
	auto = 0
"""


@pytest.fixture(autouse=True)
def _isolation(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path_factory.mktemp("home")
    (home / ".gitconfig").write_text(GITCONFIG, encoding="utf-8")
    for name in list(os.environ):
        if name.startswith(("GIT_", "GITTRACK_", "XDG_")) or name in {
            "RANK",
            "LOCAL_RANK",
            "SLURM_PROCID",
            "NO_COLOR",
        }:
            monkeypatch.delenv(name)
    for name, value in FORMATS.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path_factory.getbasetemp()))


@pytest.fixture
def git(tmp_path: Path) -> Callable[..., str]:
    """Run git in `repo_dir` (or in `cwd`) and return what it printed, without the last newline."""

    def run(*args: str, cwd: Path | None = None, check: bool = True, input: str | None = None) -> str:  # noqa: A002  subprocess.run's own name
        return run_git(*args, cwd=cwd or tmp_path / "repo", check=check, input=input)

    return run


@pytest.fixture
def repo_dir(tmp_path: Path) -> Path:
    """A fresh repository on branch main with one commit of `train.py` and `params.yaml`."""
    return make_repository(tmp_path / "repo")


@pytest.fixture
def in_repository_without_dvc(repo_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work in the repository, with none of the variables that DVC and DVCLive take."""
    monkeypatch.chdir(repo_dir)
    for name in list(os.environ):
        if name.startswith(("DVC_", "DVCLIVE_")):
            monkeypatch.delenv(name)


@pytest.fixture
def repository(repo_dir: Path) -> Repository:
    """`repo_dir` opened by the git layer."""
    return open_repository(repo_dir)
