"""`gittrack push` and `gittrack pull` of 1,000 experiments, whole processes, beside plain `git push` and `git fetch`.

Run it as `.venv/bin/python benchmarks/bench_share.py`. Every figure is the median over fresh copies of the same
repository and of an empty remote, ours and git's in turn. git sends and fetches the same refs by one pattern, its
fastest way; `gittrack pull` also checks each experiment and creates the local refs, which `git fetch` does not.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench_show import build

LIMIT = 1.3
PATTERN = "refs/gittrack/exps/*"
TRACKING = "+refs/gittrack/exps/*:refs/gittrack/remotes/origin/exps/*"
GITTRACK = str(Path(sys.executable).with_name("gittrack"))
PUSHES = {
    "git push": ["git", "push", "--quiet", "origin", f"{PATTERN}:{PATTERN}"],
    "gittrack push": [GITTRACK, "push"],
}
PULLS = {
    "git fetch": ["git", "fetch", "--quiet", "origin", TRACKING],
    "gittrack pull": [GITTRACK, "pull"],
}


def main() -> int:
    """Time everything, print the figures and return 1 when one is above its limit."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--experiments", type=int, default=1000)
    parser.add_argument("--repeats", type=int, default=5)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        keep_bytecode(work / "bytecode")
        (work / "source").mkdir()
        build(work / "source", arguments.experiments)
        times = measure(work, arguments.repeats)
    print(f"{arguments.experiments} experiments, median of {arguments.repeats} fresh copies")
    ratios = [
        report(ours, peer, times) for ours, peer in (("gittrack push", "git push"), ("gittrack pull", "git fetch"))
    ]
    again = statistics.median(times["gittrack push, nothing to do"])
    print(f"{'gittrack push, nothing to do':<30} {again:.3f} s")
    return int(max(ratios) > LIMIT)


def keep_bytecode(folder: Path) -> None:
    """Let Python keep compiled modules, as an installed package has them, whatever the environment says."""
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    os.environ["PYTHONPYCACHEPREFIX"] = str(folder)
    for verb in ("push", "pull"):
        subprocess.run([GITTRACK, verb, "--dry-run"], cwd=folder.parent, check=False, capture_output=True)


def measure(work: Path, repeats: int) -> dict[str, list[float]]:
    """Return the seconds of each command, by its title.

    Args:
        work: A folder with the repository `source`.
        repeats: How often.
    """
    times: dict[str, list[float]] = {}
    for number in range(repeats):
        # In turn, so that a machine that gets slower or faster does so for both.
        for title, command in list(PUSHES.items())[:: 1 if number % 2 else -1]:
            remote = fresh_remote(work)
            clone = fresh_clone(work, work / "source", remote)
            times.setdefault(title, []).append(run(command, clone))
            if title == "gittrack push":
                times.setdefault("gittrack push, nothing to do", []).append(run(command, clone))
        for title, command in list(PULLS.items())[:: 1 if number % 2 else -1]:
            clone = fresh_clone(work, None, remote)
            times.setdefault(title, []).append(run(command, clone))
    return times


def fresh_remote(work: Path) -> Path:
    """Return an empty bare repository."""
    remote = work / "remote.git"
    shutil.rmtree(remote, ignore_errors=True)
    git("init", "--bare", "-b", "main", str(remote), cwd=work)
    return remote


def fresh_clone(work: Path, source: Path | None, remote: Path) -> Path:
    """Return a repository with that remote, set up for sharing: a copy of `source`, or one with the branch only."""
    clone = work / "clone"
    shutil.rmtree(clone, ignore_errors=True)
    if source is None:
        git("init", "-b", "main", str(clone), cwd=work)
    else:
        shutil.copytree(source, clone)
    git("remote", "add", "origin", str(remote), cwd=clone)
    git("config", "--add", "remote.origin.fetch", TRACKING, cwd=clone)
    if source is None:
        git("fetch", "origin", "refs/heads/main:refs/remotes/origin/main", "--refmap=", cwd=clone)
    else:
        git("push", "origin", "main", cwd=clone)
    return clone


def run(command: list[str], folder: Path) -> float:
    """Return the seconds that a command takes."""
    start = time.perf_counter()
    subprocess.run(command, cwd=folder, check=True, stdin=subprocess.DEVNULL, capture_output=True)
    return time.perf_counter() - start


def report(ours: str, peer: str, times: dict[str, list[float]]) -> float:
    """Print one comparison and return its ratio."""
    seconds, plain = statistics.median(times[ours]), statistics.median(times[peer])
    ratio = seconds / plain
    verdict = "ok" if ratio <= LIMIT else "TOO SLOW"
    print(f"{ours:<30} {seconds:.3f} s, {peer} {plain:.3f} s: {ratio:.2f}x, limit {LIMIT}x: {verdict}")
    return ratio


def git(*arguments: str, cwd: Path) -> None:
    """Run git, quietly."""
    subprocess.run(["git", *arguments], cwd=cwd, check=True, capture_output=True)


if __name__ == "__main__":
    sys.exit(main())
