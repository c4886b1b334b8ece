"""`gittrack exp apply`: bring the files of an experiment into the workspace."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from gittrack.artifacts.pointer import SUFFIX
from gittrack.cli.options import current_repository, current_terminal, documented
from gittrack.cli.recording import current_context
from gittrack.visible import sanitise

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gittrack.cli.terminal import Terminal
    from gittrack.git.repository import Repository
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
    changed. Artifacts whose pointers change are restored where the cache has them.

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
    pointers = [path for path, change in applied.changes.items() if path.endswith(SUFFIX) and change.status != "D"]
    if pointers:
        _restore_artifacts(terminal, repository, pointers)


def _restore_artifacts(terminal: Terminal, repository: Repository, pointers: list[str]) -> None:
    """Restore the artifacts whose pointers changed, as far as the cache has them and nothing is lost."""
    from gittrack.cli.artifact_parts import count_artifacts, list_some, say_not_restored
    from gittrack.cli.byte_progress import byte_progress
    from gittrack.workspace.checkout import checkout_pointers
    from gittrack.workspace.workspace import Workspace

    with Workspace.open(repository) as workspace, byte_progress(terminal, "restoring") as progress:
        result = checkout_pointers(workspace, pointers, on_bytes=progress.on_bytes)
    if result.restored:
        terminal.echo(f"restored {count_artifacts(len(result.restored))}: {list_some(result.restored)}")
    if say_not_restored(terminal, result):
        terminal.note("hint: 'gittrack checkout' tries again")


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
