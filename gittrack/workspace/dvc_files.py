"""DVC's own files: ``.dvc`` pointers, ``dvc.lock``, the lists of a directory's files, its settings and its MD5.

Formats as DVC 3 writes and reads them; those of DVC 2 where they differ. Nothing of it is trusted: paths are checked,
sizes limited, and no command in it is looked at.
"""

from __future__ import annotations

import configparser
import hashlib
import json
import os
import posixpath
import re
from typing import TYPE_CHECKING, Any, NamedTuple

from gittrack.errors import GittrackError
from gittrack.paths import InvalidPathError, check_repository_path
from gittrack.yaml_text import InvalidYAMLError, parse_yaml

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from gittrack.values import PlainValue

MAX_FILE_BYTES = 16 << 20
MAX_LIST_BYTES = 1 << 30
LOCK_NAME = "dvc.lock"
SUFFIX = ".dvc"
_DIR = ".dir"
_MD5 = re.compile(r"([0-9a-f]{32})(\.dir)?")
_CHUNK_BYTES = 1 << 20  # DVC 2 converts line ends chunk by chunk of this size, so it is part of the format
_TEXT_BLOCK_BYTES = 512
_TEXT_CHARACTERS = bytes(range(32, 127)) + b"\n\r\t\f\b"
_MAX_NON_TEXT = 0.3
_REMOTE_SECTION = re.compile(r"""'?remote ".*"'?""")
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:")  # of two characters at least, unlike a drive of Windows


class InvalidDvcFileError(GittrackError):
    """A file of DVC is damaged, hostile, or says something that cannot be imported."""


class DvcOut(NamedTuple):
    """What DVC tracks.

    Attributes:
        path: Where it belongs, relative to the top of the repository, checked.
        source: The file that says so, relative to the top.
        md5: 32 hex digits.
        is_dir: Whether the MD5 is that of a list of files.
        is_legacy: Whether it is DVC 2's MD5, for which line ends of text files are converted.
        is_executable: Whether it may be run.
        desc: What it is about.
        type: What it is.
        labels: Words to find it by.
        meta: Anything else.
    """

    path: str
    source: str
    md5: str
    is_dir: bool
    is_legacy: bool
    is_executable: bool = False
    desc: str | None = None
    type: str | None = None
    labels: tuple[str, ...] = ()
    meta: PlainValue = None


class DvcEntry(NamedTuple):
    """A file of a directory.

    Attributes:
        path: Relative to the directory, checked.
        md5: 32 hex digits.
    """

    path: str
    md5: str


class DvcFile(NamedTuple):
    """What a file of DVC says.

    Attributes:
        outs: What can be imported.
        problems: What is wrong with the others: they lead out of the repository, or are known by no MD5, such as what a
            cloud keeps versions of.
    """

    outs: list[DvcOut]
    problems: list[str]


def parse_dvc_file(data: bytes, source: str, pipeline: bytes | None = None) -> DvcFile:
    """Read a ``.dvc`` file or a ``dvc.lock``.

    Args:
        data: Its content.
        source: Where it is, relative to the top of the repository.
        pipeline: Of a ``dvc.lock``, the ``dvc.yaml`` beside it, which says in which folder a stage works.

    Raises:
        InvalidDvcFileError: It is no such file.
    """
    try:
        fields = parse_yaml(data, max_bytes=MAX_FILE_BYTES)
    except InvalidYAMLError as error:
        raise InvalidDvcFileError(f"'{source}' is no file of DVC: {error.message}") from error
    if not isinstance(fields, dict):
        raise InvalidDvcFileError(f"'{source}' is no file of DVC")
    folder = posixpath.dirname(source)
    if posixpath.basename(source) != LOCK_NAME:
        return _parse_outs([(out, _wdir(fields)) for out in _list(fields, "outs")], source, folder)
    wdirs = _read_wdirs(pipeline)
    named = [
        (out, wdirs.get(name.partition("@")[0], "."))  # `name@key` is one of the stages that `foreach` makes
        for name, stage in _stages(fields).items()
        for out in _list(stage, "outs")
    ]
    return _parse_outs(named, source, folder)


def parse_dvc_list(data: bytes) -> list[DvcEntry]:
    """Read the list of a directory's files, as an object ``<md5>.dir`` has it.

    Args:
        data: Its content.

    Raises:
        InvalidDvcFileError: It is none, or a path in it must not be written.
    """
    try:
        entries: Any = json.loads(data)
        if not isinstance(entries, list):
            raise InvalidDvcFileError("a list of files of DVC is something else")
        return [DvcEntry(check_repository_path(entry["relpath"]), _check_md5(entry["md5"])) for entry in entries]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, InvalidPathError) as error:
        raise InvalidDvcFileError(f"a list of files of DVC is damaged: {str(error)[:200]}") from error


def render_dvc_list(entries: Iterable[DvcEntry]) -> bytes:
    """Return the list of a directory's files as DVC writes it, byte by byte.

    Args:
        entries: The files, in any order.

    Example:
        >>> render_dvc_list([DvcEntry("b", "1" * 32), DvcEntry("a", "0" * 32)])[:58]
        b'[{"md5": "00000000000000000000000000000000", "relpath": "a'
    """
    ordered = sorted(entries)
    return json.dumps([{"md5": entry.md5, "relpath": entry.path} for entry in ordered], sort_keys=True).encode()


def parse_dvc_config(text: str) -> Iterator[str]:
    r"""Yield the folders that a DVC configuration names: its cache, and remotes that are folders.

    Args:
        text: The content of ``.dvc/config`` or ``.dvc/config.local``.

    Returns:
        Paths as they are written: absolute, or relative to the folder of the file.

    Raises:
        InvalidDvcFileError: It is no configuration.

    Example:
        >>> list(parse_dvc_config("[cache]\n dir = /big\n['remote \"far\"']\n url = s3://bucket\n"))
        ['/big']
    """
    parser = configparser.ConfigParser(interpolation=None, strict=False, delimiters=("=",))
    try:
        parser.read_string(text)
    except configparser.Error as error:
        raise InvalidDvcFileError(f"the configuration of DVC cannot be read: {str(error)[:200]}") from error
    for section in parser.sections():
        key = "dir" if section == "cache" else "url" if _REMOTE_SECTION.fullmatch(section) else None
        value = parser.get(section, key, fallback="") if key else ""
        if value and not _URL.match(value) and "\0" not in value:
            yield value


def hash_dvc(descriptor: int, *, is_legacy: bool) -> str:
    """Return the MD5 of an open file as DVC counts it, from where it stands.

    Args:
        descriptor: The file.
        is_legacy: Whether line ends of text are converted, as in DVC 2.

    Raises:
        OSError: It cannot be read.
    """
    hasher = hashlib.md5(usedforsecurity=False)
    with os.fdopen(descriptor, "rb", closefd=False) as file:
        while chunk := file.read(_CHUNK_BYTES):
            hasher.update(chunk.replace(b"\r\n", b"\n") if is_legacy and _is_text(chunk) else chunk)
    return hasher.hexdigest()


def _is_text(chunk: bytes) -> bool:
    """Return whether DVC takes a chunk for text, by its beginning."""
    block = chunk[:_TEXT_BLOCK_BYTES]
    return b"\0" not in block and len(block.translate(None, _TEXT_CHARACTERS)) / len(block) <= _MAX_NON_TEXT


def _wdir(fields: Mapping[str, Any]) -> str:
    wdir = fields.get("wdir", ".")
    return wdir if isinstance(wdir, str) else "."


def _stages(fields: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    stages = fields.get("stages")
    found = stages.items() if isinstance(stages, dict) else ()
    return {name: stage for name, stage in found if isinstance(stage, dict)}


def _read_wdirs(pipeline: bytes | None) -> dict[str, str]:
    """Return the folders in which the stages of a pipeline work, by the stages' names."""
    try:
        fields = parse_yaml(pipeline or b"", max_bytes=MAX_FILE_BYTES)
    except InvalidYAMLError:
        return {}
    stages = _stages(fields) if isinstance(fields, dict) else {}
    return {name: _wdir(_made_stage(stage)) for name, stage in stages.items()}


def _made_stage(stage: dict[str, Any]) -> dict[str, Any]:
    """Return what a stage is; what `foreach` makes says it in `do`."""
    made = stage.get("do")
    return made if isinstance(made, dict) else stage


def _list(fields: Mapping[str, Any], key: str) -> list[Any]:
    found = fields.get(key)
    return found if isinstance(found, list) else []


def _parse_outs(outs: Iterable[tuple[object, str]], source: str, folder: str) -> DvcFile:
    """Read outputs, each with the folder that its path is relative to."""
    result = DvcFile([], [])
    for out, wdir in outs:
        try:
            result.outs.append(_parse_out(out, source, posixpath.join(folder, wdir)))
        except InvalidDvcFileError as error:
            result.problems.append(error.message)
    return result


def _parse_out(out: object, source: str, folder: str) -> DvcOut:
    if "${" in folder:
        raise InvalidDvcFileError(f"'{source}' has a stage that works in the computed folder '{folder[:200]}'")
    if not isinstance(out, dict) or not isinstance(out.get("path"), str):
        raise InvalidDvcFileError(f"'{source}' has an output without a path")
    written = out["path"]
    match = _MD5.fullmatch(out["md5"]) if isinstance(out.get("md5"), str) else None
    if match is None:
        raise InvalidDvcFileError(
            f"'{source}' knows '{written[:200]}' by no MD5", hint="run 'dvc pull', then 'gittrack add' it"
        )
    try:
        path = check_repository_path(posixpath.normpath(posixpath.join(folder, written)))
    except InvalidPathError as error:
        raise InvalidDvcFileError(f"in '{source}', {error.message}", hint=error.hint) from error
    labels = out.get("labels")
    return DvcOut(
        path=path,
        source=source,
        md5=match[1],
        is_dir=match[2] is not None,
        is_legacy=out.get("hash", "md5-dos2unix") == "md5-dos2unix",
        is_executable=out.get("isexec") is True,
        desc=_text(out.get("desc")),
        type=_text(out.get("type")),
        labels=tuple(label for label in labels if isinstance(label, str)) if isinstance(labels, list) else (),
        meta=out.get("meta"),
    )


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _check_md5(text: object) -> str:
    if not isinstance(text, str) or not re.fullmatch("[0-9a-f]{32}", text):
        raise InvalidDvcFileError(f"not an MD5: {text!r:.100}")
    return text
