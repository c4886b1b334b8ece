"""Pushing and pulling artifacts over a local bare remote, beside `git hash-object`: git's own SHA-1 is the limit.

Run it as `.venv/bin/python benchmarks/bench_git_storage.py`. It works below `--folder` (by default `/dev/shm`) with
whole processes. Memory is touched before each measurement, by writing and removing as much: the first write into idle
memory of a virtual machine costs seconds per GiB.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import sys
import tempfile
from pathlib import Path

from bench_artifacts import make_repository, run, timed, touch_memory, write_random
from timing import GITTRACK, Figure, keep_bytecode, print_figures

FILE_BYTES = 1 << 30
N_OBJECTS = 10_000
# Above its threshold git compresses what it hashes, only to drop it: ten times as slow, and no measure of SHA-1.
HASH_OBJECT = ["git", "-c", "core.bigFileThreshold=4g", "hash-object", "big.bin"]
# A remote that is a folder is read where it is, unless a program is named that serves it.
BY_PROTOCOL = ["-c", "remote.origin.uploadpack=git-upload-pack"]
PUSH_LIMIT, PULL_LIMIT, PRESENT_LIMIT_S = 3.0, 2.5, 1.0


def main() -> int:
    """Measure, print the table and return 1 when a limit is broken."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, default=Path("/dev/shm"))
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    return int(print_figures(measure(arguments.folder, arguments.repeats)) > 0)


def measure(base: Path, repeats: int, file_bytes: int = FILE_BYTES, n_objects: int = N_OBJECTS) -> list[Figure]:
    """Return every figure.

    Args:
        base: A folder on the file system to measure on.
        repeats: How many rounds there are; of transfers the least time counts, as in `bench_artifacts`.
        file_bytes: The size of the file.
        n_objects: How many small files there are when everything is on the remote already.
    """
    with tempfile.TemporaryDirectory(dir=base) as folder:
        work = Path(folder)
        keep_bytecode(work / "bytecode")
        return [*transfer_figures(work, repeats, file_bytes), *present_figures(work, repeats, n_objects)]


def transfer_figures(work: Path, repeats: int, file_bytes: int) -> list[Figure]:
    """Return what pushing and pulling a large file takes."""
    hashing, pushing, pulling, receiving = [], [], [], []
    for _ in range(repeats):
        run(["git", "init", "-q", "--bare", "-b", "main", "remote.git"], work)
        source = make_repository(work / "source")
        run(["git", "remote", "add", "origin", "../remote.git"], source)
        write_random(source / "big.bin", file_bytes)
        hashing.append(timed(lambda: run(HASH_OBJECT, source)))  # noqa: B023  called at once
        run([GITTRACK, "add", "big.bin"], source)
        run(["git", "add", "-A"], source)
        run(["git", "commit", "-q", "-m", "All"], source)
        touch_memory(work, 2 * file_bytes)
        pushing.append(timed(lambda: run([GITTRACK, "push"], source)))  # noqa: B023  called at once
        run(["git", "push", "-q", "origin", "HEAD"], source)
        for seconds, settings in ((pulling, []), (receiving, BY_PROTOCOL)):
            run(["git", "clone", "-q", *settings, "remote.git", "other"], work)
            touch_memory(work, 3 * file_bytes)
            seconds.append(timed(lambda: run([GITTRACK, "pull"], work / "other")))
            run(["cmp", "source/big.bin", "other/big.bin"], work)
            shutil.rmtree(work / "other")
        for name in ("remote.git", "source"):
            shutil.rmtree(work / name)
    peer, push, pull, receive = map(min, (hashing, pushing, pulling, receiving))
    size = f"{file_bytes / (1 << 30):.1f} GiB over a bare remote, beside git hash-object"
    return [
        Figure(f"push {size}", push, peer, PUSH_LIMIT * peer),
        Figure(f"pull {size}", pull, peer, PULL_LIMIT * peer),
        Figure("the same by git's protocol, as from another machine", receive, peer),
    ]


def present_figures(work: Path, repeats: int, n_objects: int) -> list[Figure]:
    """Return what a push takes when everything is there already."""
    run(["git", "init", "-q", "--bare", "-b", "main", "remote.git"], work)
    source = make_repository(work / "many")
    run(["git", "remote", "add", "origin", "../remote.git"], source)
    names = [f"f{number:05}" for number in range(n_objects)]
    for name in names:
        (source / name).write_bytes(name.encode())
    run([GITTRACK, "add", *names], source)
    run(["git", "add", "-A"], source)
    run(["git", "commit", "-q", "-m", "All"], source)
    run([GITTRACK, "push"], source)
    run(["git", "push", "-q", "origin", "HEAD"], source)
    run(["git", "pack-refs", "--all"], work / "remote.git")
    seconds = statistics.median(timed(lambda: run([GITTRACK, "push"], source)) for _ in range(repeats))
    return [Figure(f"push with {n_objects:,} artifacts there already", seconds, None, PRESENT_LIMIT_S)]


if __name__ == "__main__":
    sys.exit(main())
