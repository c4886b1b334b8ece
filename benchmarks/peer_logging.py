"""Log 5 metrics per step with another tracker, and print the seconds from the first call until all of it is kept.

`live-dvclive` and `live-gittrack` log with a `Live`, from the first call until its files are written, and print the
99th percentile of a step's seconds as well.

Needs the tracker alone, so that it runs in a venv without gittrack; `bench_peers.py` calls it there, one process for
each tracker, in an empty folder. None of them reaches a network: wandb is told to stay offline, trackio and mlflow get
a local folder, and what they would send home is switched off by the environment that `bench_peers.py` gives.

    python benchmarks/peer_logging.py mlflow-sqlite 200
"""

from __future__ import annotations

import contextlib
import logging
import math
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    Values = dict[str, float]


def make_values(n_steps: int) -> list[Values]:
    """Return what a training run would log: five numbers of full precision per step."""
    return [
        {
            "train/loss": math.exp(-step / n_steps) + math.sin(step) / 100,
            "train/accuracy": 1 - math.exp(-step / n_steps) / 2,
            "val/loss": math.exp(-step / n_steps) + math.cos(step) / 90,
            "val/accuracy": 1 - math.exp(-step / n_steps) / 1.9,
            "lr": 0.001 * (1 + math.cos(step / n_steps * math.pi)),
        }
        for step in range(n_steps)
    ]


def log_to_dvclive(steps: list[Values]) -> float:
    """Return the seconds that dvclive takes, which writes its files at every step."""
    from dvclive import Live

    live = Live("live", save_dvc_exp=False, dvcyaml=None, monitor_system=False)
    start = time.perf_counter()
    for values in steps:
        for name, value in values.items():
            live.log_metric(name, value)
        live.next_step()
    return time.perf_counter() - start


def log_to_live(steps: list[Values], live: Any) -> tuple[float, float]:
    """Return the seconds that a `Live` takes until its files are written, and the 99th percentile of a step's."""
    flush = getattr(live, "flush", lambda: None)  # DVCLive has none, for it writes at every call
    durations = []
    start = time.perf_counter()
    for values in steps:
        step_start = time.perf_counter()
        for name, value in values.items():
            live.log_metric(name, value)
        live.next_step()
        durations.append(time.perf_counter() - step_start)
    flush()
    seconds = time.perf_counter() - start
    return seconds, sorted(durations)[int((len(durations) - 1) * 0.99)]


def log_to_live_of_dvclive(steps: list[Values]) -> tuple[float, float]:
    """Return what DVCLive's `Live` takes, with all files that it writes by default."""
    from dvclive import Live

    return log_to_live(steps, Live("live", save_dvc_exp=False))


def log_to_live_of_gittrack(steps: list[Values]) -> tuple[float, float]:
    """Return what gittrack's `Live` takes for the same files, and a run in git, which DVCLive leaves out here."""
    from gittrack import Live

    return log_to_live(steps, Live("live"))


def log_to_mlflow(steps: list[Values], uri: str, *, is_synchronous: bool = True) -> float:
    """Return the seconds that mlflow takes, until its queue is empty where it has one."""
    import mlflow

    mlflow.set_tracking_uri(uri)
    with mlflow.start_run():
        mlflow.log_metric("first", 0.0)  # which makes what is made once
        start = time.perf_counter()
        for step, values in enumerate(steps):
            mlflow.log_metrics(values, step=step, synchronous=is_synchronous)
        if not is_synchronous:
            mlflow.flush_async_logging()
        return time.perf_counter() - start


def log_to_trackio(steps: list[Values]) -> float:
    """Return the seconds that trackio takes, with its local database."""
    import trackio

    trackio.init(project="bench", embed=False, auto_log_gpu=False, auto_log_cpu=False)
    start = time.perf_counter()
    for values in steps:
        trackio.log(values)
    trackio.finish()
    return time.perf_counter() - start


def log_to_wandb(steps: list[Values]) -> float:
    """Return the seconds that wandb takes offline."""
    import wandb

    run = wandb.init(mode="offline", settings=wandb.Settings(silent=True))
    start = time.perf_counter()
    for values in steps:
        run.log(values)
    run.finish()
    return time.perf_counter() - start


TRACKERS: dict[str, Callable[[list[Values]], float]] = {
    "dvclive": log_to_dvclive,
    "mlflow-files": lambda steps: log_to_mlflow(steps, Path("mlruns").absolute().as_uri()),
    "mlflow-sqlite": lambda steps: log_to_mlflow(steps, "sqlite:///mlflow.db"),
    "mlflow-sqlite-async": lambda steps: log_to_mlflow(steps, "sqlite:///mlflow.db", is_synchronous=False),
    "trackio": log_to_trackio,
    "wandb-offline": log_to_wandb,
}
LIVES: dict[str, Callable[[list[Values]], tuple[float, float]]] = {
    "live-dvclive": log_to_live_of_dvclive,
    "live-gittrack": log_to_live_of_gittrack,
}


def main() -> None:
    """Log as the command line says."""
    name, n_steps = sys.argv[1], int(sys.argv[2])
    logging.disable(logging.WARNING)
    with contextlib.redirect_stdout(sys.stderr):
        if name in LIVES:
            seconds: Any = " ".join(map(str, LIVES[name](make_values(n_steps))))
        else:
            seconds = TRACKERS[name](make_values(n_steps))
    print(seconds)


if __name__ == "__main__":
    main()
