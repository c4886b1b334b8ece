"""What an experiment says of artifacts: the entries of ``artifacts.json``, ``inputs.json`` and ``outputs.json``.

`gittrack.experiments.format` writes and reads these files by the functions of this module. An entry may come from
anywhere: its path and its digest are checked before anything is done with them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from gittrack.artifacts.digest import InvalidDigestError, parse_digest, render_digest
from gittrack.artifacts.pointer import Pointer, render_pointer
from gittrack.errors import GittrackError
from gittrack.paths import InvalidPathError, check_repository_path

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from gittrack.artifacts.digest import Digest
    from gittrack.artifacts.pointer import Kind
    from gittrack.values import PlainValue

_MAX_SIZE = (1 << 63) - 1


class InvalidEntryError(GittrackError):
    """An entry is damaged, or holds a path or digest that must not be trusted."""


class ArtifactEntry(NamedTuple):
    """One version of an artifact that went into an experiment or came out of it.

    Attributes:
        path: Where it belongs, relative to the top of the repository; of one from elsewhere only its name.
        kind: ``file`` or ``dir``.
        digest: Of the file's content, or of the directory's manifest.
        size: In bytes, all files of a directory together.
        files: How many files a directory has; 1 for a file.
        type: What it is, such as ``model`` or ``dataset``.
        name: What people call it.
        desc: One text that says what it is about.
        labels: Words to find it by.
        meta: Anything else, as plain values.
        step: The step at which it was logged; None when the run had none.
        time: When, UTC epoch seconds; None when that says nothing.
        cached: Whether its content was put into the cache.
        pointer: Whether the experiment's tree has a pointer to it at its path.
        outside: Whether it was outside of the repository, so that the path is only a name.
        extra: Keys that this version does not know, kept for a rewrite.
    """

    path: str
    kind: Kind
    digest: Digest
    size: int
    files: int = 1
    type: str | None = None
    name: str | None = None
    desc: str | None = None
    labels: tuple[str, ...] = ()
    meta: PlainValue = None
    step: int | None = None
    time: float | None = None
    cached: bool = False
    pointer: bool = False
    outside: bool = False
    extra: Mapping[str, PlainValue] = {}


_KNOWN = frozenset(ArtifactEntry._fields) - {"extra"}


def render_entry(entry: ArtifactEntry) -> dict[str, Any]:
    """Return an entry as plain data; what says nothing is left out.

    Args:
        entry: The entry.
    """
    from gittrack.experiments.format import format_time

    fields = entry._asdict()
    extra = dict(fields.pop("extra"))
    fields["digest"] = render_digest(entry.digest)
    fields["labels"] = list(entry.labels)
    if entry.time is not None:
        fields["time"] = format_time(entry.time)
    told = {key: value for key, value in fields.items() if value is not None and value is not False and value != []}
    if entry.files == 1 and entry.kind == "file":
        del told["files"]
    return {**extra, **told}


def parse_entry(document: object) -> ArtifactEntry:
    """Return the entry that plain data holds.

    Args:
        document: What `render_entry` gave, or somebody's forgery of it.

    Raises:
        InvalidEntryError: A key is absent or of a wrong type, or the path or the digest is none.
    """
    from gittrack.experiments.format import parse_time

    if not isinstance(document, dict):
        raise InvalidEntryError(f"not an entry: {document!r:.100}")
    path, kind, labels = document.get("path"), document.get("kind"), document.get("labels", [])
    if kind not in {"file", "dir"}:
        raise InvalidEntryError(f"its kind is {kind!r:.100}, not 'file' or 'dir'")
    if not isinstance(labels, list) or not all(isinstance(label, str) for label in labels):
        raise InvalidEntryError(f"its labels are {labels!r:.100}")
    step, time = document.get("step"), document.get("time")
    if step is not None and type(step) is not int:
        raise InvalidEntryError(f"its step is {step!r:.100}")
    try:
        return ArtifactEntry(
            path=check_repository_path(path if isinstance(path, str) else ""),
            kind=kind,
            digest=parse_digest(document.get("digest")),
            size=_number(document, "size", None),
            files=_number(document, "files", 1),
            labels=tuple(labels),
            meta=document.get("meta"),
            step=step,
            time=None if time is None else parse_time(time if isinstance(time, str) else ""),
            extra={key: value for key, value in document.items() if key not in _KNOWN},
            type=_text(document, "type"),
            name=_text(document, "name"),
            desc=_text(document, "desc"),
            cached=document.get("cached") is True,
            pointer=document.get("pointer") is True,
            outside=document.get("outside") is True,
        )
    except (InvalidPathError, InvalidDigestError, ValueError) as error:
        raise InvalidEntryError(str(error)) from error


def entry_of_pointer(path: str, pointer: Pointer) -> ArtifactEntry:
    """Return the entry for an artifact that a pointer names.

    Args:
        path: Where the artifact belongs.
        pointer: The pointer.
    """
    return ArtifactEntry(
        path,
        pointer.kind,
        pointer.digest,
        pointer.size,
        pointer.files,
        type=pointer.type,
        name=pointer.name,
    )


def pointer_to(entry: ArtifactEntry) -> Pointer:
    """Return the pointer to an artifact; one that would be too large says only where and what the content is.

    Args:
        entry: The artifact.
    """
    bare = Pointer(entry.path, entry.kind, entry.digest, entry.size, entry.files, type=entry.type, name=entry.name)
    full = bare._replace(desc=entry.desc, labels=entry.labels, meta=entry.meta)
    for pointer in (full, full._replace(meta=None), bare):
        if _is_renderable(pointer):
            return pointer
    return bare._replace(type=None, name=None)


def latest_entries(entries: Iterable[ArtifactEntry]) -> dict[str, ArtifactEntry]:
    """Return the last version of each artifact by its path.

    Args:
        entries: In the order in which they were logged.
    """
    latest: dict[str, ArtifactEntry] = {}
    for entry in entries:
        latest.pop(entry.path, None)
        latest[entry.path] = entry
    return latest


def _is_renderable(pointer: Pointer) -> bool:
    try:
        render_pointer(pointer)
    except (GittrackError, ValueError):
        return False
    return True


def _number(document: Mapping[str, Any], key: str, default: int | None) -> int:
    value = document.get(key, default)
    if type(value) is not int or not 0 <= value <= _MAX_SIZE:
        raise InvalidEntryError(f"its {key} is {value!r:.100}")
    return value


def _text(document: Mapping[str, Any], key: str) -> str | None:
    value = document.get(key)
    if not isinstance(value, (str, type(None))):
        raise InvalidEntryError(f"its {key} is {value!r:.100}, not a text")
    return value
