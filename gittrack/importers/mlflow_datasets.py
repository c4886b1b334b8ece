"""The data sets that a run of MLflow said it uses: name, digest, source, schema and profile, as values that went in."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from gittrack.git.remotes import strip_credentials
from gittrack.importers.foreign import native
from gittrack.importers.plots import PlotBuilder

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from gittrack.importers.foreign import ForeignPlot
    from gittrack.values import PlainValue

_CONTEXT = "mlflow.data.context"
_FIELDS = ("name", "digest", "source_type", "source", "schema", "profile")
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^\s\"'<>]+")


def describe_inputs(inputs: Iterable[tuple[Mapping[str, Any], Mapping[str, Any]]]) -> tuple[ForeignPlot, ...]:
    """Return what is known of data sets, each under its name.

    Args:
        inputs: Of each its fields as MLflow names them, and its tags.
    """
    plots = PlotBuilder()
    taken: set[str] = set()
    for fields, tags in inputs:
        told = {key: _clean(native(fields[key])) for key in _FIELDS if isinstance(fields.get(key), str) and fields[key]}
        told.update({key: fields[key] for key in ("name", "digest") if isinstance(fields.get(key), str)})
        context = tags.get(_CONTEXT)
        if isinstance(context, str):
            told["context"] = context
        others: dict[str, PlainValue] = {
            key: value for key, value in tags.items() if key != _CONTEXT and isinstance(value, str)
        }
        if others:
            told["tags"] = others
        name = str(told.get("name") or "data set")
        if name in taken:
            name = f"{name}@{told.get('digest', '')}"
        taken.add(name)
        plots.add_input(name, told)
    return tuple(plots.plots)


def _clean(value: PlainValue) -> PlainValue:
    """Return a value without credentials in its URLs."""
    if isinstance(value, str):
        return _URL.sub(lambda url: strip_credentials(url[0]), value)
    if isinstance(value, list):
        return [_clean(item) for item in value]
    if isinstance(value, dict):
        return {key: _clean(item) for key, item in value.items()}
    return value
