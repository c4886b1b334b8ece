"""`gittrack exp plots`: what an experiment holds to look at, and the content of one plot."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import click

from gittrack.cli.byte_progress import render_size
from gittrack.cli.exp.show import close_dead_runs, write_lines, write_table
from gittrack.cli.options import current_repository, current_terminal, documented, format_options
from gittrack.cli.text import display_width, pad
from gittrack.errors import GittrackError, UsageError
from gittrack.visible import sanitise

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from gittrack.cli.terminal import Terminal
    from gittrack.experiments.names import ExperimentRef
    from gittrack.experiments.plot_files import PlotEntry
    from gittrack.experiments.table import Table
    from gittrack.git.repository import Repository

_COLUMNS = ("name", "step", "kind", "size", "media_type", "title", "digest", "cached")
_HEADER = ("name", "step", "kind", "size", "values")
_DOCUMENT = "+json"


class _Held(NamedTuple):
    """The plots of an experiment, and where their contents are.

    Attributes:
        label: The experiment's name.
        repository: The repository.
        commit: Its commit; None while its run is under way.
        folder: The folder of such a run; None otherwise.
        plots: The plots.
        experiment: Its identity; None while its run is under way.
    """

    label: str
    repository: Repository
    commit: str | None
    folder: Path | None
    plots: tuple[PlotEntry, ...]
    experiment: ExperimentRef | None = None


@documented(
    example="gittrack exp plots brave-otter\ngittrack exp plots brave-otter roc --csv\n"
    "gittrack exp plots brave-otter sample --step 3 -o sample.png",
    exit_codes={1: "there is no such experiment or plot, or its content is not here"},
)
@click.argument("name")
@click.argument("plot", required=False)
@click.option("--step", type=int, help="The plot of this step; the last one by default.")
@click.option(
    "-o", "--output", type=click.Path(dir_okay=False, writable=True), help="Write the content of the plot to this file."
)
@format_options
def command(*, name: str, plot: str | None, step: int | None, output: str | None, output_format: str | None) -> int:
    """List the plots of an experiment, or print the data of one.

    Plots are what a run logged to look at: curves, images, tables, texts. With the name of one, its data is printed:
    --json is all of it, with the figure that plotly draws; --csv, --jsonl and --md are its columns. 'gittrack pull'
    fetches the content of large ones.
    """
    repository, terminal = current_repository(), current_terminal()
    close_dead_runs(repository)
    held = _find(repository, name)
    if plot is None:
        if step is not None or output is not None:
            raise UsageError("--step and --output need the name of a plot", hint=f"gittrack exp plots {name} PLOT")
        _write_list(terminal, held, output_format)
        return 0
    from gittrack.experiments.plots import find_plot

    entry = find_plot(held.plots, plot, step)
    content = _read(held, entry)
    if output is not None:
        with click.open_file(output, "wb") as file:
            file.write(content)
    elif entry.media_type.endswith(_DOCUMENT):
        _write_document(terminal, content, output_format)
    elif output_format is not None:
        raise UsageError(f"--{output_format} is for plots with columns; this one is {entry.media_type}")
    else:
        _write_content(terminal, entry, content)
    return 0


def _find(repository: Repository, name: str) -> _Held:
    """Return the plots of an experiment; those of a run under way are in its folder."""
    from gittrack.experiments.resolve import resolve
    from gittrack.experiments.store import ExperimentMissingError, read_record
    from gittrack.runs.active import list_active
    from gittrack.runs.finish import build_record

    try:
        tip = resolve(repository, name)
    except ExperimentMissingError:
        tip = None
    record = None if tip is None else read_record(repository, tip.commit)
    runs = {run.meta.id if record is not None else run.meta.name: run for run in list_active(repository)}
    run = runs.get(name if record is None else record.meta.id)
    if run is not None:
        logged = build_record(run.meta, run.folder.read_journals()).plots
        return _Held(run.meta.name, repository, None, run.folder.path, logged)
    if tip is None or record is None:
        tip = resolve(repository, name)  # which says what is wrong
        record = read_record(repository, tip.commit)
    return _Held(tip.experiment.label, repository, tip.commit, None, record.plots, tip.experiment)


def _read(held: _Held, entry: PlotEntry) -> bytes:
    if held.folder is not None:
        from gittrack.runs.folder import PLOTS
        from gittrack.runs.plot_document import unpack_plot

        try:
            return unpack_plot((held.folder / PLOTS / entry.file).read_bytes())
        except ValueError as error:
            raise GittrackError(f"the plot {entry.name!r} cannot be read: {error}") from error
    from gittrack.artifacts.cache import ObjectMissingError
    from gittrack.experiments.plots import read_content
    from gittrack.workspace.workspace import Workspace

    try:
        with Workspace.open(held.repository) as workspace:
            return read_content(held.repository, held.commit or "", entry, workspace.cache)
    except ObjectMissingError as error:
        hint = f"fetch it with '{_pull_command(held)}'"
        raise GittrackError(f"the content of the plot {entry.name!r} is not in the cache", hint=hint) from error


def _pull_command(held: _Held) -> str:
    """Return what brings the content of the plots: from a remote on which the experiment was seen, if there is one."""
    from gittrack.experiments.names import REMOTES_NAMESPACE
    from gittrack.experiments.store import list_tips

    own = held.experiment
    if own is None:
        return f"gittrack pull REMOTE {held.label}"
    remotes = [own.remote] if own.remote is not None else []
    if not remotes:
        seen = [tip.experiment for tip in list_tips(held.repository, REMOTES_NAMESPACE)]
        same = [one.remote for one in seen if (one.baseline, one.name) == (own.baseline, own.name)]
        remotes = sorted(remote for remote in same if remote is not None)
    return f"gittrack pull {remotes[0] if remotes else 'REMOTE'} {own.name}"


def _write_list(terminal: Terminal, held: _Held, output_format: str | None) -> None:
    if output_format == "json":
        from gittrack.cli.render_data import render_json
        from gittrack.experiments.format import render_plots
        from gittrack.values import load_json

        terminal.echo(render_json(load_json(render_plots(held.plots))))
    elif output_format is not None:
        write_table(terminal, _table(held), output_format, 5)
    elif not held.plots:
        terminal.note(f"{sanitise(held.label)} has no plots: run.log_plot(name, …) logs one")
    else:
        write_lines(terminal, list(_lines(held.plots)), is_paged=True)


def _table(held: _Held) -> Table:
    from gittrack.artifacts.digest import render_digest
    from gittrack.experiments.table import MISSING, Column, Table
    from gittrack.workspace.workspace import Workspace

    with Workspace.open(held.repository) as workspace:
        rows = [
            (
                *(one.name, one.step, one.kind, one.size, one.media_type, one.title),
                None if one.digest is None else render_digest(one.digest),
                one.digest is None or workspace.cache.find_size(one.digest) is not None,
            )
            for one in held.plots
        ]
    cells = [[MISSING if cell is None else cell for cell in column] for column in zip(*rows, strict=True)]
    return Table(tuple(Column(name, "attribute") for name in _COLUMNS), tuple(cells or ([] for _ in _COLUMNS)))


def _lines(plots: Sequence[PlotEntry]) -> list[str]:
    rows = [_HEADER, *map(_cells, plots)]
    widths = [max(map(display_width, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(pad(cell, width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def _cells(entry: PlotEntry) -> tuple[str, ...]:
    step = "-" if entry.step is None else str(entry.step)
    return tuple(map(sanitise, (entry.name, step, entry.kind, render_size(entry.size), describe_values(entry.values))))


def describe_values(values: Mapping[str, Any]) -> str:
    """Return the numbers that sum a plot up, in words.

    Args:
        values: The numbers by name.

    Example:
        >>> describe_values({"auc": 0.912345678, "n": 3})
        'auc 0.91235, n 3'
    """
    from gittrack.cli.cells import render_number

    def render(value: Any) -> str:
        is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
        return render_number(value, 5) if is_number else str(value)

    return ", ".join(f"{key} {render(value)}" for key, value in values.items())


def _write_document(terminal: Terminal, content: bytes, output_format: str | None) -> None:
    from gittrack.cli.render_data import render_json
    from gittrack.runs.plot_document import read_plot

    document = read_plot(content)
    if output_format in {None, "json"}:
        terminal.echo(render_json(document))
        return
    from gittrack.experiments.table import MISSING, Column, Table

    columns = document.get("columns")
    lists = columns if isinstance(columns, dict) else {}
    if not lists or not all(isinstance(values, list) for values in lists.values()):
        raise GittrackError("this plot has no columns", hint="--json prints all of it")
    if len({len(values) for values in lists.values()}) != 1:
        raise GittrackError("the columns of this plot are damaged: they have different lengths")
    cells = tuple([MISSING if value is None else value for value in values] for values in lists.values())
    table = Table(tuple(Column(str(name), "attribute") for name in lists), cells)
    write_table(terminal, table, output_format or "csv", 5)


def _write_content(terminal: Terminal, entry: PlotEntry, content: bytes) -> None:
    is_text = entry.media_type.startswith("text/")
    if terminal.is_tty and not is_text:
        raise UsageError(f"the content is {entry.media_type}, nothing for a terminal", hint="write it with -o FILE")
    with terminal.output() as stream:
        if terminal.is_tty:
            stream.write(sanitise(content.decode("utf-8", "replace"), multiline=True) + "\n")
        else:
            stream.flush()
            stream.buffer.write(content)
            stream.buffer.flush()
