"""The page that newcomers read does what it says, word for word."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from typing import TYPE_CHECKING, NamedTuple

from tests.support.hooks import write_script
from tests.support.source_code import ROOT

if TYPE_CHECKING:
    from pathlib import Path

PAGE = ROOT / "docs" / "guides" / "getting-started.md"
HOME_ON_THE_PAGE = "/home/ada"
_BLOCK = re.compile(r"^```(console|python|yaml)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_GENERATED_NAME = re.compile(r"gittrack: recorded (\S+) \(")


class Step(NamedTuple):
    """A command of the page and the lines that the page shows below it."""

    command: str
    shown: str


def read_page(page: Path = PAGE) -> tuple[dict[str, str], list[Step]]:
    """Return the files and the commands of the page, in its order."""
    files = {}
    steps = []
    for kind, text in _BLOCK.findall(page.read_text(encoding="utf-8")):
        if kind == "console":
            commands = re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]
            steps.extend(Step(*command.split("\n", 1)) for command in commands)
        else:
            files[text.split("\n", 1)[0].removeprefix("# ")] = text
    return files, steps


def run_page(files: dict[str, str], steps: list[Step], folder: Path, program: Path) -> list[str]:
    """Run the commands in one shell, with the files made after the first, and return what each printed."""
    write_script(program.parent / "python", f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    first, *others = (f"{step.command}\nprintf '\\0'\n" for step in steps)
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
    script = "".join((first, *(f"mv ../{name} .\n" for name in files), *others))
    environ = {
        **os.environ,
        "PATH": f"{program.parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "PYTHONIOENCODING": "utf-8",
        "COLUMNS": "100",
    }
    done = subprocess.run(
        ["bash", "-c", script], cwd=folder, env=environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False
    )
    return done.stdout.decode().split("\0")[:-1]


def normalise(text: str) -> str:
    """Return a text without what differs each time: ids, times, widths."""
    text = re.sub(r"(?<![.\w])[0-9a-f]{7,64}\b", "ID", text)
    text = re.sub(r"just now|\d+ \w+ ago", "TIME", text)
    return re.sub(r"[ ]+", " ", text)


def as_pattern(shown: str) -> str:
    """Return a regular expression for lines of the page: ``…`` stands for anything, alone for any lines."""
    lines = [
        r"(?:.*\n)*?" if line == "…" else re.escape(line).replace("…", ".*") + r"\n" for line in shown.splitlines()
    ]
    return "".join(lines)


def test_getting_started_prints_what_it_shows(tmp_path: Path, program: Path) -> None:
    """Each command of the tutorial prints the lines that stand below it."""
    files, steps = read_page()
    printed = run_page(files, steps, tmp_path, program)
    assert len(printed) == len(steps)
    name = _GENERATED_NAME.search("".join(printed))
    name_on_the_page = _GENERATED_NAME.search("".join(step.shown for step in steps))
    assert name is not None
    assert name_on_the_page is not None
    for step, output in zip(steps, printed, strict=True):
        actual = normalise(output.replace(str(tmp_path), HOME_ON_THE_PAGE).replace(name[1], "NAME"))
        expected = normalise(step.shown.replace(name_on_the_page[1], "NAME").strip("\n"))
        assert re.fullmatch(as_pattern(expected), actual), f"$ {step.command}\n{output}"


def test_the_guide_to_artifacts_prints_what_it_shows(tmp_path: Path, program: Path) -> None:
    """Each command prints the lines that stand below it, from the first `git init` on."""
    files, steps = read_page(ROOT / "docs" / "guides" / "artifacts.md")
    printed = run_page(files, steps, tmp_path, program)
    assert len(printed) == len(steps) > 15
    for step, output in zip(steps, printed, strict=True):
        assert re.fullmatch(as_pattern(normalise(step.shown.strip("\n"))), normalise(output)), (
            f"$ {step.command}\n{output}"
        )
