"""The JSON file of a plot: its data in columns, the numbers that sum it up, and the figure that draws it.

```
{"format": 1, "kind": "roc", "name": …, "step": …, "values": {"auc": …}, "columns": {"fpr": […], …}, "figure": {…}}
```

It is written in one line for each of these keys, not indented: a curve may have a million points. While the run goes
on, such a curve is *packed*: a line of JSON without the columns, then their numbers as doubles, for training must not
wait until all of them are texts. `unpack_plot` makes the document of it when the run is recorded.
"""

from __future__ import annotations

import json
import sys
from array import array
from math import isfinite
from typing import TYPE_CHECKING, Any, NamedTuple

from gittrack.values import dump_json, load_json

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gittrack.values import PlainValue

MEDIA_TYPE = "application/vnd.gittrack.plot+json"
SUFFIX = ".json"
_FORMAT = 1
_MIN_PACKED = 50_000  # numbers; fewer are written as JSON within milliseconds
_PACKED = b'{"packed":'
_encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False, check_circular=False, separators=(",", ":")).encode


class Plot(NamedTuple):
    """A plot as its file holds it.

    Attributes:
        kind: What it is.
        columns: The data, each column a sequence of plain values, or an array of floats.
        figure: ``data`` and ``layout`` for plotly.
        values: The numbers that sum it up.
    """

    kind: str
    columns: Mapping[str, Any]
    figure: Mapping[str, Any]
    values: Mapping[str, PlainValue] = {}


def render_plot(plot: Plot, name: str, step: int | None) -> bytes:
    """Return the file of a plot.

    Args:
        plot: The plot.
        name: What the script called it.
        step: The step it belongs to.
    """
    columns = {key: _tagged_list(values) for key, values in plot.columns.items()}
    return _lines({**_head(plot, name, step), "columns": columns, "figure": plot.figure})


def pack_plot(plot: Plot, name: str, step: int | None) -> bytes:
    """Return the file of a plot while the run goes on: packed where it is long and all of it floats.

    Args:
        plot: The plot.
        name: What the script called it.
        step: The step it belongs to.
    """
    are_floats = all(getattr(values, "dtype", None) == "float64" for values in plot.columns.values())
    if not are_floats or sum(map(len, plot.columns.values())) < _MIN_PACKED:
        return render_plot(plot, name, step)
    lengths = [[key, len(values)] for key, values in plot.columns.items()]
    head = {"packed": lengths, **_head(plot, name, step), "figure": plot.figure}
    numbers = (values.astype("<f8").tobytes() for values in plot.columns.values())
    return b"\n".join([_encode(head).encode(), b"".join(numbers)])


def unpack_plot(data: bytes) -> bytes:
    """Return the document of a plot that may be packed; anything else is returned as it is.

    Args:
        data: The file.

    Raises:
        ValueError: It is damaged.
    """
    if not data.startswith(_PACKED):
        return data
    line, _, rest = data.partition(b"\n")
    head = json.loads(line)
    try:
        lengths = {str(key): int(length) for key, length in head["packed"]}
        figure = head["figure"]
    except (TypeError, KeyError) as error:
        raise ValueError("it is damaged") from error
    if sum(lengths.values()) * 8 != len(rest) or min(lengths.values(), default=0) < 0:
        raise ValueError("it is cut off")
    numbers = array("d", rest)
    if sys.byteorder == "big":
        numbers.byteswap()
    columns, start = {}, 0
    for key, length in lengths.items():
        columns[key] = _tagged_list(numbers[start : start + length])
        start += length
    document = {key: head[key] for key in ("format", "kind", "name", "step", "values") if key in head}
    return _lines({**document, "columns": columns, "figure": figure})


def is_packed(start: bytes) -> bool:
    """Return whether a file that begins with these bytes, ten or more, is a packed plot."""
    return start.startswith(_PACKED)


def read_plot(data: bytes) -> dict[str, Any]:
    """Return what the file of a plot holds.

    Raises:
        InvalidJSONError: It is damaged.
    """
    document = load_json(data)
    return document if isinstance(document, dict) else {}


def _head(plot: Plot, name: str, step: int | None) -> dict[str, Any]:
    values = {key: _tagged(value) for key, value in plot.values.items()}
    head = {"format": _FORMAT, "kind": plot.kind, "name": name, "step": step, "values": values}
    return {key: value for key, value in head.items() if value not in (None, {})}


def _lines(document: Mapping[str, Any]) -> bytes:
    lines = (f"{_encode(key)}:{_encode(value)}" for key, value in document.items() if value not in (None, {}))
    return ("{" + ",\n".join(lines) + "}\n").encode()


def _tagged_list(values: Any) -> list[Any]:
    plain = values.tolist() if hasattr(values, "tolist") else list(values)
    return [_tagged(value) for value in plain] if any(map(_is_special, plain)) else plain


def _is_special(value: Any) -> bool:
    return (isinstance(value, float) and not isfinite(value)) or isinstance(value, (list, dict))


def _tagged(value: Any) -> Any:
    """Write what JSON lacks as `gittrack.values.dump_json` does."""
    return json.loads(dump_json(value)) if _is_special(value) else value
