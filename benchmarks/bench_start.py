"""What it costs to start: `--version`, `--help`, `import gittrack`, and each hook with nothing to do.

Whole processes, each beside a bare Python in turn; the hooks as git runs them, through the shipped script and `sh`.
The limit is bare Python and 30 ms. `--dvc PATH` names a dvc program to time beside.

    python benchmarks/bench_start.py --repeats 40
"""

from __future__ import annotations

import argparse
import functools
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from timing import GITTRACK, Figure, alternate, keep_bytecode, make_repository, print_figures

LIMIT_S = 0.030
# With the arguments that git gives them.
HOOKS = {
    "post-commit": (),
    "post-rewrite": ("amend",),
    "pre-push": ("origin", "https://example.org/x.git"),
    "post-merge": ("0",),
    "post-checkout": ("0" * 40, "0" * 40, "1"),
}
SCRIPTS = Path(__file__).parents[1] / "hooks"
BARE = "bare python"


def main() -> int:
    """Time everything, print the figures and return 1 when one is above its limit."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=40)
    parser.add_argument("--dvc", default=shutil.which("dvc"), help="a dvc program to time beside")
    arguments = parser.parse_args()
    return int(print_figures(measure(arguments.repeats, arguments.dvc)) > 0)


def measure(repeats: int = 40, dvc: str | None = None) -> list[Figure]:
    """Return the figures.

    Args:
        repeats: How often each is run; the median counts.
        dvc: A dvc program, or None.
    """
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        keep_bytecode(work / "bytecode")
        repository = make_repository(work / "repository", 100)
        (repository / "part0/file0.py").write_text("changed = True\n", encoding="utf-8")
        subprocess.run(["git", "commit", "-qam", "Code alone"], cwd=repository, check=True)
        commands = {
            BARE: [sys.executable, "-I", "-c", "pass"],
            "import gittrack": [sys.executable, "-c", "import gittrack"],
            "gittrack --version": [GITTRACK, "--version"],
            "gittrack --help": [GITTRACK, "--help"],
            **{f"{name} hook, nothing to do": ["sh", str(SCRIPTS / name), *words] for name, words in HOOKS.items()},
        }
        if dvc:
            commands["dvc --version"] = [dvc, "--version"]
        actions = {name: functools.partial(run, command, repository) for name, command in commands.items()}
        alternate(actions, 2)
        times = alternate(actions, repeats)
    bare = times.pop(BARE)
    return [
        Figure(name, seconds, bare, None if name.startswith("dvc") else bare + LIMIT_S)
        for name, seconds in times.items()
    ]


def run(command: list[str], cwd: Path) -> None:
    """Run a command with the gittrack that is measured first on PATH, as an installed hook finds it."""
    path = f"{Path(GITTRACK).parent}{os.pathsep}{os.environ['PATH']}"
    subprocess.run(
        command, cwd=cwd, check=True, capture_output=True, stdin=subprocess.DEVNULL, env={**os.environ, "PATH": path}
    )


if __name__ == "__main__":
    sys.exit(main())
