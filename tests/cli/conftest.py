"""Commands are called in this process, as the console script calls them."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import pytest

from gittrack.cli.entry import run
from tests.support.hooks import write_launcher

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The real gittrack as an executable, whether or not it is installed beside this Python."""
    return write_launcher(tmp_path_factory.mktemp("bin"))


@pytest.fixture
def gittrack(
    program: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., list[str]]:
    """Run gittrack in a folder and return the lines of its output and messages; it must exit with `code`."""
    monkeypatch.setattr(sys, "argv", [str(program)])
    monkeypatch.delenv("COLUMNS", raising=False)  # which some runners of tests set, and which would cut tables

    def call(*args: str, cwd: Path, code: int = 0) -> list[str]:
        monkeypatch.chdir(cwd)
        capsys.readouterr()
        exit_code = run(list(args), dict(os.environ))
        output = capsys.readouterr()
        assert exit_code == code, output
        return (output.out + output.err).splitlines()

    return call
