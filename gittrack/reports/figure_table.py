"""The table that a figure is, where it is one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gittrack.reports.content import MAX_ROWS

if TYPE_CHECKING:
    from collections.abc import Mapping

_MAX_COLUMNS = 100


def figure_table(figure: Mapping[str, Any]) -> tuple[list[str], list[list[str]]] | None:
    """Return header and rows of a figure that is a table; None of any other.

    Args:
        figure: The figure as plotly reads it, from anywhere.

    Example:
        >>> figure_table({"data": [{"type": "table", "header": {"values": ["a"]}, "cells": {"values": [[1, 2]]}}]})
        (['a'], [['1'], ['2']])
    """
    data = figure.get("data")
    if not isinstance(data, list) or len(data) != 1 or not isinstance(data[0], dict) or data[0].get("type") != "table":
        return None
    header = _list(_values(data[0].get("header")))[:_MAX_COLUMNS]
    columns = [_list(column)[: MAX_ROWS + 1] for column in _list(_values(data[0].get("cells")))[: len(header)]]
    n_rows = max(map(len, columns), default=0)
    rows = [[_text(column[row]) if row < len(column) else "" for column in columns] for row in range(n_rows)]
    return [str(name) for name in header], rows


def _values(part: Any) -> Any:
    return part.get("values") if isinstance(part, dict) else None


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _text(value: Any) -> str:
    return "" if value is None else str(value)
