"""Numpy's numbers, in JSON."""

from __future__ import annotations

import json
from typing import Any

from gittrack.live_files.writing import is_numpy_scalar, to_python

NUMPY_INTS = ["intc", "intp", *(f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64))]
NUMPY_FLOATS = ["float16", "float32", "float64"]
NUMPY_SCALARS = NUMPY_INTS + NUMPY_FLOATS


class NumpyEncoder(json.JSONEncoder):
    """An encoder that knows numpy's numbers."""

    def default(self, o: Any) -> Any:
        """Return a number of numpy's as one of Python's."""
        return to_python(o) if is_numpy_scalar(o) else super().default(o)
