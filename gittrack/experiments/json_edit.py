"""Change one value in the text of a JSON document; the caller checks the result by reading it."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from gittrack.values import PlainValue

_SPACE = re.compile(r"[ \t\r\n]*")
_INDENT = re.compile(r"\n([ \t]+)\S")


class _Member(NamedTuple):
    """A value in its object or array: its key or number, and where it is."""

    key: str
    start: int
    value_start: int
    end: int


def edit_json(text: str, parts: tuple[str, ...], value: PlainValue, removes: bool) -> str:  # noqa: FBT001  one signature for all forms
    """Change one value in a JSON document.

    Args:
        text: A document that `load_json` reads: an object, or nothing.
        parts: Where the value is.
        value: The new value.
        removes: Whether to remove the key or item instead.

    Returns:
        The new text.

    Example:
        >>> edit_json('{"a": [1.50, 2]}', ("a", "1"), 3, False)
        '{"a": [1.50, 3]}'
    """
    if not text.strip():
        return json.dumps(_nested(parts, value), indent=2) + "\n"
    start = _skip(text, 0)
    for depth, part in enumerate(parts):
        members = _members(text, start)
        member = next((member for member in members if member.key == part), None)
        rest = parts[depth + 1 :]
        if member is None:
            return _insert(text, start, members, depth, _nested(parts[depth:], value))
        if removes and not rest:
            return _remove(text, members, member)
        if not rest or text.startswith("null", member.value_start):
            return text[: member.value_start] + _dumped(text, _nested(rest, value)) + text[member.end :]
        start = member.value_start
    return text


def _members(text: str, start: int) -> list[_Member]:
    decoder = json.JSONDecoder()
    is_object = text[start] == "{"
    members: list[_Member] = []
    position = _skip(text, start + 1)
    while text[position] not in "}]":
        key, value_start = str(len(members)), position
        if is_object:
            key, end = decoder.raw_decode(text, position)
            value_start = _skip(text, _skip(text, end) + 1)
        _, end = decoder.raw_decode(text, value_start)
        members.append(_Member(key, position, value_start, end))
        position = _skip(text, end)
        if text[position] == ",":
            position = _skip(text, position + 1)
    return members


def _insert(text: str, start: int, members: list[_Member], depth: int, pair: PlainValue) -> str:
    written = _dumped(text, pair)[1:-1]
    if members:
        gap = text[start + 1 : members[0].start] or " "
        return f"{text[: members[-1].end]},{gap}{written}{text[members[-1].end :]}"
    end = _skip(text, start + 1)
    indent = _INDENT.search(text)
    if indent is None:
        return text[: start + 1] + written + text[end:]
    newline = "\r\n" if "\r\n" in text else "\n"
    inner, outer = indent[1] * (depth + 1), indent[1] * depth
    return f"{text[: start + 1]}{newline}{inner}{written}{newline}{outer}{text[end:]}"


def _remove(text: str, members: list[_Member], member: _Member) -> str:
    number = members.index(member)
    if number > 0:
        return text[: members[number - 1].end] + text[member.end :]
    if len(members) > 1:
        return text[: member.start] + text[members[1].start :]
    before, after = text[: member.start].rstrip(), text[_skip(text, member.end) :]
    return before + after


def _dumped(text: str, value: PlainValue) -> str:
    return json.dumps(value, ensure_ascii=text.isascii())


def _nested(parts: tuple[str, ...], value: PlainValue) -> PlainValue:
    for part in reversed(parts):
        value = {part: value}
    return value


def _skip(text: str, position: int) -> int:
    match = _SPACE.match(text, position)
    return position if match is None else match.end()
