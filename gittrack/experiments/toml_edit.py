"""Change one value in the text of a TOML document, line by line; the caller checks the result by reading it.

Values that stand on one line can be changed. Those within inline tables, arrays of tables or on several lines cannot,
and are refused.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, NamedTuple

from gittrack.errors import UsageError
from gittrack.experiments.declared import DeclaredFileError, parse_document

if TYPE_CHECKING:
    from gittrack.values import PlainValue

_HEADER = re.compile(r"\s*\[([^\[\]]+)\]\s*(?:#.*)?")
_KEY = r"""(?:"[^"]*"|'[^']*'|[A-Za-z0-9_-]+)"""
_PAIR = re.compile(rf"([ \t]*{_KEY}(?:[ \t]*\.[ \t]*{_KEY})*[ \t]*=[ \t]*)(.*)")
_MAX_HASHES = 20
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")


class UnsupportedTOMLError(UsageError):
    """A change of TOML that is not made in place."""


class _Line(NamedTuple):
    """A line with a pair: its number, the whole key, and what stands before, in and after the value."""

    number: int
    key: tuple[str, ...]
    before: str
    after: str


def edit_toml(text: str, parts: tuple[str, ...], value: PlainValue, removes: bool) -> str:  # noqa: FBT001  one signature for all forms
    r"""Change one value in a TOML document.

    Args:
        text: A document that tomllib reads.
        parts: Where the value is.
        value: The new value.
        removes: Whether to remove the key instead.

    Returns:
        The new text.

    Raises:
        UnsupportedTOMLError: TOML has no such value, or it does not stand on a line of its own.

    Example:
        >>> edit_toml("[a]\nb = 1 # one\n", ("a", "b"), 2, False)
        '[a]\nb = 2 # one\n'
    """
    lines = text.splitlines(keepends=True)
    tables, pairs = _scan(lines)
    found = next((pair for pair in pairs if pair.key == parts), None)
    if found is not None:
        end = lines[found.number][len(lines[found.number].rstrip("\r\n")) :]
        changed = [] if removes else [found.before + _render(value) + found.after + end]
        return "".join([*lines[: found.number], *changed, *lines[found.number + 1 :]])
    if removes or any(pair.key == parts[: len(pair.key)] for pair in pairs):
        raise UnsupportedTOMLError(
            f"'{'.'.join(parts)}' does not stand on a line of its own",
            hint="edit the file by hand, or use YAML for params",
        )
    return _insert(lines, tables, pairs, parts, value)


def _scan(lines: list[str]) -> tuple[dict[tuple[str, ...], int], list[_Line]]:
    """Return the line of each table's last pair (or header), and all pairs."""
    table: tuple[str, ...] | None = ()
    tables: dict[tuple[str, ...], int] = {(): -1}
    pairs: list[_Line] = []
    for number, line in enumerate(lines):
        content = line.rstrip("\r\n")
        if header := _HEADER.fullmatch(content):
            table = _key(header[1])
        elif content.lstrip().startswith("[["):
            table = None
        elif table is not None and (pair := _PAIR.fullmatch(content)):
            written = _value_text(pair[2])
            key = _key(pair[1].rstrip(" \t").removesuffix("="))
            if written is None or key is None:
                continue
            pairs.append(_Line(number, table + key, pair[1], content[len(pair[1]) + len(written) :]))
        else:
            continue
        if table is not None:
            tables[table] = number
    return tables, pairs


def _insert(
    lines: list[str], tables: dict[tuple[str, ...], int], pairs: list[_Line], parts: tuple[str, ...], value: PlainValue
) -> str:
    newline = "\r\n" if any(line.endswith("\r\n") for line in lines) else "\n"
    if lines and not lines[-1].endswith("\n"):
        lines = [*lines[:-1], lines[-1] + newline]
    table = parts[:-1]
    pair = f"{_render_key(parts[-1])} = {_render(value)}{newline}"
    if table in tables:
        position = tables[table] + 1
        indent = next((p.before[: -len(p.before.lstrip())] for p in pairs if p.number == position - 1), "")
        return "".join([*lines[:position], indent + pair, *lines[position:]])
    header = f"[{'.'.join(_render_key(part) for part in table)}]{newline}"
    return "".join([*lines, *([newline] if lines else []), header, pair])


def _key(text: str) -> tuple[str, ...] | None:
    """Return the parts of a written key, which tomllib reads as a nest of tables."""
    try:
        document: PlainValue = parse_document("key.toml", f"{text} = 0".encode())
    except DeclaredFileError:
        return None
    parts: list[str] = []
    while isinstance(document, dict):
        ((part, document),) = document.items()
        parts.append(part)
    return tuple(parts)


def _value_text(text: str) -> str | None:
    """Return the value without the comment behind it; None when it does not end on its line."""
    ends = [match.start() for match in re.finditer("#", text)]
    for end in [*ends[:_MAX_HASHES], len(text)]:
        written = text[:end].rstrip()
        try:
            parse_document("value.toml", f"x = {written}".encode())
        except DeclaredFileError:
            continue
        return written
    return None


def _render(value: PlainValue) -> str:
    if value is None:
        raise UnsupportedTOMLError("TOML has no null", hint="remove the key instead: ~KEY")
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_render_key(key)} = {_render(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_render(item) for item in value) + "]"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007F")
    return repr(value).lower()


def _render_key(part: str) -> str:
    return part if _BARE_KEY.fullmatch(part) else _render(part)
