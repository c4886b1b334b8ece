"""SageMaker Experiments over gittrack: `Run`, `load_run` and `list_runs` with the original's signatures and rules.

    from gittrack.compat.sagemaker.experiments import Run, load_run   # was: from sagemaker.experiments import …

It needs neither the `sagemaker` package nor an account. docs/guides/sagemaker.md says what is different.
"""

from __future__ import annotations

from gittrack.compat.sagemaker.experiments.run import Run, SortByType, SortOrderType, list_runs, load_run

__all__ = ["Run", "SortByType", "SortOrderType", "list_runs", "load_run"]
