"""Track machine-learning experiments with git: code, params, metrics and plots on hidden branches.

Example:
    ```python
    import gittrack

    with gittrack.Run(name="first") as run:
        run.log_params({"lr": 0.1})
        run.log_metric("loss", 0.25)
    ```

The names of `__all__` are the public interface. They are looked up when first used (PEP 562), so that
`import gittrack` costs next to nothing in a training script.
"""

from __future__ import annotations

TYPE_CHECKING = False  # as in `typing`, whose import would cost more than all of this module
if TYPE_CHECKING:
    from gittrack.api import Run, list_runs, load_run
    from gittrack.api_live import post_live_metrics
    from gittrack.api_logger import Live
    from gittrack.errors import DivergedError, GittrackError, UsageError
    from gittrack.experiments.run_list import SortByType, SortOrderType
    from gittrack.integrations.autolog import autolog, autolog_off
    from gittrack.script import finish, init, log, run

__version__ = "0.1.0"

__all__ = [
    "DivergedError",
    "GittrackError",
    "Live",
    "Run",
    "SortByType",
    "SortOrderType",
    "UsageError",
    "__version__",
    "autolog",
    "autolog_off",
    "finish",
    "init",
    "list_runs",
    "load_run",
    "log",
    "post_live_metrics",
    "run",
]

_HOMES = {
    "DivergedError": "gittrack.errors",
    "GittrackError": "gittrack.errors",
    "Live": "gittrack.api_logger",
    "Run": "gittrack.api",
    "SortByType": "gittrack.experiments.run_list",
    "SortOrderType": "gittrack.experiments.run_list",
    "UsageError": "gittrack.errors",
    "finish": "gittrack.script",
    "init": "gittrack.script",
    "list_runs": "gittrack.api",
    "load_run": "gittrack.api",
    "log": "gittrack.script",
    "run": "gittrack.script",
    "post_live_metrics": "gittrack.api_live",
    "autolog": "gittrack.integrations.autolog",
    "autolog_off": "gittrack.integrations.autolog",
}


def __getattr__(name: str) -> object:
    """Return a public name from the module that defines it, and keep it for the next time."""
    if name not in _HOMES:
        raise AttributeError(f"module 'gittrack' has no attribute '{name}'")
    from importlib import import_module

    value: object = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """List the public names, also those that were not looked up yet."""
    return sorted({*globals(), *__all__})
