"""Manifests: what a directory holds, as one object of the cache.

One JSON object a line, sorted by path, so that equal directories have equal digests and two manifests can be compared
line by line. A manifest may come from anywhere, so it is checked as a whole before anything is done with it.
"""

from __future__ import annotations

import itertools
import json
import re
import unicodedata
from typing import TYPE_CHECKING, Any, NamedTuple

from gittrack.artifacts.digest import PREFIX, Digest, InvalidDigestError, parse_digest
from gittrack.errors import GittrackError
from gittrack.paths import InvalidPathError, check_repository_path

if TYPE_CHECKING:
    from collections.abc import Iterable


MAX_MANIFEST_BYTES = 1 << 30
MAX_FILES = 5_000_000
MAX_DEPTH = 100
_N_AT_ONCE = 10_000
_MAX_SIZE = (1 << 63) - 1
_KEYS = {"digest", "executable", "path", "size"}
# What most lines are, byte for byte as they are written.
_USUAL = re.compile(
    rb'\{"digest":"b3:([0-9a-f]{64})"(,"executable":true)?,"path":"([ !#-\[\]-~]*)","size":(0|[1-9][0-9]{0,17})\}\n'
)
_PLAIN = re.compile(r"[ !#-\[\]-~]*")  # printable ASCII that JSON writes as it is


class InvalidManifestError(GittrackError):
    """A manifest is damaged or hostile."""


class FileEntry(NamedTuple):
    """One file of a directory.

    Attributes:
        path: Relative to the directory, ``/`` between components.
        digest: Of its content.
        size: In bytes.
        is_executable: Whether it may be run.
    """

    path: str
    digest: Digest
    size: int
    is_executable: bool = False


def render_manifest(files: Iterable[FileEntry]) -> bytes:
    """Return the one form of a directory's content.

    Args:
        files: Its files, in any order.

    Raises:
        InvalidManifestError: Two of them cannot stand beside each other on every system, or a path is not portable.

    Example:
        >>> from gittrack.artifacts.digest import hash_bytes
        >>> print(render_manifest([FileEntry("a.txt", hash_bytes(b""), 0)]).decode(), end="")
        {"digest":"b3:af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262","path":"a.txt","size":0}
    """
    ordered = sorted(files)
    check_files(ordered)
    pieces = range(0, len(ordered), _N_AT_ONCE)  # so that not all lines are held as texts
    return b"".join("".join(map(_render_line, ordered[start : start + _N_AT_ONCE])).encode() for start in pieces)


def parse_manifest(data: bytes) -> list[FileEntry]:
    """Read a manifest.

    Args:
        data: Its content.

    Returns:
        Its files, sorted by path.

    Raises:
        InvalidManifestError: It is not in the one form of `render_manifest`, or holds a path that must not be written.
    """
    if len(data) > MAX_MANIFEST_BYTES:
        raise InvalidManifestError(f"a manifest of {len(data):,} bytes is too large")
    if data.count(b"\n") > MAX_FILES:  # counted before a list of lines could fill the memory
        raise InvalidManifestError(f"a manifest of more than {MAX_FILES:,} files is too large")
    files = [_parse_line(line, number) for number, line in enumerate(data.splitlines(keepends=True), 1)]
    if any(above.path >= below.path for above, below in itertools.pairwise(files)):
        raise InvalidManifestError("the files of a manifest must be sorted and each be there once")
    check_files(files)
    return files


def check_files(files: Iterable[FileEntry]) -> None:
    """Check that files can stand beside each other in a directory on every system.

    Args:
        files: The files.

    Raises:
        InvalidManifestError: A path is not portable, two differ only in case or in the form of their accents, or one
            is a file and a folder at once.
    """
    folders: dict[str, str] = {}  # as compared -> as written
    names: dict[str, str] = {}
    known = {""}
    for entry in files:
        path = entry.path
        _check_path(path)
        folded = _fold(path)
        if (other := names.setdefault(folded, path)) is not path:
            raise _clash(other, path)
        if (folder := path.rpartition("/")[0]) not in known:
            known.add(folder)
            _note_folders(folder, folders)
    for folded, folder in folders.items():
        if folded in names:
            raise _clash(names[folded], folder)


def _note_folders(folder: str, folders: dict[str, str]) -> None:
    """Note a folder and those above it, up to the first that is known."""
    while folder:
        folded = _fold(folder)
        other = folders.setdefault(folded, folder)
        if other is not folder:
            if other != folder:
                raise _clash(other, folder)
            return
        folder = folder.rpartition("/")[0]


def _check_path(path: str) -> None:
    if path.count("/") >= MAX_DEPTH:
        raise InvalidManifestError(f"the path {path[:200]!r} has more than {MAX_DEPTH} folders")
    try:
        check_repository_path(path)
    except InvalidPathError as error:
        raise InvalidManifestError(f"in a tracked folder, {error.message}", hint=error.hint or "rename it") from error


def _clash(one: str, other: str) -> InvalidManifestError:
    return InvalidManifestError(
        f"'{one}' and '{other}' are one name where case is folded or a file cannot be a folder",
        hint="rename one of them",
    )


def _fold(path: str) -> str:
    if path.isascii():
        return path if path.islower() else path.lower()  # most are themselves, and need no second text
    return unicodedata.normalize("NFC", path).casefold()


def _render_line(entry: FileEntry) -> str:
    path = f'"{entry.path}"' if _PLAIN.fullmatch(entry.path) else json.dumps(entry.path, ensure_ascii=False)
    executable = ',"executable":true' if entry.is_executable else ""
    return f'{{"digest":"{PREFIX}{entry.digest}"{executable},"path":{path},"size":{entry.size}}}\n'


def _parse_line(line: bytes, number: int) -> FileEntry:
    if match := _USUAL.fullmatch(line):
        digest, executable, path, size = match.groups()
        return FileEntry(path.decode(), Digest(digest.decode()), int(size), executable is not None)
    try:
        fields: Any = json.loads(line)
        if not isinstance(fields, dict) or not fields.keys() <= _KEYS or not line.endswith(b"\n"):
            raise ValueError("not an object of known keys")  # noqa: TRY301  all faults have one message
        entry = FileEntry(
            _text(fields["path"]),
            parse_digest(fields["digest"]),
            _size(fields["size"]),
            fields.get("executable", False),
        )
        if _render_line(entry).encode() != line:
            raise ValueError("not in the one form")  # noqa: TRY301
    except (ValueError, KeyError, RecursionError, InvalidDigestError, UnicodeError) as error:
        raise InvalidManifestError(f"line {number} of a manifest is not an entry: {line[:100]!r}") from error
    return entry


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError("not a text")  # noqa: TRY004  all faults have one message
    return value


def _size(value: object) -> int:
    if type(value) is not int or not 0 <= value <= _MAX_SIZE:
        raise ValueError("not a size")
    return value
