"""The images, tables, histograms and figures that a run of Weights & Biases logged.

Its history has a description of each, with a ``_type``; the content is in a file of the run's folder, below
``files/media``, or, of a histogram, in the description itself.
"""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING, Any

from gittrack.errors import GittrackError
from gittrack.importers.local_files import read_file, real_folder
from gittrack.importers.plots import histogram, table
from gittrack.paths import check_repository_path
from gittrack.runs.plot_document import Plot
from gittrack.values import load_json

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from gittrack.importers.plots import PlotBuilder

_TYPE = "_type"
_MAX_FILE_BYTES = 64 << 20
_MAX_IMAGES = 1000


def split_media(items: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    """Return the values of a row of the history, and the descriptions of media by name.

    Args:
        items: Values by dotted names; a description is one of them, or several below its name.

    Example:
        >>> split_media({"loss": 1, "hist._type": "histogram", "hist.bins": [0, 1]})
        ({'loss': 1}, {'hist': {'_type': 'histogram', 'bins': [0, 1]}})
    """
    media = {name.removesuffix(f".{_TYPE}"): {} for name in items if name.endswith(f".{_TYPE}")}  # type: dict[str, Any]
    values: dict[str, Any] = {}
    for name, value in items.items():
        above = next((one for one in media if name.startswith(f"{one}.")), None)
        if above is not None:
            media[above][name[len(above) + 1 :]] = value
        elif isinstance(value, dict) and isinstance(value.get(_TYPE), str):
            media[name] = value
        else:
            values[name] = value
    return values, media


def take_media(plots: PlotBuilder, folder: Path, name: str, told: Mapping[str, Any], when: tuple[int, float]) -> None:
    """Take one image, table, histogram or figure.

    Args:
        plots: Where it goes.
        folder: The folder of the run.
        name: What the run calls it.
        told: Its description.
        when: The step, and the time in UTC epoch seconds.
    """
    step, time = when
    kind = told.get(_TYPE)
    if kind in {"image-file", "images/separated"}:
        for one, path, caption in _images(name, told):
            data = _read(folder, path)
            if data is None:
                plots.leave_out("image whose file is not in the folder of the run")
            else:
                plots.add_image(one, data, step, time, caption)
    elif kind == "histogram":
        plots.add_plot(name, lambda: histogram(told["values"], told["bins"], name, {}), step, time)
    elif kind in {"table-file", "plotly-file"}:
        data = _read(folder, told.get("path"))
        if data is None:
            plots.leave_out(f"{kind.removesuffix('-file')} whose file is not in the folder of the run")
        else:
            plots.add_plot(name, lambda: _table(data) if kind == "table-file" else _figure(data), step, time)
    else:
        plots.leave_out(f"value of the type {str(kind)[:50]!r}, whose file is among the artifacts if it was there")


def _images(name: str, told: Mapping[str, Any]) -> list[tuple[str, Any, str | None]]:
    """Return name, path and caption of one image or several."""
    names = told.get("filenames") if told.get(_TYPE) == "images/separated" else [told.get("path")]
    captions = told.get("captions", [told.get("caption")])
    if not isinstance(names, list):
        return []
    found = []
    for number, path in enumerate(names[:_MAX_IMAGES]):
        caption = captions[number] if isinstance(captions, list) and number < len(captions) else None
        one = name if len(names) == 1 else f"{name}/{number}"
        found.append((one, path, caption if isinstance(caption, str) and caption else None))
    return found


def _table(data: bytes) -> Plot:
    document: Any = load_json(data, tagged=False)
    return table(document["columns"], document["data"])


def _figure(data: bytes) -> Plot:
    document: Any = load_json(data, tagged=False)
    return Plot("figure", {}, {"data": list(document["data"]), "layout": dict(document.get("layout") or {})})


def _read(folder: Path, path: Any) -> bytes | None:
    """Return a file of the run's folder; None when there is none, or a link on the way."""
    try:
        above = real_folder(folder, posixpath.dirname(check_repository_path(f"files/{path}")))
    except GittrackError:
        return None
    return None if above is None else read_file(above / posixpath.basename(str(path)), _MAX_FILE_BYTES)
