"""The settings file ``gittrack.yaml``: which files are params, metrics and plots, and where artifact bytes are shared.

It travels with the repository, so it is data and nothing else: a command, a credential or a path outside the
repository in it is an error.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal, NamedTuple

from gittrack.errors import GittrackError
from gittrack.paths import InvalidPathError, check_repository_path
from gittrack.yaml_text import InvalidYAMLError, parse_yaml

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import TypeAlias

    from gittrack.values import PlainValue

    Direction: TypeAlias = Literal["min", "max"]

FILE_NAME = "gittrack.yaml"

_KNOWN_KEYS = frozenset({"params", "metrics", "plots", "directions", "storage", "snapshot"})
_COMMAND_KEYS = frozenset({"command", "commands", "cmd", "run", "exec", "script", "scripts", "hooks", "shell"})
_SCHEMES = ("s3", "s3a", "gs", "az", "azure", "adl", "abfs", "abfss", "https", "http")
_STORAGE_WORDS = ("git", "lfs")
_URL = re.compile(r"(?P<scheme>[a-z][a-z0-9+.-]*)://(?P<host>[^/?#]+)(?P<path>/[^?#]*)?", re.IGNORECASE)
_LIMITS = {"max_file_size": "max_file_bytes", "max_total_size": "max_total_bytes", "max_files": "max_files"}
_SIZE = re.compile(r"([0-9]{1,12})\s*([a-z]*)")
# the bare letter as git reads it in its settings
_UNITS: dict[str, int] = {"": 1, "b": 1} | {
    f"{prefix}{unit}": int(base**power)
    for power, prefix in enumerate("kmg", 1)
    for unit, base in (("", 1024), ("ib", 1024), ("b", 1000))
}


class InvalidConfigError(GittrackError):
    """``gittrack.yaml`` says something that it must not or that makes no sense."""


class SnapshotLimits(NamedTuple):
    """What the snapshot of the code may take of untracked files.

    Attributes:
        max_file_bytes: The largest single file.
        max_total_bytes: All of them together.
        max_files: Their number.
    """

    max_file_bytes: int = 1 << 20
    max_total_bytes: int = 64 << 20
    max_files: int = 5_000


class ProjectConfig(NamedTuple):
    """What ``gittrack.yaml`` says.

    Attributes:
        params: Files of params, relative to the root of the repository.
        metrics: Files of metrics.
        plots: Files or folders of plots.
        directions: Whether low (``min``) or high (``max``) numbers of a metric are better.
        storage: Where artifact bytes are shared: ``git``, ``lfs`` or the URL of an object store; None when not said.
        snapshot: Limits of the code's snapshot.
        unknown: Keys without a meaning, such as misspelt ones.
    """

    params: tuple[str, ...] = ()
    metrics: tuple[str, ...] = ()
    plots: tuple[str, ...] = ()
    directions: Mapping[str, Direction] = {}
    storage: str | None = None
    snapshot: SnapshotLimits = SnapshotLimits()
    unknown: tuple[str, ...] = ()


def parse_project_config(text: str | bytes) -> ProjectConfig:
    r"""Read the content of ``gittrack.yaml``.

    Args:
        text: The content; as bytes, in UTF-8.

    Returns:
        What it says; an empty file says nothing.

    Raises:
        InvalidConfigError: It is not YAML as gittrack reads it, a value has a wrong type, or it holds a command, a path
            outside the repository, or a URL with a credential or of an unknown kind.

    Example:
        >>> config = parse_project_config("params: [conf.yaml]\nsnapshot: {max_file_size: 5MiB}\n")
        >>> config.params, config.snapshot.max_file_bytes
        (('conf.yaml',), 5242880)
    """
    try:
        settings = parse_yaml(text)
    except InvalidYAMLError as error:
        raise InvalidConfigError(f"{FILE_NAME}: {error}") from error
    top = _mapping(settings, "the file")
    for key in top:
        if key.lower() in _COMMAND_KEYS:
            raise InvalidConfigError(f"{FILE_NAME}: '{key}' is refused: a file of the repository starts no commands")
    snapshot = _mapping(top.get("snapshot"), "'snapshot'")
    unknown = [key for key in top if key not in _KNOWN_KEYS]
    unknown += [f"snapshot.{key}" for key in snapshot if key not in _LIMITS]
    return ProjectConfig(
        params=_paths(top, "params"),
        metrics=_paths(top, "metrics"),
        plots=_paths(top, "plots"),
        directions=_directions(top.get("directions")),
        storage=_storage(top.get("storage")),
        snapshot=_snapshot_limits(snapshot),
        unknown=tuple(unknown),
    )


def _mapping(value: PlainValue, what: str) -> dict[str, PlainValue]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise InvalidConfigError(f"{FILE_NAME}: {what} must hold keys and values, not {value!r:.100}")
    return value


def _paths(top: dict[str, PlainValue], key: str) -> tuple[str, ...]:
    """Read a list of paths; a single one may stand without brackets, and a folder may end with a slash."""
    value = top.get(key)
    paths = [] if value is None else value if isinstance(value, list) else [value]
    checked: dict[str, None] = {}
    for path in paths:
        if not isinstance(path, str):
            raise InvalidConfigError(f"{FILE_NAME}: '{key}' must be a list of paths, not {path!r:.100}")
        try:
            checked[check_repository_path(path.removesuffix("/") if path != "/" else path)] = None
        except InvalidPathError as error:
            raise InvalidConfigError(f"{FILE_NAME}: '{key}': {error}", hint=error.hint) from error
    return tuple(checked)


def _directions(value: PlainValue) -> dict[str, Direction]:
    directions: dict[str, Direction] = {}
    for metric, direction in _mapping(value, "'directions'").items():
        if direction not in ("min", "max"):
            raise InvalidConfigError(
                f"{FILE_NAME}: the direction of '{metric}' must be 'min' or 'max', not {direction!r:.100}"
            )
        directions[metric] = "min" if direction == "min" else "max"
    return directions


def _storage(value: PlainValue) -> str | None:
    if value is None or value in _STORAGE_WORDS:
        return None if value is None else str(value)
    what = f"{FILE_NAME}: 'storage'"
    if not isinstance(value, str) or not value.isprintable() or " " in value:
        raise InvalidConfigError(f"{what} must be 'git', 'lfs' or a URL")
    match = _URL.match(value)
    if match is None or match["scheme"].lower() not in _SCHEMES:
        hint = f"use 'git', 'lfs' or a URL that begins with one of {', '.join(f'{name}://' for name in _SCHEMES)}"
        raise InvalidConfigError(f"{what} is neither a known word nor the URL of an object store", hint=hint)
    # abfs names its container as other schemes name a user
    is_container = match["scheme"].lower().startswith("abfs") and ":" not in match["host"].rpartition("@")[0]
    if match.end() != len(value) or ("@" in match["host"] and not is_container):
        # the value is not shown: it may hold the credential
        hint = "keep credentials where the store's own programs read them, such as the environment"
        raise InvalidConfigError(
            f"{what} holds a credential or query, which everybody with the code could read", hint=hint
        )
    if ".." in (match["path"] or "").split("/"):
        raise InvalidConfigError(f"{what} has '..' in its path")
    return value


def _snapshot_limits(settings: dict[str, PlainValue]) -> SnapshotLimits:
    given = {field: _limit(key, settings[key]) for key, field in _LIMITS.items() if settings.get(key) is not None}
    return SnapshotLimits(**given)


def _limit(key: str, value: PlainValue) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    match = _SIZE.fullmatch(value.lower()) if isinstance(value, str) and key != "max_files" else None
    if match is None or match[2] not in _UNITS:
        form = "a number" if key == "max_files" else "a size such as 500kB or 5MiB"
        raise InvalidConfigError(f"{FILE_NAME}: 'snapshot.{key}' must be {form}, not {value!r:.100}")
    return int(match[1]) * _UNITS[match[2]]
