"""Every command says what it does, how it ends, and shows an example; and has a page in the reference."""

from __future__ import annotations

import os

import pytest

from gittrack.cli.commands import COMMANDS, GROUPS, TOPICS, render_help
from gittrack.cli.entry import run
from tests.support.source_code import ROOT

WIDTH = 80


every_command = pytest.mark.parametrize("name", COMMANDS)


@every_command
def test_a_command_loads(name: str) -> None:
    """Each module of the table has a click command with our kind of help."""
    from gittrack.cli.group import load_command
    from gittrack.cli.options import DocumentedCommand

    assert isinstance(load_command(name), DocumentedCommand)


@every_command
def test_help_ends_with_exit_codes_and_an_example(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The last thing that a person reads is a line to copy, and it calls this command."""
    assert run([*name.split(), "--help"], os.environ) == 0
    text = capsys.readouterr().out
    assert text.startswith(f"Usage: gittrack {name}")
    assert text.index("Exit codes:") < text.index("Example:")
    assert f"gittrack {name}" in text[text.index("Example:") :]


@every_command
def test_every_option_is_explained(name: str) -> None:
    """No option without a help text."""
    import click

    from gittrack.cli.group import load_command

    options = [option for option in load_command(name).params if isinstance(option, click.Option)]
    assert [option.name for option in options if not option.help] == []


@every_command
def test_a_command_has_a_page(name: str) -> None:
    """docs/reference/cli has a page that is filled from the command itself."""
    page = ROOT / "docs" / "reference" / "cli" / f"{name.replace(' ', '-')}.md"
    assert f"```{{gittrack-command}} {name}\n" in page.read_text(encoding="utf-8")


def test_the_top_level_help_lists_every_command_once() -> None:
    """By topics, as `git help` does."""
    lines = render_help().splitlines()
    assert [title for title in TOPICS if title not in lines] == []
    for name, (_, help_text) in COMMANDS.items():
        assert len([line for line in lines if line.startswith(f"   {name} ") and line.endswith(help_text)]) == 1


@pytest.mark.parametrize("group", ["", *GROUPS])
def test_help_fits_a_terminal(group: str) -> None:
    """No line of the help is longer than 80 columns."""
    assert max(map(len, render_help(group).splitlines())) <= WIDTH


@pytest.mark.parametrize("argv", [[], ["-h"], ["--help"], ["help"]])
def test_help_is_found_by_any_name(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """As people try it: with nothing, -h, --help or help."""
    assert run(argv, os.environ) == 0
    assert capsys.readouterr().out == render_help()


def test_help_of_a_command_is_found_git_style(capsys: pytest.CaptureFixture[str]) -> None:
    """`gittrack help init` is `gittrack init --help`."""
    assert run(["help", "init"], os.environ) == 0
    assert capsys.readouterr().out.startswith("Usage: gittrack init")
