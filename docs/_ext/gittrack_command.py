"""The directive `gittrack-command`: the reference of a command, made from its own help, so the two never differ."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING

import click
from docutils import nodes
from sphinx.util.docutils import SphinxDirective

from gittrack.cli.commands import COMMANDS
from gittrack.cli.group import load_command

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sphinx.application import Sphinx
    from sphinx.util.typing import ExtensionMetadata

    from gittrack.cli.options import DocumentedCommand


class GittrackCommand(SphinxDirective):
    """Usage, text, options, exit codes and example of the command that the argument names."""

    required_arguments = 1
    final_argument_whitespace = True

    def run(self) -> list[nodes.Node]:
        """Return the content of the page."""
        name = self.arguments[0]
        module, help_text = COMMANDS[name]
        try:
            command: DocumentedCommand = load_command(name)
        except ModuleNotFoundError:  # not written yet; tests/cli/test_help.py keeps such a command from a release
            return [nodes.paragraph(text=f"{help_text}.")]
        self.env.note_dependency(inspect.getfile(__import__(module, fromlist=["command"])))
        context = click.Context(command, info_name=f"gittrack {name}", **command.context_settings)
        usage = command.get_usage(context).removeprefix("Usage: ")
        text = inspect.cleandoc(command.help or "").replace("\b\n", "")
        return [
            *self.parse_text_to_nodes(text),
            nodes.literal_block(usage, usage, language="console"),
            *_section("Options", _options(command, context)),
            *_section("Exit codes", [(str(code), meaning) for code, meaning in command.exit_codes.items()]),
            nodes.rubric(text="Example"),
            _example(command),
        ]


def setup(app: Sphinx) -> ExtensionMetadata:
    """Register the directive."""
    app.add_directive("gittrack-command", GittrackCommand)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def _options(command: click.Command, context: click.Context) -> list[tuple[str, str]]:
    return [record for parameter in command.get_params(context) if (record := parameter.get_help_record(context))]


def _section(title: str, items: list[tuple[str, str]]) -> Iterator[nodes.Node]:
    if items:
        yield nodes.rubric(text=title)
        yield nodes.definition_list("", *(_definition(term, text) for term, text in items))


def _definition(term: str, text: str) -> nodes.Node:
    return nodes.definition_list_item(
        "",
        nodes.term("", "", nodes.literal(text=term)),
        nodes.definition("", nodes.paragraph(text=text)),
    )


def _example(command: DocumentedCommand) -> nodes.Node:
    text = "\n".join(f"$ {line}" for line in command.example)
    return nodes.literal_block(text, text, language="console")
