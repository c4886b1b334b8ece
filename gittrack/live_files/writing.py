"""Write whole files so that a reader sees the old content or the new, and nothing half."""

from __future__ import annotations

import json
import math
import os
from pathlib import Path
from typing import Any

_INTEGERS = frozenset({"intc", "intp", *(f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64))})
_FLOATS = frozenset({"float16", "float32", "float64"})
NUMPY_SCALARS = _INTEGERS | _FLOATS


def is_numpy_scalar(value: object) -> bool:
    """Say whether a value is a number of numpy's; a boolean is none."""
    kind = type(value)
    return kind.__module__ == "numpy" and kind.__name__ in NUMPY_SCALARS


def to_python(value: Any) -> Any:
    """Return a number of numpy's as one of Python's; for `json`.

    Raises:
        TypeError: It is none.
    """
    if not is_numpy_scalar(value):
        raise TypeError(f"Object of type {type(value).__name__} is not JSON serializable")
    return int(value) if type(value).__name__ in _INTEGERS else float(value)


def without_odd_floats(value: Any) -> Any:
    """Return lists and dicts with NaN and infinities as texts, for JSON has no numbers for them.

    Example:
        >>> without_odd_floats([{"threshold": float("inf")}])
        [{'threshold': 'inf'}]
    """
    if isinstance(value, dict):
        return {key: without_odd_floats(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [without_odd_floats(item) for item in value]
    if isinstance(value, float) or is_numpy_scalar(value):
        return value if math.isfinite(value) else str(float(value))
    return value


def render_json(content: Any) -> str:
    """Return content as DVCLive's JSON: four spaces, a final line feed.

    Raises:
        TypeError: Something in it has no form in JSON.
    """
    return json.dumps(content, indent=4, default=to_python) + "\n"


def write_text(path: str | Path, text: str) -> None:
    """Put a file in place as a whole, with its folders.

    Args:
        path: The file.
        text: Its content.

    Raises:
        OSError: The disk refuses; the old content stays.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        temporary.write_text(text, encoding="utf-8", newline="")
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
