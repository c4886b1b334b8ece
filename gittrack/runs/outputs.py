"""Take up the files that a run wrote: declared metrics files, such as ``metrics.json``, and those of `Live`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from gittrack.errors import GittrackError
from gittrack.experiments.declared import declared_files, parse_metric_values, parse_values
from gittrack.git.objects import read_path
from gittrack.git.snapshot import overlay
from gittrack.git.work_tree import MAX_FILE_BYTES, read_file
from gittrack.paths import InvalidPathError, check_repository_path
from gittrack.runs.finish import tree_of
from gittrack.runs.folder import NO_COMMIT, RecordedTip

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from gittrack.git.repository import Repository
    from gittrack.runs.folder import RunFolder
    from gittrack.runs.journal import JournalWriter


def collect_outputs(
    repository: Repository, folder: RunFolder, journal: JournalWriter, written: Iterable[Path] = ()
) -> None:
    """Log the values of metrics files that changed since the start, and add the files to the recorded tree.

    A metrics file that the run left as it was belongs to an earlier run and is not taken.

    Args:
        repository: The repository, with a work tree.
        folder: The run's folder.
        journal: The run's journal.
        written: Files that go into the tree as well, but whose values the run has logged itself. Those that are
            outside of the repository are passed over.
    """
    tip = folder.read_tip()
    if tip is None:
        return
    root = repository.require_work_tree()
    start = tip.code_tree if tip.commit == NO_COMMIT else tree_of(repository, tip.commit)
    own = dict.fromkeys(_inside(root, written))
    declared = declared_files(lambda name: read_file(root, name))
    _renew_params(repository, tip.code_tree, journal, [path for path in declared.params if path in own])
    changed = list(own)
    for path in declared.metrics:
        if path in own:
            continue
        data = read_file(root, path)
        if data is None or data == read_path(repository, start, path, max_bytes=MAX_FILE_BYTES):
            continue
        try:
            journal.event("outputs", dict(parse_metric_values(path, data)))
        except GittrackError as error:
            journal.event("problem", f"{path}: {error}")
        changed.append(path)
    if changed:
        folder.write_tip(RecordedTip(tip.commit, overlay(repository, tip.code_tree, changed)))


def _inside(root: Path, paths: Iterable[Path]) -> Iterator[str]:
    """Yield those of some paths that are in the repository, relative to its root."""
    top = os.path.realpath(root)
    for path in paths:
        place = os.path.join(os.path.realpath(path.parent), path.name)  # noqa: PTH118
        if place.startswith(f"{top}{os.sep}"):
            try:
                yield check_repository_path(Path(os.path.relpath(place, top)).as_posix())
            except InvalidPathError:  # a name that not every system can hold
                continue


def _renew_params(repository: Repository, tree: str, journal: JournalWriter, paths: list[str]) -> None:
    """Let params files that the run writes itself say what they say now, where the snapshot caught an earlier state."""
    root = repository.require_work_tree()
    for path in paths:
        then, now = read_path(repository, tree, path, max_bytes=MAX_FILE_BYTES), read_file(root, path)
        if then is None or now is None or then == now:
            continue
        try:
            keys, values = parse_values(path, then), parse_values(path, now)
        except GittrackError:  # caught half-written
            continue
        journal.event("declared", {key: values[key] for key in keys if key in values})
