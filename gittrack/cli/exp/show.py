"""`gittrack exp show`: experiments in a table, or one in full."""

from __future__ import annotations

import gc
import time
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import click

from gittrack.cli.options import current_repository, current_terminal, documented, format_options

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gittrack.cli.terminal import Terminal
    from gittrack.experiments.query import Listing
    from gittrack.experiments.table import Table
    from gittrack.git.repository import Repository

_EXAMPLE = """\
gittrack exp show
gittrack exp show --sort-by accuracy --sort-order desc --only-changed
gittrack exp show --rev main -n 5 --csv > experiments.csv
gittrack exp show brave-otter
"""
_OF_THE_MACHINE = "^system/"  # what a monitor logs would fill the screen; it is shown when it is asked for
_N_PROBLEMS_SHOWN = 3


class ShowOptions(NamedTuple):
    """What the command line asks for; each is explained by its option's help."""

    output_format: str | None
    sort_by: str | None
    sort_order: Literal["asc", "desc"] | None
    n_commits: int | None
    revisions: tuple[str, ...]
    keep: tuple[str, ...]
    drop: tuple[str, ...]
    only_changed: bool
    all_columns: bool
    precision: int
    no_pager: bool


@documented(example=_EXAMPLE)
@click.argument("experiment", required=False)
@click.option("--sort-by", metavar="COLUMN", help="Sort the experiments of each baseline by a param or metric.")
@click.option("--sort-order", type=click.Choice(["asc", "desc"]), help="The default is the best first, else asc.")
@click.option(
    "-n",
    "--num",
    "n_commits",
    type=int,
    metavar="N",
    help="Show the last N commits of --rev (default HEAD), along first parents, and their experiments; -1 for all.",
)
@click.option(
    "--rev", "revisions", multiple=True, metavar="REV", help="Show the experiments of this commit, branch or tag only."
)
@click.option("--keep", multiple=True, metavar="REGEX", help="Show only the params and metrics that match.")
@click.option("--drop", multiple=True, metavar="REGEX", help="Leave out the columns that match.")
@click.option("--only-changed", is_flag=True, help="Leave out params and metrics that are the same everywhere.")
@click.option("--all-columns", is_flag=True, help="Add author, branch, tags, system metrics, …; hide nothing.")
@click.option("--precision", type=click.IntRange(1, 17), default=5, help="Significant digits for people (default 5).")
@click.option("--no-pager", is_flag=True, help="Write straight to the terminal, whatever the length.")
@format_options
def command(experiment: str | None, **options: Any) -> int:
    """Show experiments in a table, or one in full.

    Without EXPERIMENT: all of them, local and of remotes, grouped by the commit they start from, newest first; each
    such commit is a row with its own params and metrics. EXPERIMENT is a name, name@baseline, origin/name, the
    beginning of a commit id, or a full ref.
    """
    chosen = ShowOptions(**options)
    repository, terminal = current_repository(), current_terminal()
    close_dead_runs(repository)
    if experiment is not None:
        from gittrack.cli.exp.show_one import show_one

        return show_one(repository, terminal, experiment, chosen)
    listing = read_listing(repository, chosen)
    say_problems(terminal, listing.problems)
    table = _arranged(listing.table, chosen)
    if chosen.output_format is not None:
        write_table(terminal, table, chosen.output_format, chosen.precision)
    elif not listing.table.n_rows:
        terminal.note("no experiments yet: use gittrack.Run() in a script, or 'gittrack exp save'")
    else:
        from gittrack.cli.render_table import render_table

        lines = render_table(
            table,
            width=None if chosen.all_columns else terminal.width,
            colour=terminal.colour,
            unicode=terminal.unicode,
            precision=chosen.precision,
        )
        write_lines(terminal, list(lines), is_paged=not chosen.no_pager)
    return 0


def close_dead_runs(repository: Repository) -> None:
    """Record the runs whose process died; nothing where the repository cannot be written.

    Args:
        repository: The repository.
    """
    import os

    from gittrack.runs.active import list_active

    if all(run.is_alive for run in list_active(repository)) or not os.access(repository.common_dir, os.W_OK):
        return
    from gittrack.runs.recovery import close_dead_runs as close

    close(repository)


def read_listing(repository: Repository, options: ShowOptions | None = None) -> Listing:
    """Return the table that a command line asks for; by default that of all experiments.

    Args:
        repository: The repository.
        options: The command line.

    Raises:
        UnknownRevisionError: `--rev` names no commit.
    """
    from gittrack.experiments.index import Index
    from gittrack.experiments.query import build_listing
    from gittrack.runs.active import list_active, live_values

    live = [live_values(repository, run) for run in list_active(repository)]
    baselines = None
    if options is not None and (options.revisions or options.n_commits is not None):
        from gittrack.experiments.selection import select_baselines

        baselines = select_baselines(repository, options.revisions, options.n_commits)
    index = Index(repository, numbers_as_text=options is not None and _only_copies(options))
    # Of the many values that are made none is part of a cycle; to look for cycles costs a fifth of the time.
    gc.disable()
    try:
        return build_listing(
            repository,
            index,
            now_s=time.time(),
            live=live,
            baselines=baselines,
            extras=options is not None and options.all_columns,
        )
    finally:
        gc.enable()
        index.close()


def _only_copies(options: ShowOptions) -> bool:
    """Whether cells are written as they come: CSV holds a number's shortest text; nothing compares."""
    return options.output_format == "csv" and options.sort_by is None and not options.only_changed


def say_problems(terminal: Terminal, problems: Mapping[str, str]) -> None:
    """Say on stderr which experiments cannot be read, and why.

    Args:
        terminal: Where to.
        problems: Reasons by the experiment's label.
    """
    from gittrack.cli.terminal import sanitise

    for label, reason in list(problems.items())[:_N_PROBLEMS_SHOWN]:
        terminal.note(f"warning: experiment '{sanitise(label)}' cannot be read: {sanitise(reason)}")
    if len(problems) > _N_PROBLEMS_SHOWN:
        terminal.note(f"warning: nor can {len(problems) - _N_PROBLEMS_SHOWN} more")


def write_table(terminal: Terminal, table: Table, output_format: str, precision: int) -> None:
    """Write a table for other programs.

    Args:
        terminal: Where to.
        table: The table.
        output_format: ``csv``, ``json``, ``jsonl`` or ``md``.
        precision: Significant digits in Markdown; the others have all of them.
    """
    from io import StringIO

    from gittrack.cli import render_data
    from gittrack.visible import sanitise

    with terminal.output() as stream:
        if output_format == "csv" and terminal.is_tty:
            text = StringIO()
            render_data.write_csv(table, text)
            stream.write(sanitise(text.getvalue(), multiline=True))
        elif output_format == "csv":
            render_data.write_csv(table, stream)
        elif output_format == "json":
            render_data.write_json(table, stream)
        elif output_format == "jsonl":
            render_data.write_jsonl(table, stream)
        else:
            render_data.write_markdown(table, stream, precision=precision)


def write_lines(terminal: Terminal, lines: list[str], *, is_paged: bool) -> None:
    """Write lines for a person, through the pager when they are many.

    Args:
        terminal: Where to.
        lines: Without their newline.
        is_paged: Whether the pager may be used.
    """
    if is_paged:
        terminal.page(lines)
        return
    with terminal.output() as stream:
        stream.writelines(f"{line}\n" for line in lines)


def _arranged(table: Table, options: ShowOptions) -> Table:
    if options.sort_by is not None:  # first: a column that is not kept may still be sorted by
        table = table.sort_by(options.sort_by, options.sort_order)
    if options.keep:
        table = table.keep(options.keep)
    elif options.output_format is None and not options.all_columns:
        table = table.drop([_OF_THE_MACHINE])
    if options.drop:
        table = table.drop(options.drop)
    return table.only_changed() if options.only_changed else table
