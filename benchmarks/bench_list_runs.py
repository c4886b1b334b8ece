"""`gittrack.list_runs` of one page and of all, in this process, on 10,000 experiments with a cold and a warm index.

Run it as `.venv/bin/python benchmarks/bench_list_runs.py`. The repository is that of bench_show.py: 20 params and 10
metrics each. Beside it stands `git for-each-ref` of the same refs.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import bench_show
from timing import Figure, print_figures

import gittrack

if TYPE_CHECKING:
    from collections.abc import Callable

N_REPEATS = 5
FRACTION_OF_A_SECOND = 0.5


def main() -> int:
    """Build the repository, time everything and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=10_000)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        bench_show.build(Path(folder), arguments.size, is_packed=True)
        return print_figures(measure(Path(folder), arguments.size))


def measure(repository: Path, size: int) -> list[Figure]:
    """Return the figures of one repository.

    Args:
        repository: Where it is.
        size: How many experiments it has.
    """
    here = Path.cwd()
    os.chdir(repository)
    try:
        refs = ["git", "for-each-ref", "--format=%(objectname)", "refs/gittrack/exps/"]
        plumbing = seconds(lambda: subprocess.run(refs, check=True, capture_output=True))
        cold = seconds(gittrack.list_runs, n_repeats=1)
        page = seconds(lambda: gittrack.list_runs(max_results=20))
        everything = seconds(gittrack.list_runs)
        assert len(gittrack.list_runs()) == size
    finally:
        os.chdir(here)
    return [
        Figure(f"list_runs, {size:,} experiments, cold index", cold),
        Figure(f"list_runs, 20 of {size:,}", page, plumbing, FRACTION_OF_A_SECOND),
        Figure(f"list_runs, all {size:,}", everything, plumbing),
    ]


def seconds(action: Callable[[], Any], n_repeats: int = N_REPEATS) -> float:
    """Return how long something takes, the median of several times."""
    taken = []
    for _ in range(n_repeats):
        began = time.perf_counter()
        action()
        taken.append(time.perf_counter() - began)
    return statistics.median(taken)


if __name__ == "__main__":
    raise SystemExit(main())
