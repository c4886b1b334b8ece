"""What `push`, `pull` and `fetch` have in common: the remote, git's progress, and how results are said."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import click

from gittrack.git.remotes import NoRemoteError, default_remote, is_address, list_remotes, remote_url, require_remote
from gittrack.git.state import read_head
from gittrack.git.transfer import Access
from gittrack.visible import sanitise

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gittrack.cli.terminal import Terminal
    from gittrack.experiments.adoption import Refused, Renamed
    from gittrack.experiments.names import ExperimentRef
    from gittrack.git.repository import Repository

_N_NAMES_SHOWN = 5
_N_JOBS = 4

jobs_option = click.option(
    "-j", "--jobs", "n_jobs", type=click.IntRange(1, 64), default=_N_JOBS, show_default=True, metavar="N",
    help="How many objects travel at once, where the storage allows it.",
)  # fmt: skip


def find_remote(repository: Repository, asked: str | None, verb: str) -> str:
    """Return the remote to use.

    Args:
        repository: The repository.
        asked: What the person wrote; None for the remote that git would use.
        verb: The command, for the way out when that is an experiment's name.

    Raises:
        NoRemoteError: There is none, or none of that name.
    """
    try:
        head = read_head(repository)
        return require_remote(repository, head, asked)
    except NoRemoteError as error:
        remotes = list_remotes(repository)
        if asked is None or not remotes or is_address(asked):
            raise
        from difflib import get_close_matches

        hint = (
            f"the remote comes first, as in 'gittrack {verb} {default_remote(repository, head) or remotes[0]} {asked}'"
        )
        if near := get_close_matches(asked, remotes, n=1):
            hint = f"did you mean '{near[0]}'?"
        raise NoRemoteError(error.message, hint=hint) from error


def open_access(terminal: Terminal) -> Access:
    """Return how git may talk to the person: prompts where somebody types, progress where somebody reads.

    Args:
        terminal: The terminal of the command.
    """

    def show(piece: str) -> None:
        end = piece[-1] if piece.endswith(("\r", "\n")) else ""
        terminal.stderr.write(sanitise(piece.rstrip("\r\n")) + end)
        terminal.stderr.flush()

    return Access(may_prompt=sys.stdin.isatty(), on_progress=show if terminal.stderr.isatty() else None)


def name_remote(repository: Repository, remote: str) -> str:
    """Return a remote's name with its address, without credentials, such as ``origin (example.org:team/p.git)``.

    Args:
        repository: The repository.
        remote: The remote's name.
    """
    url = remote_url(repository, remote)
    return sanitise(f"{remote} ({url})" if url else remote)


def count(experiments: Sequence[object] | int) -> str:
    """Return a number of experiments in words.

    Example:
        >>> count(1), count([1, 2])
        ('1 experiment', '2 experiments')
    """
    number = experiments if isinstance(experiments, int) else len(experiments)
    return f"{number} experiment{'' if number == 1 else 's'}"


def list_names(experiments: Sequence[ExperimentRef]) -> str:
    """Return the first few names of experiments.

    Example:
        >>> from gittrack.experiments.names import ExperimentRef
        >>> list_names([ExperimentRef("a" * 40, name) for name in "xyz"])
        'x, y, z'
    """
    names = sorted(experiment.name for experiment in experiments)[:_N_NAMES_SHOWN]
    return ", ".join(names) + (", …" if len(experiments) > _N_NAMES_SHOWN else "")


def say_renamed(terminal: Terminal, remote: str, renamed: Sequence[Renamed]) -> None:
    """Say which local experiments have a second name now.

    Args:
        terminal: The terminal of the command.
        remote: The remote's name.
        renamed: Those experiments.
    """
    for entry in renamed:
        name, kept = entry.experiment.name, entry.kept.name
        terminal.note(sanitise(f"'{name}' is another experiment on {remote} ({entry.reason}); yours is '{kept}' now"))


def say_refused(terminal: Terminal, refused: Sequence[Refused]) -> None:
    """Say what was left on the remote.

    Args:
        terminal: The terminal of the command.
        refused: What was left, and why.
    """
    for entry in refused:
        terminal.note(sanitise(f"warning: left '{entry.name}' where it is: {entry.reason}"))


def settle_arrivals(repository: Repository) -> None:
    """Take what was fetched as told, so that no hook announces it again.

    Args:
        repository: The repository.
    """
    from gittrack.experiments.arrivals import (
        Announced,
        fetch_state,
        read_announced,
        remote_experiments,
        write_announced,
    )
    from gittrack.git.refs import list_refs

    state_dir = str(repository.state_dir)
    if read_announced(state_dir) is None or not os.access(state_dir, os.W_OK):
        return  # not set up by `gittrack init`
    present = remote_experiments(list_refs(repository, "refs/gittrack/remotes"))
    write_announced(state_dir, Announced(fetch_state(str(repository.git_dir)), present))


def close_dead(repository: Repository) -> None:
    """Record runs whose process died, so that they are shared as what they are.

    Args:
        repository: The repository.
    """
    try:
        has_runs = any((repository.state_dir / "runs").iterdir())
    except FileNotFoundError:
        return
    if has_runs and os.access(repository.common_dir, os.W_OK):
        from gittrack.runs.recovery import close_dead_runs

        close_dead_runs(repository)
