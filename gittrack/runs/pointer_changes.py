"""Which artifacts came out of a command: those whose pointers it made or changed."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from gittrack.artifacts.pointer import MAX_POINTER_BYTES, SUFFIX, InvalidPointerError, parse_pointer
from gittrack.experiments.artifact_files import entry_of_pointer, render_entry
from gittrack.experiments.format import FOLDER
from gittrack.git.batch import read_many
from gittrack.git.snapshot import overlay
from gittrack.paths import InvalidPathError, check_repository_path

if TYPE_CHECKING:
    from gittrack.experiments.artifact_files import ArtifactEntry
    from gittrack.git.repository import Repository
    from gittrack.runs.folder import RunFolder
    from gittrack.runs.journal import JournalWriter


def changed_pointers(repository: Repository, old: str, new: str) -> tuple[ArtifactEntry, ...]:
    """Return the artifacts whose pointers a tree has and another one lacks, or has with another digest.

    Args:
        repository: The repository.
        old: A tree or commit id: what was there before.
        new: Another one.

    Raises:
        GitError: One of them is not here.
    """
    if old == new:
        return ()
    arguments = ("diff-tree", "-r", "-z", "--no-renames", "--no-ext-diff", old, new, "--", f":(glob)**/*{SUFFIX}")
    listing = repository.git.run(*arguments, env={"GIT_LITERAL_PATHSPECS": "0"}).stdout
    fields = iter(os.fsdecode(listing).split("\0")[:-1])
    heads = [(head[1:].split(" "), next(fields)) for head in fields]
    changed = [(path, head[2], head[3]) for head, path in heads if head[1].startswith("100")]
    changed = [one for one in changed if not one[0].startswith(f"{FOLDER}/")]
    blobs = read_many(repository, [oid for _, *oids in changed for oid in oids], max_bytes=MAX_POINTER_BYTES)
    made = []
    for path, _, _ in changed:
        before, after = next(blobs), next(blobs)
        entry = _entry(path, after.data if after else None)
        if entry is not None and entry != _entry(path, before.data if before else None):
            made.append(entry)
    return tuple(made)


def note_outputs(repository: Repository, journal: JournalWriter, old: str, new: str) -> None:
    """Log the artifacts that came out of a command.

    Args:
        repository: The repository.
        journal: The run's journal.
        old: The tree at the command's start.
        new: The tree at its end.

    Raises:
        GitError: One of them is not here.
    """
    for entry in changed_pointers(repository, old, new):
        journal.event("output", render_entry(entry))


def keep_workspace_pointers(repository: Repository, folder: RunFolder, journal: JournalWriter) -> None:
    """Add the pointers that a command left in the workspace to the recorded tree, and log those that it changed.

    Args:
        repository: The repository, with a work tree.
        folder: The run's folder.
        journal: The run's journal.

    Raises:
        GitError: git cannot read them.
    """
    tip = folder.read_tip()
    arguments = ("ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", f":(glob)**/*{SUFFIX}")
    listing = repository.git.run(*arguments, env={"GIT_LITERAL_PATHSPECS": "0"}).stdout
    paths = [path for path in os.fsdecode(listing).split("\0")[:-1] if not path.startswith(f"{FOLDER}/")]
    if tip is None or not paths:
        return
    tree = overlay(repository, tip.code_tree, dict.fromkeys(paths))
    if tree != tip.code_tree:
        note_outputs(repository, journal, tip.code_tree, tree)
        folder.write_tip(tip._replace(code_tree=tree))


def _entry(path: str, data: bytes | None) -> ArtifactEntry | None:
    try:
        return entry_of_pointer(check_repository_path(path.removesuffix(SUFFIX)), parse_pointer(data or b""))
    except (InvalidPathError, InvalidPointerError):
        return None
