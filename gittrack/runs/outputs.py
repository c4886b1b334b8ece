"""Take up what a run wrote into declared metrics files, such as ``metrics.json``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gittrack.errors import GittrackError
from gittrack.experiments.declared import declared_files, parse_metric_values
from gittrack.git.objects import read_path
from gittrack.git.snapshot import overlay
from gittrack.git.work_tree import MAX_FILE_BYTES, read_file
from gittrack.runs.finish import tree_of
from gittrack.runs.folder import NO_COMMIT, RecordedTip

if TYPE_CHECKING:
    from gittrack.git.repository import Repository
    from gittrack.runs.folder import RunFolder
    from gittrack.runs.journal import JournalWriter


def collect_outputs(repository: Repository, folder: RunFolder, journal: JournalWriter) -> None:
    """Log the values of metrics files that changed since the start, and add the files to the recorded tree.

    A metrics file that the run left as it was belongs to an earlier run and is not taken.

    Args:
        repository: The repository, with a work tree.
        folder: The run's folder.
        journal: The run's journal.
    """
    tip = folder.read_tip()
    if tip is None:
        return
    root = repository.require_work_tree()
    start = tip.code_tree if tip.commit == NO_COMMIT else tree_of(repository, tip.commit)
    changed = []
    for path in declared_files(lambda name: read_file(root, name)).metrics:
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
