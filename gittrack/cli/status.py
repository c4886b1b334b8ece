"""`gittrack status`: where this repository stands, on one screen."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import click

from gittrack.cli.artifact_parts import list_some
from gittrack.cli.options import current_repository, current_terminal, documented
from gittrack.cli.program import find_program
from gittrack.errors import GittrackError
from gittrack.experiments.names import REMOTES_NAMESPACE
from gittrack.experiments.store import list_tips
from gittrack.git.hooks import HOOK_NAMES, find_place, git_version, inspect_hooks
from gittrack.git.remotes import default_remote, list_remotes, remote_url
from gittrack.git.state import is_dirty, read_head
from gittrack.git.tracking import is_tracked
from gittrack.runs.folder import RUNS, list_folders
from gittrack.storage.choose import storage_key
from gittrack.storage.memory import FILE_NAME, Memory
from gittrack.visible import sanitise
from gittrack.workspace.state import read_states
from gittrack.workspace.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gittrack.experiments.store import Tip
    from gittrack.git.repository import Repository

_N_SHOWN = 7  # digits of a commit id, as git shows at least


@dataclass(frozen=True)
class RemoteStatus:
    """How a remote stands, as last seen: nothing is fetched.

    Args:
        name: The remote.
        url: Its URL without credentials.
        is_default: Whether push and pull go there when no remote is named.
        is_tracked: Whether plain `git fetch` brings its experiments.
        n_experiments: Experiments last seen there.
        n_not_pushed: Local experiments that are not there, or not as they are here.
        n_only_there: Experiments that are there and not here.
    """

    name: str
    url: str | None
    is_default: bool
    is_tracked: bool
    n_experiments: int
    n_not_pushed: int
    n_only_there: int


@dataclass(frozen=True)
class ArtifactsStatus:
    """How the artifacts of the work tree stand; paths relative to the top folder.

    Args:
        n_artifacts: How many there are.
        new: Those whose pointer is not in HEAD.
        changed_pointers: Those whose pointer is another one in HEAD.
        modified: Those that are not as their pointer says.
        missing: Those that are not there at all.
        unreadable: Those that cannot be read.
        not_cached: Those whose content is not, or not all, in the cache.
        bad_pointers: Files that only look like pointers.
        remote: Where artifacts are shared; None when that is not known.
        not_shared: Those that are not there, as far as is known without asking; None when that is not known.
    """

    n_artifacts: int
    new: tuple[str, ...] = ()
    changed_pointers: tuple[str, ...] = ()
    modified: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    unreadable: tuple[str, ...] = ()
    not_cached: tuple[str, ...] = ()
    bad_pointers: tuple[str, ...] = ()
    remote: str | None = None
    not_shared: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Status:
    """Everything that `gittrack status` shows.

    Args:
        repository: The top folder, or the git directory of a bare repository.
        branch: The branch; None when HEAD is detached.
        baseline: The commit that an experiment would start from now; None before the first.
        operation: A git operation in progress, such as `rebase`.
        is_dirty: Whether files differ from the baseline; None in a bare repository.
        n_experiments: Local experiments.
        n_of_baseline: Those of the present baseline.
        n_running: Runs in progress.
        n_dead: Runs whose process died and that are not recorded yet.
        hooks: Each hook's status, by name.
        remotes: All remotes.
        artifacts: The artifacts of the work tree; None in a bare repository.
    """

    repository: str
    branch: str | None
    baseline: str | None
    operation: str | None
    is_dirty: bool | None
    n_experiments: int
    n_of_baseline: int
    n_running: int
    n_dead: int
    hooks: dict[str, str]
    remotes: tuple[RemoteStatus, ...]
    artifacts: ArtifactsStatus | None = None


@documented(example="gittrack status")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(*, as_json: bool) -> None:
    """Show the state of gittrack in this repository.

    The repository and its baseline, the experiments here and, as last seen, on each remote, the artifacts of the work
    tree, and the hooks. Nothing is fetched and nothing changes.
    """
    repository = current_repository()
    terminal = current_terminal()
    status = read_status(repository, find_program(repository.environ))
    if as_json:
        from gittrack.cli.render_data import render_json

        terminal.echo(render_json(asdict(status)))
        return
    for label, text in render_status(status):
        terminal.echo(terminal.style(f"{label:<12}", "bold") + sanitise(text))


def read_status(repository: Repository, program: str) -> Status:
    """Gather the state of a repository.

    Args:
        repository: The repository.
        program: The path of gittrack that hooks should run.
    """
    head = read_head(repository)
    local = list_tips(repository)
    alive = [folder.is_alive() for folder in list_folders(repository.state_dir / RUNS)]
    place = find_place(repository, git_version(repository))
    has_files = repository.work_tree is not None
    return Status(
        repository=str(repository.work_tree or repository.git_dir),
        branch=head.branch,
        baseline=head.sha,
        operation=head.operation,
        is_dirty=is_dirty(repository) if has_files else None,
        n_experiments=len(local),
        n_of_baseline=sum(tip.experiment.baseline == head.sha for tip in local),
        n_running=sum(alive),
        n_dead=len(alive) - sum(alive),
        hooks={state.name: state.status for state in inspect_hooks(repository, program, place)} if has_files else {},
        remotes=tuple(_read_remotes(repository, local, default_remote(repository, head))),
        artifacts=_read_artifacts(repository) if has_files else None,
    )


def _read_artifacts(repository: Repository) -> ArtifactsStatus:
    with Workspace.open(repository) as workspace:
        states = read_states(workspace)
    found = states.artifacts
    place = _storage_name(repository) if found else None
    held = Memory(repository.state_dir / FILE_NAME).list_held(place) if place else set()
    return ArtifactsStatus(
        n_artifacts=len(found),
        new=tuple(one.path for one in found if one.is_new),
        changed_pointers=tuple(one.path for one in found if not one.is_new and not one.is_committed),
        modified=tuple(one.path for one in found if one.state == "modified"),
        missing=tuple(one.path for one in found if one.state == "missing"),
        unreadable=tuple(one.path for one in found if one.state == "unreadable"),
        not_cached=tuple(one.path for one in found if not one.is_cached),
        bad_pointers=tuple(entry.path for entry in states.bad),
        remote=place,
        not_shared=tuple(one.path for one in found if one.digest not in held) if place else None,
    )


def _storage_name(repository: Repository) -> str | None:
    """Return where artifacts are shared; None where nothing is set up or the settings cannot be read."""
    try:
        return storage_key(repository)
    except GittrackError:
        return None


def _read_remotes(repository: Repository, local: list[Tip], default: str | None) -> Iterator[RemoteStatus]:
    seen: dict[str | None, dict[tuple[str, str], str]] = {}
    for tip in list_tips(repository, REMOTES_NAMESPACE):
        key = (tip.experiment.baseline, tip.experiment.name)
        seen.setdefault(tip.experiment.remote, {})[key] = tip.commit
    here = {(tip.experiment.baseline, tip.experiment.name): tip.commit for tip in local}
    for name in list_remotes(repository):
        there = seen.get(name, {})
        yield RemoteStatus(
            name=name,
            url=remote_url(repository, name),
            is_default=name == default,
            is_tracked=is_tracked(repository, name),
            n_experiments=len(there),
            n_not_pushed=sum(there.get(key) != commit for key, commit in here.items()),
            n_only_there=len(there.keys() - here.keys()),
        )


def render_status(status: Status) -> Iterator[tuple[str, str]]:
    """Yield the lines for people: a label and a text each.

    Args:
        status: What to show.
    """
    yield "repository", status.repository
    yield "baseline", ", ".join(_describe_baseline(status))
    details = [f"{status.n_of_baseline} of this baseline"] if status.n_of_baseline else []
    details += [f"{status.n_running} running"] if status.n_running else []
    details += [f"{status.n_dead} ended without being recorded yet"] if status.n_dead else []
    yield "experiments", ", ".join([str(status.n_experiments), *details])
    if status.artifacts is not None:
        yield from _describe_artifacts(status.artifacts)
    for remote in status.remotes:
        yield "remote", _describe_remote(remote, n_local=status.n_experiments)
    if not status.remotes:
        yield "remote", "none"
    if status.hooks:
        yield "hooks", _describe_hooks(status.hooks)


def _describe_baseline(status: Status) -> Iterator[str]:
    commit = status.baseline[:_N_SHOWN] if status.baseline else "no commit yet"
    yield f"{commit} on {status.branch}" if status.branch else f"{commit} (detached HEAD)"
    if status.operation:
        yield f"{status.operation} in progress"
    if status.is_dirty is not None:
        yield "with changes" if status.is_dirty else "clean"


def _describe_artifacts(artifacts: ArtifactsStatus) -> Iterator[tuple[str, str]]:
    """Yield how many artifacts there are, and a line for each way in which some are not as they should be."""
    if not artifacts.n_artifacts and not artifacts.bad_pointers:
        return
    (artifacts.remote or "").removeprefix("git:")
    remarks = [
        ("modified ('gittrack add' keeps, 'gittrack checkout -f' gives up the changes)", artifacts.modified),
        ("missing ('gittrack checkout' restores)", artifacts.missing),
        ("unreadable", artifacts.unreadable),
        ("not in the cache ('gittrack pull' fetches)", artifacts.not_cached),
        ("new, the pointer is not committed", artifacts.new),
        ("updated, the pointer is not committed", artifacts.changed_pointers),
        (
            f"not shared with {(artifacts.remote or '').removeprefix('git:')} ('gittrack push' does)",
            artifacts.not_shared or (),
        ),
        ("no pointer, though it is named like one", artifacts.bad_pointers),
    ]
    is_fine = not any(paths for _, paths in remarks)
    yield "artifacts", f"{artifacts.n_artifacts}, all as their pointers say" if is_fine else str(artifacts.n_artifacts)
    for text, paths in remarks:
        if paths:
            yield "", f"{len(paths)} {text}: {list_some(paths)}"


def _describe_remote(remote: RemoteStatus, *, n_local: int) -> str:
    parts = [f"{remote.n_experiments} experiments seen there"]
    if remote.n_only_there:
        parts.append(f"{remote.n_only_there} only there")
    if n_local:
        parts.append(f"{remote.n_not_pushed} not pushed" if remote.n_not_pushed else "all pushed")
    if not remote.is_tracked:
        parts.append("not brought by 'git fetch' ('gittrack init' changes that)")
    name = f"{remote.name} (default)" if remote.is_default else remote.name
    return f"{name}: {', '.join(parts)}"


def _describe_hooks(hooks: dict[str, str]) -> str:
    present = [name for name in HOOK_NAMES if hooks[name] in {"current", "manual"}]
    if len(present) == len(HOOK_NAMES):
        return "all installed"
    missing = {name: status for name, status in hooks.items() if name not in present}
    if not present and set(missing.values()) == {"missing"}:
        return "not installed ('gittrack init' installs them)"
    return f"{', '.join(f'{name} {status}' for name, status in missing.items())} ('gittrack doctor' tells more)"
