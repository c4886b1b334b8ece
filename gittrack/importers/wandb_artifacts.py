"""The files of artifacts that a run of Weights & Biases logged, as far as they are still where it staged them.

A record has the manifest: the path and the MD5 of each file, and where a copy of it is staged until a sync. That place
is outside of the run's folder, so whoever wrote the record could name any file: one is taken only if it has the MD5
that the record says, which nobody knows of a file that they do not have.
"""

from __future__ import annotations

import base64
import binascii
from pathlib import Path
from typing import TYPE_CHECKING

from gittrack.importers import protobuf
from gittrack.importers.foreign import ForeignFile

if TYPE_CHECKING:
    from gittrack.importers.protobuf import Fields

_TYPE, _NAME, _MANIFEST = 4, 5, 12
_CONTENTS, _MANIFEST_FILE = 4, 5
_PATH, _DIGEST, _REFERENCE, _LOCAL_PATH = 1, 2, 3, 6
_OWN = frozenset({"run_table", "job", "code"})  # which wandb makes of what the folder has anyway
_MAX_FILES = 10_000


def read_artifact(artifact: Fields) -> tuple[list[ForeignFile], list[str]]:
    """Return the files of an artifact that are there, and what is not, one sentence.

    Args:
        artifact: An ``ArtifactRecord``.

    Raises:
        MalformedMessageError: A part of it is no message.
    """
    name, kind = protobuf.text(artifact, _NAME), protobuf.text(artifact, _TYPE)
    if kind in _OWN or kind.startswith("wandb-"):
        return [], []
    manifest = protobuf.message(artifact, _MANIFEST)
    entries = list(protobuf.messages(manifest, _CONTENTS))
    found = [file for entry in entries[:_MAX_FILES] if (file := _staged(name, kind, entry)) is not None]
    if entries and len(found) == len(entries):
        return found, []
    n_references = sum(1 for entry in entries if protobuf.text(entry, _REFERENCE))
    what = f"{len(entries) - len(found) - n_references} of its {len(entries)} files are not where they were staged"
    if n_references:
        what = f"{n_references} of its {len(entries)} files are references to what is stored elsewhere"
    if not entries:
        what = "the list of its files is not in the record"
    return found, [f"the artifact {name!r:.200} ({kind[:100]}): {what}"]


def _staged(artifact: str, kind: str, entry: Fields) -> ForeignFile | None:
    path, place = protobuf.text(entry, _PATH), protobuf.text(entry, _LOCAL_PATH)
    try:
        md5 = base64.b64decode(protobuf.text(entry, _DIGEST), validate=True).hex()
        local = Path(place)
        if not path or not local.is_absolute() or not local.is_file() or local.is_symlink():
            return None
    except (ValueError, OSError, binascii.Error):
        return None
    return ForeignFile(f"{artifact}/{path}", local.parent, local.name, kind or None, md5)
