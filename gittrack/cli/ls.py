"""`gittrack ls`: the artifacts of the work tree or of a commit, or the files of one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from gittrack.cli.artifact_parts import current_workspace, open_revision, path_from_top, say_bad_pointers
from gittrack.cli.artifact_table import Field, write_fields
from gittrack.cli.byte_progress import render_size
from gittrack.cli.options import current_terminal, documented, format_options
from gittrack.workspace.listing import list_artifacts, list_files
from gittrack.workspace.revisions import NotTrackedError, find_around, list_pointers, select_below

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gittrack.workspace.listing import Listed, ListedFile


@documented(example="gittrack ls\ngittrack ls data/images --csv > files.csv\ngittrack ls --rev brave-otter")
@click.argument("path", required=False)
@click.option("--rev", "revision", metavar="REV", help="Look into this commit or experiment, not the work tree.")
@format_options
def command(*, path: str | None, revision: str | None, output_format: str | None) -> None:
    """List artifacts, or the files of one.

    Without PATH: all artifacts. PATH is an artifact, a folder that holds some, or something in a folder that is tracked
    as a whole, whose files are listed then. The last column says whether the content is in the cache.
    """
    terminal, workspace = current_terminal(), current_workspace()
    repository = workspace.repository
    pointers = list_pointers(repository, open_revision(repository, revision))
    say_bad_pointers(terminal, pointers.bad)
    wanted = "" if path is None else path_from_top(repository, path, may_be_top=True)
    found = find_around(pointers.tracked, wanted)
    if found is not None and found[0].pointer.kind == "dir":
        files = list_files(workspace.cache, *found)
        write_fields(terminal, _file_fields(found[0].path, files), output_format)
        return
    artifacts = select_below(pointers.tracked, wanted)
    if wanted and not artifacts:
        raise NotTrackedError(f"'{path}' is no artifact and holds none", hint="gittrack ls lists all")
    if not artifacts and output_format is None:
        terminal.note("there are no artifacts here ('gittrack add' makes some)")
        return
    write_fields(terminal, _artifact_fields(list_artifacts(workspace.cache, artifacts)), output_format)


def _artifact_fields(listed: Sequence[Listed]) -> list[Field]:
    pointers = [one.tracked.pointer for one in listed]
    paths = [one.tracked.path for one in listed]
    types, names = [pointer.type for pointer in pointers], [pointer.name for pointer in pointers]
    n_files = [pointer.files for pointer in pointers]
    kinds = [pointer.kind for pointer in pointers]
    counts = [f"{number:,}" if kind == "dir" else "" for number, kind in zip(n_files, kinds, strict=True)]
    return [
        Field("path", paths, paths),
        Field("kind", kinds, kinds),
        _size_field([pointer.size for pointer in pointers]),
        Field("files", n_files, counts, is_number=True),
        Field("type", types, [text or "" for text in types]),
        Field("name", names, [text or "" for text in names]),
        _cached_field([one.is_cached for one in listed]),
    ]


def _file_fields(folder: str, files: Sequence[ListedFile]) -> list[Field]:
    paths = [f"{folder}/{one.entry.path}" for one in files]
    runnable = [one.entry.is_executable for one in files]
    return [
        Field("path", paths, paths),
        _size_field([one.entry.size for one in files]),
        Field("executable", runnable, ["yes" if flag else "" for flag in runnable]),
        _cached_field([one.is_cached for one in files]),
    ]


def _size_field(sizes: Sequence[int]) -> Field:
    return Field("size", sizes, [render_size(size) for size in sizes], is_number=True)


def _cached_field(flags: Sequence[bool]) -> Field:
    return Field("cached", flags, ["yes" if flag else "no" for flag in flags])
