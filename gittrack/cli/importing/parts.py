"""What the commands of `gittrack import` share: their options, and how they say what was imported."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, Any

import click

from gittrack.cli.options import current_repository, current_terminal
from gittrack.visible import sanitise

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from gittrack.cli.terminal import Terminal
    from gittrack.importers.foreign import ForeignRun
    from gittrack.importers.write import Taken

EXIT_CODES = {1: "a run could not be imported; all others were"}
_N_SHOWN = 20
_DETAIL = re.compile(r"'[^']*'|[0-9][0-9,]*")  # in which problems of one kind differ
_EXIT_PROBLEM = 1


def import_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add `--dry-run` and `--no-artifacts`."""
    function = click.option("--no-artifacts", is_flag=True, help="Leave out the files that the runs logged.")(function)
    return click.option("-n", "--dry-run", is_flag=True, help="Only say what would be imported.")(function)


def take_up(runs: Iterable[ForeignRun], *, dry_run: bool, no_artifacts: bool) -> int:
    """Import runs into the repository at hand, say what became of them, and return the exit code.

    Args:
        runs: The runs.
        dry_run: Whether to only say what would be done.
        no_artifacts: Whether their artifacts are left out.
    """
    from gittrack.importers.write import import_foreign

    repository, terminal = current_repository(), current_terminal()
    taken = import_foreign(repository, runs, with_artifacts=not no_artifacts, dry_run=dry_run)
    return _say(terminal, taken, "would import" if dry_run else "imported")


def _say(terminal: Terminal, taken: list[Taken], verb: str) -> int:
    counts = Counter(one.outcome for one in taken)
    new = [one for one in taken if one.outcome == "imported" and one.meta is not None]
    if len(new) <= _N_SHOWN:
        for one in new:
            terminal.echo(f"{verb} {_describe(one)}")
    else:
        terminal.echo(f"{verb} {len(new):,} runs")
    for one in taken:
        if one.outcome == "damaged":
            terminal.note(f"warning: cannot import '{sanitise(one.run_id)}': {sanitise(one.reason or '')}")
        elif one.outcome == "running":
            terminal.note(f"left out '{sanitise(one.run_id)}': {one.reason}")
    if counts["known"]:
        terminal.note(f"left out {_runs(counts['known'])} that {_verb(counts['known'])} imported before")
    _say_problems(terminal, new)
    if not taken:
        terminal.echo("there are no runs to import")
    return _EXIT_PROBLEM if counts["damaged"] else 0


def _say_problems(terminal: Terminal, new: list[Taken]) -> None:
    """Warn of what could not be read of runs; that the code is not known is said by the experiments alone."""
    told = [(one.meta.name, problem) for one in new if one.meta for problem in one.meta.problems]
    told = [(name, problem) for name, problem in told if not problem.startswith("recorded by ")]
    kinds: dict[str, list[tuple[str, str]]] = {}
    for name, problem in told:
        kinds.setdefault(_DETAIL.sub("…", problem), []).append((name, problem))
    for alike in list(kinds.values())[:_N_SHOWN]:
        (name, problem), n_more = alike[0], len(alike) - 1
        more = f" (and {_count(n_more, 'more problem')} of this kind)" if n_more else ""
        terminal.note(f"warning: {sanitise(name)}: {sanitise(problem)}{more}")
    if len(kinds) > _N_SHOWN:
        terminal.note(f"warning: {_count(len(kinds) - _N_SHOWN, 'more kind')} of problems are noted in the experiments")


def _describe(one: Taken) -> str:
    if one.meta is None:  # pragma: no cover  what was imported has a description
        return one.run_id
    values = f"{_count(one.n_params, 'param')}, {_count(one.n_metrics, 'metric')}"
    return f"{sanitise(one.meta.name)}: {one.meta.status}, {values}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _runs(number: int) -> str:
    return _count(number, "run")


def _verb(number: int) -> str:
    return "was" if number == 1 else "were"
