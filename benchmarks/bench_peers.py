"""gittrack beside other trackers, in one run on one machine: points per second of logging, and a table of experiments.

`--peers PYTHON` is the interpreter of a venv that has dvc, dvclive, mlflow, trackio and wandb; `make bench-peers` makes
it. Each row has gittrack's figure as measured and the other tracker's as the peer. Logging is 5 metrics per step, from
the first call until all is kept (for gittrack: on disk; trackers that write whole files or a database at every step get
fewer steps, which the row says). `Live` stands beside that of DVCLive: the same files and number of steps. Tables are
`exp show --csv`, whole processes, with as many experiments of 20 params and 10 metrics; dvc's are made by
`dvc exp save`. Cold is without gittrack's index, and without dvc's cache.

    python benchmarks/bench_peers.py --peers .venv-peers/bin/python
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path

import bench_logging
import bench_show
from peer_logging import TRACKERS
from timing import GITTRACK, Figure, alternate, keep_bytecode, print_figures

N_STEPS = 20_000
# Of those that take more than a tenth of a millisecond for each point.
FEWER_STEPS = {"dvclive": 200, "mlflow-files": 200, "mlflow-sqlite": 200, "mlflow-sqlite-async": 1_000}
N_LIVE_STEPS = 1_000
MIN_LIVE_RATIO = 50  # of points per second
MAX_LIVE_RATIO = 1 / 20  # of the 99th percentile of a step
N_EXPERIMENTS = 100
REPEATS = 3
PEERS = Path(__file__).parents[1] / ".venv-peers/bin/python"
QUIET = {
    "WANDB_MODE": "offline",
    "WANDB_SILENT": "true",
    "WANDB_ERROR_REPORTING": "false",
    "HF_HUB_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "GRADIO_ANALYTICS_ENABLED": "False",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ALLOW_FILE_STORE": "true",
    "DVC_NO_ANALYTICS": "1",
    "DO_NOT_TRACK": "1",
}


def main() -> int:
    """Measure everything and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peers", type=Path, default=PEERS, help="the python of a venv with the other trackers")
    parser.add_argument("--steps", type=int, default=N_STEPS)
    parser.add_argument("--experiments", type=int, default=N_EXPERIMENTS)
    arguments = parser.parse_args()
    if not arguments.peers.exists():
        parser.error(f"no such interpreter: {arguments.peers}; run 'make bench-peers', which makes it")
    return print_figures(measure(arguments.peers.absolute(), arguments.steps, arguments.experiments))


def measure(python: Path, n_steps: int = N_STEPS, n_experiments: int = N_EXPERIMENTS) -> list[Figure]:
    """Return the figures.

    Args:
        python: The interpreter of a venv with the other trackers.
        n_steps: How many steps the fast ones log.
        n_experiments: How many experiments the tables have.
    """
    return [
        *_logging_figures(python, n_steps),
        *_live_figures(python, min(n_steps, N_LIVE_STEPS)),
        *_show_figures(python.with_name("dvc"), n_experiments),
    ]


def _logging_figures(python: Path, n_steps: int) -> list[Figure]:
    rates: dict[str, list[float]] = {name: [] for name in ("gittrack", *TRACKERS)}
    steps = bench_logging.make_values(n_steps)
    counts = {name: min(n_steps, FEWER_STEPS.get(name, n_steps)) for name in TRACKERS}
    for _ in range(REPEATS):
        seconds = bench_logging.best_of(1, partial(bench_logging.log_to_journal, steps=steps, durability="buffered"))
        rates["gittrack"].append(n_steps * bench_logging.N_METRICS / seconds)
        for name, count in counts.items():
            rates[name].append(count * bench_logging.N_METRICS / _time_peer(python, name, count))
    ours = statistics.median(rates["gittrack"])
    return [
        Figure(
            f"log 5 metrics per step, beside {name}, {count:,} steps",
            ours,
            statistics.median(rates[name]),
            unit="points/s",
        )
        for name, count in counts.items()
    ]


def _live_figures(python: Path, n_steps: int) -> list[Figure]:
    """Return points per second and the 99th percentile of a step of `Live` beside DVCLive's, for the same files."""
    times: dict[str, list[tuple[float, float]]] = {"live-gittrack": [], "live-dvclive": []}
    for _ in range(REPEATS):
        for name, interpreter in (("live-gittrack", Path(sys.executable)), ("live-dvclive", python)):
            seconds, p99 = _run_peer(interpreter, name, n_steps).split()
            times[name].append((float(seconds), float(p99)))
    n_points = n_steps * bench_logging.N_METRICS
    rates = {name: statistics.median(n_points / seconds for seconds, _ in pairs) for name, pairs in times.items()}
    p99s = {name: statistics.median(p99 for _, p99 in pairs) for name, pairs in times.items()}
    work = f"Live, 5 metrics per step, beside dvclive, {n_steps:,} steps"
    ours, theirs = "live-gittrack", "live-dvclive"
    return [
        Figure(work, rates[ours], rates[theirs], MIN_LIVE_RATIO * rates[theirs], unit="points/s"),
        Figure(f"{work}, p99 of a step", p99s[ours], p99s[theirs], MAX_LIVE_RATIO * p99s[theirs]),
    ]


def _time_peer(python: Path, name: str, n_steps: int) -> float:
    """Return the seconds that another tracker takes, in a process, folder and home of its own."""
    return float(_run_peer(python, name, n_steps))


def _run_peer(python: Path, name: str, n_steps: int) -> str:
    """Return what `peer_logging.py` prints, run in a repository of its own with one commit."""
    with tempfile.TemporaryDirectory() as folder:
        commit = ["-c", "user.name=Ada", "-c", "user.email=ada@example.org", "commit", "-q", "--allow-empty", "-m", "x"]
        for arguments in (["init", "-q"], commit):
            subprocess.run(["git", "-C", folder, *arguments], check=True)
        done = subprocess.run(
            [python, Path(__file__).with_name("peer_logging.py"), name, str(n_steps)],
            cwd=folder,
            env={**os.environ, **QUIET, "HOME": folder, "TRACKIO_DIR": f"{folder}/trackio"},
            check=False,
            capture_output=True,
            text=True,
        )
    if done.returncode:
        raise SystemExit(f"{name} failed:\n{done.stderr[-2000:]}")
    return done.stdout.splitlines()[-1]


def _show_figures(dvc: Path, n_experiments: int) -> list[Figure]:
    with tempfile.TemporaryDirectory() as folder:
        keep_bytecode(Path(folder, "bytecode"))
        ours, theirs = Path(folder, "ours"), Path(folder, "theirs")
        ours.mkdir()
        theirs.mkdir()
        bench_show.build(ours, n_experiments)
        _save_with_dvc(dvc, theirs, n_experiments)
        show_ours, show_theirs = [GITTRACK, "exp", "show", "--csv"], [str(dvc), "exp", "show", "--csv", "--all-commits"]

        def cold(show: list[str], cwd: Path, cache: str) -> None:
            shutil.rmtree(cwd / cache, ignore_errors=True)
            _run(show, cwd)

        actions = {
            # Each cold one leaves what the warm one of the same tracker finds.
            "gittrack cold": partial(cold, show_ours, ours, ".git/gittrack"),
            "gittrack warm": partial(_run, show_ours, ours),
            "dvc cold": partial(cold, show_theirs, theirs, ".dvc/tmp/exps/cache"),
            "dvc warm": partial(_run, show_theirs, theirs),
        }
        alternate(actions, 1)
        times = alternate(actions, REPEATS)
        n_shown = _run(show_theirs, theirs).decode().count("exp-")
    if n_shown < n_experiments:
        raise SystemExit(f"dvc shows {n_shown} of {n_experiments} experiments")
    return [
        Figure(
            f"exp show --csv, beside dvc, {n_experiments:,} experiments, {state}",
            times[f"gittrack {state}"],
            times[f"dvc {state}"],
        )
        for state in ("cold", "warm")
    ]


def _save_with_dvc(dvc: Path, repository: Path, n_experiments: int) -> None:
    """Make experiments by `dvc exp save`, of as many params and metrics as `bench_show.build` makes."""
    _run(["git", "init", "-q"], repository)
    _run([str(dvc), "init", "-q"], repository)
    (repository / "dvc.yaml").write_text("params: [params.yaml]\nmetrics: [metrics.json]\n", encoding="utf-8")
    _run(["git", "add", "-A"], repository)
    _run(["git", "-c", "user.name=Ada", "-c", "user.email=ada@example.org", "commit", "-qm", "dvc"], repository)
    for number in range(n_experiments):
        params = {f"param{i}": number + i for i in range(bench_show.N_PARAMS)}
        metrics = {f"metric{i}": number / (i + 1) for i in range(bench_show.N_METRICS)}
        (repository / "params.yaml").write_text(json.dumps(params), encoding="utf-8")
        (repository / "metrics.json").write_text(json.dumps(metrics), encoding="utf-8")
        save = [str(dvc), "exp", "save", "-n", f"exp-{number}", "-I", "params.yaml", "-I", "metrics.json"]
        _run(save, repository)


def _run(command: list[str], cwd: Path) -> bytes:
    done = subprocess.run(
        command, cwd=cwd, check=True, stdin=subprocess.DEVNULL, capture_output=True, env={**os.environ, **QUIET}
    )
    return done.stdout


if __name__ == "__main__":
    sys.exit(main())
