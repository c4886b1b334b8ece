"""What an event of the live protocol may hold, checked before it is sent.

The protocol is that of DVC Studio's ``api/live``: https://doc.dvc.org/studio. A key that it does not know makes the
whole event unsendable, so the check is as strict as the receiver.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from collections.abc import Set as AbstractSet

    # Yields what is wrong with a value at a path.
    Check = Callable[[tuple[Any, ...], Any], Iterator["Problem"]]

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


class _Group(str):
    """What voluptuous puts for keys of which there may be one only."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"<{self}>"


class Problem(NamedTuple):
    """What is wrong at one place of a body.

    Attributes:
        path: The keys and numbers that lead to the place.
        said: What is wrong there, as the end of a sentence that begins with the place.
        rule: The rule that is broken, in the words of voluptuous, with which DVC Studio's client checks.
    """

    path: tuple[Any, ...]
    said: str
    rule: str

    def __str__(self) -> str:
        place = "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in self.path).lstrip(".")
        return f"'{place}' {self.said}" if place else f"the event {self.said}"


def find_problems(body: Mapping[str, Any], dialect: Dialect = GIT_IDS) -> list[Problem]:
    """Return what is wrong with the body of an event, each with its place; nothing when it can be sent.

    Args:
        body: The body, whose ``type`` is one of `EVENT_TYPES`.
        dialect: Which commit ids it may name.

    Example:
        >>> str(*find_problems({"type": "data", "repo_url": "r", "baseline_sha": "0" * 40, "step": 1.5}))
        "'step' must be an integer, not float"
    """
    return check_event(body, body.get("type"), dialect)


def check_event(body: Any, event_type: Any, dialect: Dialect) -> list[Problem]:
    """Return what is wrong with a body that shall tell an event of a type; see `find_problems`.

    Args:
        body: The body.
        event_type: The type; one that is unknown allows what all types have in common.
        dialect: Which commit ids it may name.
    """
    commit_id = _commit_id(dialect)
    fields: dict[str, Check] = {
        "type": _choice,
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
    if event_type == "start":
        fields |= {"message": _TEXT, "subdir": _TEXT}
    elif event_type == "data":
        fields |= {"step": _is("an integer", int), "plots": _mapping_of(_plot)}
        required.add("step")
    elif event_type == "done":
        fields["experiment_rev"] = commit_id
    return list(_fields(fields, required)((), body))


def _is(what: str, kind: type) -> Check:
    def check(path: tuple[Any, ...], value: Any) -> Iterator[Problem]:
        if not isinstance(value, kind):
            yield Problem(path, f"must be {what}, not {type(value).__name__}", f"expected {kind.__name__}")

    return check


def _choice(path: tuple[Any, ...], value: Any) -> Iterator[Problem]:
    if value not in EVENT_TYPES:
        said = f"must be one of {', '.join(EVENT_TYPES)}, not {value!r:.100}"
        yield Problem(path, said, "expected one of start, done, data")


def _commit_id(dialect: Dialect) -> Check:
    def check(path: tuple[Any, ...], value: Any) -> Iterator[Problem]:
        rule = "expected a length 40 commit sha"
        if not (isinstance(value, str) or dialect.takes_any_type):
            yield Problem(path, f"must be a commit id, not {type(value).__name__}", rule)
        elif not dialect.id_pattern.match(str(value).lower()):
            yield Problem(path, f"is no commit id: {value!r:.100}", rule)

    return check


def _fields(fields: Mapping[str, Check], required: AbstractSet[str] = frozenset()) -> Check:
    """Check a mapping of known keys."""

    def check(path: tuple[Any, ...], value: Any) -> Iterator[Problem]:
        if not isinstance(value, dict):
            yield _no_mapping(path, value)
            return
        for key, item in value.items():
            field = fields.get(key) if isinstance(key, str) else None
            if field is None:
                yield Problem((*path, key), "is no key of the protocol", "extra keys not allowed")
            else:
                yield from _values(field, (*path, key), item)
        for key in sorted(required - set(value)):
            yield Problem((*path, key), "is missing", "required key not provided")

    return check


def _mapping_of(item_check: Check) -> Check:
    """Check a mapping of any texts, such as paths of files."""

    def check(path: tuple[Any, ...], value: Any) -> Iterator[Problem]:
        if not isinstance(value, dict):
            yield _no_mapping(path, value)
            return
        for key, item in value.items():
            if isinstance(key, str):
                yield from _values(item_check, (*path, key), item)
            else:
                yield Problem((*path, key), f"is a key that must be a text, not {type(key).__name__}", "expected str")

    return check


def _list_of(item_check: Check) -> Check:
    def check(path: tuple[Any, ...], value: Any) -> Iterator[Problem]:
        if not isinstance(value, list):
            yield Problem(path, f"must be a list, not {type(value).__name__}", "expected a list")
            return
        for number, item in enumerate(value):
            place = (*path, number)
            problems = list(item_check(place, item))
            yield from problems
            if any(len(problem.path) > len(place) for problem in problems):
                return  # a long list of one form has one fault many times

    return check


def _values(check: Check, path: tuple[Any, ...], value: Any) -> Iterator[Problem]:
    """Check one value of a mapping."""
    for problem in check(path, value):
        is_own = len(problem.path) <= len(path)
        yield problem._replace(rule=f"{problem.rule} for dictionary value") if is_own else problem


def _plot(path: tuple[Any, ...], value: Any) -> Iterator[Problem]:
    """Check one plot: datapoints or an image, never both."""
    if isinstance(value, dict) and "data" in value and "image" in value:
        rule = "two or more values in the same group of exclusion 'data'"
        yield Problem((*path, _Group("data")), "cannot be there beside 'image'", rule)
    else:
        yield from _PLOT_FIELDS(path, value)


def _no_mapping(path: tuple[Any, ...], value: Any) -> Problem:
    return Problem(path, f"must be a mapping, not {type(value).__name__}", "expected a dictionary")


_TEXT = _is("a text", str)
_MAPPING = _is("a mapping", dict)
_ERROR = _fields({"cls": _TEXT, "text": _TEXT}, {"cls", "text"})
_PLOT_FIELDS = _fields({"data": _list_of(_MAPPING), "image": _TEXT, "props": _MAPPING, "error": _ERROR})
