"""Bring the files that a foreign run logged into the cache."""

from __future__ import annotations

import hashlib
import os
import stat
from typing import TYPE_CHECKING

from gittrack.artifacts.manifest import FileEntry, check_files, render_manifest
from gittrack.artifacts.placing import open_folder, opened
from gittrack.errors import GittrackError
from gittrack.experiments.artifact_files import ArtifactEntry
from gittrack.importers.local_files import walk
from gittrack.runs.artifact_place import plain_name

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gittrack.artifacts.digest import Digest
    from gittrack.artifacts.intake import Intake, Taken
    from gittrack.importers.foreign import ForeignFile

_OPEN = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_PIECE_BYTES = 1 << 20


class OtherContentError(GittrackError):
    """A file is not the one that was logged."""


def take_files(intake: Intake, files: Iterable[ForeignFile]) -> tuple[tuple[ArtifactEntry, ...], list[str]]:
    """Copy files into the cache; they are there when the intake is published.

    Args:
        intake: Where to.
        files: What a run logged.

    Returns:
        The entries, and what could not be taken, one sentence each.

    Raises:
        OSError: The disk is full.
    """
    entries, problems = [], []
    for file in files:
        try:
            entries.append(_take(intake, file))
        except (GittrackError, FileNotFoundError, NotADirectoryError, PermissionError) as error:
            reason = error.message if isinstance(error, GittrackError) else error.strerror
            problems.append(f"the artifact {file.name!r:.200} is not imported: {reason}")
    return tuple(entries), problems


def _take(intake: Intake, file: ForeignFile) -> ArtifactEntry:
    folder, _, name = file.path.rpartition("/")
    path, label = plain_name(file.name.replace("/", "-")), file.name if file.name.isprintable() else None
    with open_folder(file.root, folder) as above:
        if stat.S_ISDIR(os.stat(name, dir_fd=above, follow_symlinks=False).st_mode):
            manifest, size, n_files = _take_folder(intake, file)
            return ArtifactEntry(
                path, "dir", manifest, size, n_files, type=file.type, name=label, cached=True, outside=True
            )
        taken = intake.add_file(name, above) if file.md5 is None else _take_known(intake, file, above)
    size = taken.info.st_size
    return ArtifactEntry(path, "file", taken.digest, size, type=file.type, name=label, cached=True, outside=True)


def _take_known(intake: Intake, file: ForeignFile, above: int) -> Taken:
    """Take a file if its content is the one that is meant."""
    with opened(os.open(file.path.rpartition("/")[2], _OPEN, dir_fd=above)) as descriptor:
        digest = hashlib.md5(usedforsecurity=False)
        while piece := os.read(descriptor, _PIECE_BYTES):
            digest.update(piece)
        if digest.hexdigest() != file.md5:
            raise OtherContentError("what is there is not what was logged")
        os.lseek(descriptor, 0, os.SEEK_SET)
        return intake.add_open_file(descriptor, file.name)


def _take_folder(intake: Intake, file: ForeignFile) -> tuple[Digest, int, int]:
    """Take the files of a folder, links left out, and return the digest of the manifest, the size and the number."""
    entries = []
    for relative, _ in walk(file.root, file.path):
        folder, _, name = f"{file.path}/{relative}".rpartition("/")
        with open_folder(file.root, folder) as above:
            taken = intake.add_file(name, above)
        is_executable = bool(taken.info.st_mode & stat.S_IXUSR)
        entries.append(FileEntry(relative, taken.digest, taken.info.st_size, is_executable))
    check_files(entries)
    return intake.add_bytes(render_manifest(entries)), sum(entry.size for entry in entries), len(entries)
