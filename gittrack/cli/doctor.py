"""`gittrack doctor`: look for problems, each with the way out."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from gittrack.cli.checks import CHECKS, Examined, check_connection
from gittrack.cli.options import current_repository, current_terminal, documented
from gittrack.cli.program import find_program
from gittrack.git.hooks import git_version
from gittrack.visible import sanitise

if TYPE_CHECKING:
    from gittrack.cli.checks import Finding
    from gittrack.cli.terminal import Terminal

_MARKS = {"ok": ("✓", "ok", "green"), "warning": ("!", "!", "yellow"), "error": ("✗", "x", "red")}


@documented(example="gittrack doctor", exit_codes={1: "there is a problem to solve"})
@click.option("--network", is_flag=True, help="Also ask the remotes for an answer.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON list.")
def command(*, network: bool, as_json: bool) -> int:
    """Look for problems and say how to solve them.

    Looks at git, Python, hooks, remotes, the index, locks, runs and gittrack.yaml. Changes nothing, and uses the
    network only with --network.
    """
    repository = current_repository()
    terminal = current_terminal()
    examined = Examined(repository, find_program(repository.environ), git_version(repository))
    checks = (*CHECKS, check_connection) if network else CHECKS
    findings = [finding for check in checks for finding in check(examined)]
    if as_json:
        from gittrack.cli.render_data import render_json

        terminal.echo(render_json([asdict(finding) for finding in findings]))
    else:
        for finding in findings:
            _show(terminal, finding)
    return 1 if any(finding.level == "error" for finding in findings) else 0


def _show(terminal: Terminal, finding: Finding) -> None:
    mark, plain_mark, colour = _MARKS[finding.level]
    shown = terminal.style(mark if terminal.unicode else plain_mark, colour)
    terminal.echo(f"{shown} {sanitise(finding.topic)}: {sanitise(finding.text)}")
    if finding.fix:
        terminal.echo(f"    {sanitise(finding.fix)}")
