"""What a step of training costs more when the run is posted live, to a real server on this machine.

Each step logs 5 metrics, flat out, and after a millisecond of computing in Python. With and without posting alternate,
each training a process of its own, and the best of several counts: a busy machine adds to either. The server is a
process too, which takes a CPU as a remote one would not. Limit: 50 µs more per step: of the whole time, of the CPU that
the process takes (which other programs hardly change), and at the 99th percentile of the log call alone. What it takes
once, mostly to load `requests` beside the training, is printed: the steps are timed from the second second on.

    python benchmarks/bench_live.py --repeats 5
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
import timeit
from pathlib import Path
from typing import NamedTuple

from timing import Figure, make_repository, print_figures

import gittrack

MAX_MORE_S = 50e-6
N_METRICS = 5
N_FLAT_OUT, N_COMPUTING, COMPUTE_S = 500_000, 2_500, 0.001
SERVER = """
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
n = 0
class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    def do_POST(self):
        global n
        n += len(self.rfile.read(int(self.headers["Content-Length"])))
        self.answer()
    def do_GET(self):
        self.answer()
    def answer(self):
        text = str(n).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)
    def log_message(self, *args):
        pass
server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(server.server_port, flush=True)
server.serve_forever()
"""


class Measured(NamedTuple):
    """What one training took.

    Attributes:
        step_s: Seconds per step, computing included.
        cpu_s: Seconds of CPU per step, of all threads.
        start_cpu_s: Seconds of CPU in the first second, in which nothing is logged.
        log_p99_s: The 99th percentile of a log call alone; 0 where it was not timed.
        longest_s: The longest log call.
    """

    step_s: float
    cpu_s: float
    start_cpu_s: float
    log_p99_s: float = 0.0
    longest_s: float = 0.0


def main() -> int:
    """Time everything, print the figures and return 1 when a limit is broken."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--flat-out", type=int, default=N_FLAT_OUT, help="steps without computing")
    parser.add_argument("--computing", type=int, default=N_COMPUTING, help="steps with a millisecond of computing")
    parser.add_argument("--train", nargs=2, metavar=("STEPS", "ADDITIONS"), help="be one of the trainings")
    arguments = parser.parse_args()
    if arguments.train:
        print(*train(*map(int, arguments.train)))
        return 0
    return int(print_figures(measure(arguments.repeats, arguments.flat_out, arguments.computing)) > 0)


def measure(repeats: int = 5, n_flat_out: int = N_FLAT_OUT, n_computing: int = N_COMPUTING) -> list[Figure]:
    """Return the figures, and print what posting costs more per step.

    Args:
        repeats: How often each is run.
        n_flat_out: Steps without computing.
        n_computing: Steps with computing.
    """
    figures = []
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(make_repository(Path(folder, "repository"), 100))
        server = subprocess.Popen([sys.executable, "-c", SERVER], stdout=subprocess.PIPE, text=True)
        assert server.stdout is not None
        url = f"http://127.0.0.1:{server.stdout.readline().strip()}"
        try:
            for name, n_steps, compute_s in (("flat out", n_flat_out, 0.0), ("1 ms a step", n_computing, COMPUTE_S)):
                without, posted = compare(url, repeats, n_steps, compute_s)
                more_s = posted.step_s - without.step_s
                more_cpu_s, once_s = posted.cpu_s - without.cpu_s, posted.start_cpu_s - without.start_cpu_s
                print(
                    f"{name}: posting costs {more_s * 1e6:+.2f} µs and {more_cpu_s * 1e6:+.2f} µs of CPU more "
                    f"per step, {n_steps:,} steps; once {once_s * 1e3:.0f} ms of CPU"
                )
                figures.append(
                    Figure(
                        f"CPU of a step with live posting, {name}",
                        posted.cpu_s,
                        without.cpu_s,
                        without.cpu_s + MAX_MORE_S,
                    )
                )
                figures.append(
                    Figure(
                        f"a step with live posting, {name}", posted.step_s, without.step_s, without.step_s + MAX_MORE_S
                    )
                )
                if compute_s:
                    print(
                        f"  longest log call {posted.longest_s * 1e3:.2f} ms, {without.longest_s * 1e3:.2f} ms without"
                    )
                    limit = without.log_p99_s + MAX_MORE_S
                    figures.append(
                        Figure("the 99th percentile of its log call", posted.log_p99_s, without.log_p99_s, limit)
                    )
        finally:
            os.chdir("/")
            server.terminate()
            server.wait()
    return figures


def compare(url: str, repeats: int, n_steps: int, compute_s: float) -> tuple[Measured, Measured]:
    """Return the best of trainings without and with posting, run in turn.

    Args:
        url: The receiver.
        repeats: How often each is run.
        n_steps: How many steps.
        compute_s: How many seconds each computes.
    """
    environ = {**os.environ, "DVC_STUDIO_TOKEN": "t", "DVC_STUDIO_REPO_URL": "/srv/x.git"}
    # Counted once for all trainings: each by itself would find another number, and compute for another time.
    command = [sys.executable, __file__, "--train", str(n_steps), str(n_additions_in(compute_s))]
    results: dict[str, list[Measured]] = {"": [], url: []}
    for number in range(repeats):
        for receiver in ("", url) if number % 2 else (url, ""):
            shutil.rmtree(".git/gittrack", ignore_errors=True)
            done = subprocess.run(
                command, env={**environ, "DVC_STUDIO_URL": receiver}, check=True, capture_output=True, text=True
            )
            results[receiver].append(Measured(*map(float, done.stdout.split())))
    without, posted = (Measured(*map(min, zip(*one, strict=True))) for one in results.values())
    return without, posted


def train(n_steps: int, n_additions: int) -> Measured:
    """Return what a training takes per step, from its second step to its last.

    Args:
        n_steps: How many steps.
        n_additions: How many numbers each adds up; none at all means flat out.
    """
    now = time.perf_counter
    run = gittrack.Run(quiet=True)
    names = [f"metric{number}" for number in range(N_METRICS)]
    calls: list[float] = []
    run.log_metrics(dict.fromkeys(names, 0.0), step=0)
    start_cpu = time.process_time()
    time.sleep(1.0)
    start_cpu_s = time.process_time() - start_cpu
    work = range(n_additions)
    start, start_cpu = now(), time.process_time()
    for step in range(1, n_steps):
        values = dict.fromkeys(names, 1.0 / step)
        if n_additions:
            sum(work)
            before = now()
            run.log_metrics(values, step=step)
            calls.append(now() - before)
        else:
            run.log_metrics(values, step=step)
    per_step = (now() - start) / n_steps, (time.process_time() - start_cpu) / n_steps, start_cpu_s
    run.end()
    calls.sort()
    return Measured(*per_step, calls[len(calls) * 99 // 100], calls[-1]) if calls else Measured(*per_step)


def n_additions_in(seconds: float) -> int:
    """Return how many numbers can be added in a time, on this machine."""
    n_tried = 100_000
    best = min(timeit.repeat(lambda: sum(range(n_tried)), number=1, repeat=10))
    return int(n_tried * seconds / best)


if __name__ == "__main__":
    sys.exit(main())
