"""`gittrack import mlflow`, whole processes, on stores of 10,000 runs: a folder `mlruns` and a database `mlflow.db`.

Run it as `.venv/bin/python benchmarks/bench_import.py --runs 10000`. The stores are written here, file by file and row
by row in the form of MLflow 3, without MLflow: per run 10 params, 5 metrics of 20 points and 6 tags. Each is imported
into a fresh repository; the experiments are counted by `git for-each-ref`, and one is read back. The peer is what reads
the same bytes and writes nothing: every file opened and read, or every row fetched. The limit of an import is 60
seconds.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import sqlite3
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from timing import GITTRACK, Figure, keep_bytecode, print_figures

LIMIT_S = 60.0
N_RUNS = 10_000
N_PARAMS, N_METRICS, N_POINTS = 10, 5, 20
START_MS = 1_760_000_000_000
EXPERIMENT = "531200921389340177"
SCHEMA = """
CREATE TABLE experiments (experiment_id INTEGER NOT NULL PRIMARY KEY, name VARCHAR(256) NOT NULL,
    artifact_location VARCHAR(256), lifecycle_stage VARCHAR(32), creation_time BIGINT, last_update_time BIGINT);
CREATE TABLE runs (run_uuid VARCHAR(32) NOT NULL PRIMARY KEY, name VARCHAR(250), source_type VARCHAR(20),
    source_name VARCHAR(500), entry_point_name VARCHAR(50), user_id VARCHAR(256), status VARCHAR(9), start_time BIGINT,
    end_time BIGINT, source_version VARCHAR(50), lifecycle_stage VARCHAR(20), artifact_uri VARCHAR(200),
    experiment_id INTEGER, deleted_time BIGINT);
CREATE TABLE params ("key" VARCHAR(250) NOT NULL, value VARCHAR(8000) NOT NULL, run_uuid VARCHAR(32) NOT NULL,
    PRIMARY KEY ("key", run_uuid));
CREATE TABLE tags ("key" VARCHAR(250) NOT NULL, value VARCHAR(8000), run_uuid VARCHAR(32) NOT NULL,
    PRIMARY KEY ("key", run_uuid));
CREATE TABLE metrics ("key" VARCHAR(250) NOT NULL, value FLOAT NOT NULL, timestamp BIGINT NOT NULL,
    run_uuid VARCHAR(32) NOT NULL, step BIGINT DEFAULT '0' NOT NULL, is_nan BOOLEAN DEFAULT '0' NOT NULL,
    PRIMARY KEY ("key", timestamp, step, run_uuid, value, is_nan));
"""


def main() -> int:
    """Measure both stores, print the figures and return 1 when a limit is broken."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=N_RUNS)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as bytecode:
        keep_bytecode(Path(bytecode))
        return int(print_figures(measure(arguments.runs)) > 0)


def measure(n_runs: int) -> list[Figure]:
    """Return the figures of both stores.

    Args:
        n_runs: How many runs each has.
    """
    limit = LIMIT_S if n_runs == N_RUNS else None
    figures = []
    for what, write, read in (("mlruns", write_files, read_files), ("mlflow.db", write_database, read_database)):
        with tempfile.TemporaryDirectory() as folder:
            store = Path(folder) / what
            write(store, n_runs)
            start = time.perf_counter()
            read(store)
            peer = time.perf_counter() - start
            measured = import_store(Path(folder) / "repository", store, n_runs)
        figures.append(Figure(f"import mlflow, {what}, {n_runs:,} runs", measured, peer, limit, "s"))
    return figures


def import_store(folder: Path, store: Path, n_runs: int) -> float:
    """Import a store into a fresh repository and return the seconds of the process.

    Args:
        folder: Where the repository is made.
        store: The store.
        n_runs: How many experiments there must be afterwards.
    """
    subprocess.run(["git", "init", "-q", "-b", "main", str(folder)], check=True)
    (folder / "train.py").write_text("print('training')\n")
    subprocess.run(["git", "add", "-A"], cwd=folder, check=True)
    identity = ["-c", "user.name=Ada", "-c", "user.email=ada@example.org"]
    subprocess.run(["git", *identity, "commit", "-q", "-m", "First"], cwd=folder, check=True)
    start = time.perf_counter()
    command = [GITTRACK, "import", "mlflow", str(store)]
    subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL)
    seconds = time.perf_counter() - start
    refs = ["git", "for-each-ref", "--format=%(refname)", "refs/gittrack/exps"]
    found = subprocess.run(refs, cwd=folder, check=True, capture_output=True, text=True).stdout.splitlines()
    shown = subprocess.run(
        ["git", "show", f"{found[0]}:.gittrack/metrics.json"], cwd=folder, check=True, capture_output=True
    )
    counts = [summary["count"] for summary in json.loads(shown.stdout).values()]
    if len(found) != n_runs or counts != [N_POINTS] * N_METRICS:
        raise SystemExit(f"{len(found)} experiments, points {counts}: not what was in the store")
    return seconds


def describe_runs(n_runs: int) -> list[tuple[str, dict[str, str], dict[str, str]]]:
    """Return the id, the params and the tags of each run, the same every time."""
    draw = random.Random(7)
    runs = []
    for number in range(n_runs):
        params = {f"group{i % 3}.param{i}": draw.choice([repr(draw.random()), str(i), "adam"]) for i in range(N_PARAMS)}
        tags = {
            "mlflow.runName": f"run-{number % (n_runs // 2 or 1)}",  # each name twice
            "mlflow.user": "ada",
            "mlflow.source.name": "train.py",
            "mlflow.source.type": "LOCAL",
            "mlflow.source.git.commit": "0123456789abcdef0123456789abcdef01234567",
            "team": "vision",
        }
        runs.append((f"{draw.getrandbits(128):032x}", params, tags))
    return runs


def points(number: int, metric: int) -> list[tuple[int, float, int]]:
    """Return the time in milliseconds, the value and the step of each point of a metric."""
    return [(START_MS + number * 1000 + step, (metric + 1) / (step + 1 + number), step) for step in range(N_POINTS)]


def write_files(store: Path, n_runs: int) -> None:
    """Write a folder `mlruns`."""
    top = store / EXPERIMENT
    top.mkdir(parents=True)
    (top / "meta.yaml").write_text(f"experiment_id: '{EXPERIMENT}'\nlifecycle_stage: active\nname: bench\n")
    for number, (run_id, params, tags) in enumerate(describe_runs(n_runs)):
        run = top / run_id
        for name in ("params", "tags", "metrics", "artifacts"):
            (run / name).mkdir(parents=True)
        started = START_MS + number * 1000
        (run / "meta.yaml").write_text(
            f"artifact_uri: file://{run}/artifacts\nend_time: {started + 60_000}\nentry_point_name: ''\n"
            f"experiment_id: '{EXPERIMENT}'\nlifecycle_stage: active\nrun_id: {run_id}\n"
            f"run_name: {tags['mlflow.runName']}\nsource_name: ''\nsource_type: 4\nsource_version: ''\n"
            f"start_time: {started}\nstatus: 3\ntags: []\nuser_id: ada\n"
        )
        for folder, texts in (("params", params), ("tags", tags)):
            for name, text in texts.items():
                (run / folder / name).write_text(text)
        for metric in range(N_METRICS):
            lines = "".join(f"{ms} {value!r} {step}\n" for ms, value, step in points(number, metric))
            (run / "metrics" / f"metric{metric}").write_text(lines)


def write_database(store: Path, n_runs: int) -> None:
    """Write a database `mlflow.db` of the tables that are read."""
    database = sqlite3.connect(store)
    database.executescript(SCHEMA)
    database.execute("INSERT INTO experiments VALUES (1, 'bench', './mlruns/1', 'active', 0, 0)")
    for number, (run_id, params, tags) in enumerate(describe_runs(n_runs)):
        started = START_MS + number * 1000
        row = (run_id, tags["mlflow.runName"], "LOCAL", "", "", "ada", "FINISHED", started, started + 60_000, "")
        row += ("active", f"./mlruns/1/{run_id}/artifacts", 1, None)
        database.execute(f"INSERT INTO runs VALUES ({', '.join('?' * len(row))})", row)
        for table, texts in (("params", params), ("tags", tags)):
            database.executemany(
                f"INSERT INTO {table} VALUES (?, ?, ?)", [(name, text, run_id) for name, text in texts.items()]
            )
        for metric in range(N_METRICS):
            rows = [(f"metric{metric}", value, ms, run_id, step, 0) for ms, value, step in points(number, metric)]
            database.executemany("INSERT INTO metrics VALUES (?, ?, ?, ?, ?, ?)", rows)
    database.commit()
    database.close()


def read_files(store: Path) -> None:
    """Open and read every file."""
    for parent, _, names in os.walk(store):
        for name in names:
            Path(parent, name).read_bytes()


def read_database(store: Path) -> None:
    """Fetch every row."""
    database = sqlite3.connect(store)
    for table in ("experiments", "runs", "params", "tags", "metrics"):
        database.execute(f"SELECT * FROM {table}").fetchall()
    database.close()


if __name__ == "__main__":
    sys.exit(main())
