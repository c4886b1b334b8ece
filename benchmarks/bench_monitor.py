"""What `monitor_system=True` costs: the CPU seconds of its thread in every second of a run, as a share of one core.

Run it as `.venv/bin/python benchmarks/bench_monitor.py`; needs psutil. A run is open for some seconds, with the monitor
at its usual pace, while the script sleeps; the processor time of the whole process is compared with that of a run
without. The same is measured with a driver of eight GPUs that answers at once, which no machine without one can show
otherwise; a real driver takes about a millisecond for each question, most of it waiting.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from timing import Figure, print_figures

SECONDS = 30.0
LIMIT = 0.01
SCRIPT = """
import sys, time
if sys.argv[3] == "gpus":
    from types import ModuleType, SimpleNamespace
    pynvml = ModuleType("pynvml")
    pynvml.nvmlInit = pynvml.nvmlShutdown = lambda: None
    pynvml.nvmlDeviceGetCount = lambda: 8
    pynvml.nvmlDeviceGetHandleByIndex = lambda index: index
    pynvml.nvmlDeviceGetUtilizationRates = lambda handle: SimpleNamespace(gpu=50, memory=20)
    pynvml.nvmlDeviceGetMemoryInfo = lambda handle: SimpleNamespace(used=1 << 33, total=1 << 34)
    pynvml.nvmlDeviceGetName, pynvml.nvmlSystemGetDriverVersion = lambda handle: "none", lambda: "1"
    sys.modules["pynvml"] = pynvml
import gittrack
run = gittrack.Run(monitor_system=sys.argv[1] == "1", quiet=True)
time.sleep(3)  # the start of the run, and the import of psutil, which are paid once
began, wall = time.process_time(), time.perf_counter()
time.sleep(float(sys.argv[2]))
print((time.process_time() - began) / (time.perf_counter() - wall))
run.end()
"""


def main() -> int:
    """Measure with and without, and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=SECONDS)
    arguments = parser.parse_args()
    return print_figures(measure(arguments.seconds))


def measure(seconds: float) -> list[Figure]:
    """Return the figures: CPU seconds in a second.

    Args:
        seconds: How long each run is watched.
    """
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["git", "init", "-q", folder], check=True)
        without = share(Path(folder), seconds, is_monitored=False)
        return [
            Figure("monitor_system, CPU in 1 s", share(Path(folder), seconds) - without, None, LIMIT),
            Figure("the same with 8 GPUs", share(Path(folder), seconds, gpus="gpus") - without, None, LIMIT),
        ]


def share(folder: Path, seconds: float, *, is_monitored: bool = True, gpus: str = "") -> float:
    """Return how much of one core a run takes that does nothing."""
    began = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, "1" if is_monitored else "0", str(seconds), gpus],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])},
        check=True,
        capture_output=True,
        text=True,
    )
    assert time.perf_counter() - began > seconds
    return float(done.stdout)


if __name__ == "__main__":
    raise SystemExit(main())
