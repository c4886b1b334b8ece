"""Adding and restoring artifacts, whole processes, beside `cp`, DVC, Git LFS and git-annex.

Run it as `.venv/bin/python benchmarks/bench_artifacts.py`. It works below `--folder` (by default `/dev/shm`, a tmpfs):
the first write into memory that a virtual machine has not touched costs seconds per GiB, so each round writes where the
round before did, and the first round is not counted. Some rounds still pay for memory that was given back meanwhile,
`cp` like everything else, so the least time of all rounds counts on both sides. Peers are timed when they are on PATH,
once: they are slow.

Memory is the peak of the process's private pages (`Private_Dirty` of `/proc/<pid>/smaps_rollup`, sampled), for mapped
file pages belong to the system.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

from timing import GITTRACK, Figure, keep_bytecode, print_figures

if TYPE_CHECKING:
    from collections.abc import Callable

FILE_BYTES = 2 << 30
N_FILES = 20_000
N_FILES_MEMORY = 100_000
SMALL_BYTES = 4096
MEMORY_LIMIT_MIB = 150
_PIECE = 32 << 20
_SAMPLE_S = 0.005


def main() -> int:
    """Measure, print the table and return 1 when a limit is broken."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, default=Path("/dev/shm"))
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--file-bytes", type=int, default=FILE_BYTES)
    parser.add_argument("--files", type=int, default=N_FILES)
    parser.add_argument("--peers", action="store_true", help="time dvc, git lfs and git annex too, where installed")
    arguments = parser.parse_args()
    figures = measure(
        arguments.folder, arguments.repeats, arguments.file_bytes, arguments.files, with_peers=arguments.peers
    )
    return int(print_figures(figures) > 0)


def measure(base: Path, repeats: int, file_bytes: int, n_files: int, *, with_peers: bool) -> list[Figure]:
    """Return every figure.

    Args:
        base: A folder on the file system to measure on.
        repeats: How many rounds there are; the least time counts.
        file_bytes: The size of the large file.
        n_files: How many small files the folder has.
        with_peers: Whether other programs are timed as well.
    """
    with tempfile.TemporaryDirectory(dir=base) as folder:
        work = Path(folder)
        keep_bytecode(work / "bytecode")
        write_random(work / "big.bin", file_bytes)
        write_many(work / "many", n_files)
        figures = [*file_figures(work, repeats), *folder_figures(work, repeats), *memory_figures(work)]
        if with_peers:
            figures += peer_figures(work)
    return figures


def file_figures(work: Path, repeats: int) -> list[Figure]:
    """Return what adding and restoring one large file takes."""
    times: dict[str, list[float]] = {}
    file_bytes = (work / "big.bin").stat().st_size
    for number in range(repeats + 1):
        round_times = {"cp": timed(lambda: run(["cp", "big.bin", "copy.bin"], work) or os.sync())}
        (work / "copy.bin").unlink()
        repository = make_repository(work / "file-repo")
        (work / "big.bin").rename(repository / "big.bin")
        add = [GITTRACK, "add", "big.bin"]
        round_times["add"] = timed(lambda: run(add, repository))  # noqa: B023  called at once
        round_times["again"] = timed(lambda: run(add, repository))  # noqa: B023  called at once
        (repository / "big.bin").rename(work / "big.bin")
        round_times["restore"] = timed(lambda: run([GITTRACK, "checkout"], repository))  # noqa: B023  called at once
        same = run(["cmp", "big.bin", str(repository / "big.bin")], work)
        assert same is None
        shutil.rmtree(repository)
        keep(times, round_times, number)
    cp, add_s, again, restore = (min(times[name]) for name in ("cp", "add", "again", "restore"))
    size = f"{file_bytes / (1 << 30):.1f} GiB file"
    return [
        Figure(f"add a {size}, beside cp and sync", add_s, cp, 1.5 * cp),
        Figure(f"add it again, unchanged ({size})", again, cp, 0.1),
        Figure(f"restore a {size}, beside cp", restore, cp, 1.5 * cp),
    ]


def folder_figures(work: Path, repeats: int) -> list[Figure]:
    """Return what adding and restoring a folder of small files takes."""
    times: dict[str, list[float]] = {}
    n_files = len(list((work / "many").iterdir()))
    for number in range(repeats + 1):
        round_times = {"cp": timed(lambda: run(["cp", "-r", "many", "copy"], work) or os.sync())}
        shutil.rmtree(work / "copy")
        repository = make_repository(work / "folder-repo")
        (work / "many").rename(repository / "many")
        add = [GITTRACK, "add", "many"]
        round_times["add"] = timed(lambda: run(add, repository))  # noqa: B023  called at once
        (repository / "many/f00007").write_bytes(os.urandom(SMALL_BYTES))
        round_times["again"] = timed(lambda: run(add, repository))  # noqa: B023  called at once
        (repository / "many").rename(work / "many")
        round_times["restore"] = timed(lambda: run([GITTRACK, "checkout"], repository))  # noqa: B023  called at once
        run(["diff", "-r", "many", str(repository / "many")], work)
        shutil.rmtree(repository)
        keep(times, round_times, number)
    cp, add_s, again, restore = (min(times[name]) for name in ("cp", "add", "again", "restore"))
    what = f"{n_files:,} files of 4 KiB"
    return [
        Figure(f"add {what}, beside cp -r", add_s, cp, 2 * cp),
        Figure(f"add {what} again, one changed", again, cp, 1.0),
        Figure(f"restore {what}, beside cp -r", restore, cp, 2 * cp),
    ]


def memory_figures(work: Path) -> list[Figure]:
    """Return the peak of private memory with a large file and with very many files."""
    figures = []
    repository = make_repository(work / "memory-repo")
    (work / "big.bin").rename(repository / "big.bin")
    write_many(repository / "many", N_FILES_MEMORY)
    for name, what in (("big.bin", "the large file"), ("many", f"{N_FILES_MEMORY:,} files")):
        add = peak_private_mib([GITTRACK, "add", name], repository)
        figures.append(Figure(f"private memory to add {what}", add, None, MEMORY_LIMIT_MIB, unit="MiB"))
    (repository / "big.bin").rename(work / "big.bin")
    shutil.rmtree(repository / "many")
    restore = peak_private_mib([GITTRACK, "checkout"], repository)
    figures.append(Figure("private memory to restore both", restore, None, MEMORY_LIMIT_MIB, unit="MiB"))
    shutil.rmtree(repository)
    return figures


def peer_figures(work: Path) -> list[Figure]:
    """Return what other programs take for the same, once each."""
    figures = []
    adds: dict[str, tuple[list[list[str]], list[str]]] = {
        "dvc": ([["dvc", "init", "-q"]], ["dvc", "add", "-q"]),
        "git-lfs": (
            [["git", "lfs", "install", "--local"], ["git", "lfs", "track", "big.bin", "many/**"]],
            ["git", "add"],
        ),
        "git-annex": ([["git", "annex", "init", "-q"]], ["git", "annex", "add", "-q"]),
    }
    for program, (preparations, add) in adds.items():
        if shutil.which(program) is None:
            continue
        for name, what in (("big.bin", "the large file"), ("many", "the folder of small files")):
            repository = make_repository(work / "peer-repo")
            for preparation in preparations:
                run(preparation, repository)
            (work / name).rename(repository / name)
            seconds = timed(lambda: run([*add, name], repository))  # noqa: B023  called at once
            figures.append(Figure(f"{' '.join(add)}: {what}", seconds))
            run(["cp", "-rL", str(repository / name), str(work / name)], work)
            run(["chmod", "-R", "u+w", str(repository)], work)
            shutil.rmtree(repository)
    return figures


def keep(times: dict[str, list[float]], round_times: dict[str, float], number: int) -> None:
    """Keep the times of a round, unless it is the first."""
    if number:
        for name, seconds in round_times.items():
            times.setdefault(name, []).append(seconds)


def timed(action: Callable[[], object]) -> float:
    """Return the seconds that an action takes."""
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def run(command: list[str], cwd: Path) -> None:
    """Run a command, quietly; its failure ends the benchmark."""
    subprocess.run(command, cwd=cwd, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)


def peak_private_mib(command: list[str], cwd: Path) -> float:
    """Run a command and return the most private memory that it had at a time, in MiB."""
    peak_kib = 0
    process = subprocess.Popen(command, cwd=cwd, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)

    def sample() -> None:
        nonlocal peak_kib
        while process.poll() is None:
            try:
                lines = Path(f"/proc/{process.pid}/smaps_rollup").read_text(encoding="ascii").splitlines()
            except OSError:
                return
            private = [int(line.split()[1]) for line in lines if line.startswith(("Private_Dirty:", "Swap:"))]
            peak_kib = max(peak_kib, sum(private))
            time.sleep(_SAMPLE_S)

    sampler = threading.Thread(target=sample)
    sampler.start()
    code = process.wait()
    sampler.join()
    if code:
        raise SystemExit(f"{command} failed")
    return peak_kib / 1024


def touch_memory(work: Path, n_bytes: int) -> None:
    """Write and remove so many bytes."""
    run(["dd", "if=/dev/zero", f"of={work / 'ballast'}", "bs=1M", f"count={n_bytes >> 20}", "status=none"], work)
    (work / "ballast").unlink()


def make_repository(folder: Path) -> Path:
    """Make an empty repository and return its folder."""
    folder.mkdir()
    for arguments in (["init", "-q", "-b", "main"], ["config", "user.name", "Ada"], ["config", "user.email", "a@b.c"]):
        run(["git", *arguments], folder)
    return folder


def write_random(path: Path, n_bytes: int) -> None:
    """Write a file of random bytes."""
    with path.open("wb") as file:
        for start in range(0, n_bytes, _PIECE):
            file.write(os.urandom(min(_PIECE, n_bytes - start)))


def write_many(folder: Path, n_files: int) -> None:
    """Write small files of random bytes."""
    folder.mkdir()
    for number in range(n_files):
        (folder / f"f{number:05}").write_bytes(os.urandom(SMALL_BYTES))


if __name__ == "__main__":
    sys.exit(main())
