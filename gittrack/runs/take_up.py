"""Take the artifacts of a run that had no repository into the cache of one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gittrack.artifacts.cache import Cache
from gittrack.artifacts.intake import Intake
from gittrack.artifacts.manifest import MAX_MANIFEST_BYTES, parse_manifest
from gittrack.artifacts.placing import open_folder
from gittrack.errors import GittrackError
from gittrack.runs.artifact_place import CACHE
from gittrack.workspace.workspace import Workspace

if TYPE_CHECKING:
    from pathlib import Path

    from gittrack.artifacts.digest import Digest
    from gittrack.experiments.artifact_files import ArtifactEntry
    from gittrack.experiments.format import Record
    from gittrack.git.repository import Repository


class AbsentContentError(GittrackError):
    """The folder of a run does not have the content of an artifact."""


def take_up_artifacts(repository: Repository, folder: Path, record: Record) -> Record:
    """Take the content of a run's artifacts into the repository's cache; durable when this returns.

    Nothing but what a digest names is taken, and no link in the folder is followed: it may come from anywhere.

    Args:
        repository: The repository.
        folder: The run's folder.
        record: What the run says.

    Returns:
        The record; an artifact whose content is not whole is not ``cached`` any more, and a problem says so.

    Raises:
        OSError: The disk is full.
    """
    source = Cache(folder / CACHE)
    artifacts: list[ArtifactEntry] = []
    problems: list[str] = []
    with Workspace.open(repository) as workspace:
        for entry in record.artifacts:
            try:
                if entry.cached:
                    _take_up(workspace.cache, source, entry)
                artifacts.append(entry)
            except (GittrackError, FileNotFoundError) as error:
                artifacts.append(entry._replace(cached=False, pointer=False))
                problems.append(f"the content of the artifact '{entry.path}' is lost: {error}")
    meta = record.meta._replace(problems=(*record.meta.problems, *problems))
    return record._replace(meta=meta, artifacts=tuple(artifacts))


def _take_up(cache: Cache, source: Cache, entry: ArtifactEntry) -> None:
    with Intake(cache) as intake:
        _take_object(intake, source, entry.digest)
        if entry.kind == "dir":
            manifest = source.read(entry.digest, MAX_MANIFEST_BYTES)
            for file in dict.fromkeys(one.digest for one in parse_manifest(manifest)):
                _take_object(intake, source, file)


def _take_object(intake: Intake, source: Cache, digest: Digest) -> None:
    path = source.path(digest)
    with open_folder(source.root, f"{source.objects.name}/{path.parent.name}") as folder:
        if intake.add_file(path.name, folder).digest != digest:
            raise AbsentContentError(f"the object {digest[:12]} of the run is corrupt")
