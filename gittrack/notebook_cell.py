"""The place in a notebook where a report is shown, and shown anew."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

_SHELLS = {"ZMQInteractiveShell", "Shell"}  # the second is Colab's
NOT_THERE = "Report mode 'notebook' requires to be inside a notebook. Disabling report."


def open_display() -> Callable[[str], object] | None:
    """Show an empty report, and return what puts HTML in its place; None outside of a notebook."""
    if "IPython" not in sys.modules:
        return None
    from IPython import get_ipython

    if type(get_ipython()).__name__ not in _SHELLS:
        return None
    shown: Any = import_module("IPython.display")  # which is not typed
    handle = shown.display(shown.HTML("<p>Report</p>"), display_id=True)
    return lambda text: handle.update(shown.HTML(text))
