"""Points per second of logging 5 metrics per step: gittrack's journal, and a plain loop.

Other trackers stand beside it in `bench_peers.py`.

Budget: at least 500,000 points/s buffered, and at most twice the time of a plain loop that writes and flushes the same
bytes. All in one process run, best of several, each into an empty folder; closing (fsync) is not counted, flushing is.

    python benchmarks/bench_logging.py --steps 20000
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from peer_logging import make_values

from gittrack.runs.journal import JournalWriter
from gittrack.runs.journal_reader import read_journal, read_latest

if TYPE_CHECKING:
    from collections.abc import Callable

    from peer_logging import Values

N_METRICS = 5
MIN_POINTS_PER_S = 500_000
MAX_RATIO = 2.0


def log_to_journal(folder: Path, steps: list[Values], durability: str) -> float:
    """Return the seconds that the journal takes."""
    journal = JournalWriter(folder / "run.journal", durability=durability)  # type: ignore[arg-type]
    start = time.perf_counter()
    for step, values in enumerate(steps):
        journal.metrics(values, step, time.time())
    journal.flush()
    seconds = time.perf_counter() - start
    journal.close()
    return seconds


def write_plainly(folder: Path, lines: list[bytes]) -> float:
    """Return the seconds in which a loop writes and flushes the journal's bytes, one step at a time."""
    start = time.perf_counter()
    with (folder / "plain").open("wb") as file:
        for line in lines:
            file.write(line)
            file.flush()
        return time.perf_counter() - start


def format_plainly(folder: Path, steps: list[Values]) -> float:
    """Return the seconds in which a loop formats, writes and flushes a line of JSON per step."""
    start = time.perf_counter()
    with (folder / "plain.jsonl").open("w", encoding="utf-8") as file:
        for step, values in enumerate(steps):
            file.write(json.dumps({"step": step, "time": time.time(), **values}) + "\n")
            file.flush()
        return time.perf_counter() - start


def best_of(n_repeats: int, measure: Callable[[Path], float]) -> float:
    """Return the fewest seconds of several runs, each in a folder of its own."""
    seconds = []
    for _ in range(n_repeats):
        with tempfile.TemporaryDirectory() as folder:
            seconds.append(measure(Path(folder)))
    return min(seconds)


def journal_lines(steps: list[Values]) -> list[bytes]:
    """Return the lines of a journal that writes every step."""
    with tempfile.TemporaryDirectory() as folder:
        log_to_journal(Path(folder), steps, "step")
        return (Path(folder) / "run.journal").read_bytes().splitlines(keepends=True)


def report_calls(steps: list[Values]) -> None:
    """Print how long single calls take, and how long reading the journal."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "run.journal")
        journal = JournalWriter(path)
        durations = []
        for step, values in enumerate(steps):
            now = time.time()
            start = time.perf_counter_ns()
            journal.metrics(values, step, now)
            durations.append(time.perf_counter_ns() - start)
        journal.close()
        durations.sort()
        shares = {"p50": 0.5, "p99": 0.99, "p99.9": 0.999, "max": 1.0}
        texts = (f"{name} {durations[int((len(durations) - 1) * q)] / 1000:.1f}" for name, q in shares.items())
        print(f"one call of {N_METRICS} metrics, microseconds: {', '.join(texts)}")
        for read in (read_journal, read_latest):
            start_s = time.perf_counter()
            read(path)
            print(f"{read.__name__}: {(time.perf_counter() - start_s) * 1000:.1f} ms")


def report(name: str, n_steps: int, seconds: float, plain_s: float, budget: str = "") -> None:
    """Print one row: points per second, and how the time per point compares with the plain loop."""
    print(f"{name:<34}{n_steps * N_METRICS / seconds:>12,.0f} points/s{plain_s and seconds / plain_s:>9.2f}x  {budget}")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=20_000, help="steps of 5 metrics")
    parser.add_argument("--repeats", type=int, default=5, help="runs, of which the best counts")
    arguments = parser.parse_args()
    n_steps = arguments.steps
    steps = make_values(n_steps)
    lines = journal_lines(steps)
    plain_s = best_of(arguments.repeats, lambda folder: write_plainly(folder, lines))
    formatted_s = best_of(arguments.repeats, lambda folder: format_plainly(folder, steps))
    buffered_s = best_of(arguments.repeats, lambda folder: log_to_journal(folder, steps, "buffered"))
    step_s = best_of(arguments.repeats, lambda folder: log_to_journal(folder, steps, "step"))
    n_points = n_steps * N_METRICS
    is_within = n_points / buffered_s >= MIN_POINTS_PER_S and buffered_s <= MAX_RATIO * formatted_s
    report("loop: write + flush", n_steps, plain_s, formatted_s)
    report("loop: format + write + flush", n_steps, formatted_s, formatted_s)
    verdict = "ok" if is_within else "OVER"
    budget = f"budget: >= {MIN_POINTS_PER_S:,} points/s, <= {MAX_RATIO:.0f}x: {verdict}"
    report("gittrack, buffered", n_steps, buffered_s, formatted_s, budget)
    report("gittrack, durability=step", n_steps, step_s, formatted_s)
    report_calls(steps)


if __name__ == "__main__":
    main()
