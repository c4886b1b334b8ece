"""`gittrack fetch`: bring the experiments of a remote beside the local ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from gittrack.cli.options import current_repository, current_terminal, documented
from gittrack.cli.share_parts import count, find_remote, list_names, name_remote, open_access, settle_arrivals
from gittrack.experiments.sharing import fetch

if TYPE_CHECKING:
    from gittrack.experiments.sharing import Fetched


@documented(example="gittrack fetch\ngittrack fetch origin brave-otter")
@click.argument("remote", required=False)
@click.argument("experiments", nargs=-1, metavar="[EXP]...")
@click.option("--prune", is_flag=True, help="Forget what the remote no longer has; your own experiments stay.")
def command(*, remote: str | None, experiments: tuple[str, ...], prune: bool) -> None:
    """Bring the experiments of a remote beside your own.

    'gittrack exp show' lists them as REMOTE/NAME; your own stay as they are. Without EXP all of them; without
    REMOTE the one that git would use. EXP is a name, or name@baseline.
    """
    repository, terminal = current_repository(), current_terminal()
    remote = find_remote(repository, remote, "fetch")
    fetched = fetch(repository, remote, names=experiments, prune=prune, access=open_access(terminal))
    settle_arrivals(repository)
    terminal.echo(summarise_fetch(fetched, name_remote(repository, remote)))


def summarise_fetch(fetched: Fetched, place: str) -> str:
    """Say in one line what a fetch brought.

    Args:
        fetched: What changed.
        place: The remote, as people know it.
    """
    parts = []
    if fetched.new:
        parts.append(f"{len(fetched.new)} new ({list_names(fetched.new)})")
    if fetched.moved:
        parts.append(f"{len(fetched.moved)} continued ({list_names(fetched.moved)})")
    if fetched.gone:
        parts.append(f"{len(fetched.gone)} no longer there ({list_names(fetched.gone)})")
    if not parts:
        return f"nothing new on {place}"
    return f"fetched {count([*fetched.new, *fetched.moved])} from {place}: {', '.join(parts)}"
