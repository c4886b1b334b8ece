"""`gittrack exp report`: an experiment as one page to read or to send."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from gittrack.cli.exp.show import close_dead_runs
from gittrack.cli.options import current_repository, current_terminal, documented

if TYPE_CHECKING:
    from gittrack.git.repository import Repository
    from gittrack.reports.content import Content


@documented(
    example="gittrack exp report brave-otter -o report.html\ngittrack exp report brave-otter --md",
    exit_codes={1: "there is no such experiment, or the file cannot be written"},
)
@click.argument("name")
@click.option("--html", "mode", flag_value="html", default="html", help="Make an HTML page; the default.")
@click.option("--md", "mode", flag_value="md", help="Make Markdown.")
@click.option("-o", "--output", type=click.Path(dir_okay=False, writable=True), help="Write the report to this file.")
def command(*, name: str, mode: str, output: str | None) -> int:
    """Make the report of an experiment: one file with its params, metrics, charts and plots.

    The page has no script and loads nothing: it can be sent, or kept. Large plots, whose content is in the
    cache, are in it where they are here; 'gittrack pull' fetches them.
    """
    repository, terminal = current_repository(), current_terminal()
    close_dead_runs(repository)
    from gittrack.runs.report_file import render_report

    text = render_report(_read(repository, name), mode)
    if output is not None:
        with click.open_file(output, "wb") as file:
            file.write(text.encode("utf-8", "replace"))
    else:
        terminal.echo(text.rstrip("\n"))
    return 0


def _read(repository: Repository, name: str) -> Content:
    """Return the report of an experiment, or of a run under way."""
    from gittrack.experiments.resolve import resolve
    from gittrack.experiments.store import ExperimentMissingError, read_record
    from gittrack.runs.active import list_active
    from gittrack.runs.report_file import LiveContent, recorded_content

    try:
        tip = resolve(repository, name)
    except ExperimentMissingError:
        runs = {run.meta.name: run for run in list_active(repository)}
        if name not in runs:
            raise
        return LiveContent(runs[name].folder).read()
    record = read_record(repository, tip.commit)
    for run in list_active(repository):
        if run.meta.id == record.meta.id:
            return LiveContent(run.folder).read()
    return recorded_content(repository, record, tip.commit)
