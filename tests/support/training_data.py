"""Data that a model can learn in a moment."""

from __future__ import annotations

from typing import Any

import numpy as np


def make_data(n_samples: int = 120) -> tuple[Any, Any]:
    """Return samples, shape (n_samples, 4), and labels 0 and 1 that depend on them."""
    random = np.random.default_rng(0)
    x = random.normal(size=(n_samples, 4)).astype(np.float32)
    return x, (x[:, 0] + x[:, 1] > 0).astype(np.int64)
