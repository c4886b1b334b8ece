"""`gittrack push`: send experiments to a remote."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from gittrack.cli.options import current_repository, current_terminal, documented
from gittrack.cli.share_parts import close_dead, count, find_remote, list_names, name_remote, open_access, say_renamed
from gittrack.errors import UsageError
from gittrack.experiments.publishing import ALL, Selection, push

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gittrack.experiments.publishing import Sent
    from gittrack.git.repository import Repository


@documented(
    example="gittrack push\ngittrack push origin brave-otter",
    exit_codes={4: "some experiments could not be reconciled with those of the remote; all others were sent"},
)
@click.argument("remote", required=False)
@click.argument("experiments", nargs=-1, metavar="[EXP]...")
@click.option("--dry-run", is_flag=True, help="Ask the remote what would be sent, and send nothing.")
def command(*, remote: str | None, experiments: tuple[str, ...], dry_run: bool) -> None:
    """Send experiments to a remote.

    Without EXP all of them; without REMOTE the one that git would use. What the remote has already is not sent
    again, and nothing there is overwritten: an experiment that others continued is merged first, and where two
    different ones have one name, the one on the remote keeps it and yours gets a second name.
    """
    repository, terminal = current_repository(), current_terminal()
    remote = find_remote(repository, remote, "push")
    close_dead(repository)
    selection = _select(repository, experiments) if experiments else ALL
    sent = push(repository, remote, selection, dry_run=dry_run, access=open_access(terminal))
    say_renamed(terminal, remote, sent.renamed)
    terminal.echo(_summary(sent, name_remote(repository, remote), dry_run=dry_run))


def _select(repository: Repository, texts: Sequence[str]) -> Selection:
    from gittrack.experiments.resolve import resolve

    named = [resolve(repository, text).experiment for text in texts]
    for experiment in named:
        if experiment.remote is not None:
            raise UsageError(
                f"'{experiment.label}' is an experiment of {experiment.remote}, not one of yours",
                hint=f"run 'gittrack pull {experiment.remote} {experiment.name}' first",
            )
    return Selection(frozenset(named))


def _summary(sent: Sent, place: str, *, dry_run: bool) -> str:
    changed = [*sent.created, *sent.moved]
    if not changed:
        return f"everything up to date: {place} has {count(sent.n_same)}"
    verb = "would push" if dry_run else "pushed"
    details = [list_names(changed)]
    if sent.moved:
        details.append(f"{len(sent.moved)} of them continued")
    if sent.merged:
        details.append(f"{len(sent.merged)} merged with what others did")
    return f"{verb} {count(changed)} to {place}: {'; '.join(details)}"
