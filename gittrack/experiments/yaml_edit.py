"""Change one value in a YAML document with ruamel.yaml.

Every plain scalar is kept as the text that it is, so that numbers, dates and the words of YAML 1.1 stay as written.
"""

from __future__ import annotations

import json
import math
import re
from io import StringIO
from typing import TYPE_CHECKING, Any

from gittrack.experiments.carry_over import carry_over

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from ruamel.yaml import YAML

    from gittrack.experiments.overrides import Override
    from gittrack.values import PlainValue

# Quoting is spared only where YAML 1.1, which the script may read, and 1.2 both see a text.
_PLAIN = re.compile(r"[A-Za-z_][\w./+@%-]*(?: [\w./+@%-]+)*", re.ASCII)
_NOT_TEXT = re.compile(r"yes|no|on|off|true|false|null|nan|inf", re.IGNORECASE)
_LINE_CHARACTERS = 1 << 20  # lines are never folded


def edit_yaml(text: str, override: Override) -> Iterator[str]:
    """Change one value in a YAML document.

    Args:
        text: A document that `parse_yaml` reads: a mapping, or nothing.
        override: The change.

    Yields:
        New texts: that of `splice`; then the lines that ruamel.yaml changes, in the place of the old ones.
    """
    import yaml
    from ruamel.yaml.error import YAMLError

    yield from splice(text, override, _on_one_line)
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        reader = _reader(_step(node))
        document = reader.load(text) if node else {}
        before = _dumped(reader, document) if node else text
        override.change(document, as_written)
        after = _dumped(reader, document)
    except YAMLError:  # what the parser of PyYAML reads, that of ruamel.yaml may not
        return
    if node:
        yield from carry_over(text, before, after)
    else:  # nothing, or comments only
        yield text + after if text.endswith("\n") or not text else f"{text}\n{after}"


def splice(text: str, override: Override, render: Callable[[PlainValue, str | None], str]) -> Iterator[str]:
    """Put a new value exactly where the old one is, if that is a scalar or stands in brackets.

    Args:
        text: A document; JSON is YAML too.
        override: The change.
        render: Writes the value on one line, if it can with the quote that the old one has.

    Yields:
        The new text, or nothing.
    """
    import yaml

    try:
        place = None if override.removes else _place(yaml.compose(text, Loader=yaml.SafeLoader), override.parts)
    except (yaml.YAMLError, ValueError):  # JSON has a few texts that YAML has not
        return
    if place is not None:
        (node, missing), value = place, override.value
        for part in reversed(missing):
            value = {part: value}
        start, end = node.start_mark.index, node.end_mark.index
        end = start + len(text[start:end].rstrip())  # the empty lines after a block text are not its own
        gap = " " if text[:start].endswith((":", "-")) else ""
        yield text[:start] + gap + render(value, getattr(node, "style", None)) + text[end:]


def _place(node: Any, parts: Sequence[str]) -> tuple[Any, Sequence[str]] | None:
    """Return the node that the parts lead to, and the parts still missing when that is a null."""
    if node is None:
        return None
    if node.id == "scalar" or (not parts and node.flow_style):
        return node, parts
    entries = node.value if node.id == "mapping" else enumerate(node.value)
    children = {str(getattr(key, "value", key)): value for key, value in entries}
    return _place(children[parts[0]], parts[1:]) if parts and parts[0] in children else None


def as_written(value: PlainValue, quote: str | None = None) -> Any:
    """Turn a value into scalars that hold their text, so that readers of YAML 1.1 and 1.2 read the same.

    Args:
        value: Any plain value.
        quote: The quote to use for a text; anything else to use one only where it is needed.

    Returns:
        A text, or a mapping or list of ruamel.yaml in brackets.

    Example:
        >>> as_written([1e-05, "no", "adam", None, True, {"a b": 1}])
        ['1.0e-05', 'no', 'adam', 'null', 'true', {'a b': '1'}]
    """
    from ruamel.yaml.comments import CommentedMap, CommentedSeq
    from ruamel.yaml.scalarstring import DoubleQuotedScalarString, PlainScalarString, SingleQuotedScalarString

    if isinstance(value, str):
        if quote not in {"'", '"'} and _PLAIN.fullmatch(value) and not _NOT_TEXT.fullmatch(value):
            return PlainScalarString(value)
        is_single = quote == "'" and value.isprintable()
        return SingleQuotedScalarString(value) if is_single else DoubleQuotedScalarString(value)
    if isinstance(value, dict):
        container: CommentedMap | CommentedSeq = CommentedMap(
            (as_written(key), as_written(item)) for key, item in value.items()
        )
    elif isinstance(value, list):
        container = CommentedSeq(as_written(item) for item in value)
    else:
        return PlainScalarString(_number_text(value))
    container.fa.set_flow_style()
    return container


def _number_text(value: float | bool | None) -> str:  # noqa: FBT001  what a param may be
    if not isinstance(value, float):
        return json.dumps(value)
    text = repr(value)
    if not math.isfinite(value):
        return text.replace("inf", ".inf").replace("nan", ".nan")
    return text if "." in text else text.replace("e", ".0e")  # 1e-05 is a text to YAML 1.1


def _reader(step: int = 2) -> YAML:
    from ruamel.yaml import YAML
    from ruamel.yaml.resolver import VersionedResolver

    class TextResolver(VersionedResolver):
        versioned_resolver: dict[str, Any] = {}  # noqa: RUF012  a property of the base

    reader = YAML()
    reader.Resolver = TextResolver
    reader.preserve_quotes = True
    reader.width = _LINE_CHARACTERS
    reader.map_indent = step
    reader.brace_single_entry_mapping_in_flow_sequence = True
    return reader


def _dumped(reader: YAML, document: Any) -> str:
    stream = StringIO()
    reader.dump(document, stream)
    return stream.getvalue()


def _on_one_line(value: PlainValue, quote: str | None) -> str:
    items = as_written([])
    items.append(as_written(value, quote))
    return _dumped(_reader(), items)[1:-2]


def _step(node: Any) -> int:
    """Return how far the first nested mapping is indented."""
    for key, value in node.value if node is not None and node.id == "mapping" else ():
        if value.id == "mapping" and not value.flow_style:
            step: int = value.start_mark.column - key.start_mark.column
            return max(step, 2)
    return 2
