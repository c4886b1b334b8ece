"""Whatever plain value goes in comes out the same."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gittrack.secrets import mask_secrets
from gittrack.values import (
    clean_text,
    dump_json,
    escape_field,
    format_number,
    load_json,
    parse_number,
    to_plain,
    unescape_field,
)

any_text = st.text(st.characters(exclude_categories=()))
text = st.text() | st.sampled_from(["$float", "$int", "$$float", "$", "nan", "0x1"])
scalars = st.none() | st.booleans() | st.integers() | st.floats() | text | st.just(10**800)
plain = st.recursive(scalars, lambda inner: st.lists(inner) | st.dictionaries(text, inner), max_leaves=20)


@given(plain)
def test_json_round_trips_and_is_canonical(value: Any) -> None:
    """Reading gives the value back, writing that again gives the same bytes, and it is standard JSON."""
    written = dump_json(value)
    json.loads(written, parse_constant=pytest.fail)
    assert repr(to_plain(load_json(written))) == repr(_sorted_keys(value))
    assert dump_json(load_json(written)) == written


@given(st.recursive(any_text, lambda inner: st.lists(inner) | st.tuples(inner), max_leaves=5))
def test_any_text_can_be_saved(value: Any) -> None:
    """Lone surrogates included, what is dumped encodes to UTF-8 and loads as the cleaned value."""
    written = dump_json(value)
    assert load_json(written.encode("utf-8")) == to_plain(value)


@given(any_text)
def test_fields_round_trip(value: str) -> None:
    """An escaped field is one field of one line and reads back."""
    escaped = escape_field(value)
    assert not set(escaped) & set("\t\n\r")
    assert unescape_field(escaped) == value
    assert clean_text(clean_text(value)) == clean_text(value)


@given(st.integers() | st.floats() | st.integers(min_value=10**600))
def test_numbers_round_trip(number: float) -> None:
    """Format and parse are inverse, type and sign of zero included."""
    assert repr(parse_number(format_number(number))) == repr(number)


@given(any_text, st.lists(any_text))
def test_masking_never_fails(command: str, arguments: list[str]) -> None:
    """Any text can be masked, and a list keeps its length."""
    mask_secrets(command)
    assert len(mask_secrets(arguments)) == len(arguments)


def _sorted_keys(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _sorted_keys(value[key]) for key in sorted(value)}
    return [_sorted_keys(item) for item in value] if isinstance(value, list) else value
