"""Change one value in the text of a YAML document.

PyYAML says where each node stands. A value is replaced where it is; a new key is a new line after the last of its
mapping (or stands in the braces); a removed one takes its lines along. The caller checks the result by reading it.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from gittrack.values import PlainValue

_ALIAS = re.compile(r"[ \t]*:\s*(\*[^\s,\[\]{}]+)")
_COLON = re.compile(r"\s*:")
# Quoting is spared only where YAML 1.1, which the script may read, and 1.2 both see a text.
_PLAIN = re.compile(r"[A-Za-z_][\w./+@%-]*(?: [\w./+@%-]+)*", re.ASCII)
_NOT_TEXT = re.compile(r"yes|no|on|off|true|false|null|nan|inf", re.IGNORECASE)
_NESTED = re.compile(r"^( *)[^\s#-][^\n]*:[ \t]*(?:#[^\n]*)?\r?\n(?:[ \t]*(?:#[^\n]*)?\r?\n)*( +)[^\s#-]", re.MULTILINE)


class _Child(NamedTuple):
    """A value in its container: a pair of a mapping, or an item of a sequence (without a key)."""

    key: Any
    value: Any
    start: int
    key_end: int
    value_start: int
    end: int


def edit_yaml(text: str, parts: tuple[str, ...], value: PlainValue, removes: bool) -> str:  # noqa: FBT001  one signature for all forms
    r"""Change one value in a YAML document.

    Args:
        text: A document that `parse_yaml` reads: a mapping, or nothing.
        parts: Where the value is.
        value: The new value.
        removes: Whether to remove the key or item instead.

    Returns:
        The new text.

    Example:
        >>> print(edit_yaml("a: [1, 2]  # two\n", ("a", "0"), 7, False), end="")
        a: [7, 2]  # two
    """
    import yaml

    node: Any = yaml.compose(text, Loader=yaml.SafeLoader)
    if not _has_children(node):
        return _filled(text, node, parts, value)
    for depth, part in enumerate(parts):
        children = _children(text, node)
        child = next((child for child in children if child.key == part), None)
        rest = parts[depth + 1 :]
        if child is None:
            return _insert(text, node, children, parts[depth:], value)
        if not rest:
            return _remove(text, node, children, child) if removes else _replace(text, child, value)
        if not _has_children(child.value):
            return _replace(text, child, _nested(rest, value))
        node = child.value
    return text


def render_flow(value: PlainValue, quote: str | None = None) -> str:
    """Write a value on one line, so that readers of YAML 1.1 and 1.2 read the same.

    Args:
        value: Any plain value.
        quote: The quote to use for a text; None to use one only where it is needed.

    Returns:
        A scalar, or a list or mapping in brackets.

    Example:
        >>> render_flow([1e-05, "no", "adam", None, True, {"a b": 1}])
        '[1.0e-05, "no", adam, null, true, {a b: 1}]'
    """
    if isinstance(value, dict):
        return "{" + ", ".join(f"{render_flow(key)}: {render_flow(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(render_flow(item) for item in value) + "]"
    if isinstance(value, str):
        return _render_text(value, quote)
    if isinstance(value, float):
        return _render_float(value)
    return json.dumps(value)


def _render_float(number: float) -> str:
    text = repr(number)
    if text.lstrip("-") in {"inf", "nan"}:
        return text.replace("inf", ".inf").replace("nan", ".nan")
    # 1e-05 is a text to YAML 1.1
    return text if "." in text else text.replace("e", ".0e")


def _render_text(text: str, quote: str | None) -> str:
    is_plain = _PLAIN.fullmatch(text) is not None and _NOT_TEXT.fullmatch(text) is None
    if quote is None and is_plain:
        return text
    if quote == "'" and text.isprintable():
        return "'" + text.replace("'", "''") + "'"
    return json.dumps(text, ensure_ascii=not text.isprintable())


def _has_children(node: Any) -> bool:
    return node is not None and not isinstance(node.value, str) and bool(node.value)


def _children(text: str, node: Any) -> list[_Child]:
    """List the values of a container; an alias stands where it is written, not where its anchor is."""
    children: list[_Child] = []
    last = node.start_mark.index
    for number, entry in enumerate(node.value):
        key, value = entry if isinstance(entry, tuple) else (None, entry)
        start = (key or value).start_mark.index
        value_start, end = value.start_mark.index, _end(text, value)
        if key is not None and value_start < key.end_mark.index and (alias := _ALIAS.match(text, key.end_mark.index)):
            value_start, end = alias.span(1)
        name, key_end = (str(number), start) if key is None else (key.value, key.end_mark.index)
        children.append(_Child(name, value, start, key_end, value_start, max(end, last)))
        last = children[-1].end
    return children


def _end(text: str, node: Any) -> int:
    """Return where a node ends; the parser counts the comments and empty lines after a block to it."""
    end: int = node.end_mark.index
    if isinstance(node.value, str):
        return len(text[:end].rstrip()) if node.style in {"|", ">"} else end
    if node.flow_style or not _has_children(node):
        return end
    return _children(text, node)[-1].end


def _replace(text: str, child: _Child, value: PlainValue) -> str:
    """Put a value in the place of another."""
    node = child.value
    quote = node.style if isinstance(node.value, str) and node.style in {"'", '"'} else None
    written = render_flow(value, quote)
    head, newline, _ = text[child.key_end : child.value_start].partition("\n")
    if newline:  # the value stands below its key, whose own comment stays, now behind the value
        colon, hash_sign, comment = head.rstrip().partition("#")
        behind = f"  {hash_sign}{comment}" if hash_sign else ""
        return f"{text[: child.key_end]}{colon.rstrip()} {written}{behind}{text[child.end :]}"
    space = " " if text[child.value_start - 1] in ":-" else ""
    return text[: child.value_start] + space + written + text[child.end :]


def _insert(text: str, node: Any, children: list[_Child], parts: tuple[str, ...], value: PlainValue) -> str:
    """Add a key to a mapping that has others."""
    if node.flow_style:
        pair = render_flow(_nested(parts, value))[1:-1]
        return f"{text[: children[-1].end]}, {pair}{text[children[-1].end :]}"
    position = _line_end(text, children[-1].end)
    column = node.value[0][0].start_mark.column
    return text[:position] + _newline(text) + _block(text, parts, value, column) + text[position:]


def _filled(text: str, node: Any, parts: tuple[str, ...], value: PlainValue) -> str:
    """Give a document without keys its first ones."""
    if node is not None and text[node.start_mark.index : node.end_mark.index].strip():
        start, end = node.start_mark.index, node.end_mark.index
        return text[:start] + render_flow(_nested(parts, value)) + text[end:]
    gap = "" if not text or text.endswith("\n") else _newline(text)
    return text + gap + _block(text, parts, value, 0) + _newline(text)


def _remove(text: str, node: Any, children: list[_Child], child: _Child) -> str:
    """Take a pair or item out of its container."""
    number = children.index(child)
    if len(children) == 1:
        empty = "{}" if isinstance(node.value[0], tuple) else "[]"
        end = node.end_mark.index if node.flow_style else child.end
        return text[: node.start_mark.index] + empty + text[end:]
    if node.flow_style and number > 0:
        return text[: children[number - 1].end] + text[child.end :]
    line = text.rfind("\n", 0, child.start) + 1
    shares_line = text[line : child.start].strip(" ") not in {"", "-"} or (
        isinstance(node.value[0], tuple) and "-" in text[line : child.start]
    )
    if node.flow_style or shares_line:
        return text[: child.start] + text[children[number + 1].start :]
    return text[:line] + text[_line_end(text, child.end) :].removeprefix("\r").removeprefix("\n")


def _block(text: str, parts: tuple[str, ...], value: PlainValue, column: int) -> str:
    """Write a key and those below it, each on its own line."""
    nested = _NESTED.search(text)
    step = max(len(nested[2]) - len(nested[1]), 1) if nested else 2
    lines = [f"{' ' * (column + i * step)}{render_flow(part)}:" for i, part in enumerate(parts)]
    return _newline(text).join(lines) + " " + render_flow(value)


def _nested(parts: tuple[str, ...], value: PlainValue) -> PlainValue:
    for part in reversed(parts):
        value = {part: value}
    return value


def _line_end(text: str, position: int) -> int:
    end = text.find("\n", position)
    return len(text) if end < 0 else end - (text[end - 1] == "\r")


def _newline(text: str) -> str:
    return "\r\n" if "\r\n" in text else "\n"
