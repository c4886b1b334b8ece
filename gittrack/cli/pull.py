"""`gittrack pull`: fetch experiments and take them up."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from gittrack.cli.options import current_repository, current_terminal, documented
from gittrack.cli.share_parts import (
    close_dead,
    count,
    find_remote,
    list_names,
    name_remote,
    open_access,
    say_refused,
    say_renamed,
    settle_arrivals,
)
from gittrack.experiments.sharing import pull

if TYPE_CHECKING:
    from gittrack.experiments.adoption import Adoption


@documented(example="gittrack pull\ngittrack pull origin brave-otter")
@click.argument("remote", required=False)
@click.argument("experiments", nargs=-1, metavar="[EXP]...")
def command(*, remote: str | None, experiments: tuple[str, ...]) -> None:
    """Fetch experiments and merge those that others continued.

    Without EXP all of them; without REMOTE the one that git would use. EXP is a name, or name@baseline. Nothing of
    yours is overwritten: what both sides continued is merged key by key, and where two different experiments have
    one name, the one on the remote keeps it and yours gets a second name. What is damaged stays on the remote.
    """
    repository, terminal = current_repository(), current_terminal()
    remote = find_remote(repository, remote, "pull")
    close_dead(repository)
    _, adopted = pull(repository, remote, names=experiments, access=open_access(terminal))
    settle_arrivals(repository)
    say_refused(terminal, adopted.refused)
    say_renamed(terminal, remote, adopted.renamed)
    terminal.echo(_summary(adopted, name_remote(repository, remote)))


def _summary(adopted: Adoption, place: str) -> str:
    renamed = [entry.experiment for entry in adopted.renamed]
    groups = {
        "new": [*adopted.created, *renamed],
        "continued": adopted.advanced,
        "merged": adopted.merged,
    }
    parts = [f"{len(names)} {word} ({list_names(names)})" for word, names in groups.items() if names]
    if not parts:
        return f"everything up to date with {place}"
    return f"pulled {count(sum(map(len, groups.values())))} from {place}: {', '.join(parts)}"
