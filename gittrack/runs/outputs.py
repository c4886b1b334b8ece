"""Take up what a run wrote into declared metrics files, such as ``metrics.json``."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

from gittrack.errors import GittrackError
from gittrack.experiments.declared import declared_files, parse_metric_values
from gittrack.git.objects import read_path
from gittrack.git.snapshot import overlay
from gittrack.runs.folder import RecordedTip

if TYPE_CHECKING:
    from pathlib import Path

    from gittrack.git.repository import Repository
    from gittrack.runs.describe import Start
    from gittrack.runs.folder import RunFolder
    from gittrack.runs.journal import JournalWriter

_MAX_FILE_BYTES = 4 << 20


def collect_outputs(repository: Repository, folder: RunFolder, journal: JournalWriter, start: Start | None) -> None:
    """Log the values of metrics files that changed since the start, and add the files to the recorded tree.

    A metrics file that the run left as it was belongs to an earlier run and is not taken.

    Args:
        repository: The repository, with a work tree.
        folder: The run's folder.
        journal: The run's journal.
        start: What was recorded at the start; None when that failed.
    """
    tip = folder.read_tip()
    if start is None or tip is None:
        return
    root = repository.require_work_tree()
    changed = []
    for path in declared_files(lambda name: read_file(root, name)).metrics:
        data = read_file(root, path)
        if data is None or data == read_path(repository, start.snapshot.tree, path, max_bytes=_MAX_FILE_BYTES):
            continue
        try:
            journal.event("outputs", dict(parse_metric_values(path, data)))
        except GittrackError as error:
            journal.event("problem", f"{path}: {error}")
        changed.append(path)
    if changed:
        folder.write_tip(RecordedTip(tip.commit, overlay(repository, tip.code_tree, changed)))


def read_file(root: Path, path: str, max_bytes: int = _MAX_FILE_BYTES) -> bytes | None:
    """Return the content of a regular file of the work tree; None when it is absent, a link, or too large.

    Args:
        root: The top of the work tree.
        path: A checked path relative to it.
        max_bytes: The largest content to return.
    """
    try:
        descriptor = os.open(root / path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    with os.fdopen(descriptor, "rb") as file:
        info = os.fstat(descriptor)
        if not stat.S_ISREG(info.st_mode) or info.st_size > max_bytes:
            return None
        return file.read()
