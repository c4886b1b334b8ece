"""`gittrack live status`: where runs are posted, and what is still to be."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from gittrack.cli.artifact_table import Field, write_fields
from gittrack.cli.byte_progress import render_size
from gittrack.cli.options import current_repository, current_terminal, documented, format_options
from gittrack.live.spool import list_spools
from gittrack.live.target import NoTargetError, Wishes, find_target, without_userinfo
from gittrack.visible import sanitise

if TYPE_CHECKING:
    from gittrack.cli.terminal import Terminal
    from gittrack.live.spool import Spool


class _Row(NamedTuple):
    """One run that is not posted in full.

    Attributes:
        experiment: Its name.
        state: What is being done about it.
        unsent_bytes: How much is still to be posted.
        url: The receiver it is for.
        problem: Why it is not posted.
    """

    experiment: str
    state: str
    unsent_bytes: int
    url: str | None
    problem: str | None


@documented(example="gittrack live status\ngittrack live status --json")
@format_options
def command(*, output_format: str | None) -> None:
    """Show where runs are posted, and which are not posted in full.

    A run is 'posting' while its own process does it, 'waiting' when that is gone and the next run or 'gittrack live
    flush' posts the rest, and 'refused' when the receiver did not take it, so that somebody has to look. The network is
    not used.
    """
    terminal, repository = current_terminal(), current_repository()
    rows = [_describe(spool) for spool in list_spools(repository)]
    is_set_up = _say_receiver(terminal)
    if output_format is None and not rows:
        if is_set_up:
            terminal.note("everything is posted")
        return
    fields = [
        Field("experiment", [row.experiment for row in rows], [row.experiment for row in rows]),
        Field("state", [row.state for row in rows], [row.state for row in rows]),
        Field(
            "unsent",
            [row.unsent_bytes for row in rows],
            [render_size(row.unsent_bytes) for row in rows],
            is_number=True,
        ),
        Field("receiver", [row.url for row in rows], [row.url or "" for row in rows]),
        Field("problem", [row.problem for row in rows], [row.problem or "" for row in rows]),
    ]
    write_fields(terminal, fields, output_format)


def _describe(spool: Spool) -> _Row:
    run, position = spool.read_run(), spool.read_position()
    state = "posting" if spool.is_posting() else "refused" if position.is_refused else "waiting"
    name, url = (run.name, run.url) if run is not None else (spool.run_id, None)
    return _Row(name, state, spool.unsent_bytes(), url, position.problem)


def _say_receiver(terminal: Terminal) -> bool:
    """Say where runs are posted, and return whether they are."""
    from gittrack.api_live import current_surroundings

    try:
        target = find_target(Wishes(), current_surroundings())
    except NoTargetError as error:
        terminal.note(sanitise(f"runs are not posted: {error.message}"))
        if error.hint:
            terminal.note(sanitise(f"hint: {error.hint}"))
        return False
    terminal.note(sanitise(f"runs are posted to {without_userinfo(target.url)}, as those of {target.repo_url}"))
    return True
