"""Pointers: the small text file that git stores in place of an artifact."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from gittrack.artifacts.digest import InvalidDigestError, parse_digest, render_digest
from gittrack.errors import GittrackError
from gittrack.paths import InvalidPathError, check_repository_path
from gittrack.yaml_text import InvalidYAMLError, parse_yaml, resolve_scalar

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gittrack.artifacts.digest import Digest
    from gittrack.values import PlainValue

SUFFIX = ".gittrack"
VERSION = 1
MAX_POINTER_BYTES = 64 << 10  # what is read; what is written stays below 1 KiB
MAX_WRITTEN_BYTES = 1024
_MAX_SIZE = (1 << 63) - 1
_PLAIN_SCALAR = re.compile(r"(?:b3:)?[A-Za-z0-9_./][A-Za-z0-9_./ +=@~()-]*(?<! )")
# What most pointers are, byte for byte as `render_pointer` writes them.
_USUAL = re.compile(
    rb"gittrack: 1\npath: (?P<path>[A-Za-z0-9_./][A-Za-z0-9_./ +=@~()-]*(?<! ))\nkind: (?P<kind>file|dir)\n"
    rb"digest: (?P<digest>b3:[0-9a-f]{64})\nsize: (?P<size>0|[1-9][0-9]{0,17})\nfiles: (?P<files>0|[1-9][0-9]{0,17})\n"
)
_TEXTS = ("type", "name", "desc", "media_type")

Kind = Literal["file", "dir"]


class InvalidPointerError(GittrackError):
    """A file is no pointer, or a damaged or hostile one."""


class NewerPointerError(InvalidPointerError):
    """A pointer was written by a newer gittrack."""


class Pointer(NamedTuple):
    """What a pointer says.

    Attributes:
        path: Where the artifact belongs, relative to the top of the repository.
        kind: ``file`` or ``dir``.
        digest: Of the file's content, or of the directory's manifest.
        size: In bytes, all files of a directory together.
        files: How many files a directory has; 1 for a file.
        executable: Whether a file may be run; of a directory's files its manifest says it.
        type: What it is, such as ``model`` or ``dataset``.
        name: What people call it.
        desc: One text that says what it is about.
        labels: Words to find it by.
        meta: Anything else, as plain values.
        media_type: The kind of content, such as ``text/csv``.
        extra: Keys that this version does not know, kept for a rewrite.
    """

    path: str
    kind: Kind
    digest: Digest
    size: int
    files: int = 1
    executable: bool = False
    type: str | None = None
    name: str | None = None
    desc: str | None = None
    labels: tuple[str, ...] = ()
    meta: PlainValue = None
    media_type: str | None = None
    extra: Mapping[str, PlainValue] = {}


_KNOWN = {"gittrack", *Pointer._fields} - {"extra"}


def pointer_path(path: str) -> str:
    """Return where the pointer to an artifact is.

    Example:
        >>> pointer_path("data/train")
        'data/train.gittrack'
    """
    return path + SUFFIX


def render_pointer(pointer: Pointer) -> bytes:
    """Return a pointer's file: YAML, the same for the same pointer.

    Args:
        pointer: The pointer.

    Raises:
        InvalidPointerError: It would be larger than 1 KiB, or its meta holds NaN or an infinity.

    Example:
        >>> from gittrack.artifacts.digest import hash_bytes
        >>> print(render_pointer(Pointer("model.pt", "file", hash_bytes(b"w"), 1, type="model")).decode(), end="")
        gittrack: 1
        path: model.pt
        kind: file
        digest: b3:f2f21520bebe5d07c6813b972de3617a0a0d50a36be3784e9fece54cff8d8032
        size: 1
        files: 1
        type: model
    """
    fields: dict[str, Any] = {
        "gittrack": VERSION,
        **pointer._asdict(),
        "digest": render_digest(pointer.digest),
        "executable": pointer.executable or None,
        "labels": list(pointer.labels) or None,
    }
    del fields["extra"]
    lines = [f"{key}: {_render_value(value)}\n" for key, value in fields.items() if value is not None]
    lines += [f"{_render_value(key)}: {_render_value(value)}\n" for key, value in sorted(pointer.extra.items())]
    data = "".join(lines).encode()
    if len(data) > MAX_WRITTEN_BYTES:
        raise InvalidPointerError(
            f"the pointer to '{pointer.path}' would be {len(data):,} bytes, and {MAX_WRITTEN_BYTES:,} is the limit",
            hint="shorten its description, labels or meta",
        )
    return data


def parse_pointer(data: bytes) -> Pointer:
    """Read a pointer's file.

    Args:
        data: Its content.

    Raises:
        NewerPointerError: It was written by a newer gittrack.
        InvalidPointerError: It is something else, or a path, digest or size in it must not be trusted.
    """
    if match := _USUAL.fullmatch(data):  # a thousand pointers are read in the time of twenty by YAML
        path = match["path"].decode()
        if isinstance(resolve_scalar(path), str):
            kind: Kind = "dir" if match["kind"] == b"dir" else "file"
            digest = parse_digest(match["digest"].decode())
            return Pointer(_checked(path), kind, digest, int(match["size"]), int(match["files"]))
    try:
        fields = parse_yaml(data, max_bytes=MAX_POINTER_BYTES)
    except InvalidYAMLError as error:
        raise InvalidPointerError(f"not a pointer: {error.message}") from error
    if not isinstance(fields, dict) or "gittrack" not in fields:
        raise InvalidPointerError("not a pointer: it does not begin with 'gittrack: 1'")
    version = fields["gittrack"]
    if isinstance(version, int) and not isinstance(version, bool) and version > VERSION:
        raise NewerPointerError(
            f"the pointer has version {version}, and this gittrack knows {VERSION}", hint="upgrade gittrack"
        )
    if version is True or version != VERSION:
        raise InvalidPointerError(f"not a pointer: its version is {version!r:.100}")
    try:
        return _parse_fields(fields)
    except InvalidDigestError as error:
        raise InvalidPointerError(f"a bad pointer: {error.message}") from error


def _parse_fields(fields: dict[str, Any]) -> Pointer:
    kind = fields.get("kind")
    if kind not in ("file", "dir"):  # no set: the value may be a list
        raise InvalidPointerError(f"a bad pointer: its kind is {kind!r:.100}, not 'file' or 'dir'")
    path = fields.get("path")
    labels = fields.get("labels") or []
    if not isinstance(labels, list) or not all(isinstance(label, str) for label in labels):
        raise InvalidPointerError(f"a bad pointer: its labels are {labels!r:.100}")
    executable = fields.get("executable", False)
    if not isinstance(executable, bool):
        raise InvalidPointerError(f"a bad pointer: its executable is {executable!r:.100}, not true or false")
    for key in _TEXTS:
        if not isinstance(fields.get(key), (str, type(None))):
            raise InvalidPointerError(f"a bad pointer: its {key} is {fields[key]!r:.100}, not a text")
    return Pointer(
        path=_checked(path if isinstance(path, str) else ""),
        kind=kind,
        digest=parse_digest(fields.get("digest")),
        size=_parse_number("size", fields.get("size")),
        files=_parse_number("files", fields.get("files", 1)),
        executable=executable,
        labels=tuple(labels),
        meta=fields.get("meta"),
        extra={key: value for key, value in fields.items() if key not in _KNOWN},
        **{key: fields.get(key) for key in _TEXTS},
    )


def _checked(path: str) -> str:
    try:
        return check_repository_path(path)
    except InvalidPathError as error:
        raise InvalidPointerError(f"a bad pointer: {error.message}") from error


def _parse_number(key: str, value: object) -> int:
    if type(value) is not int or not 0 <= value <= _MAX_SIZE:
        raise InvalidPointerError(f"a bad pointer: its {key} is {value!r:.100}")
    return value


def _render_value(value: PlainValue) -> str:
    """Write a value so that it reads back the same: plain where that is safe, else as JSON, which is YAML."""
    if isinstance(value, str):
        is_plain = _PLAIN_SCALAR.fullmatch(value) and isinstance(resolve_scalar(value), str)
        return value if is_plain else json.dumps(value, ensure_ascii=False)
    try:
        return json.dumps(value, ensure_ascii=False, sort_keys=True, allow_nan=False)
    except ValueError as error:
        raise InvalidPointerError(
            "NaN and infinities have no place in a pointer", hint="write them as texts"
        ) from error
