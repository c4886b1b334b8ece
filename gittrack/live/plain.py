"""Values as the live protocol can carry them: plain JSON, with NaN and infinities as texts that are said to be numbers.

JSON has no NaN, and the receivers of the protocol know ``"nan"``, ``"inf"`` and ``"-inf"`` in its place. So that no
text is taken for a number, the places of such numbers are listed beside them: those of metrics and params under
``env.text_numbers`` as lists of keys, those of a plot's datapoints by their columns under ``props.text_numbers``.
"""

from __future__ import annotations

import base64
import math
from typing import TYPE_CHECKING, Any

from gittrack.errors import GittrackError
from gittrack.live.event import UnsendableEventError
from gittrack.values import format_number, to_plain

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gittrack.live.event import Event

TEXT_NUMBERS = "text_numbers"
_MAX_INTEGER_BITS = 14_000  # Python writes and reads no longer ones in decimal


def make_plain(event: Event) -> Event:
    """Return an event of plain values; those of the given one are not changed.

    Args:
        event: An event that may hold numpy scalars and arrays, NaN, paths, and images as bytes.

    Raises:
        UnsendableEventError: A value has no plain form.
    """
    places: list[list[str]] = []
    plain: dict[str, Any] = {}
    try:
        for key in ("metrics", "params", "machine"):
            value = getattr(event, key)
            if isinstance(value, dict) and value:
                plain[key] = _finite(to_plain(value, name=key), [key], places)
        if isinstance(event.plots, dict) and event.plots:
            plain["plots"] = {name: plain_plot(name, plot) for name, plot in event.plots.items()}
    except GittrackError as error:
        raise UnsendableEventError(error.message, hint=error.hint) from error
    if places:
        plain["env"] = {**(event.env or {}), TEXT_NUMBERS: places}
    return event._replace(**plain)


def to_json_number(value: Any) -> Any:
    """Return a number as JSON can hold it: NaN and infinities, and integers of thousands of digits, as texts.

    Example:
        >>> to_json_number(0.5), to_json_number(float("-inf"))
        (0.5, '-inf')
    """
    if isinstance(value, float):
        return value if math.isfinite(value) else repr(value)
    return value if value.bit_length() <= _MAX_INTEGER_BITS else format_number(value)


def plain_plot(name: str, plot: Any) -> Any:
    """Return one plot of plain values; images as base64.

    Args:
        name: What to call it in an error.
        plot: The plot; what is no mapping is returned as it is.

    Raises:
        InvalidValueError: A value has no plain form.
    """
    if not isinstance(plot, dict):
        return plot
    plain = dict(plot)
    if isinstance(plot.get("image"), (bytes, bytearray, memoryview)):
        plain["image"] = base64.b64encode(plot["image"]).decode("ascii")
    for key in ("data", "props"):
        if key in plot:
            plain[key] = to_plain(plot[key], name=f"plots.{name}.{key}")
    if isinstance(plain.get("data"), list):
        columns: dict[str, None] = {}
        plain["data"] = [_finite_point(point, columns) for point in plain["data"]]
        if columns:
            plain["props"] = {**(plain.get("props") or {}), TEXT_NUMBERS: list(columns)}
    return plain


def _finite_point(point: Any, columns: dict[str, None]) -> Any:
    """Return a datapoint without NaN, and add the columns where it had one."""
    places: list[list[str]] = []
    finite = _finite(point, [], places)
    columns.update({place[0]: None for place in places if place})
    return finite


def _finite(value: Any, path: list[str], places: list[list[str]]) -> Any:
    """Return plain data without NaN, and add where it was."""
    if isinstance(value, (float, int)) and not isinstance(value, bool):
        finite = to_json_number(value)
        if finite is not value:
            places.append(path)
        return finite
    if isinstance(value, (dict, list)):
        items = {key: _finite(item, [*path, str(key)], places) for key, item in _items(value)}
        return items if isinstance(value, dict) else list(items.values())
    return value


def _items(value: dict[str, Any] | list[Any]) -> Iterator[tuple[Any, Any]]:
    yield from value.items() if isinstance(value, dict) else enumerate(value)
