"""Read YAML that people wrote, as YAML 1.2 means it, and refuse hostile YAML in milliseconds.

PyYAML's own loaders read YAML 1.1 (``no`` is False, ``012`` is 10, ``1e-5`` is a text), crash on deep nesting and can
be kept busy for hours by a kilobyte of merge keys. So only its parser's events are used here; values are built from
them without recursion, under a budget that counts aliases as what they stand for.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NoReturn

from gittrack.errors import GittrackError
from gittrack.values import MAX_DEPTH, InvalidValueError, to_plain

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gittrack.values import PlainValue

MAX_NODES = 100_000
# a long text counts as several nodes, so that aliases of it cannot fill the memory
_CHARACTERS_PER_NODE = 100
_CORE = "tag:yaml.org,2002:"
_CORE_TYPES = {"null": type(None), "bool": bool, "int": int, "float": float}

# YAML 1.2.2, section 10.3.2: the core schema
_NULL = re.compile(r"~|null|Null|NULL|")
_BOOL = re.compile(r"(true|True|TRUE)|false|False|FALSE")
_INT = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(
    r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)"
)


class InvalidYAMLError(GittrackError):
    """A text is not YAML as gittrack reads it.

    Args:
        problem: What is wrong.
        line: The line where it is, counted from 1; None when it is the text as a whole.
    """

    def __init__(self, problem: str, line: int | None = None) -> None:
        super().__init__(problem if line is None else f"line {line}: {problem}")
        self.line = line


def parse_yaml(text: str | bytes, max_bytes: int = 256 * 1024) -> PlainValue:
    r"""Read one YAML document into plain values, by the core schema of YAML 1.2.

    Keys are kept as they are written. Anchors, aliases and merge keys (``<<``) are understood as long as the document
    has at most 100,000 nodes when they are written out.

    Args:
        text: The document; as bytes, in UTF-8.
        max_bytes: The largest text that is read.

    Returns:
        The value; None for an empty document.

    Raises:
        InvalidYAMLError: It is too large or not YAML, has several documents, a key twice, a tag outside the core
            schema, a key that is not a scalar, an alias of something that contains it, more than 100 levels or more
            than 100,000 nodes.

    Example:
        >>> parse_yaml("lr: 1e-5\nshuffle: no\nlayers: [64, 012]\n")
        {'lr': 1e-05, 'shuffle': 'no', 'layers': [64, 12]}
    """
    from yaml import YAMLError

    builder = _Builder()
    try:
        for event in _events(_decoded(text, max_bytes)):
            builder.take(event)
        return to_plain(builder.root)
    except YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        problem = getattr(error, "problem", None) or str(error).partition("\n")[0]
        if "nesting depth" in problem:  # a limit of newer releases of libyaml
            problem = f"nested deeper than {MAX_DEPTH} levels"
        raise InvalidYAMLError(f"not valid YAML: {problem}", None if mark is None else mark.line + 1) from error
    except InvalidValueError as error:
        raise InvalidYAMLError(str(error)) from error


def resolve_scalar(text: str) -> bool | int | float | str | None:
    """Read a plain (unquoted) scalar by the core schema of YAML 1.2.

    Args:
        text: The scalar as it is written.

    Returns:
        None, a bool, a number, or the text itself.

    Raises:
        ValueError: An integer has more digits than Python reads (4,300 by default).

    Example:
        >>> resolve_scalar("0x1F"), resolve_scalar("1:30"), resolve_scalar("yes")
        (31, '1:30', 'yes')
    """
    if _NULL.fullmatch(text):
        return None
    if match := _BOOL.fullmatch(text):
        return match[1] is not None
    if _INT.fullmatch(text):
        return _parse_int(text)
    return _parse_float(text) if _FLOAT.fullmatch(text) else text


def _decoded(text: str | bytes, max_bytes: int) -> str:
    try:
        data = text if isinstance(text, bytes) else text.encode("utf-8")
        if len(data) > max_bytes:
            raise InvalidYAMLError(f"the text has {len(data)} bytes, more than the {max_bytes} that are read")
        return data.decode("utf-8-sig")
    except UnicodeError as error:
        raise InvalidYAMLError("the text is not UTF-8") from error


def _events(text: str) -> Iterator[Any]:
    import yaml

    # the loaders are used for their parser only: `yaml.parse` asks them for events and composes nothing
    return yaml.parse(text, Loader=yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader)


class _Anchored:
    """A finished node: its value, how many nodes it has when written out, and its text if it can be a key."""

    __slots__ = ("key", "n_nodes", "value")

    def __init__(self, value: Any, n_nodes: int, key: str | None) -> None:
        self.value = value
        self.n_nodes = n_nodes
        self.key = key


class _Open:
    """A sequence or mapping whose end has not come yet."""

    __slots__ = ("anchor", "is_merge", "key", "merged", "n_before", "value")

    def __init__(self, value: list[Any] | dict[str, Any], anchor: str | None, n_before: int) -> None:
        self.value = value
        self.anchor = anchor
        self.n_before = n_before
        self.key: str | None = None
        self.is_merge = False
        self.merged: list[dict[str, Any]] | None = None


class _Builder:
    """Builds a value from events, one at a time."""

    def __init__(self) -> None:
        self.root: Any = None
        self._stack: list[_Open] = []
        # None marks an anchor whose node is still open
        self._anchors: dict[str, _Anchored | None] = {}
        self._n_nodes = 0
        self._n_documents = 0

    def take(self, event: Any) -> None:
        handler = _HANDLERS.get(type(event).__name__)
        if handler is not None:
            handler(self, event)

    def document(self, event: Any) -> None:
        self._n_documents += 1
        if self._n_documents > 1:
            _fail(event, "a second document begins")

    def scalar(self, event: Any) -> None:
        n_nodes = 1 + len(event.value) // _CHARACTERS_PER_NODE
        self._count(n_nodes, event)
        node = _Anchored(_scalar_value(event), n_nodes, event.value)
        if event.anchor is not None:
            self._anchors[event.anchor] = node
        is_merge = event.value == "<<" and event.implicit[0] and event.tag is None
        self._place(node, event, is_merge=is_merge)

    def alias(self, event: Any) -> None:
        if event.anchor not in self._anchors:
            _fail(event, f"the alias *{event.anchor} has no anchor before it")
        node = self._anchors[event.anchor]
        if node is None:
            _fail(event, f"the alias *{event.anchor} stands inside its own anchor")
        self._count(node.n_nodes, event)
        self._place(node, event)

    def start(self, event: Any) -> None:
        kind = "map" if type(event).__name__ == "MappingStartEvent" else "seq"
        if event.tag not in {None, _CORE + kind}:
            _fail(event, f"the tag {event.tag!r} is not allowed here")
        if len(self._stack) >= MAX_DEPTH:
            _fail(event, f"nested deeper than {MAX_DEPTH} levels")
        if self._expects_key():
            _fail(event, "a key is not a scalar")
        if event.anchor is not None:
            self._anchors[event.anchor] = None
        self._stack.append(_Open({} if kind == "map" else [], event.anchor, self._n_nodes))
        self._count(1, event)

    def end(self, event: Any) -> None:
        closed = self._stack.pop()
        if isinstance(closed.value, dict):
            for merged in closed.merged or ():
                for key, value in merged.items():
                    closed.value.setdefault(key, value)
        node = _Anchored(closed.value, self._n_nodes - closed.n_before, None)
        if closed.anchor is not None:
            self._anchors[closed.anchor] = node
        self._place(node, event)

    def _count(self, n_nodes: int, event: Any) -> None:
        self._n_nodes += n_nodes
        if self._n_nodes > MAX_NODES:
            _fail(event, f"more than {MAX_NODES} nodes when aliases are written out")

    def _expects_key(self) -> bool:
        return bool(self._stack) and isinstance(self._stack[-1].value, dict) and self._stack[-1].key is None

    def _place(self, node: _Anchored, event: Any, *, is_merge: bool = False) -> None:
        """Put a finished node where it belongs: root, item, key or value."""
        if not self._stack:
            self.root = node.value
            return
        parent = self._stack[-1]
        if isinstance(parent.value, list):
            parent.value.append(node.value)
        elif parent.key is None:
            _begin_pair(parent, node, event, is_merge=is_merge)
        elif parent.is_merge:
            parent.merged, parent.key = _merge_sources(node.value, event), None
        else:
            parent.value[parent.key], parent.key = node.value, None


_HANDLERS = {
    "DocumentStartEvent": _Builder.document,
    "ScalarEvent": _Builder.scalar,
    "AliasEvent": _Builder.alias,
    "SequenceStartEvent": _Builder.start,
    "MappingStartEvent": _Builder.start,
    "SequenceEndEvent": _Builder.end,
    "MappingEndEvent": _Builder.end,
}


def _begin_pair(parent: _Open, node: _Anchored, event: Any, *, is_merge: bool) -> None:
    if node.key is None:
        _fail(event, "a key is not a scalar")
    if node.key in parent.value or (is_merge and parent.merged is not None):
        _fail(event, f"the key {node.key[:100]!r} stands twice in one mapping")
    parent.key, parent.is_merge = node.key, is_merge


def _merge_sources(value: Any, event: Any) -> list[dict[str, Any]]:
    """List the mappings of a merge key; of two that have a key, the first wins."""
    sources = value if isinstance(value, list) else [value]
    if not all(isinstance(source, dict) for source in sources):
        _fail(event, "a merge key (<<) merges something that is not a mapping")
    return sources


def _scalar_value(event: Any) -> bool | int | float | str | None:
    text: str = event.value
    is_plain: bool = event.implicit[0]
    try:
        if event.tag is not None:
            return _tagged_value(event.tag, text)
        return resolve_scalar(text) if is_plain else text
    except ValueError as error:
        raise InvalidYAMLError(str(error), event.start_mark.line + 1) from error


def _tagged_value(tag: str, text: str) -> bool | int | float | str | None:
    kind = tag.removeprefix(_CORE)
    if tag == _CORE + "str":
        return text
    if not tag.startswith(_CORE) or kind not in _CORE_TYPES:
        raise ValueError(f"the tag {tag!r} is not allowed here")
    value = _parse_float(text) if kind == "float" and _FLOAT.fullmatch(text) else resolve_scalar(text)
    if type(value) is not _CORE_TYPES[kind]:
        raise ValueError(f"{text[:100]!r} is not of the type !!{kind}")
    return value


def _parse_int(text: str) -> int:
    try:
        return int(text, 0) if text[:2] in {"0o", "0x"} else int(text)
    except ValueError as error:
        raise ValueError(f"an integer of {len(text)} digits is too long") from error


def _parse_float(text: str) -> float:
    # only the special values have a point before a letter, and Python writes those without it
    return float(text.lower().replace(".inf", "inf").replace(".nan", "nan"))


def _fail(event: Any, problem: str) -> NoReturn:
    raise InvalidYAMLError(problem, event.start_mark.line + 1)
