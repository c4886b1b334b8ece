"""`gittrack exp show --csv`, whole processes, beside the plumbing that reads the same refs and files.

Run it as `.venv/bin/python benchmarks/bench_show.py --sizes 1000 10000`. Repositories are made in a temporary folder by
`git fast-import`, in the real format: 20 params and 10 metrics each, 100 experiments per baseline. Up to 1,000 are
timed both as loose objects, as runs leave them, and packed, as `git gc` does; more only packed.

Limits stand beside each figure. First the design's: with a cold index twice the plumbing and its parsing; with a warm
one twice `for-each-ref` and what it takes to start (Python, and 90 ms for the program), or two seconds for 100,000.
Then, for 1,000 experiments, those of the product's first figures: five times and twice the plumbing. With `DVC_BENCH=1`
and dvc installed, `dvc exp show --csv` is timed too, on as many experiments of its own.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from gittrack.experiments.format import Meta, MetricSummary, Record, render_files

N_PARAMS = 20
N_METRICS = 10
N_PER_BASELINE = 100
N_REPEATS = 7
MAX_LOOSE = 1000
START_S = 0.09
ISSUE_SIZE = 1000
LARGE_SIZE, LARGE_S = 100_000, 2.0
# What a reader in Python cannot do without: refs and files from git, and parsing.
PEER = """
import json, subprocess
refs = subprocess.run(["git", "for-each-ref", "--format=%(objectname)", "refs/gittrack/exps/"], capture_output=True)
commits = refs.stdout.decode().split()
specs = "".join(f"{c}:.gittrack/{f}.json\\n" for c in commits for f in ("meta", "params", "metrics"))
out = subprocess.run(["git", "cat-file", "--batch", "--buffer"], input=specs.encode(), capture_output=True).stdout
at, documents = 0, []
for _ in range(3 * len(commits)):
    end = out.index(b"\\n", at)
    size = int(out[at:end].rsplit(b" ", 1)[1])
    documents.append(json.loads(out[end + 1 : end + 1 + size]))
    at = end + size + 2
"""
PLUMBING = (
    "git for-each-ref --format='%(objectname)' refs/gittrack/exps/ | "
    'sed "s,.*,&:.gittrack/meta.json\\n&:.gittrack/params.json\\n&:.gittrack/metrics.json," | '
    "git cat-file --batch --buffer >/dev/null"
)


def main() -> None:
    """Build the repositories, time everything and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[1000, 10000])
    parser.add_argument("--repeats", type=int, default=N_REPEATS)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as bytecode:
        keep_bytecode(Path(bytecode))
        measure(arguments)


def keep_bytecode(folder: Path) -> None:
    """Let Python keep compiled modules, as an installed package has them, whatever the environment says."""
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    os.environ["PYTHONPYCACHEPREFIX"] = str(folder)


def measure(arguments: argparse.Namespace) -> None:
    """Build and time a repository of each size and state."""
    for size in arguments.sizes:
        for is_packed in (False, True) if size <= MAX_LOOSE else (True,):
            with tempfile.TemporaryDirectory() as folder:
                repository = Path(folder)
                build(repository, size, is_packed=is_packed)
                state = "packed" if is_packed else "loose"
                print(f"\n{size} experiments of {N_PARAMS} params and {N_METRICS} metrics, {state}")
                report(repository, size, arguments.repeats)


def build(repository: Path, n_experiments: int, *, is_packed: bool = True) -> None:
    """Fill a fresh repository with experiments.

    Args:
        repository: An empty folder.
        n_experiments: How many.
        is_packed: Whether objects and refs are in a pack, or each in a file.
    """
    git = ["git", "-C", str(repository), "-c", f"fastimport.unpackLimit={1 if is_packed else 1 << 30}"]
    subprocess.run([*git, "init", "-q", "-b", "main"], check=True)
    n_baselines = max(1, n_experiments // N_PER_BASELINE)
    subprocess.run([*git, "fast-import", "--quiet"], input=b"".join(_history(n_baselines)), check=True)
    listing = subprocess.run([*git, "rev-list", "--reverse", "main"], capture_output=True, text=True, check=True)
    stream = b"".join(_experiments(listing.stdout.split(), n_experiments))
    subprocess.run([*git, "fast-import", "--quiet"], input=stream, check=True)
    subprocess.run([*git, "reset", "-q", "--hard"], check=True)
    if is_packed:
        subprocess.run([*git, "pack-refs", "--all"], check=True)


def _data(content: bytes) -> bytes:
    return b"data %d\n%s\n" % (len(content), content)


def _history(n_baselines: int) -> list[bytes]:
    commits = []
    for number in range(n_baselines):
        who = b"Ada <ada@example.org> %d +0000" % (1_700_000_000 + number * 3600)
        params = b"train:\n  lr: %s\n  epochs: 3\n" % repr(0.1 / (number + 1)).encode()
        commits.append(
            b"commit refs/heads/main\ncommitter %s\n%sM 100644 inline params.yaml\n%sM 100644 inline train.py\n%s\n"
            % (who, _data(b"Change %d" % number), _data(params), _data(b"print(%d)\n" % number))
        )
    return commits


def _experiments(baselines: list[str], n_experiments: int) -> list[bytes]:
    draw = random.Random(7)  # the same repository every time
    commits = []
    for number in range(n_experiments):
        baseline = baselines[number * len(baselines) // n_experiments]
        name = f"exp-{number:06d}"
        started = 1_700_100_000.25 + number
        values = [draw.random() for _ in range(N_METRICS)]
        record = Record(
            Meta(
                name=name, id=f"{number:016x}", status="completed", started=started, ended=started + 60,
                baseline=baseline, branch="main", author="Ada <ada@example.org>", host="bench",
                command=("python", "train.py"),
                duration_s=60.0, environment={"python": "3.11.7", "os": "Linux", "cpu": "EPYC", "n_cpus": 2},
            ),
            {f"group{i % 4}.param{i}": draw.choice([draw.random(), i, "adam", True]) for i in range(N_PARAMS)},
            {f"metric{i}": MetricSummary(value, value / 2, value * 2, 100, 99) for i, value in enumerate(values)},
        )  # fmt: skip
        files = b"".join(
            b"M 100644 inline .gittrack/%s\n%s" % (file.encode(), _data(data))
            for file, data in render_files(record).items()
        )
        commits.append(
            b"commit refs/gittrack/exps/%s/%s\ncommitter Ada <ada@example.org> %d +0000\n%sfrom %s\n%s\n"
            % (baseline.encode(), name.encode(), started, _data(b"experiment"), baseline.encode(), files)
        )
    return commits


def report(repository: Path, size: int, repeats: int) -> None:
    """Time plumbing, peer and gittrack in one repository and print the figures beside their limits.

    Args:
        repository: Where to run.
        size: How many experiments it has.
        repeats: How often each is run; the median counts.
    """
    show = [str(Path(sys.executable).with_name("gittrack")), "exp", "show", "--csv"]
    index = repository / ".git" / "gittrack"

    def cold() -> None:
        shutil.rmtree(index, ignore_errors=True)

    refs = "git for-each-ref refs/gittrack/exps/ >/dev/null"
    start = _time(["sh", "-c", f"{sys.executable} -c pass"], repository, repeats)
    refs_s = _time(["sh", "-c", refs], repository, repeats)
    plumbing_s = _time(["sh", "-c", PLUMBING], repository, repeats)
    peer_s = _time([sys.executable, "-c", PEER], repository, repeats)
    _time(show, repository, 1)  # which compiles the modules
    cold_s = _time(show, repository, repeats, before=cold)
    warm_s = _time(show, repository, repeats)
    n_lines = len(subprocess.run(show, cwd=repository, capture_output=True, check=True).stdout.splitlines())
    if n_lines != 1 + size + max(1, size // N_PER_BASELINE):
        raise SystemExit(f"{n_lines} lines: not what was recorded")
    print(f"  {'bare python':34} {start:8.3f} s")
    print(f"  {'for-each-ref':34} {refs_s:8.3f} s")
    print(f"  {'for-each-ref + cat-file --batch':34} {plumbing_s:8.3f} s")
    print(f"  {'the same + parsing, in python':34} {peer_s:8.3f} s")
    n_plumbing = (5, 2) if size == ISSUE_SIZE else (None, None)
    cold_limits = [2 * peer_s, *(n * plumbing_s for n in n_plumbing[:1] if n)]
    warm_limit = LARGE_S if size >= LARGE_SIZE else 2 * refs_s + start + START_S
    warm_limits = [warm_limit, *(n * plumbing_s for n in n_plumbing[1:] if n)]
    _figure("gittrack exp show --csv, cold", cold_s, cold_limits, peer_s)
    _figure("gittrack exp show --csv, warm", warm_s, warm_limits, peer_s)
    dvc = shutil.which("dvc")
    if os.environ.get("DVC_BENCH") != "1" or dvc is None:
        print("  dvc exp show --csv: skipped (needs dvc and DVC_BENCH=1)")
        return
    _figure("dvc exp show --csv", _time_dvc(dvc, size), [], peer_s)


def _figure(what: str, seconds: float, limits: list[float], peer_s: float) -> None:
    beside = "".join(f"   limit {limit:6.3f} {'ok' if seconds <= limit else 'TOO SLOW'}" for limit in limits)
    print(f"  {what:34} {seconds:8.3f} s   {seconds / peer_s:5.2f}x of plumbing + parsing{beside}")


def _time(command: list[str], cwd: Path, repeats: int, before: object = None) -> float:
    times = []
    for _ in range(repeats):
        if callable(before):
            before()
        start = time.perf_counter()
        subprocess.run(command, cwd=cwd, stdout=subprocess.DEVNULL, check=True)
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def _time_dvc(dvc: str, size: int) -> float:
    """Return the warm seconds of `dvc exp show --csv` on as many experiments, made by `dvc exp save`."""
    with tempfile.TemporaryDirectory() as folder:
        cwd = Path(folder)
        quiet = {"cwd": cwd, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        (cwd / "dvc.yaml").write_text("params: [params.yaml]\nmetrics: [metrics.json]\n")
        for command in (
            ["git", "init", "-q"],
            [dvc, "init", "-q"],
            ["git", "add", "-A"],
            ["git", "commit", "-qm", "x"],
        ):
            subprocess.run(command, check=True, **quiet)
        for number in range(size):
            params = "".join(f"param{i}: {number + i}\n" for i in range(N_PARAMS))
            metrics = ",".join(f'"metric{i}": {number / (i + 1)}' for i in range(N_METRICS))
            (cwd / "params.yaml").write_text(params)
            (cwd / "metrics.json").write_text("{" + metrics + "}")
            subprocess.run(
                [dvc, "exp", "save", "-n", f"exp-{number}", "-I", "params.yaml", "-I", "metrics.json"],
                check=True,
                **quiet,
            )
        show = [dvc, "exp", "show", "--csv"]
        _time(show, cwd, 1)
        return _time(show, cwd, 3)


if __name__ == "__main__":
    main()
