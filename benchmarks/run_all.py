"""Every figure that gittrack promises, beside its peer and its limit, in one table.

Exits with 1 when a limit is broken. `--write` puts the table into docs/design/figures.md. `--quick` measures less often
and with fewer files and experiments, to see that all of it works. Other trackers stand beside where `--peers` names the
interpreter of a venv that has them; `make bench-peers` makes one.

    python benchmarks/run_all.py --write
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path

import bench_artifacts
import bench_curves
import bench_git_storage
import bench_import
import bench_list_runs
import bench_live
import bench_logging
import bench_monitor
import bench_peers
import bench_report
import bench_run
import bench_share
import bench_show
import bench_start
import bench_storage
from timing import GITTRACK, Figure, alternate, keep_bytecode, print_figures

PAGE = Path(__file__).parents[1] / "docs/design/figures.md"
HEAD = """\
# Figures

Written by `make bench-peers`; each figure stands beside what it is compared with, measured in turn on the same machine.
The ratios count, the absolute figures only orient. What each line does is described at the top of the scripts in
`benchmarks/`. In the rows beside another tracker its figure is the peer; those that write whole files or a database at
every step log fewer steps.

{machine}

| work | measured | peer | ratio | limit | ok |
|---|--:|--:|--:|--:|:-:|
"""


def main() -> int:
    """Measure everything, print the table and return 1 when a limit is broken."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help="write docs/design/figures.md")
    parser.add_argument("--quick", action="store_true", help="measure less")
    parser.add_argument("--peers", type=Path, help="the python of a venv with the other trackers, to time beside")
    arguments = parser.parse_args()
    peers = arguments.peers and arguments.peers.absolute()
    if peers is not None:
        os.environ["PATH"] = f"{os.environ['PATH']}:{peers.parent}"  # where dvc is
    figures = measure(peers, is_quick=arguments.quick)
    n_broken = print_figures(figures)
    if arguments.write:
        rows = "".join(f"| {' | '.join(figure.cells)} |\n" for figure in figures)
        PAGE.write_text(HEAD.format(machine=describe_machine()) + rows, encoding="utf-8")
    return int(n_broken > 0)


def measure(peers: Path | None, *, is_quick: bool) -> list[Figure]:
    """Return every figure.

    Args:
        peers: The interpreter of a venv with the other trackers, or None.
        is_quick: Whether to measure less.
    """
    dvc = shutil.which("dvc") if peers is None else str(peers.with_name("dvc"))
    sizes, repeats = ((100, 1000), (5, 3)) if is_quick else (bench_run.SIZES, bench_run.REPEATS)
    return [
        *bench_start.measure(5 if is_quick else 40, dvc),
        *logging_figures(2_000 if is_quick else 20_000),
        *bench_curves.measure(100_000 if is_quick else bench_curves.N_SAMPLES, 3 if is_quick else bench_curves.REPEATS),
        *(bench_live.measure(1, 2_000, 200) if is_quick else bench_live.measure()),
        *bench_report.measure(1 if is_quick else 3),
        *bench_run.measure(sizes, repeats, dvc),
        *bench_monitor.measure(5 if is_quick else bench_monitor.SECONDS),
        *list_figures(1_000 if is_quick else 10_000),
        *show_figures(100 if is_quick else 1_000, 3 if is_quick else 7),
        *share_figures(100 if is_quick else 1_000, 1 if is_quick else 5),
        *bench_import.measure(500 if is_quick else bench_import.N_RUNS),
        *storage_figures(64 << 20 if is_quick else bench_storage.SIZE, 1 if is_quick else bench_storage.REPEATS),
        *artifact_figures(is_quick=is_quick, with_peers=peers is not None),
        *peer_figures(peers, is_quick=is_quick),
    ]


def peer_figures(peers: Path | None, *, is_quick: bool) -> list[Figure]:
    """Return the figures beside other trackers; none without an interpreter that has them."""
    if peers is None:
        return []
    return bench_peers.measure(peers, *((200, 10) if is_quick else ()))


def logging_figures(n_steps: int) -> list[Figure]:
    """Return points per second of the journal, beside a loop that formats and flushes the same."""
    steps = bench_logging.make_values(n_steps)
    n_points = n_steps * bench_logging.N_METRICS
    loop_s = bench_logging.best_of(5, partial(bench_logging.format_plainly, steps=steps))
    figures = []
    for durability in ("buffered", "step"):
        seconds = bench_logging.best_of(5, partial(bench_logging.log_to_journal, steps=steps, durability=durability))
        limit = bench_logging.MIN_POINTS_PER_S if durability == "buffered" else None
        work = f"log 5 metrics per step, {n_steps:,} steps, {durability}"
        figures.append(Figure(work, n_points / seconds, n_points / loop_s, limit, unit="points/s"))
    return figures


def list_figures(n_experiments: int) -> list[Figure]:
    """Return the seconds of `gittrack.list_runs`, of a page and of all."""
    with tempfile.TemporaryDirectory() as folder:
        bench_show.build(Path(folder), n_experiments, is_packed=True)
        return bench_list_runs.measure(Path(folder), n_experiments)


def show_figures(n_experiments: int, repeats: int) -> list[Figure]:
    """Return the seconds of `exp show --csv`, cold and warm, beside plumbing."""
    with tempfile.TemporaryDirectory() as folder:
        repository = Path(folder, "repository")
        repository.mkdir()
        keep_bytecode(Path(folder, "bytecode"))
        bench_show.build(repository, n_experiments)
        show = [GITTRACK, "exp", "show", "--csv"]

        def cold() -> None:
            shutil.rmtree(repository / ".git/gittrack", ignore_errors=True)
            run(show, repository)

        actions = {
            "bare": partial(run, [sys.executable, "-c", "pass"], repository),
            "refs": partial(run, ["git", "for-each-ref", "refs/gittrack/exps/"], repository),
            "peer": partial(run, [sys.executable, "-c", bench_show.PEER], repository),
            "cold": cold,
            "warm": partial(run, show, repository),
        }
        alternate(actions, 1)
        # Cold comes first and leaves the index that warm needs.
        times = alternate(actions, repeats)
    work = f"exp show --csv, {n_experiments:,} experiments"
    warm_limit = 2 * times["refs"] + times["bare"] + bench_show.START_S
    return [
        Figure(f"{work}, cold", times["cold"], times["peer"], 2 * times["peer"]),
        Figure(f"{work}, warm", times["warm"], times["refs"], warm_limit),
    ]


def share_figures(n_experiments: int, repeats: int) -> list[Figure]:
    """Return the seconds of push and pull beside git's own."""
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        keep_bytecode(work / "bytecode")
        (work / "source").mkdir()
        bench_show.build(work / "source", n_experiments)
        times = {name: statistics.median(values) for name, values in bench_share.measure(work, repeats).items()}
    return [
        Figure(f"{ours}, {n_experiments:,} experiments", times[ours], times[peer], bench_share.LIMIT * times[peer])
        for ours, peer in (("gittrack push", "git push"), ("gittrack pull", "git fetch"))
    ]


def storage_figures(size: int, repeats: int) -> list[Figure]:
    """Return the seconds of a push and pull of a file beside `cp`, and of looking for many objects."""
    with tempfile.TemporaryDirectory(dir=bench_storage.find_memory()) as folder:
        return bench_storage.measure(Path(folder), size, repeats)


def artifact_figures(*, is_quick: bool, with_peers: bool) -> list[Figure]:
    """Return what adding, restoring, pushing and pulling artifacts takes, on a tmpfs where there is one."""
    shared_memory = Path("/dev/shm")
    base = shared_memory if shared_memory.is_dir() else Path(tempfile.gettempdir())
    file_bytes, n_files = (64 << 20, 2_000) if is_quick else (bench_artifacts.FILE_BYTES, bench_artifacts.N_FILES)
    repeats = 1 if is_quick else 5
    figures = bench_artifacts.measure(base, repeats, file_bytes, n_files, with_peers=with_peers)
    sizes = (64 << 20, 500) if is_quick else (bench_git_storage.FILE_BYTES, bench_git_storage.N_OBJECTS)
    return [*figures, *bench_git_storage.measure(base, 1 if is_quick else 3, *sizes)]


def run(command: list[str], cwd: Path) -> None:
    """Run a command, quietly."""
    subprocess.run(command, cwd=cwd, check=True, stdin=subprocess.DEVNULL, capture_output=True)


def describe_machine() -> str:
    """Return what the figures were measured on, without the machine's name."""
    git = subprocess.run(["git", "version"], capture_output=True, text=True, check=True).stdout.split()[2]
    return (
        f"Measured with {os.cpu_count()} CPUs ({platform.machine()}), {platform.system()} {platform.release()}, "
        f"Python {platform.python_version()}, git {git}."
    )


if __name__ == "__main__":
    sys.exit(main())
