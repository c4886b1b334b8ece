"""`gittrack exp remove`: move experiments to the trash, take them out again, or remove them on a remote."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from gittrack.cli.options import current_repository, current_terminal, documented
from gittrack.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gittrack.experiments.store import Tip
    from gittrack.git.repository import Repository

_N_SHOWN = 5


@documented(
    example="gittrack exp remove brave-fox calm-owl\n"
    "gittrack exp remove --restore brave-fox\n"
    "gittrack exp remove --rev v1.2 --keep best-one --yes",
)
@click.option("--rev", "revisions", metavar="REV", multiple=True, help="Remove all that start from this commit.")
@click.option("--all", "everything", is_flag=True, help="Remove all local experiments.")
@click.option("--keep", "spared", metavar="NAME", multiple=True, help="Spare this one; may be repeated.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask whether --rev or --all is meant.")
@click.option("--restore", is_flag=True, help="Take the experiments NAME... out of the trash again.")
@click.option("--remote", metavar="REMOTE", help="Remove on this remote, for everybody; local ones stay.")
@click.argument("names", metavar="[NAME]...", nargs=-1)
def command(
    *,
    names: Sequence[str],
    revisions: Sequence[str],
    everything: bool,
    spared: Sequence[str],
    yes: bool,
    restore: bool,
    remote: str | None,
) -> None:
    """Remove experiments; 'gittrack gc' makes it final.

    A removed experiment goes to the trash and can be taken out with --restore for at least 14 days. One that is
    running is refused. With --remote your own experiments stay, and one that you do not have is kept in your trash.
    """
    _check_combination(names, revisions, everything=everything, spared=spared, restore=restore, remote=remote)
    repository = current_repository()
    if restore:
        _restore(repository, names)
    elif remote is not None:
        _remove_remote(repository, remote, names)
    else:
        _remove(
            repository, _select(repository, names, revisions, spared, everything=everything), is_sure=bool(names) or yes
        )


def _check_combination(
    names: Sequence[str],
    revisions: Sequence[str],
    *,
    everything: bool,
    spared: Sequence[str],
    restore: bool,
    remote: str | None,
) -> None:
    if sum((bool(names), bool(revisions), everything)) != 1:
        raise UsageError("name the experiments to remove, or give --rev or --all", hint="run 'gittrack exp list'")
    if spared and names:
        raise UsageError("--keep goes with --rev or --all")
    if (restore or remote is not None) and not names:
        raise UsageError("--restore and --remote need the names of experiments")
    if restore and remote is not None:
        raise UsageError("--restore takes experiments out of the local trash; there is none on a remote")


def _select(
    repository: Repository, names: Sequence[str], revisions: Sequence[str], spared: Sequence[str], *, everything: bool
) -> list[Tip]:
    from gittrack.experiments.local import resolve_local
    from gittrack.experiments.selection import select_baselines
    from gittrack.experiments.store import list_tips
    from gittrack.runs.recovery import close_dead_runs

    close_dead_runs(repository)
    if names:
        return list(dict.fromkeys(resolve_local(repository, name) for name in names))
    wanted = None if everything else select_baselines(repository, revisions, None)
    kept = {resolve_local(repository, name) for name in spared}
    tips = [tip for tip in sorted(list_tips(repository)) if wanted is None or tip.experiment.baseline in wanted]
    return [tip for tip in tips if tip not in kept]


def _remove(repository: Repository, tips: Sequence[Tip], *, is_sure: bool) -> None:
    from gittrack.experiments.store import trash_experiments
    from gittrack.runs.pending import require_ended

    terminal = current_terminal()
    if not tips:
        terminal.note("nothing to remove")
        return
    require_ended(repository, [tip.experiment for tip in tips])
    if not is_sure:
        _ask(tips)
    trash_experiments(repository, tips)
    terminal.echo(f"removed {_listed([tip.experiment.name for tip in tips])}")
    written = " ".join(_written(tip) for tip in tips) if len(tips) <= _N_SHOWN else "NAME..."
    terminal.note(f"to take back: gittrack exp remove --restore {written}")


def _ask(tips: Sequence[Tip]) -> None:
    question = f"Remove {_listed([tip.experiment.name for tip in tips])}?"
    if not sys.stdin.isatty():
        raise UsageError(f"this would remove {len(tips)} experiments", hint="add --yes to say that you mean it")
    click.confirm(question, abort=True, err=True)


def _restore(repository: Repository, names: Sequence[str]) -> None:
    from gittrack.errors import GittrackError
    from gittrack.experiments.trash import find_trashed, restore_experiments
    from gittrack.git.refs import RefExistsError

    trashed = find_trashed(repository, names)
    try:
        restore_experiments(repository, trashed)
    except RefExistsError as error:
        raise GittrackError(
            "there is an experiment of that name again, so nothing was taken out of the trash",
            hint="rename the present one first: gittrack exp rename NAME NEW",
        ) from error
    current_terminal().echo(f"restored {_listed([one.tip.experiment.name for one in trashed])}")


def _remove_remote(repository: Repository, remote: str, names: Sequence[str]) -> None:
    from gittrack.cli.share_parts import find_remote, name_remote, open_access
    from gittrack.experiments.local import resolve_on_remote
    from gittrack.experiments.names import ExperimentRef
    from gittrack.experiments.publishing import remove_remote
    from gittrack.experiments.store import Tip, copy_to_trash, read_tip

    terminal = current_terminal()
    remote = find_remote(repository, remote, "exp remove --remote")
    seen = [resolve_on_remote(repository, remote, name) for name in names]
    tips = list(dict.fromkeys(Tip(ExperimentRef(*tip.experiment[:2]), tip.commit) for tip in seen))
    # Whoever removes the last copy by mistake shall find it in the trash.
    copy_to_trash(repository, [tip for tip in tips if read_tip(repository, tip.experiment) != tip.commit])
    gone = remove_remote(repository, remote, [tip.experiment for tip in tips], access=open_access(terminal))
    if gone:
        terminal.echo(f"removed {_listed([one.name for one in gone])} on {name_remote(repository, remote)}")
    absent = [tip.experiment.name for tip in tips if tip.experiment not in gone]
    if absent:
        terminal.note(f"not on {remote} any more: {', '.join(absent)}")


def _written(tip: Tip) -> str:
    return f"{tip.experiment.name}@{tip.experiment.baseline[:8]}"


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _N_SHOWN} more" if len(names) > _N_SHOWN else ""
    return (
        f"{len(names)} experiments: {', '.join(names[:_N_SHOWN])}{more}" if len(names) > 1 else f"experiment {names[0]}"
    )
