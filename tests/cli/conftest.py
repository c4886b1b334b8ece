"""Commands are called in this process, as the console script calls them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from gittrack.cli.entry import run

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def gittrack(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
    """Run gittrack in a folder and return the lines of its output and messages; it must exit with `code`."""

    def call(*args: str, cwd: Path, code: int = 0) -> list[str]:
        monkeypatch.chdir(cwd)
        capsys.readouterr()
        exit_code = run(list(args), dict(os.environ))
        output = capsys.readouterr()
        assert exit_code == code, output
        return (output.out + output.err).splitlines()

    return call
