"""What a step of `gittrack.Live` costs with an HTML report, at its beginning and after a hundred thousand steps.

Each step computes for 100 µs, logs 5 metrics and ends with `next_step`, in a process of its own. The time within the
calls is counted, over some seconds, in which the report is written several times. It must not grow with the history.
What the report takes once, to load what draws, is done before.

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

from bench_live import n_additions_in
from timing import Figure, make_repository, print_figures

import gittrack

N_METRICS = 5
COMPUTE_S = 100e-6
EARLY, LATE = 100, 100_000
N_WINDOW = 60_000  # steps: more than six seconds
MAX_RATIO = 1.2


def main() -> int:
    """Time everything, print the figures and return 1 when a limit is broken."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--train", metavar="ADDITIONS", type=int, help="be the training")
    arguments = parser.parse_args()
    if arguments.train is not None:
        print(*train(arguments.train))
        return 0
    return int(print_figures(measure(arguments.repeats)) > 0)


def measure(repeats: int = 3) -> list[Figure]:
    """Return the figure.

    Args:
        repeats: How many trainings there are; the median counts.
    """
    command = [sys.executable, __file__, "--train", str(n_additions_in(COMPUTE_S))]
    runs = []
    for _ in range(repeats):
        with tempfile.TemporaryDirectory() as folder:
            repository = make_repository(Path(folder, "repository"), 10)
            done = subprocess.run(command, cwd=repository, check=True, capture_output=True, text=True)
            runs.append([float(word) for word in done.stdout.split()])
    early, late = (statistics.median(one) for one in zip(*runs, strict=True))
    print(f"per step: {early * 1e6:.2f} µs from step {EARLY:,}, {late * 1e6:.2f} µs from step {LATE:,}")
    work = f"{N_WINDOW:,} steps of Live with an HTML report, from step {LATE:,} beside from step {EARLY:,}"
    return [Figure(work, late * N_WINDOW, early * N_WINDOW, early * N_WINDOW * MAX_RATIO)]


def train(n_additions: int) -> tuple[float, float]:
    """Return the seconds within the calls per step, early and late.

    Args:
        n_additions: How many numbers each step adds up.
    """
    live = gittrack.Live(report="html", save_dvc_exp=False, dvcyaml=None)
    names = [f"metric{number}" for number in range(N_METRICS)]
    now = time.perf_counter
    taken = {EARLY: 0.0, LATE: 0.0}
    for step in range(LATE + N_WINDOW):
        window = LATE if step >= LATE else EARLY
        is_counted = window <= step < window + N_WINDOW
        sum(range(n_additions))
        if step == EARLY // 2:
            live.make_report()
        start = now()
        for name in names:
            live.log_metric(name, 1.0 / (step % 1000 + 1))
        live.next_step()
        if is_counted:
            taken[window] += now() - start
    live.end()
    return taken[EARLY] / N_WINDOW, taken[LATE] / N_WINDOW


if __name__ == "__main__":
    sys.exit(main())
