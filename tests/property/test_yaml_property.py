"""The YAML reader agrees with independent writers and readers, and fails in one way only."""

from __future__ import annotations

import contextlib
import io
import string
from typing import Any

import yaml
from hypothesis import assume, given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from gittrack.paths import InvalidPathError, check_repository_path
from gittrack.values import to_plain
from gittrack.yaml_text import InvalidYAMLError, parse_yaml, resolve_scalar


def _plain(words: st.SearchStrategy[str]) -> st.SearchStrategy[Any]:
    scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | words
    return st.recursive(
        scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(words, inner, max_size=4), max_leaves=12
    )


printable = string.printable.replace("\x0b", "").replace("\x0c", "")
plain = _plain(st.text(printable, max_size=12))
# PyYAML's parsers read YAML 1.1 here: a word in flow style that begins with one of these signs must be quoted
plain_for_flow = _plain(st.text(printable.replace("?", "").replace(":", ""), max_size=12))


def _ruamel() -> YAML:
    ruamel = YAML(typ="safe", pure=True)
    ruamel.version = (1, 2)  # type: ignore[assignment]  # ruamel's own type is narrower than what it takes
    return ruamel


@given(st.tuples(plain, st.just(False)) | st.tuples(plain_for_flow, st.just(True)))
def test_reads_what_ruamel_writes(case: tuple[Any, bool]) -> None:
    """YAML 1.2 that ruamel dumped reads back as the value."""
    value, flow = case
    writer = _ruamel()
    writer.default_flow_style = flow
    stream = io.StringIO()
    writer.dump(value, stream)
    assert parse_yaml(stream.getvalue()) == value


def _has_odd_number_as_key(value: Any) -> bool:
    """Say whether a key is a number of YAML 1.2 in another form than Python's, as `08`: only we keep it as written."""
    if isinstance(value, dict):
        texts = ((key, resolve_scalar(key)) for key in value)
        is_odd = any(isinstance(number, (int, float)) and str(number) != key for key, number in texts)
        return is_odd or any(map(_has_odd_number_as_key, value.values()))
    return isinstance(value, list) and any(map(_has_odd_number_as_key, value))


@given(plain, st.booleans())
def test_agrees_with_ruamel_on_what_pyyaml_writes(value: Any, flow: bool) -> None:
    """What PyYAML dumped for plain data, both readers of YAML 1.2 understand alike."""
    assume(not _has_odd_number_as_key(value))
    text = yaml.safe_dump(value, default_flow_style=flow)
    assert parse_yaml(text) == to_plain(_ruamel().load(text))


@given(st.text("ab:-[]{}&*<>!|'\"#%,? \n\t1.e~\\", max_size=60) | st.binary(max_size=40))
def test_any_text_is_read_or_refused(text: str | bytes) -> None:
    """Whatever the text, the result is a plain value or InvalidYAMLError."""
    with contextlib.suppress(InvalidYAMLError):
        value = parse_yaml(text)
        assert to_plain(value) == value


@given(st.text("./\\:~gitGITconNUL1 \u200c\ufeff\u2025\x00é", max_size=12) | st.text())
def test_accepted_path_stays_inside(path: str) -> None:
    """No accepted path has a component that a file system takes for a parent, `.git` or another drive."""
    with contextlib.suppress(InvalidPathError):
        names = check_repository_path(path).split("/")
        assert all(names)
        assert not {".", ".."} & set(names)
        assert not any(name.casefold().rstrip(". ") in {".git", "git~1"} for name in names)
        assert not set(path) & set("\\:\0\n")
