"""The JSON file of a plot: its data in columns, the numbers that sum it up, and the figure that draws it.

```
{"format": 1, "kind": "roc", "name": …, "step": …, "values": {"auc": …}, "columns": {"fpr": […], …}, "figure": {…}}
```

It is written in one line for each of these keys, not indented: a curve may have a million points.
"""

from __future__ import annotations

import json
from math import isfinite
from typing import TYPE_CHECKING, Any, NamedTuple

from gittrack.values import dump_json, load_json

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gittrack.values import PlainValue

MEDIA_TYPE = "application/vnd.gittrack.plot+json"
SUFFIX = ".json"
_FORMAT = 1
_encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False, check_circular=False, separators=(",", ":")).encode


class Plot(NamedTuple):
    """A plot as its file holds it.

    Attributes:
        kind: What it is.
        columns: The data, each column a sequence of plain values.
        figure: ``data`` and ``layout`` for plotly.
        values: The numbers that sum it up.
    """

    kind: str
    columns: Mapping[str, Sequence[Any]]
    figure: Mapping[str, Any]
    values: Mapping[str, PlainValue] = {}


def render_plot(plot: Plot, name: str, step: int | None) -> bytes:
    """Return the file of a plot.

    Args:
        plot: The plot.
        name: What the script called it.
        step: The step it belongs to.
    """
    document: dict[str, Any] = {
        "format": _FORMAT,
        "kind": plot.kind,
        "name": name,
        "step": step,
        "values": {key: _tagged(value) for key, value in plot.values.items()},
        "columns": {key: _tagged_list(values) for key, values in plot.columns.items()},
        "figure": plot.figure,
    }
    lines = (f"{_encode(key)}:{_encode(value)}" for key, value in document.items() if value not in (None, {}))
    return ("{" + ",\n".join(lines) + "}\n").encode()


def read_plot(data: bytes) -> dict[str, Any]:
    """Return what the file of a plot holds.

    Raises:
        InvalidJSONError: It is damaged.
    """
    document = load_json(data)
    return document if isinstance(document, dict) else {}


def _tagged_list(values: Sequence[Any]) -> list[Any]:
    plain = list(values)
    return [_tagged(value) for value in plain] if any(map(_is_special, plain)) else plain


def _is_special(value: Any) -> bool:
    return (isinstance(value, float) and not isfinite(value)) or isinstance(value, (list, dict))


def _tagged(value: Any) -> Any:
    """Write what JSON lacks as `gittrack.values.dump_json` does."""
    return json.loads(dump_json(value)) if _is_special(value) else value
