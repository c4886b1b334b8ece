"""The names of the module `sagemaker.core.experiments`."""

from __future__ import annotations

from gittrack.compat.sagemaker.experiments.run import Run, SortByType, SortOrderType, list_runs, load_run

__all__ = ["Run", "SortByType", "SortOrderType", "list_runs", "load_run"]
