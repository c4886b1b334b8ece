"""`gittrack live flush`: post what was left."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from gittrack.cli.options import current_repository, current_terminal, documented
from gittrack.live.spool import list_spools
from gittrack.live.target import Wishes, find_target
from gittrack.visible import sanitise

if TYPE_CHECKING:
    from gittrack.cli.terminal import Terminal
    from gittrack.git.repository import Repository


@documented(
    example="gittrack live flush\ngittrack live flush brave-fox --any-receiver",
    exit_codes={1: "something is not posted, or an error is explained on stderr"},
)
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option("--any-receiver", "any_url", is_flag=True, help="Post also what was meant for another receiver.")
@click.option("--discard", is_flag=True, help="Forget it instead: it is never posted. The experiments stay.")
def command(*, names: tuple[str, ...], any_url: bool, discard: bool) -> int:
    """Post what killed processes, or a receiver that was not there, left.

    With NAME, only of experiments of these names. What a living process posts itself is left to it.
    """
    from gittrack.runs.recovery import close_dead_runs

    terminal, place = current_terminal(), _find_place()
    if not isinstance(place, Path):
        close_dead_runs(place)
    if discard:
        return _discard(place, terminal, frozenset(names))
    if not list_spools(place):
        terminal.note("everything is posted")
        return 0
    from gittrack.api_live import current_surroundings
    from gittrack.live.channel import open_channel
    from gittrack.live.leftovers import flush_spools

    target = find_target(Wishes(), current_surroundings())
    channel = open_channel(target)
    try:
        flushed = flush_spools(place, target, channel, names=frozenset(names), any_url=any_url)
    finally:
        channel.close()
    for one in flushed:
        outcome = (
            f"posted {one.name}" if one.problem is None else f"not posted: {one.name or one.run_id}: {one.problem}"
        )
        terminal.echo(sanitise(outcome))
    if not any_url and any(one.problem and one.problem.startswith("it was meant for") for one in flushed):
        terminal.note("hint: 'gittrack live flush --any-receiver' posts it here")
    return int(any(one.problem is not None for one in flushed))


def _find_place() -> Repository | Path:
    """Return the repository; outside of one, the folder of the runs that are kept beside the script."""
    from gittrack.git.repository import NotARepositoryError
    from gittrack.runs.folder import OUTSIDE_RUNS

    try:
        return current_repository()
    except NotARepositoryError:
        if (outside := Path(OUTSIDE_RUNS)).is_dir():
            return outside
        raise


def _discard(place: Repository | Path, terminal: Terminal, names: frozenset[str]) -> int:
    for spool in list_spools(place):
        run = spool.read_run()
        name = run.name if run is not None else spool.run_id
        if (not names or name in names) and not spool.is_posting():
            spool.remove()
            terminal.echo(sanitise(f"discarded what was not posted of {name}"))
    return 0
