"""Commands as click sees them: groups that import a command when it is called."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, cast

import click

from gittrack.cli.commands import COMMANDS, GROUPS, render_help, subcommands
from gittrack.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from click.shell_completion import CompletionItem

_COMPLETION_VARIABLE = "_GITTRACK_COMPLETE"  # set by the completion scripts that click writes


def run_click(argv: Sequence[str], environ: Mapping[str, str]) -> int:
    """Run a command and return its exit code; errors are for `gittrack.cli.errors.run_guarded`.

    Args:
        argv: The arguments after the program's name.
        environ: The environment.
    """
    top = CommandGroup("")
    if instruction := environ.get(_COMPLETION_VARIABLE):
        from click.shell_completion import shell_complete

        return shell_complete(top, {}, "gittrack", _COMPLETION_VARIABLE, instruction)
    try:
        with top.make_context("gittrack", list(argv)) as context:
            result = top.invoke(context)
    except click.exceptions.Exit as stop:
        return stop.exit_code
    return result if isinstance(result, int) else 0


def load_command(name: str) -> click.Command:
    """Import a command.

    Args:
        name: Its words, such as `exp show`.
    """
    return cast("click.Command", import_module(COMMANDS[name][0]).command)


class CommandGroup(click.Group):
    """A group of commands that are listed in `gittrack.cli.commands`.

    Args:
        words: The words of the group; empty for the top.
    """

    def __init__(self, words: str) -> None:
        super().__init__(words or None, no_args_is_help=False, invoke_without_command=False, add_help_option=False)
        self._words = words

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  click's signature
        """Return the names of the commands, in the order of the help."""
        return list(subcommands(self._words))

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002  click's signature
        """Return a command by its last word; None when there is none."""
        words = f"{self._words} {cmd_name}".strip()
        if words in GROUPS:
            return CommandGroup(words)
        return load_command(words) if words in COMMANDS else None

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the command that the arguments name.

        Raises:
            UsageError: There is none of that name.
        """
        if args[0].startswith("-") or self.get_command(ctx, args[0]):
            return super().resolve_command(ctx, args)
        words = f"{self._words} {args[0]}".strip()
        raise UsageError(f"no command '{words}'", hint=_advice(words))

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:  # noqa: ARG002  click's signature
        """Return the commands that begin so, without importing them."""
        from click.shell_completion import CompletionItem

        names = subcommands(self._words).items()
        return [CompletionItem(name, help=help_text) for name, help_text in names if name.startswith(incomplete)]

    def get_help(self, ctx: click.Context) -> str:  # noqa: ARG002  click's signature
        """Return the help by topics."""
        return render_help(self._words)


def _advice(words: str) -> str:
    """Return what the person may have meant: a command spelled alike, or one of which only the last word was given."""
    from difflib import get_close_matches

    names = [*COMMANDS, *GROUPS]
    meant = [name for name in names if name.split()[-1] == words]
    if not meant:
        meant = get_close_matches(words, names, n=1)
    if not meant:
        last_words = {name.split()[-1]: name for name in names}
        meant = [last_words[word] for word in get_close_matches(words.rsplit(maxsplit=1)[-1], last_words, n=1)]
    return f"did you mean 'gittrack {meant[0]}'?" if meant else "run 'gittrack --help' for the list of commands"
