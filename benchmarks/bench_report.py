"""What a step of `gittrack.Live` costs with an HTML report, at its beginning and after a hundred thousand steps.

Each step logs 5 metrics and ends with `next_step`, in a process of its own; windows of steps are timed, by the whole
time and by the CPU of all threads. The report must not cost more per step when there is a long history. What it takes
once, to load what draws, is done before.

    python benchmarks/bench_report.py
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from timing import Figure, make_repository, print_figures

import gittrack

N_METRICS = 5
EARLY, LATE = 100, 100_000
N_WINDOW = 50_000  # steps: about two seconds, in which a report is written more than once
MAX_RATIO = 1.2


def main() -> int:
    """Time everything, print the figures and return 1 when a limit is broken."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--train", metavar="REPORT", help="be the training")
    arguments = parser.parse_args()
    if arguments.train:
        print(*train(arguments.train))
        return 0
    return int(print_figures(measure(arguments.repeats)) > 0)


def measure(repeats: int = 3) -> list[Figure]:
    """Return the figures.

    Args:
        repeats: How many trainings there are; the median counts.
    """
    with tempfile.TemporaryDirectory() as folder:
        repository = make_repository(Path(folder, "repository"), 10)
        runs = [_run(repository) for _ in range(repeats)]
    early, late, early_cpu, late_cpu = (statistics.median(one) for one in zip(*runs, strict=True))
    print(f"per step: {early * 1e6:.2f} µs from step {EARLY:,}, {late * 1e6:.2f} µs from step {LATE:,}")
    where = f"from step {LATE:,}, beside from step {EARLY:,}"
    return [
        Figure(
            f"Live with an HTML report {where}, {N_WINDOW:,} steps",
            late * N_WINDOW,
            early * N_WINDOW,
            early * N_WINDOW * MAX_RATIO,
        ),
        Figure(
            f"CPU of the same, {N_WINDOW:,} steps",
            late_cpu * N_WINDOW,
            early_cpu * N_WINDOW,
            early_cpu * N_WINDOW * MAX_RATIO,
        ),
    ]


def _run(repository: Path) -> list[float]:
    command = [sys.executable, __file__, "--train", "html"]
    done = subprocess.run(command, cwd=repository, check=True, capture_output=True, text=True)
    return [float(word) for word in done.stdout.split()]


def train(mode: str) -> tuple[float, float, float, float]:
    """Return the seconds per step early and late, and the seconds of CPU.

    Args:
        mode: Which report is written.
    """
    live = gittrack.Live(report=mode, save_dvc_exp=False, dvcyaml=None)
    names = [f"metric{number}" for number in range(N_METRICS)]
    taken = {}
    for step in range(LATE + N_WINDOW):
        if step in {EARLY, LATE}:
            start = time.perf_counter(), time.process_time()
        if step == EARLY // 2:
            live.make_report()
        for name in names:
            live.log_metric(name, 1.0 / (step + 1))
        live.next_step()
        if step in {EARLY + N_WINDOW - 1, LATE + N_WINDOW - 1}:
            taken[step] = (time.perf_counter() - start[0]) / N_WINDOW, (time.process_time() - start[1]) / N_WINDOW
    early, late = taken.values()
    live.end()
    return early[0], late[0], early[1], late[1]


if __name__ == "__main__":
    sys.exit(main())
