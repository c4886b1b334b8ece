"""`gittrack push`: send experiments and their artifacts to a remote."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from gittrack.cli.hook_pre_push import has_artifacts
from gittrack.cli.options import current_repository, current_terminal, documented
from gittrack.cli.share_parts import (
    close_dead,
    count,
    find_remote,
    jobs_option,
    list_names,
    name_remote,
    open_access,
    say_renamed,
)
from gittrack.errors import UsageError
from gittrack.experiments.publishing import ALL, Selection, push

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gittrack.cli.terminal import Terminal
    from gittrack.experiments.publishing import Sent as SentExperiments
    from gittrack.git.repository import Repository
    from gittrack.git.transfer import Access
    from gittrack.workspace.sharing import Sent


@documented(
    example="gittrack push\ngittrack push origin brave-otter",
    exit_codes={
        1: "an error that is explained on stderr; or artifacts that are neither here nor shared, each named",
        4: "some experiments could not be reconciled with those of the remote; all others were sent",
    },
)
@click.argument("remote", required=False)
@click.argument("experiments", nargs=-1, metavar="[EXP]...")
@click.option("--dry-run", is_flag=True, help="Ask the remote what would be sent, and send nothing.")
@click.option("--no-artifacts", is_flag=True, help="Send experiments alone.")
@jobs_option
def command(*, remote: str | None, experiments: tuple[str, ...], dry_run: bool, no_artifacts: bool, n_jobs: int) -> int:
    """Send experiments and their artifacts to a remote.

    Without EXP all of them, and the artifacts of HEAD; without REMOTE the one that git would use. What the remote has
    already is not sent again, and nothing there is overwritten: an experiment that others continued is merged first,
    and where two different ones have one name, the one on the remote keeps it and yours gets a second name.

    Artifacts are sent first, to the storage that is set up (the remote itself unless something else is), so that no
    experiment arrives without them.
    """
    repository, terminal = current_repository(), current_terminal()
    remote = find_remote(repository, remote, "push")
    close_dead(repository)
    selection = _select(repository, experiments) if experiments else ALL
    access = open_access(terminal)
    artifacts = None
    if not no_artifacts and has_artifacts(str(repository.state_dir)):
        artifacts = _push_artifacts(repository, remote, selection, terminal, access, n_jobs=n_jobs, dry_run=dry_run)
    sent = push(repository, remote, selection, dry_run=dry_run, access=access)
    say_renamed(terminal, remote, sent.renamed)
    terminal.echo(_summary(sent, name_remote(repository, remote), dry_run=dry_run))
    return int(artifacts is not None and bool(artifacts.lacking))


def _push_artifacts(
    repository: Repository,
    remote: str,
    selection: Selection,
    terminal: Terminal,
    access: Access,
    *,
    n_jobs: int,
    dry_run: bool,
) -> Sent | None:
    """Send the artifacts of the selected experiments, and of HEAD where none were named."""
    from gittrack.experiments.store import list_tips
    from gittrack.git.state import read_head
    from gittrack.workspace.parcels import parcels_to_push

    commits = [tip.commit for tip in list_tips(repository) if selection.holds(tip.experiment)]
    if selection is ALL and (head := read_head(repository).sha):
        commits.append(head)
    parcels = parcels_to_push(repository, remote, commits)
    if not parcels:
        return None
    # Loaded here, because most pushes come no further.
    from gittrack.cli.artifact_transfer import push_artifacts, say_lacking, sent_line
    from gittrack.workspace.workspace import Workspace

    with Workspace.open(repository) as workspace:
        sent = push_artifacts(workspace, remote, parcels, terminal, access, n_jobs=n_jobs, dry_run=dry_run)
    say_lacking(terminal, sent.lacking)
    terminal.echo(sent_line(sent, dry_run=dry_run))
    return sent


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


def _summary(sent: SentExperiments, place: str, *, dry_run: bool) -> str:
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
