"""`gittrack verify`: check the content in the cache."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import click

from gittrack.cli.artifact_parts import current_workspace, list_some, say_bad_pointers, select_artifacts
from gittrack.cli.byte_progress import byte_progress, render_size
from gittrack.cli.options import current_terminal, documented
from gittrack.errors import GittrackError, UsageError
from gittrack.visible import sanitise
from gittrack.workspace.pointers import Pointers, list_workspace_pointers
from gittrack.workspace.verify import verify

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from gittrack.cli.terminal import Terminal
    from gittrack.workspace.pointers import Tracked
    from gittrack.workspace.verify import Damaged, Place, Verified
    from gittrack.workspace.workspace import Workspace

_SHORT = 12


@documented(
    example="gittrack verify\ngittrack verify --all --repair",
    exit_codes={1: "something is corrupt or missing, and was not repaired; each object is named"},
)
@click.argument("paths", nargs=-1, metavar="[PATH]...")
@click.option("--all", "is_everything", is_flag=True, help="Check the whole cache.")
@click.option(
    "--repair",
    is_flag=True,
    help="Take what is damaged again, from unchanged files of the work tree, else from where it is shared.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(*, paths: tuple[str, ...], is_everything: bool, repair: bool, as_json: bool) -> int:
    """Check the content in the cache.

    Every object that the artifacts of the work tree need is hashed; with PATH, those that some of them need. A corrupt
    one is moved to the folder 'corrupt' of the cache, so that it is fetched or added again.
    """
    if paths and is_everything:
        raise UsageError("--all checks everything, so it takes no PATH", hint="leave one of them out")
    terminal = current_terminal()
    with current_workspace() as workspace:
        repository = workspace.repository
        has_files = repository.work_tree is not None or not is_everything
        pointers = list_workspace_pointers(repository) if has_files else Pointers([], [])
        say_bad_pointers(terminal, pointers.bad)
        artifacts = select_artifacts(repository, paths, pointers)
        with byte_progress(terminal, "checking") as progress:
            fetch = partial(_fetch, workspace, terminal) if repair else None
            verified = verify(
                workspace, artifacts, progress, is_everything=is_everything, is_repair=repair, fetch=fetch
            )
    left = [one for one in verified.damaged if not one.is_repaired]
    if as_json:
        from gittrack.cli.render_data import render_json

        terminal.echo(render_json(_document(verified)))
        return int(bool(left))
    for line in _lines(verified):
        terminal.echo(line)
    if left and not repair:
        terminal.note("hint: 'gittrack verify --repair' takes again what unchanged files still hold")
    elif left:
        terminal.note("hint: 'gittrack pull' fetches what others have pushed")
    return int(bool(left))


def _fetch(workspace: Workspace, terminal: Terminal, artifacts: Sequence[Tracked]) -> None:
    """Fetch damaged artifacts again; a storage that cannot be reached is said, and no end of the command."""
    from gittrack.cli.artifact_transfer import pull_artifacts
    from gittrack.cli.share_parts import open_access
    from gittrack.workspace.parcels import make_parcels

    try:
        pull_artifacts(workspace, None, make_parcels(artifacts), terminal, open_access(terminal))
    except GittrackError as error:
        terminal.note(sanitise(f"warning: {error.message}"))


def _lines(verified: Verified) -> Iterator[str]:
    objects = f"{verified.n_objects:,} object{'' if verified.n_objects == 1 else 's'}"
    for one in verified.damaged:
        outcome = ", repaired" if one.is_repaired else ""
        yield sanitise(f"{one.problem}{outcome}: {one.digest[:_SHORT]} ({_describe_places(one)})")
    state = "all intact" if not verified.damaged else f"{len(verified.damaged):,} damaged"
    yield f"checked {objects} ({render_size(verified.n_bytes)}): {state}"


def _describe_places(one: Damaged) -> str:
    if not one.places:
        return "used by no artifact of the work tree"
    return list_some([_path(place) for place in one.places])


def _path(place: Place) -> str:
    return f"{place.tracked.path}/{place.file}" if place.file else place.tracked.path


def _document(verified: Verified) -> dict[str, Any]:
    return {
        "objects": verified.n_objects,
        "bytes": verified.n_bytes,
        "damaged": [
            {
                "digest": f"b3:{one.digest}",
                "problem": one.problem,
                "repaired": one.is_repaired,
                "paths": [_path(place) for place in one.places],
            }
            for one in verified.damaged
        ],
    }
