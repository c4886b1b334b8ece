"""`gittrack pull`: fetch experiments and take them up."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import click

from gittrack.cli.options import current_repository, current_terminal, documented
from gittrack.cli.share_parts import (
    close_dead,
    count,
    find_remote,
    jobs_option,
    list_names,
    name_remote,
    open_access,
    say_refused,
    say_renamed,
    settle_arrivals,
)
from gittrack.errors import GittrackError
from gittrack.experiments.sharing import pull

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gittrack.cli.terminal import Terminal
    from gittrack.experiments.adoption import Adoption
    from gittrack.git.repository import Repository
    from gittrack.git.transfer import Access


@documented(
    example="gittrack pull\ngittrack pull origin brave-otter",
    exit_codes={1: "an error that is explained on stderr; or artifacts that are missing, each named"},
)
@click.argument("remote", required=False)
@click.argument("experiments", nargs=-1, metavar="[EXP]...")
@click.option("--no-artifacts", is_flag=True, help="Fetch experiments alone.")
@jobs_option
def command(*, remote: str | None, experiments: tuple[str, ...], no_artifacts: bool, n_jobs: int) -> int:
    """Fetch experiments with their artifacts, and merge those that others continued.

    Without EXP all of them; without REMOTE the one that git would use. EXP is a name, or name@baseline. Nothing of
    yours is overwritten: what both sides continued is merged key by key, and where two different experiments have
    one name, the one on the remote keeps it and yours gets a second name. What is damaged stays on the remote.

    Artifacts come from the storage that is set up (the remote itself unless something else is): those of the work tree,
    which are restored as 'gittrack checkout' does it, and those of the experiments that arrive or are named. Large
    plots come along.
    """
    repository, terminal = current_repository(), current_terminal()
    remote = find_remote(repository, remote, "pull")
    close_dead(repository)
    access = open_access(terminal)
    load = None if no_artifacts else _load_artifacts
    _, adopted = pull(repository, remote, names=experiments, access=access, meanwhile=load)
    settle_arrivals(repository)
    say_refused(terminal, adopted.refused)
    say_renamed(terminal, remote, adopted.renamed)
    terminal.echo(_summary(adopted, name_remote(repository, remote)))
    if no_artifacts:
        return 0
    return int(_pull_artifacts(repository, remote, adopted, terminal, access, n_jobs, names=experiments))


def _load_artifacts() -> None:
    import gittrack.workspace.parcels  # noqa: F401  that is the purpose


def _pull_artifacts(
    repository: Repository,
    remote: str,
    adopted: Adoption,
    terminal: Terminal,
    access: Access,
    n_jobs: int,
    *,
    names: Sequence[str],
) -> bool:
    """Fetch the artifacts of the work tree and of what arrived, restore the former, and say whether any are missing.

    Those of an experiment that is named are fetched also when it is here already: its artifacts may not be.
    """
    from gittrack.experiments.store import list_tips
    from gittrack.workspace.parcels import make_parcels, parcels_of_commits
    from gittrack.workspace.pointers import list_workspace_pointers

    arrived = {*adopted.created, *adopted.advanced, *adopted.merged}
    commits = [tip.commit for tip in list_tips(repository) if tip.experiment in arrived] if arrived else []
    commits += _commits_of(repository, names)
    is_all = not names
    tracked = list_workspace_pointers(repository).tracked if repository.work_tree and is_all else []
    parcels = list(dict.fromkeys(make_parcels(tracked) + parcels_of_commits(repository, commits)))
    if not parcels:
        return False
    # Loaded here, because most pulls come no further.
    from gittrack.cli.artifact_parts import count_artifacts, list_some, say_not_restored
    from gittrack.cli.artifact_transfer import fetched_line, pull_artifacts, say_lacking
    from gittrack.cli.byte_progress import byte_progress
    from gittrack.workspace.checkout import checkout
    from gittrack.workspace.workspace import Workspace

    with Workspace.open(repository) as workspace:
        fetched = pull_artifacts(workspace, remote, parcels, terminal, access, n_jobs=n_jobs)
        say_lacking(terminal, fetched.lacking)
        terminal.echo(fetched_line(fetched))
        # Of experiments that nobody named, what others never shared is said and no failure.
        wanted = {one.pointer.digest for one in tracked}
        is_lacking = any(not is_all or entry.parcel.digest in wanted for entry in fetched.lacking)
        if not tracked:
            return is_lacking
        with byte_progress(terminal, "restoring") as progress:
            result = checkout(workspace, tracked, on_bytes=progress.on_bytes)
    if result.restored:
        terminal.echo(f"restored {count_artifacts(len(result.restored))}: {list_some(result.restored)}")
    return say_not_restored(terminal, result._replace(absent=[])) or is_lacking


def _commits_of(repository: Repository, names: Sequence[str]) -> list[str]:
    """Return the commits of experiments that are here; one that is not, or not the only one of its name, has none."""
    if not names:
        return []
    from gittrack.experiments.resolve import resolve

    commits = []
    for name in names:
        with suppress(GittrackError):
            commits.append(resolve(repository, name).commit)
    return commits


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
