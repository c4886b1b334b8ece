"""YAML is read as YAML 1.2 means it, and hostile YAML is refused at once."""

from __future__ import annotations

import math
import subprocess
import sys
import time
from typing import Any

import pytest
import yaml
from ruamel.yaml import YAML

from gittrack.values import dump_json
from gittrack.yaml_text import InvalidYAMLError, parse_yaml


@pytest.fixture(params=["libyaml", "python"])
def _parser(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Read with libyaml, then with PyYAML's own parser, as where libyaml is missing."""
    if request.param == "python":
        monkeypatch.setattr(yaml, "__with_libyaml__", False)


@pytest.mark.usefixtures("_parser")
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        *(("1e-5", 1e-5), ("1E5", 1e5), ("1.e3", 1e3), (".5", 0.5), ("-0.0", -0.0), ("+1.5", 1.5), ("1.", 1.0)),
        *(("no", "no"), ("yes", "yes"), ("on", "on"), ("Off", "Off"), ("y", "y"), ("True", True), ("FALSE", False)),
        *(("tRUE", "tRUE"), ("012", 12), ("0o14", 12), ("0x1F", 31), ("-7", -7), ("+7", 7), ("1_000", "1_000")),
        *(("0b11", "0b11"), ("1:30", "1:30"), ("2024-01-02", "2024-01-02"), (".inf", math.inf), ("-.INF", -math.inf)),
        *(
            ("~", None),
            ("null", None),
            ("", None),
            ("nULL", "nULL"),
            (".", "."),
            ("1e", "1e"),
            ("=", "="),
            ("<<", "<<"),
        ),
        *(("'1'", "1"), ('"true"', "true"), ("|\n  1\n", "1\n"), (">\n  a\n  b\n", "a b\n"), ("''", "")),
        *(("!!str 1", "1"), ("!!float 1", 1.0), ("!!int '3'", 3), ("!!null ''", None), ("!!bool 'true'", True)),
        *(("!!map {a: 1}", {"a": 1}), ("!!seq [1]", [1]), ("!!float .inf", math.inf), ("!!str", "")),
        *(("# nothing", None), ("---\na: 1\n...\n", {"a": 1}), ("\ufeffa: 1", {"a": 1}), ("%YAML 1.1\n---\nno", "no")),
        *(("{a: , b}", {"a": None, "b": None}), ("1: a\ntrue: b\n~: c\n", {"1": "a", "true": "b", "~": "c"})),
        *(('"\\u00e9\\n"', "é\n"), ("? a\n: b", {"a": "b"}), ("- - 1\n- {}\n", [[1], {}]), ("1" * 400, int("1" * 400))),
    ],
)
def test_scalars_follow_the_core_schema(text: str, expected: Any) -> None:
    """The value has the expected type, with either parser."""
    assert repr(parse_yaml(text)) == repr(expected)


@pytest.mark.usefixtures("_parser")
def test_nan_is_a_number() -> None:
    """`.nan` is the float."""
    assert dump_json(parse_yaml("[.nan, .NaN]")) == dump_json([math.nan, math.nan])


@pytest.mark.usefixtures("_parser")
@pytest.mark.parametrize(
    "text",
    [
        "lr: 1e-5\nmomentum: 0.9\nsteps: 1E6\nname: no\nid: 012\nratio: 1:30\nempty:\nflag: true\n",
        "a: &x {p: 1, q: [1, 2]}\nb: *x\nc:\n  <<: *x\n  p: 2\n",
        "base: &b {p: 1}\nmore: &m {p: 2, q: 3}\nall: {<<: [*b, *m], r: 4}\n",
        "text: |\n  one\n   two\nfolded: >-\n  a\n  b\nquoted: 'it''s'\ndouble: \"a\\tb\"\n",
        "- 1\n- [a, b, {c: d}]\n-\n  - x\n",
        "a:\n- 1\n- 2\n# comment\nb: # other\n  c: 0x10\n",
    ],
)
def test_equals_ruamel(text: str) -> None:
    """ruamel.yaml, an independent reader of YAML 1.2, gives the same values."""
    ruamel = YAML(typ="safe", pure=True)
    ruamel.version = (1, 2)  # type: ignore[assignment]  # ruamel's own type is narrower than what it takes
    assert parse_yaml(text) == ruamel.load(text)


@pytest.mark.usefixtures("_parser")
@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("a: 1\nb: 2\na: 3", 3, "'a' stands twice"),
        ("<<: {a: 1}\n<<: {b: 1}", 2, "'<<' stands twice"),
        ("a: !!python/object/apply:os.system [x]", 1, "tag"),
        ("a: !custom 1", 1, "tag"),
        ("a: ! 1", 1, "tag"),
        ("!!set {a}", 1, "tag"),
        ("!!binary aGk=", 1, "tag"),
        ("!!timestamp 2024-01-01", 1, "tag"),
        ("!!int abc", 1, "not of the type !!int"),
        ("!!bool yes", 1, "not of the type !!bool"),
        ("!!map [a]", 1, "tag"),
        ("a: 1\n--- \nb: 2", 2, "second document"),
        ("a: *x", 1, "no anchor"),
        ("&a [1, *a]", 1, "inside its own anchor"),
        ("a: &a\n  b: *a", 2, "inside its own anchor"),
        ("? [a]\n: 1", 1, "key is not a scalar"),
        ("x: &x [1]\n*x : 1", 2, "key is not a scalar"),
        ("a: 1\n<<: 3", 2, "not a mapping"),
        ("<<: [{a: 1}, 2]", 1, "not a mapping"),
        ("a: [1, 2", 1, "not valid YAML"),
        ("a: b: c", 1, "not valid YAML"),
        ("a:\n\t- 1", 2, "not valid YAML"),
        ("x: " + "1" * 5000, 1, "too long"),
    ],
)
def test_wrong_yaml_is_refused_with_its_line(text: str, line: int, words: str) -> None:
    """The error says what is wrong and where."""
    with pytest.raises(InvalidYAMLError, match=words) as caught:
        parse_yaml(text)
    assert caught.value.line is not None
    assert abs(caught.value.line - line) <= (1 if "not valid" in words else 0)


@pytest.mark.usefixtures("_parser")
@pytest.mark.parametrize("text", [b"\xff\xfe", "a\udc80", b"a: \x00", "x" * 262_145])
def test_text_that_is_no_yaml_at_all_is_refused(text: str | bytes) -> None:
    """Other encodings, control characters and too much text are errors of the same kind."""
    with pytest.raises(InvalidYAMLError):
        parse_yaml(text)


@pytest.mark.usefixtures("_parser")
def test_alias_may_be_a_key_and_copies_its_value() -> None:
    """An anchored scalar can be a key; what aliases stand for shares nothing."""
    value: Any = parse_yaml("n: &n name\n*n : 1\na: &a [1]\nb: *a\n")
    assert value == {"n": "name", "name": 1, "a": [1], "b": [1]}
    assert value["a"] is not value["b"]


def _laughs(levels: int) -> str:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, levels)]
    return "\n".join(lines)


def _merges(levels: int) -> str:
    lines = ["a0: &a0 {x: 1}"]
    lines += [f"a{i}: &a{i} {{<<: [{', '.join([f'*a{i - 1}'] * 8)}], k{i}: 1}}" for i in range(1, levels)]
    return "\n".join(lines)


HOSTILE = {
    "billion laughs": _laughs(9),
    "nested merges": _merges(8),
    "long text, many aliases": "a: &a '" + "é" * 50_000 + "'\nb: [" + "*a," * 50_000 + "]",
    "many merges into many keys": "m: &m {a: 1}\n<<: ["
    + "*m," * 20_000
    + "]\n"
    + "".join(f"k{i}: 1\n" for i in range(20_000)),
    "deep flow": "[" * 100_000,
    "deep flow mappings": "{a: " * 60_000,
    "deep block": "- " * 100_000,
    "deep closed": "[" * 100_000 + "]" * 100_000,
    "depth by alias": "a: &a " + "[" * 60 + "]" * 60 + "\nb: " + "[" * 60 + "*a" + "]" * 60,
    "many keys": "".join(f"k{i}: {{a: 1}}\n" for i in range(15_000)),
    "question marks": "? " * 100_000,
    "long keys": "".join(f"{' ' * i}{'k' * 1_000}:\n" for i in range(50))
    + "".join(f"{' ' * 50}{i}:\n" for i in range(2_000)),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_yaml_costs_little(name: str) -> None:
    """A separate process neither crashes nor recurses nor takes long, whether it refuses or reads."""
    code = (
        "import sys, time, yaml\n"
        "from gittrack.yaml_text import InvalidYAMLError, parse_yaml\n"
        "text = sys.stdin.read(); started = time.perf_counter()\n"
        "try: parse_yaml(text); print('read')\n"
        "except InvalidYAMLError as error: print('refused', error)\n"
        "assert time.perf_counter() - started < 3, time.perf_counter() - started"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], input=HOSTILE[name], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(("read", "refused"))


@pytest.mark.usefixtures("_parser")
@pytest.mark.parametrize("name", ["billion laughs", "nested merges", "deep flow", "deep block", "depth by alias"])
def test_bomb_is_refused_quickly(name: str) -> None:
    """Bombs by expansion or depth are refused, by us or the parser: `yaml.safe_load` takes minutes for one of them."""
    started = time.process_time()
    with pytest.raises(InvalidYAMLError, match=r"nested deeper|more than 100000 nodes|maximum nesting depth"):
        parse_yaml(HOSTILE[name])
    assert time.process_time() - started < 20
