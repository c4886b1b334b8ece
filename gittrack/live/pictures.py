"""Plots and images of a run in the form of the live protocol.

An event ``plot`` of the journal names a file in the run's folder ``plots/``: an image, or a document of JSON whose
``columns`` are the data. The document of a long curve is *packed* while the run goes on: a line of JSON with the names
and lengths of the columns, then their numbers as little-endian doubles.
"""

from __future__ import annotations

import base64
import json
import sys
from array import array
from typing import TYPE_CHECKING, Any

from gittrack.live.event import MAX_PLOT_BYTES
from gittrack.live.plain import plain_plot
from gittrack.values import load_json

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

PICTURES_FOLDER = ".gittrack/plots"
MAX_ROWS = 5_000  # of a plot; more than a screen has pixels, and few enough for the training not to notice

_MAX_FILE_BYTES = 64 << 20
_PACKED = b'{"packed":'
_DOUBLE_BYTES = 8
_TOLD = ("kind", "name", "title", "values")


def read_picture(entry: Mapping[str, Any], folder: Path) -> dict[str, Any] | None:
    """Return a plot of the protocol; None for what is neither data nor an image, is gone, damaged or too large.

    Args:
        entry: What the event says: ``file``, ``media_type``, and more.
        folder: The folder of the files.
    """
    file, media_type = entry.get("file"), entry.get("media_type")
    if not isinstance(file, str) or not isinstance(media_type, str) or not is_file_name(file):
        return None
    try:
        data = _read(folder / file)
        if media_type.startswith("image/"):
            image = base64.b64encode(data).decode("ascii")
            return {"image": image} if len(image) <= MAX_PLOT_BYTES else None
        columns = _unpacked(data) if data.startswith(_PACKED) else _columns(load_json(data))
    except Exception:  # noqa: BLE001  a file that holds anything else
        return None
    if not columns:
        return None
    plot: dict[str, Any] = {"data": _rows(columns)}
    plot["props"] = {key: entry[key] for key in _TOLD if entry.get(key)}
    n_rows = max(map(len, columns.values()))
    if n_rows > MAX_ROWS:
        plot["props"]["thinned_from"] = n_rows
    plain: dict[str, Any] = plain_plot(file, plot)
    return plain


def is_file_name(name: str) -> bool:
    """Return whether a text is the name of a file and no way to another folder."""
    return bool(name) and not name.startswith(".") and "/" not in name and "\\" not in name and "\0" not in name


def _read(path: Path) -> bytes:
    with path.open("rb") as file:
        data = file.read(_MAX_FILE_BYTES + 1)
    if len(data) > _MAX_FILE_BYTES:
        raise ValueError("it is too large")
    return data


def _columns(document: Any) -> dict[str, Any]:
    columns = document.get("columns") if isinstance(document, dict) else None
    return {key: values for key, values in (columns or {}).items() if isinstance(values, list)}


def _unpacked(data: bytes) -> dict[str, Any]:
    line, _, rest = data.partition(b"\n")
    numbers = array("d", rest)
    if sys.byteorder == "big":
        numbers.byteswap()
    columns: dict[str, Any] = {}
    start = 0
    for key, length in json.loads(line)["packed"]:
        columns[str(key)] = numbers[start : start + length]
        start += length
    if start * _DOUBLE_BYTES != len(rest):
        raise ValueError("it is cut off")
    return columns


def _rows(columns: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the data by rows, of a long plot every so-manieth and the last one."""
    n_rows = max(map(len, columns.values()))
    every = -(-n_rows // MAX_ROWS)
    numbers = list(range(0, n_rows, every))
    if numbers and numbers[-1] != n_rows - 1:
        numbers[-1] = n_rows - 1
    return [{key: values[number] for key, values in columns.items() if number < len(values)} for number in numbers]
