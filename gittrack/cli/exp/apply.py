"""`gittrack exp apply`: bring the files of an experiment into the workspace."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from gittrack.cli.options import current_repository, current_terminal, documented
from gittrack.cli.recording import current_context
from gittrack.cli.text import sanitise

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gittrack.runs.apply import Applied

_VERBS = {"A": "added", "D": "removed"}


@documented(
    example="gittrack exp apply brave-fox\ngittrack exp apply --dry-run brave-fox@main",
    exit_codes={1: "an error that is explained on stderr; the files are as they were"},
)
@click.option("-n", "--dry-run", is_flag=True, help="Only say which files would change.")
@click.option(
    "-f", "--force", is_flag=True, help="Also change files with uncommitted changes; these are recorded first."
)
@click.argument("name")
def command(*, name: str, dry_run: bool, force: bool) -> None:
    """Bring the files of an experiment into the workspace.

    Every tracked file becomes what it was in the experiment; files that it did not have are removed, and files that git
    does not track stay. HEAD, the index and all branches stay as they are, so 'git diff' shows what the experiment
    changed.

    Nothing is lost. A workspace with uncommitted changes is recorded as an experiment first, and the command says how
    to get back to it. Files that hold something which is in no commit and no experiment yet are changed with --force
    only.
    """
    from gittrack.experiments.resolve import resolve
    from gittrack.runs.apply import apply_experiment
    from gittrack.runs.recovery import close_dead_runs

    repository = current_repository()
    repository.require_work_tree()
    close_dead_runs(repository)
    tip = resolve(repository, name)
    applied = apply_experiment(repository, current_context(), tip, force=force, dry_run=dry_run)
    terminal = current_terminal()
    if dry_run:
        for path, change in applied.changes.items():
            terminal.echo(f"{change.status}  {sanitise(path)}")
        return
    for line in _lines(tip.experiment.label, applied):
        terminal.echo(line)


def _lines(label: str, applied: Applied) -> Iterator[str]:
    if applied.saved is not None:
        saved = f"{applied.saved.name}@{applied.saved.baseline[:8]}"
        what = "recorded the workspace as" if applied.is_new else "the workspace was recorded as"
        yield f"{what} {applied.saved.name}; to go back: gittrack exp apply {saved}"
    if not applied.changes:
        yield f"the workspace is as in {label} already"
    else:
        verbs = [_VERBS.get(change.status, "changed") for change in applied.changes.values()]
        counts = [f"{verbs.count(verb)} {verb}" for verb in ("changed", "added", "removed") if verb in verbs]
        yield f"applied {label}: {', '.join(counts)}"
    if applied.submodules:
        yield f"submodules are left as they are: {', '.join(map(sanitise, applied.submodules))}"
