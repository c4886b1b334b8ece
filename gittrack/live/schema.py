"""What an event of the live protocol may hold, checked before it is sent.

The protocol is that of DVC Studio's ``api/live``: https://doc.dvc.org/studio. A key that it does not know makes the
whole event unsendable, so the check is as strict as the receiver.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    # Yields what is wrong with a value at a path.
    Check = Callable[[str, Any], Iterator[str]]

EVENT_TYPES = ("start", "data", "done")

_GIT_ID = re.compile(r"(?:[0-9a-f]{40}|[0-9a-f]{64})\Z")
# DVC Studio's client takes the letters g and h too, ids of other types that look so as texts, and a final line feed.
_STUDIO_ID = re.compile(r"[0-9a-h]{40}$")


class Dialect(NamedTuple):
    """Which commit ids the protocol takes.

    Attributes:
        id_pattern: What a commit id in small letters must match.
        takes_any_type: Whether a value of another type is taken when it looks like a commit id as a text.
    """

    id_pattern: re.Pattern[str]
    takes_any_type: bool


GIT_IDS = Dialect(_GIT_ID, takes_any_type=False)
STUDIO_IDS = Dialect(_STUDIO_ID, takes_any_type=True)


def find_problems(body: Mapping[str, Any], dialect: Dialect = GIT_IDS) -> list[str]:
    """Return what is wrong with the body of an event, each with its place; nothing when it can be sent.

    Args:
        body: The body, whose ``type`` is one of `EVENT_TYPES`.
        dialect: Which commit ids it may name.

    Example:
        >>> find_problems({"type": "data", "repo_url": "r", "baseline_sha": "0" * 40, "step": 1.5})
        ["'step' must be an integer, not float"]
    """

    def commit_id(path: str, value: Any) -> Iterator[str]:
        if not (isinstance(value, str) or dialect.takes_any_type):
            yield f"'{path}' must be a commit id, not {type(value).__name__}"
        elif not dialect.id_pattern.match(str(value).lower()):
            yield f"'{path}' is no commit id: {value!r:.100}"

    fields: dict[str, Check] = {
        "type": _choice(EVENT_TYPES),
        "repo_url": _TEXT,
        "baseline_sha": commit_id,
        "name": _TEXT,
        "env": _MAPPING,
        "client": _TEXT,
        "errors": _list_of(_ERROR),
        "params": _mapping_of(_MAPPING),
        "metrics": _mapping_of(_fields({"data": _MAPPING, "error": _ERROR})),
        "machine": _MAPPING,
    }
    required = {"type", "repo_url", "baseline_sha"}
    event_type = body.get("type")
    if event_type == "start":
        fields |= {"message": _TEXT, "subdir": _TEXT}
    elif event_type == "data":
        fields |= {"step": _is("an integer", int), "plots": _mapping_of(_plot)}
        required.add("step")
    elif event_type == "done":
        fields["experiment_rev"] = commit_id
    return list(_fields(fields, required)("", body))


def _is(what: str, *types: type) -> Check:
    def check(path: str, value: Any) -> Iterator[str]:
        if not isinstance(value, types):
            yield f"'{path}' must be {what}, not {type(value).__name__}"

    return check


def _choice(words: tuple[str, ...]) -> Check:
    def check(path: str, value: Any) -> Iterator[str]:
        if value not in words:
            yield f"'{path}' must be one of {', '.join(words)}, not {value!r:.100}"

    return check


def _fields(fields: Mapping[str, Check], required: set[str] | frozenset[str] = frozenset()) -> Check:
    """Check a mapping of known keys."""

    def check(path: str, value: Any) -> Iterator[str]:
        if not isinstance(value, dict):
            yield f"'{path}' must be a mapping, not {type(value).__name__}"
            return
        for key, item in value.items():
            place = f"{path}.{key}" if path else str(key)
            field = fields.get(key) if isinstance(key, str) else None
            if field is None:
                yield f"'{place}' is no key of the protocol"
            else:
                yield from field(place, item)
        for key in sorted(required - set(value)):
            yield f"'{f'{path}.{key}' if path else key}' is missing"

    return check


def _mapping_of(item_check: Check) -> Check:
    """Check a mapping of any texts, such as paths of files."""

    def check(path: str, value: Any) -> Iterator[str]:
        if not isinstance(value, dict):
            yield f"'{path}' must be a mapping, not {type(value).__name__}"
            return
        for key, item in value.items():
            if isinstance(key, str):
                yield from item_check(f"{path}.{key}", item)
            else:
                yield f"a key of '{path}' must be a text, not {type(key).__name__}"

    return check


def _list_of(item_check: Check) -> Check:
    def check(path: str, value: Any) -> Iterator[str]:
        if not isinstance(value, list):
            yield f"'{path}' must be a list, not {type(value).__name__}"
            return
        for number, item in enumerate(value):
            yield from item_check(f"{path}[{number}]", item)

    return check


def _plot(path: str, value: Any) -> Iterator[str]:
    """Check one plot: datapoints or an image, never both."""
    yield from _PLOT_FIELDS(path, value)
    if isinstance(value, dict) and "data" in value and "image" in value:
        yield f"'{path}' has both 'data' and 'image'"


_TEXT = _is("a text", str)
_MAPPING = _is("a mapping", dict)
_ERROR = _fields({"cls": _TEXT, "text": _TEXT}, {"cls", "text"})
_PLOT_FIELDS = _fields({"data": _list_of(_MAPPING), "image": _TEXT, "props": _MAPPING, "error": _ERROR})
