"""The last value of each metric, nested by the slashes of its name, as ``metrics.json`` holds it."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gittrack.live_files.errors import InvalidDataTypeError, LiveError
from gittrack.live_files.writing import is_numpy_scalar
from gittrack.values import InvalidValueError, to_number

if TYPE_CHECKING:
    from collections.abc import Container, Iterator

_MAX_BITS = 14_000  # Python writes no integer of more than 4300 digits


class Summary:
    """Values by name.

    Attributes:
        values: The nested values, for anybody to change.
    """

    def __init__(self) -> None:
        self.values: dict[str, Any] = {}

    def set(self, keys: tuple[str, ...], value: Any) -> None:
        """Set one value.

        Args:
            keys: The parts of its name.
            value: The value.

        Raises:
            LiveError: A part of the name is itself a metric.
        """
        inner = self.values
        for key in keys[:-1]:
            nested = inner.get(key)
            if type(nested) is not dict:
                if nested is not None and not isinstance(nested, dict):
                    raise LiveError(f"the metric '{Path(*keys)}' would be within '{key}', which is a metric itself")
                nested = inner.setdefault(key, {}) if nested is None else nested
            inner = nested
        inner[keys[-1]] = value

    def copy(self) -> dict[str, Any]:
        """Return the values as they are now, while other threads go on to set them."""
        return _copy(self.values)

    def own_values(self, metrics: Container[str]) -> Iterator[tuple[str, Any]]:
        """Yield the names and values that were not logged as metrics."""
        yield from ((name, value) for name, value in _leaves(self.copy(), "") if name not in metrics and name != "step")


def to_loggable(name: str, value: Any) -> Any:
    """Return a value of a metric as it goes into files: NaN and infinities as texts.

    Args:
        name: The metric's name, for an error.
        value: A number, also of numpy or in an array or tensor of one element, or a text.

    Raises:
        InvalidDataTypeError: It is something else, or too long to be written.
    """
    if isinstance(value, str):
        return value
    if not isinstance(value, (int, float)) and not is_numpy_scalar(value):
        try:
            if type(value).__name__ in {"bool", "bool_"}:  # numpy's
                raise InvalidDataTypeError(name, type(value))
            value = to_number(value, name=name)
        except InvalidValueError as error:
            raise InvalidDataTypeError(name, type(value)) from error
    if isinstance(value, int):
        if value.bit_length() > _MAX_BITS:
            raise InvalidDataTypeError(name, f"{type(value)} of {value.bit_length()} bits")
        return value
    return value if math.isfinite(value) else str(value)


def read_summary(path: str | Path) -> dict[str, Any]:
    """Return what a file of a summary holds; nothing where there is none.

    Raises:
        LiveError: It is damaged.
    """
    try:
        values = json.loads(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise LiveError(f"'{path}' is not valid JSON: {error}", hint="remove it, or start without resume") from error
    if not isinstance(values, dict):
        raise LiveError(f"'{path}' holds no metrics", hint="remove it, or start without resume")
    return values


def _copy(values: dict[str, Any]) -> dict[str, Any]:
    return {key: _copy(value) if isinstance(value, dict) else value for key, value in dict(values).items()}


def _leaves(values: dict[str, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    for key, value in values.items():
        if isinstance(value, dict):
            yield from _leaves(value, f"{prefix}{key}/")
        else:
            yield f"{prefix}{key}", value
