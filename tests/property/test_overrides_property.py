"""Whatever a params file holds, a change is made exactly or refused."""

from __future__ import annotations

import json
import string
from typing import Any

import yaml
from hypothesis import given
from hypothesis import strategies as st

from gittrack.experiments.declared import parse_document
from gittrack.experiments.overrides import Override, OverrideError, apply_overrides
from gittrack.values import dump_json

keys = st.text(string.ascii_letters + "_-0 #:é", min_size=1, max_size=6)
scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(string.printable, max_size=8).filter(lambda text: "\x0b" not in text and "\x0c" not in text)
)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3), max_leaves=6
)
documents = st.dictionaries(
    keys, st.dictionaries(keys, values, min_size=1, max_size=3) | values, min_size=1, max_size=4
)


def _with(document: dict[str, Any], parts: list[str], value: Any) -> dict[str, Any]:
    """Set the value in a copy, creating what is missing."""
    copied: dict[str, Any] = json.loads(json.dumps(document))
    place = copied
    for part in parts[:-1]:
        if place.get(part) is None:
            place[part] = {}
        place = place[part]
    place[parts[-1]] = value
    return copied


@given(documents, st.data(), values, st.sampled_from(["block", "flow", "json", "wide"]))
def test_value_is_set_exactly_or_refused(document: dict[str, Any], data: st.DataObject, value: Any, form: str) -> None:
    """In block, flow and JSON form, the file afterwards holds the new value and all the others."""
    first = data.draw(st.sampled_from(sorted(document)) | keys)
    inner = document.get(first)
    parts = [first]
    if isinstance(inner, dict) or inner is None:
        parts += data.draw(st.lists(st.sampled_from(sorted(inner or {"k": 0}) or ["k"]) | keys, max_size=1))
    path = "p.json" if form == "json" else "p.yaml"
    text = {
        "block": yaml.safe_dump(document, default_flow_style=False, allow_unicode=True),
        "flow": yaml.safe_dump(document, default_flow_style=True),
        "wide": yaml.safe_dump(document, indent=4, default_flow_style=False),
        "json": json.dumps(document, indent=2),
    }[form]
    document = parse_document(path, text.encode())
    override = Override(path, ".".join(f"'{part}'" for part in parts), value)
    try:
        edited = apply_overrides(text, path, [override])
    except OverrideError as error:
        assert "that place alone" not in str(error)  # noqa: PT017  plain data never needs the way out
        return
    assert dump_json(parse_document(path, edited.encode())) == dump_json(_with(document, parts, value))
