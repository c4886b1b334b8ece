"""The path of gittrack that goes into hooks."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from gittrack.cli.program import find_program
from tests.support.hooks import write_script

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def use(monkeypatch: pytest.MonkeyPatch, *, called: Path | str, python: Path | str) -> None:
    monkeypatch.setattr(sys, "argv", [str(called)])
    monkeypatch.setattr(sys, "executable", str(python))


def test_the_program_that_was_called_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As it was called: a link is not followed, since it outlives what it leads to."""
    real = write_script(tmp_path / "environment/bin/gittrack", "#!/bin/sh\n")
    link = tmp_path / "gittrack"
    link.symlink_to(real)
    use(monkeypatch, called=link, python=real.with_name("python"))
    assert find_program({}) == str(link)


def test_the_program_beside_python_comes_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`python -m gittrack` and calls from scripts find the console script of the same environment."""
    real = write_script(tmp_path / "bin/gittrack", "#!/bin/sh\n")
    use(monkeypatch, called="/somewhere/gittrack/__main__.py", python=real.with_name("python"))
    assert find_program({}) == str(real)


def test_path_is_the_last_resort(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a console script PATH decides, at once if it has one, else when the hook runs."""
    real = write_script(tmp_path / "bin/gittrack", "#!/bin/sh\n")
    use(monkeypatch, called="train.py", python=tmp_path / "python")
    assert find_program({"PATH": str(real.parent)}) == str(real)
    assert find_program({"PATH": str(tmp_path)}) == "gittrack"


def test_a_path_that_would_break_a_script_is_not_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A line break in the path could end the line that holds it."""
    real = write_script(tmp_path / "a\nb/gittrack", "#!/bin/sh\n")
    use(monkeypatch, called=real, python=real.with_name("python"))
    assert find_program({"PATH": ""}) == "gittrack"
