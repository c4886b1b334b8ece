"""Values of all common types become plain data, numbers and canonical JSON, or are refused at once."""

from __future__ import annotations

import argparse
import collections
import dataclasses
import datetime as dt
import decimal
import enum
import fractions
import math
import pathlib
import subprocess
import sys
import types
import uuid
from typing import Any, NamedTuple

import numpy as np
import pytest

from gittrack.values import (
    InvalidJSONError,
    InvalidValueError,
    dump_json,
    escape_field,
    flatten,
    format_number,
    load_json,
    parse_number,
    to_number,
    to_plain,
    unescape_field,
    validate_metric_name,
    validate_param_name,
)


class Colour(enum.Enum):
    RED = 1


class Optimiser(enum.Enum):
    ADAM = "adam"


class Level(enum.IntEnum):
    HIGH = 3


class Point(NamedTuple):
    x: int
    y: int


@dataclasses.dataclass
class Train:
    lr: float
    layers: tuple[int, ...]


class Pydantic:
    """Looks like a pydantic model."""

    def model_dump(self) -> dict[str, int]:
        return {"a": 1}


class Tensor:
    """Looks like a torch tensor."""

    def __init__(self, data: Any) -> None:
        self.data = data

    def tolist(self) -> Any:
        return self.data

    def item(self) -> Any:
        if isinstance(self.data, list):
            raise ValueError("a Tensor with 2 elements cannot be converted to Scalar")  # noqa: TRY004  as torch does
        return self.data


def activation() -> None:
    """Stand for a function given as a param."""


PLAIN = [
    (True, True),
    (np.bool_(True), True),
    (np.int64(3), 3),
    (np.float32(0.5), 0.5),
    (np.float64(0.5), 0.5),
    (np.longdouble(0.5), 0.5),
    (np.str_("a"), "a"),
    (np.array([[1, 2], [3, 4]]), [[1, 2], [3, 4]]),
    (np.array(1.5), 1.5),
    (np.array([np.longdouble(1.5)]), [1.5]),
    (np.dtype("float32"), "float32"),
    (np.float32, "numpy.float32"),
    (np.datetime64("2024-01-02"), "2024-01-02"),
    (pathlib.PurePosixPath("a/b"), "a/b"),
    (pathlib.PureWindowsPath("a\\b"), "a/b"),
    (Colour.RED, "RED"),
    (Optimiser.ADAM, "adam"),
    (Level.HIGH, 3),
    (Train(0.1, (64, 32)), {"lr": 0.1, "layers": [64, 32]}),
    (argparse.Namespace(a=1, b=argparse.Namespace(c=2)), {"a": 1, "b": {"c": 2}}),
    (types.SimpleNamespace(a=(1,)), {"a": [1]}),
    (types.MappingProxyType({"a": 1}), {"a": 1}),
    (collections.OrderedDict(b=1, a=2), {"b": 1, "a": 2}),
    (collections.deque([1]), [1]),
    (Point(1, 2), {"x": 1, "y": 2}),
    (Pydantic(), {"a": 1}),
    (Tensor([1.0, 2.0]), [1.0, 2.0]),
    ({3, 1, 2}, [1, 2, 3]),
    (frozenset({"b", 1}), ["b", 1]),
    (range(3), [0, 1, 2]),
    ({1: 2}.values(), [2]),
    (dt.datetime(2024, 1, 2, 3, 4, 5, tzinfo=dt.timezone.utc), "2024-01-02T03:04:05+00:00"),
    (dt.date(2024, 1, 2), "2024-01-02"),
    (dt.timedelta(minutes=1.5), 90.0),
    (decimal.Decimal("0.1"), 0.1),
    (fractions.Fraction(1, 4), 0.25),
    (uuid.UUID(int=1), "00000000-0000-0000-0000-000000000001"),
    (activation, f"{__name__}.activation"),
    (len, "builtins.len"),
    ({1: {None: 2}}, {"1": {"None": 2}}),
    ("caf\udce9", "caf\\udce9"),
    ({"\ud800": 1}, {"\\ud800": 1}),
]


# Ids by type: a repr holds addresses and orders of sets, which differ between the workers that share the tests.
@pytest.mark.parametrize(
    ("value", "expected"), PLAIN, ids=[f"{type(value).__name__}-{n}" for n, (value, _) in enumerate(PLAIN)]
)
def test_common_type_becomes_plain(value: Any, expected: Any) -> None:
    """The plain form equals the expected one, type for type."""
    plain = to_plain(value)
    assert plain == expected
    assert repr(plain) == repr(expected)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (b"x", "p is not text or a number: it is of type bytes"),
        ({"a": [1, 2j]}, r"p.a\[1\] has no plain form: it is of type complex"),
        (object(), "p has no plain form: it is of type object"),
        (np.complex64(1), "complex"),
        (np.array([b"x"]), r"p\[0\] is not text"),
        ({1: 0, "1": 0}, "two keys that read '1'"),
        ((i for i in range(3)), "generator"),
        (fractions.Fraction(10**400), "cannot be read"),
    ],
)
def test_what_has_no_plain_form_is_refused(value: Any, words: str) -> None:
    """The error names the place and the type."""
    with pytest.raises(InvalidValueError, match=words):
        to_plain(value, name="p")


def test_value_that_contains_itself_is_refused() -> None:
    """Cycles through dicts, lists and objects end in an error, not in a crash."""
    ring: list[Any] = []
    ring.append({"again": (ring,)})
    space = argparse.Namespace()
    space.me = space
    for value in (ring, space):
        with pytest.raises(InvalidValueError, match="contains itself or is nested deeper than 100"):
            to_plain(value)


def test_depth_limit_is_the_same_for_writing_and_reading() -> None:
    """What can be written can be read: 100 levels, not 101; tuples count once."""
    deep: Any = 1
    for _ in range(100):
        deep = (deep,)
    assert load_json(dump_json(deep)) == to_plain(deep)
    with pytest.raises(InvalidValueError):
        dump_json([deep])
    with pytest.raises(InvalidJSONError):
        load_json("[" * 101 + "1" + "]" * 101)
    with pytest.raises(InvalidJSONError):
        load_json("[" * 100_000 + "]" * 100_000)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (True, 1),
        (np.bool_(False), 0),
        (Level.HIGH, 3),
        (np.float64(0.5), 0.5),
        (np.float32(0.5), 0.5),
        (np.array(2), 2),
        (np.array([2.5]), 2.5),
        (np.longdouble(2.5), 2.5),
        (Tensor(3), 3),
        (decimal.Decimal("1.5"), 1.5),
        (10**5000, 10**5000),
        (math.inf, math.inf),
    ],
    ids=lambda value: repr(value)[:30] if not isinstance(value, int) else "",
)
def test_one_element_is_a_number(value: Any, expected: float) -> None:
    """Scalars of every kind become Python's own int or float."""
    number = to_number(value)
    assert number == expected
    assert type(number) is type(expected)


@pytest.mark.parametrize(
    "value", ["1", b"1", None, 1j, np.complex64(1), np.array([1, 2]), Tensor([1, 2]), object(), {}]
)
def test_what_is_not_one_number_is_refused(value: Any) -> None:
    """The error names the metric and the type."""
    with pytest.raises(InvalidValueError, match="loss is not a number: it is of type"):
        to_number(value, name="loss")


def test_flatten_keeps_empty_dicts_and_refuses_ambiguity() -> None:
    """An empty dict is a value; one dotted key cannot hold two values."""
    assert flatten({"a": {"b": {}, "c": [{"d": 1}]}, "e": 1}) == {"a.b": {}, "a.c": [{"d": 1}], "e": 1}
    assert flatten({"a": {"b": 1}}, separator="/") == {"a/b": 1}
    assert flatten({}) == {}
    assert flatten({"a.b": 1, "a": {"b": 1}}) == {"a.b": 1}
    with pytest.raises(InvalidValueError, match=r"'a\.b'"):
        flatten({"a.b": 1, "a": {"b": 2}})


def test_dump_json_is_canonical() -> None:
    """Keys sorted, one space, line feed at the end, UTF-8 unescaped."""
    assert dump_json({"b": [1, 2.0], "a": "é"}) == '{\n "a": "é",\n "b": [\n  1,\n  2.0\n ]\n}\n'


@pytest.mark.parametrize(
    "value",
    [
        *(-0.0, math.nan, math.inf, -math.inf, 10**5000, -(10**700), 2**2048, 5e-324, 1e16),
        *({"$float": "nan"}, {"$$float": 1}, {"$int": "0x1"}, {"$": {"$": {}}}, {"$schema": "x", "a": 1}, {"": None}),
        *("\x00\u2028\U0001f600", {"a\nb": [[], {}]}),
    ],
    ids=lambda value: repr(value)[:20] if not isinstance(value, int) else "int",
)
def test_json_round_trips(value: Any) -> None:
    """Special floats, wide integers, dollar keys and odd characters come back as they were."""
    text = dump_json(value)
    text.encode("utf-8")
    assert repr(load_json(text)) == repr(value) if not isinstance(value, int) else load_json(text) == value
    assert load_json(text.encode("utf-8")) == load_json(text) or value != value  # noqa: PLR0124  NaN


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"a": 1, "a": 2}', "'a' stands twice"),
        ("{", "not valid JSON"),
        (b"\xff", "not valid JSON"),
        ("1" * 5000, "not valid JSON"),
        ('{"$int": "zz"}', "not valid JSON"),
        ("", "not valid JSON"),
    ],
)
def test_wrong_json_is_refused(text: str | bytes, words: str) -> None:
    """Whatever is wrong, it is one error."""
    with pytest.raises(InvalidJSONError, match=words):
        load_json(text)


def test_json_of_other_programs_is_read() -> None:
    """Python's own NaN, a byte order mark, lone surrogates, and dollar keys that are not ours."""
    assert load_json(b'\xef\xbb\xbf{"a": Infinity}') == {"a": math.inf}
    assert load_json(r'["\ud800"]') == ["\\ud800"]
    assert load_json(r'["\ud83d\ude00"]') == ["\U0001f600"]
    assert load_json('{"$float": "nan"}', tagged=False) == {"$float": "nan"}
    assert load_json('{"$ref": 1}') == {"$ref": 1}
    assert load_json('{"$float": []}') == {"$float": []}


def test_numbers_keep_their_type_as_text() -> None:
    """An int reads back as int and a float as float, at any size."""
    assert [format_number(number) for number in (3, 3.0, -0.0, math.nan, -math.inf, True)] == [
        *("3", "3.0", "-0.0", "nan", "-inf", "True"),
    ]
    assert parse_number(format_number(10**5000)) == 10**5000
    assert parse_number(format_number(-(10**5000))) == -(10**5000)
    assert math.isnan(parse_number("nan"))


@pytest.mark.parametrize("text", ["", " 1", "1_0", "x", "\u0661", "1\n", "infinity", "1" * 5000, "0x"])
def test_other_text_is_no_number(text: str) -> None:
    """Python's looser forms are not numbers of the format."""
    with pytest.raises(InvalidValueError):
        parse_number(text)


@pytest.mark.parametrize("validate", [validate_metric_name, validate_param_name])
def test_names_are_any_text(validate: Any) -> None:
    """Unicode, spaces, newlines, dots and length are fine; nothing and other types are not."""
    for name in ("é \n/..", "..", "x" * 300, "\x00", "-x"):
        assert validate(name) == name
    assert validate("\udcff") == "\\udcff"
    for name in ("", None, 3, b"x"):
        with pytest.raises(InvalidValueError, match="the name of a"):
            validate(name)


def test_fields_are_one_line() -> None:
    """An escaped field has neither tab nor line end, and foreign backslashes are kept."""
    assert escape_field("a\tb\nc\rd\\t") == r"a\tb\nc\rd\\t"
    assert unescape_field(r"a\tb\nc\rd\\t\q") == "a\tb\nc\rd\\t\\q"


def test_import_is_light() -> None:
    """Importing the module loads neither json nor dataclasses nor numpy."""
    code = "import sys, gittrack.values; print([m for m in ('json','dataclasses','numpy') if m in sys.modules])"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"
