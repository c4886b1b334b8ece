"""`gittrack init`: hooks, sharing by plain git, and gittrack's own folder, in one repository."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from gittrack.cli.options import current_repository, current_terminal, documented
from gittrack.cli.program import find_program
from gittrack.experiments.arrivals import Announced, fetch_state, read_announced, remote_experiments, write_announced
from gittrack.git.hooks import HOOK_NAMES, find_place, git_version, inspect_hooks, install_hooks
from gittrack.git.refs import list_refs
from gittrack.git.remotes import default_remote, require_remote
from gittrack.git.state import read_head
from gittrack.git.tracking import add_tracking, can_track, hide_decorations, is_tracked
from gittrack.visible import sanitise

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gittrack.git.hooks import HookState
    from gittrack.git.repository import Repository


@documented(example="gittrack init\ngit pull   # brings the experiments of others from now on")
@click.option("--no-hooks", is_flag=True, help="Install no git hooks; everything works without them too.")
@click.option("--remote", metavar="NAME", help="Share with this remote instead of the one that git would use.")
def command(*, no_hooks: bool, remote: str | None) -> None:
    """Set up hooks and sharing in this repository.

    Adds a refspec so that plain 'git fetch' and 'git pull' bring experiments, and installs hooks beside those
    that are there. Only files in the git directory change, no file of the project. It may be repeated at any
    time; 'gittrack uninit' takes it all back.
    """
    repository = current_repository()
    terminal = current_terminal()
    for line in set_up(repository, find_program(repository.environ), remote=remote, hooks=not no_hooks):
        terminal.echo(sanitise(line))


def set_up(repository: Repository, program: str, *, remote: str | None, hooks: bool) -> Iterator[str]:
    """Set up a repository, and yield one line for each thing that was done or was there already.

    Args:
        repository: The repository.
        program: The path of gittrack, for the hooks.
        remote: The remote to share with; by default the one that git would use.
        hooks: Whether to install hooks.

    Raises:
        NoRemoteError: There is no remote of that name.
        HookInstallError: A hook cannot be written.
    """
    version = git_version(repository)
    yield _set_up_remote(repository, remote)
    if hide_decorations(repository, version):
        yield "git log: experiments are left out of its decorations"
    yield _set_up_folder(repository)
    if not hooks:
        yield "hooks: none asked for"
    elif repository.work_tree is None:
        yield "hooks: none, as a bare repository has no commits of its own"
    else:
        yield from _set_up_hooks(repository, program, version)


def _set_up_remote(repository: Repository, asked: str | None) -> str:
    head = read_head(repository)
    remote = require_remote(repository, head, asked) if asked else default_remote(repository, head)
    if remote is None:
        return "remote: none yet; after 'git remote add', run 'gittrack init' again"
    if is_tracked(repository, remote):
        return f"remote {remote}: 'git fetch' and 'git pull' bring experiments already"
    if not can_track(repository, remote):
        return f"remote {remote}: its fetch settings are unusual and stay as they are; use 'gittrack fetch'"
    add_tracking(repository, remote)
    return f"remote {remote}: 'git fetch' and 'git pull' bring experiments from now on"


def _set_up_folder(repository: Repository) -> str:
    """Make gittrack's folder, and take what is there now as known to the user."""
    state_dir = str(repository.state_dir)
    if read_announced(state_dir) is not None:
        return f"folder {state_dir}: is there already"
    present = remote_experiments(list_refs(repository, "refs/gittrack/remotes"))
    write_announced(state_dir, Announced(fetch_state(str(repository.git_dir)), present))
    return f"folder {state_dir}: made"


def _set_up_hooks(repository: Repository, program: str, version: tuple[int, int]) -> Iterator[str]:
    place = find_place(repository, version)
    before = set(inspect_hooks(repository, program, place))
    states = install_hooks(repository, program, place)
    installed = [state for state in states if state.status == "current"]
    groups = []
    for is_setting, where in ((True, "the repository's git settings"), (False, str(place.folder))):
        names = [state.name for state in installed if place.is_setting(state.name) == is_setting]
        groups += [f"{', '.join(names)} {{}} {where}"] if names else []
    if groups:
        verb = "already in" if before.issuperset(installed) else "installed in"
        yield "hooks: " + "; ".join(groups).replace("{}", verb)
    if program == "gittrack" and installed:
        yield "hooks: gittrack will be searched on PATH, as its own path is not known"
    yield from render_exceptions(states)


def render_exceptions(states: list[HookState]) -> Iterator[str]:
    """Yield one line for each hook that gittrack did not install, or that may not stay.

    Args:
        states: The hooks, in the order of `HOOK_NAMES`.
    """
    for state in sorted(states, key=lambda state: HOOK_NAMES.index(state.name)):
        if state.status == "manual":
            yield f"hook {state.name}: called from {state.where}, which stays as it is"
        elif state.status == "blocked":
            yield f"hook {state.name}: not installed; {state.advice}"
        elif state.advice:
            yield f"hook {state.name}: {state.advice}"
