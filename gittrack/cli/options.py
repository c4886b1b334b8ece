"""What commands have in common: the shape of their help, output formats, the repository at hand.

Example:
    ```python
    @documented(example="gittrack exp list origin")
    @format_options
    def command(output_format: str | None) -> int: …
    ```
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from gittrack.cli.terminal import Terminal
    from gittrack.git.repository import Repository

FORMATS = {
    "csv": "comma-separated values, full precision",
    "json": "one JSON list",
    "jsonl": "one JSON object a line",
    "md": "a Markdown table",
}

_EXIT_CODES = {0: "done", 1: "an error that is explained on stderr", 2: "the call is wrong"}


class DocumentedCommand(click.Command):
    """A command whose help ends with its exit codes and an example.

    Args:
        example: Lines for a shell, without the prompt.
        exit_codes: Further exit codes, or other words for the usual ones.
    """

    def __init__(self, *args: Any, example: str, exit_codes: Mapping[int, str] | None = None, **settings: Any) -> None:
        settings.setdefault("context_settings", {}).setdefault("help_option_names", ["-h", "--help"])
        super().__init__(*args, **settings)
        self.example = example.strip().splitlines()
        self.exit_codes = dict(sorted({**_EXIT_CODES, **(exit_codes or {})}.items()))

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write what stands below the options."""
        super().format_epilog(ctx, formatter)
        with formatter.section("Exit codes"):
            formatter.write_dl([(str(code), meaning) for code, meaning in self.exit_codes.items()])
        with formatter.section("Example"):
            for line in self.example:
                formatter.write(f"{'':>{formatter.current_indent}}{line}\n")


def documented(
    *, example: str, exit_codes: Mapping[int, str] | None = None, **settings: Any
) -> Callable[[Callable[..., Any]], DocumentedCommand]:
    """Make a function a command; what it returns is the exit code, and None is 0.

    The function's docstring is the help: its first line is the summary, in the imperative.

    Args:
        example: Lines for a shell, without the prompt, that show the main use.
        exit_codes: Further exit codes, or other words for the usual ones.
        settings: Anything else that `click.command` takes.
    """
    return click.command(cls=DocumentedCommand, example=example, exit_codes=exit_codes, **settings)


def format_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add `--csv`, `--json`, `--jsonl` and `--md`, which set `output_format`; None means a table for people."""
    for name, meaning in reversed(FORMATS.items()):
        option = click.option(f"--{name}", "output_format", flag_value=name, default=None, help=f"Print {meaning}.")
        function = option(function)
    return function


def current_repository() -> Repository:
    """Return the repository that the command was called in.

    Raises:
        NotARepositoryError: There is none, or the current folder is gone.
    """
    from gittrack.git.repository import NotARepositoryError, Repository

    try:
        folder = Path.cwd()
    except FileNotFoundError as error:
        raise NotARepositoryError("the current folder was removed", hint="change to one that exists") from error
    return Repository.discover(folder, os.environ)


def current_terminal() -> Terminal:
    """Return the terminal that the command writes to."""
    from gittrack.cli.terminal import Terminal

    return Terminal.detect(os.environ)
