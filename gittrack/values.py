r"""Values as experiments keep them: plain data, numbers, names, and the one form of JSON they are written in.

A *plain value* is a bool, int, float, str, None, or a list or dict (with str keys) of plain values. Whatever a training
script hands over is turned into one by `to_plain`, or refused at once with the place of the offending value.

Text that UTF-8 cannot hold (lone surrogates, as in file names that are not UTF-8) becomes visible escapes such as
``\udc80``, so that whatever was accepted can be saved, shown and sent.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping, Sequence, ValuesView
from collections.abc import Set as AbstractSet
from typing import TYPE_CHECKING, Any, NoReturn, cast

from gittrack.errors import GittrackError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import TypeAlias

    # a name, or the path of what contains the value and its key there
    _Path: TypeAlias = "str | tuple[_Path, str | int]"

PlainValue: TypeAlias = "bool | int | float | str | list[PlainValue] | dict[str, PlainValue] | None"

MAX_DEPTH = 100
# deep nesting under long keys makes joined keys that are far larger than the text they come from
_MAX_JOINED_CHARACTERS = 16 * 1024 * 1024

# Python refuses to read or write longer decimals (CVE-2020-10735); 640 digits, 2,126 bits, is the lowest limit it
# can be set to. Wider integers are written in base 16, which has no limit.
_MAX_DECIMAL_BITS = 2048
_NUMBER = re.compile(r"(?P<int>[-+]?[0-9]+)|[-+]?0x[0-9a-f]+|[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?")
_SPECIAL_FLOATS = frozenset({"nan", "inf", "-inf"})
_SURROGATE_ESCAPE = re.compile(r"\\u[dD][89a-fA-F]")
# in this order: a tensor has both `tolist` and `numpy`, and only the first needs no copy to the CPU by hand
_OPENING_METHODS = ("model_dump", "_asdict", "tolist", "isoformat", "total_seconds", "as_posix", "numpy")
_NAMESPACES = frozenset({"argparse.Namespace", "types.SimpleNamespace"})
_FRACTIONS = frozenset({"decimal.Decimal", "fractions.Fraction"})
_PRINTED = frozenset({"uuid.UUID", "torch.dtype", "torch.device", "numpy.dtype"})
_FIELD_ESCAPES = {"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"}
_FIELD_SPECIAL = re.compile(r"[\\\t\n\r]")
_ESCAPED_FIELDS = {escape: text for text, escape in _FIELD_ESCAPES.items()}
_FIELD_ESCAPE = re.compile(r"\\[\\tnr]")


class InvalidValueError(UsageError):
    """A value or name cannot be recorded: its type or form has no plain counterpart."""


class InvalidJSONError(GittrackError):
    """A text is not JSON as gittrack reads it."""


def to_plain(value: Any, *, name: str = "value") -> PlainValue:
    """Turn a value of any common type into plain data.

    Scalars and arrays of numpy, torch, JAX and the like, paths, dataclasses, attrs and pydantic models, named tuples,
    argparse and OmegaConf namespaces, sets (sorted), dates (ISO 8601), durations (seconds), decimals and fractions are
    understood; classes and functions become their qualified names. An enumeration's member becomes its value when that
    is a text or the enumeration is numeric, else its name.

    Args:
        value: What to convert; it is not changed.
        name: What to call it in an error, such as the param's name.

    Returns:
        A plain value that shares no list or dict with `value`.

    Raises:
        InvalidValueError: A part has no plain form (bytes, complex, an unknown type), two keys of a dict become the
            same text, or the value contains itself or is nested deeper than 100 levels.

    Example:
        >>> from pathlib import PurePosixPath
        >>> to_plain({"data": PurePosixPath("data/train"), "sizes": (64, 32), 3: None})
        {'data': 'data/train', 'sizes': [64, 32], '3': None}
    """
    return _plain(value, name, 0)


def to_number(value: Any, *, name: str = "value") -> int | float:
    """Turn a metric's value into an int or float.

    Args:
        value: A number, bool (0 or 1), or array or tensor with one element.
        name: What to call it in an error, such as the metric's name.

    Returns:
        The number, of Python's own type; NaN and infinities are numbers.

    Raises:
        InvalidValueError: The value is not one real number.

    Example:
        >>> to_number(True), to_number(0.5)
        (1, 0.5)
    """
    kind = type(value)
    if kind is float or kind is int:
        return cast("int | float", value)
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return float(value)
    if isinstance(value, (str, bytes, bytearray, complex)):
        _refuse(value, name, "is not a number")
    try:
        if hasattr(kind, "item"):
            value = value.item()
        number = value.__index__() if hasattr(type(value), "__index__") else float(value)
    except Exception as error:  # whatever the value's own library raises
        raise InvalidValueError(f"{name} is not a number: it is of type {_type_name(value)}") from error
    return int(number) if isinstance(number, int) else number


def flatten(mapping: Mapping[str, PlainValue], separator: str = ".") -> dict[str, PlainValue]:
    """Spread nested dicts over joined keys; lists stay lists and an empty dict stays a value.

    Args:
        mapping: Plain values.
        separator: What stands between the keys.

    Returns:
        A new dict with one level, in the order of `mapping`.

    Raises:
        InvalidValueError: Two different values get the same key, or the joined keys exceed 16 MiB in all.

    Example:
        >>> flatten({"train": {"lr": 0.1, "layers": [64, 32]}, "seed": 1})
        {'train.lr': 0.1, 'train.layers': [64, 32], 'seed': 1}
    """
    flat: dict[str, PlainValue] = {}
    n_characters = 0
    for path, value in _leaves(mapping, "", separator):
        n_characters += len(path)
        if n_characters > _MAX_JOINED_CHARACTERS:
            raise InvalidValueError("the keys are too long and too deeply nested to be joined")
        if path in flat and flat[path] != value:
            raise InvalidValueError(f"two values have the key {path[:100]!r}")
        flat[path] = value
    return flat


def dump_json(value: Any) -> str:
    """Write a value as canonical JSON: the same value always gives the same bytes.

    Keys are sorted, levels are indented by one space, the text ends with a line feed and always encodes to UTF-8. What
    JSON lacks is written as a dict with one key: ``{"$float": "nan"}`` (also ``inf`` and ``-inf``) and
    ``{"$int": "0x…"}`` for integers wider than 2,048 bits. A dict of the user's with a single key that begins with
    ``$`` gets one more ``$`` there.

    Args:
        value: A plain value, or anything that `to_plain` takes.

    Returns:
        The text, which `load_json` turns into an equal value.

    Raises:
        InvalidValueError: The value has no plain form.

    Example:
        >>> print(dump_json({"b": float("inf"), "a": 1}), end="")
        {
         "a": 1,
         "b": {
          "$float": "inf"
         }
        }
    """
    import json

    return json.dumps(_tagged(to_plain(value)), ensure_ascii=False, allow_nan=False, indent=1, sort_keys=True) + "\n"


def load_json(text: str | bytes, *, tagged: bool = True) -> PlainValue:
    """Read JSON into plain values.

    Args:
        text: JSON; as bytes, in UTF-8. ``NaN`` and ``Infinity`` are read too, as many programs write them.
        tagged: Whether dicts such as ``{"$float": "nan"}`` are values that `dump_json` wrote.

    Returns:
        The value.

    Raises:
        InvalidJSONError: It is not JSON or UTF-8, a dict has a key twice, or it is nested deeper than 100 levels.

    Example:
        >>> load_json('{"loss": {"$float": "nan"}, "n": 3}')
        {'loss': nan, 'n': 3}
    """
    import json

    hook = _untagged_dict if tagged else _unique_dict
    try:
        if isinstance(text, bytes):
            text = text.decode("utf-8-sig")
        value = cast("PlainValue", json.loads(text, object_pairs_hook=hook))
    except RecursionError:
        raise InvalidJSONError(f"JSON is nested deeper than {MAX_DEPTH} levels") from None
    except ValueError as error:
        raise InvalidJSONError(f"not valid JSON: {error}") from error
    if text.count("[") + text.count("{") <= MAX_DEPTH and not _SURROGATE_ESCAPE.search(text):
        return value
    try:
        return to_plain(value)
    except InvalidValueError as error:
        raise InvalidJSONError(f"JSON holds what cannot be kept: {error}") from error


def format_number(number: float) -> str:
    """Write a number as the shortest text that reads back as the same number.

    Args:
        number: An int or float.

    Returns:
        Decimal text, ``nan``, ``inf`` or ``-inf``; an integer wider than 2,048 bits in base 16.

    Example:
        >>> format_number(0.1), format_number(3), format_number(float("nan"))
        ('0.1', '3', 'nan')
    """
    if isinstance(number, int) and number.bit_length() > _MAX_DECIMAL_BITS:
        return hex(number)
    return repr(number)


def parse_number(text: str) -> int | float:
    """Read what `format_number` wrote.

    Args:
        text: The number; no surrounding space.

    Returns:
        An int when the text has neither a point nor an exponent, else a float.

    Raises:
        InvalidValueError: The text is not a number.

    Example:
        >>> parse_number("1e-05"), parse_number("3"), parse_number("-inf")
        (1e-05, 3, -inf)
    """
    if text in _SPECIAL_FLOATS:
        return float(text)
    match = _NUMBER.fullmatch(text)
    if match is None:
        raise InvalidValueError(f"not a number: {text[:100]!r}")
    if "x" in text:
        return int(text, 16)
    try:
        return int(text) if match["int"] else float(text)
    except ValueError as error:  # an integer of more digits than Python reads
        raise InvalidValueError(f"a number of {len(text)} digits is too long") from error


def validate_metric_name(name: Any) -> str:
    """Accept any text that is not empty as a metric's name.

    Args:
        name: Spaces, line ends, slashes and any length are allowed.

    Returns:
        The name, in characters that UTF-8 can hold.

    Raises:
        InvalidValueError: It is empty or not a str.

    Example:
        >>> validate_metric_name("val/loss")
        'val/loss'
    """
    return _validated_name(name, "metric")


def validate_param_name(name: Any) -> str:
    """Accept any text that is not empty as a param's name.

    Args:
        name: Spaces, line ends, slashes and any length are allowed.

    Returns:
        The name, in characters that UTF-8 can hold.

    Raises:
        InvalidValueError: It is empty or not a str.

    Example:
        >>> validate_param_name("train.lr")
        'train.lr'
    """
    return _validated_name(name, "param")


def escape_field(text: str) -> str:
    r"""Make a text fit into one field of a TSV line.

    Args:
        text: Any text.

    Returns:
        The text with tab, line feed, carriage return and backslash written ``\t``, ``\n``, ``\r`` and ``\\``.

    Example:
        >>> print(escape_field("a\tb"))
        a\tb
    """
    return _FIELD_SPECIAL.sub(lambda match: _FIELD_ESCAPES[match[0]], text)


def unescape_field(text: str) -> str:
    r"""Read what `escape_field` wrote; any other backslash is taken as it stands.

    Args:
        text: A field of a TSV line.

    Returns:
        The original text.

    Example:
        >>> unescape_field("a\\tb") == "a\tb"
        True
    """
    return _FIELD_ESCAPE.sub(lambda match: _ESCAPED_FIELDS[match[0]], text) if "\\" in text else text


def clean_text(text: str) -> str:
    r"""Replace what UTF-8 cannot hold (lone surrogates) by visible escapes.

    Args:
        text: Any str.

    Returns:
        A text that encodes to UTF-8.

    Example:
        >>> print(clean_text("caf\udce9"))
        caf\udce9
    """
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode("utf-8")


def _plain(value: Any, path: _Path, depth: int) -> PlainValue:
    if depth > MAX_DEPTH:
        raise InvalidValueError(f"{_shown(path)[:100]} contains itself or is nested deeper than {MAX_DEPTH} levels")
    if value is None or isinstance(value, (bool, int, float, str)):
        return _plain_scalar(value)
    if isinstance(value, (bytes, bytearray, memoryview)):
        _refuse(value, path, "is not text or a number")
    # dict and list first: asking an abstract class costs a microsecond
    if isinstance(value, dict):
        return _plain_mapping(value, path, depth)
    if isinstance(value, list):
        return [_plain(item, (path, i), depth + 1) for i, item in enumerate(value)]
    try:
        opened = _open(value)
    except Exception as error:  # whatever the value's own library raises
        raise InvalidValueError(f"{_shown(path)}, of type {_type_name(value)}, cannot be read: {error}") from error
    if opened is value:
        _refuse(value, path, "has no plain form")
    # a dict or list that only lost its wrapping is not one level deeper
    plain = _plain(opened, path, depth if isinstance(opened, (dict, list)) else depth + 1)
    return _sorted(plain) if isinstance(value, (set, frozenset)) and isinstance(plain, list) else plain


def _plain_scalar(value: Any) -> PlainValue:
    """Drop subclasses (numpy's float64, IntEnum, ruamel's strings): they print and pickle in ways of their own."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return clean_text(str.__str__(value))
    return int(value) if isinstance(value, int) else float(value)


def _plain_mapping(mapping: Mapping[Any, Any], path: _Path, depth: int) -> dict[str, PlainValue]:
    plain: dict[str, PlainValue] = {}
    for key, item in mapping.items():
        text = clean_text(str.__str__(key) if isinstance(key, str) else str(key))
        if text in plain:
            raise InvalidValueError(f"{_shown(path)} has two keys that read {text[:100]!r}")
        plain[text] = _plain(item, (path, text), depth + 1)
    return plain


def _open(value: Any) -> Any:
    """Take one layer off a value; return the value itself when there is nothing to take off."""
    kind = type(value)
    if hasattr(kind, "__dataclass_fields__"):
        return {field: getattr(value, field) for field in kind.__dataclass_fields__}
    if hasattr(kind, "__attrs_attrs__"):
        return {field.name: getattr(value, field.name) for field in kind.__attrs_attrs__}
    for method in _OPENING_METHODS:
        if hasattr(kind, method):
            return _called(value, method)
    if isinstance(value, (Mapping, Sequence, AbstractSet, ValuesView, os.PathLike)):
        return _open_container(value)
    return _open_named(value)


def _open_container(value: Any) -> Any:
    if type(value).__module__.startswith("omegaconf."):
        return _open_omegaconf(value)
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    return dict(value.items()) if isinstance(value, Mapping) else list(value)


def _open_named(value: Any) -> Any:
    """Open what only its type's name, or that of a base class, tells."""
    names = {f"{base.__module__}.{base.__qualname__}" for base in type(value).__mro__}
    if names & _NAMESPACES:
        return dict(vars(value))
    if "enum.Enum" in names:
        return value.value if isinstance(value.value, str) else value.name
    if names & _FRACTIONS:
        return float(value)
    if names & _PRINTED:
        return str(value)
    if callable(value) and hasattr(value, "__qualname__"):
        return f"{value.__module__}.{value.__qualname__}" if value.__module__ else value.__qualname__
    return value


def _called(value: Any, method: str) -> Any:
    opened = getattr(value, method)()
    # numpy's long double gives itself, for no Python type holds all of it
    return float(opened) if type(opened) is type(value) else opened


def _open_omegaconf(value: Any) -> Any:
    """Resolve an OmegaConf container; one whose interpolations do not resolve is kept as it was written."""
    to_container = sys.modules["omegaconf"].OmegaConf.to_container
    try:
        return to_container(value, resolve=True, throw_on_missing=False)
    except Exception:  # noqa: BLE001  a resolver is code of the user
        return to_container(value, resolve=False)


def _sorted(items: list[PlainValue]) -> list[PlainValue]:
    try:
        return sorted(items)  # type: ignore[type-var]  # what cannot be compared says so
    except TypeError:
        return sorted(items, key=repr)


def _shown(path: _Path) -> str:
    """Join a path, which is kept in parts because joining it at every value costs more than the conversion."""
    if isinstance(path, str):
        return path
    parent, key = path
    return f"{_shown(parent)}[{key}]" if isinstance(key, int) else f"{_shown(parent)}.{key}"


def _type_name(value: Any) -> str:
    kind = type(value)
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


def _refuse(value: Any, path: _Path, problem: str) -> NoReturn:
    raise InvalidValueError(f"{_shown(path)} {problem}: it is of type {_type_name(value)}")


def _validated_name(name: Any, what: str) -> str:
    if not isinstance(name, str):
        raise InvalidValueError(f"the name of a {what} must be a str, not {_type_name(name)}")
    if not name:
        raise InvalidValueError(f"the name of a {what} must not be empty")
    return clean_text(str.__str__(name))


def _leaves(mapping: Mapping[str, PlainValue], prefix: str, separator: str) -> Iterator[tuple[str, PlainValue]]:
    for key, value in mapping.items():
        if isinstance(value, dict) and value:
            yield from _leaves(value, f"{prefix}{key}{separator}", separator)
        else:
            yield prefix + key, value


def _tagged(value: PlainValue) -> PlainValue:
    if isinstance(value, dict):
        if len(value) == 1 and next(iter(value)).startswith("$"):
            return {f"${key}": _tagged(item) for key, item in value.items()}
        return {key: _tagged(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_tagged(item) for item in value]
    if isinstance(value, float) and repr(value) in _SPECIAL_FLOATS:
        return {"$float": repr(value)}
    if isinstance(value, int) and value.bit_length() > _MAX_DECIMAL_BITS:
        return {"$int": hex(value)}
    return value


def _unique_dict(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    mapping = dict(pairs)
    if len(mapping) != len(pairs):
        seen: set[str] = set()
        double = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise ValueError(f"the key {double[:100]!r} stands twice in one object")
    return mapping


def _untagged_dict(pairs: list[tuple[str, Any]]) -> Any:
    mapping = _unique_dict(pairs)
    if len(mapping) != 1:
        return mapping
    key, value = pairs[0]
    if key.startswith("$$"):
        return {key[1:]: value}
    if key == "$float" and isinstance(value, str) and value in _SPECIAL_FLOATS:
        return float(value)
    if key == "$int" and isinstance(value, str):
        return int(value, 16)
    return mapping
