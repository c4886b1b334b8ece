"""Change one value in a JSON document."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from gittrack.experiments.carry_over import carry_over
from gittrack.experiments.yaml_edit import splice

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gittrack.experiments.overrides import Override
    from gittrack.values import PlainValue

_MAX_SPLICED_CHARACTERS = 1 << 18  # as much as is read of YAML
_INDENT = re.compile(r"\n([ \t]+)\S")


def edit_json(text: str, override: Override) -> Iterator[str]:
    """Change one value in a JSON document, which keeps its order, indentation and separators.

    Args:
        text: A document that `load_json` reads: an object, or nothing.
        override: The change.

    Yields:
        New texts: one with the new value in the place of the old; then one whose changed lines are those of `json`.
    """
    if not text.strip():
        document: dict[str, PlainValue] = {}
        override.change(document)
        yield json.dumps(document, indent=2) + "\n"
        return
    if len(text) <= _MAX_SPLICED_CHARACTERS:
        is_ascii = text.isascii()
        yield from splice(text, override, lambda value, _quote: json.dumps(value, ensure_ascii=is_ascii))
    document = json.loads(text)
    before = _render(document, text)
    override.change(document)
    yield from carry_over(text, before, _render(document, text))


def _render(document: object, text: str) -> str:
    """Write a document in the layout of a text."""
    indent = _INDENT.search(text)
    colon = ":" if '":' in text and '": ' not in text else ": "
    comma = "," if indent or colon == ":" else ", "
    return json.dumps(document, indent=indent and indent[1], separators=(comma, colon), ensure_ascii=text.isascii())
