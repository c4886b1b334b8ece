"""`gittrack exp list`: the names of experiments, here or on a remote."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import click

from gittrack.cli.exp.show import close_dead_runs, read_listing, say_problems, write_lines
from gittrack.cli.options import current_repository, current_terminal, documented
from gittrack.errors import GittrackError
from gittrack.git.remotes import strip_credentials
from gittrack.visible import sanitise

if TYPE_CHECKING:
    from gittrack.cli.terminal import Terminal
    from gittrack.experiments.query import Listing
    from gittrack.git.repository import Repository

_SHORT_ID = 7


class _Entry(NamedTuple):
    """One experiment in the list.

    Attributes:
        label: Its name, with the remote where it is from one.
        group: The label of its baseline.
        status: Its status; None when that is not known without fetching.
        facts: What ``--json`` writes.
    """

    label: str
    group: str
    status: str | None
    facts: dict[str, Any]


class UnreachableRemoteError(GittrackError):
    """The remote did not answer."""


@documented(example="gittrack exp list\ngittrack exp list origin")
@click.argument("remote", required=False)
@click.option("--names-only", is_flag=True, help="Print one name a line and nothing else.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON list.")
def command(*, remote: str | None, names_only: bool, as_json: bool) -> int:
    """List the names of experiments, by the commit they start from.

    With REMOTE, a remote's name or URL: those that are there now. It is asked over the network and nothing is
    fetched. Without: all that this repository knows, local and of remotes.
    """
    repository, terminal = current_repository(), current_terminal()
    close_dead_runs(repository)
    listing = read_listing(repository)
    entries = _known(listing) if remote is None else _ask(repository, terminal, remote, listing)
    if remote is None:
        say_problems(terminal, listing.problems)
    if as_json:
        from gittrack.cli.render_data import render_json

        terminal.echo(render_json([entry.facts for entry in entries]))
    elif names_only:
        write_lines(terminal, [sanitise(entry.label) for entry in entries], is_paged=False)
    elif not entries:
        terminal.note(sanitise(f"no experiments on '{strip_credentials(remote)}'") if remote else "no experiments yet")
    else:
        write_lines(terminal, _lines(terminal, entries), is_paged=True)
    return 0


def _known(listing: Listing) -> list[_Entry]:
    labels, statuses = listing.table.find("experiment") or [], listing.table.find("status") or []
    entries: list[_Entry] = []
    group = ""
    for experiment, commit, label, status in zip(listing.refs, listing.commits, labels, statuses, strict=True):
        if experiment is None:
            group = str(label)
            continue
        facts = {
            "experiment": experiment.label,
            "ref": experiment.ref,
            "baseline": experiment.baseline,
            "commit": commit or None,
            "status": status,
        }
        entries.append(_Entry(experiment.label, group, str(status), facts))
    return entries


def _ask(repository: Repository, terminal: Terminal, remote: str, listing: Listing) -> list[_Entry]:
    """Return the experiments of a remote; those that are here already have a status."""
    from gittrack.cli.share_parts import open_access
    from gittrack.experiments.route import find_route
    from gittrack.git.process import GitError
    from gittrack.git.transfer import list_remote_refs

    route = find_route(repository, remote)
    try:
        refs = list_remote_refs(repository, remote, [f"{route.published}/*"], access=open_access(terminal))
    except GitError as error:
        reason = error.message.removeprefix("git ls-remote failed: ")
        raise UnreachableRemoteError(
            f"remote '{strip_credentials(remote)}' does not answer: {reason}",
            hint="check the name with 'git remote -v' and your access with 'git ls-remote'",
        ) from error
    groups = {entry.facts["baseline"]: entry.group for entry in _known(listing)}
    statuses = {entry.facts["commit"]: entry.status for entry in _known(listing)}
    entries = []
    for ref, commit in refs.items():
        experiment = route.parse_published(ref)
        if experiment is None:
            continue
        baseline = experiment.baseline
        facts = {
            "experiment": experiment.name,
            "ref": ref,
            "baseline": baseline,
            "commit": commit,
            "status": statuses.get(commit),
            "here": commit in statuses,
        }
        status = statuses.get(commit) if commit in statuses else "not fetched"
        entries.append(_Entry(experiment.name, groups.get(baseline, baseline[:_SHORT_ID]), status, facts))
    return sorted(entries, key=_group_and_name)


def _group_and_name(entry: _Entry) -> tuple[str, str]:
    return entry.group, entry.label


def _lines(terminal: Terminal, entries: list[_Entry]) -> list[str]:
    lines: list[str] = []
    width = max(len(entry.label) for entry in entries)
    group = None
    for entry in entries:
        if entry.group != group:
            group = entry.group
            lines.append(terminal.style(sanitise(group), "bold"))
        status = "" if entry.status in {None, "completed"} else terminal.style(str(entry.status), "dim")
        lines.append(f"  {sanitise(entry.label):<{width}}  {status}".rstrip())
    return lines
