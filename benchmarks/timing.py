"""What the benchmarks share: alternating measurements, and figures beside their limits."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

GITTRACK = str(Path(sys.executable).with_name("gittrack"))


class Figure(NamedTuple):
    """One measured figure beside its peer and its limit, in seconds unless the unit says otherwise.

    Attributes:
        work: What was done.
        measured: What it took.
        peer: What it is compared with took; None when there is no peer.
        limit: What it may take; None for a figure that only orients.
        unit: `s`, or a rate such as `points/s`, of which more is better.
    """

    work: str
    measured: float
    peer: float | None = None
    limit: float | None = None
    unit: str = "s"

    @property
    def is_ok(self) -> bool:
        """Whether the limit holds."""
        if self.limit is None:
            return True
        return self.measured <= self.limit if self.unit in {"s", "MiB"} else self.measured >= self.limit

    @property
    def cells(self) -> tuple[str, str, str, str, str, str]:
        """The figure as a row: work, measured, peer, ratio, limit, ok."""
        ratio = f"{self.measured / self.peer:.2f}" if self.peer else "-"
        verdict = "-" if self.limit is None else "yes" if self.is_ok else "NO"
        return (
            self.work,
            render_amount(self.measured, self.unit),
            render_amount(self.peer, self.unit),
            ratio,
            render_amount(self.limit, self.unit),
            verdict,
        )


def render_amount(amount: float | None, unit: str) -> str:
    """Return an amount with its unit; milliseconds below one second."""
    if amount is None:
        return "-"
    if unit != "s":
        return f"{amount:,.0f} {unit}"
    return f"{amount * 1000:.1f} ms" if amount < 1 else f"{amount:.2f} s"


def print_figures(figures: Iterable[Figure]) -> int:
    """Print figures as a table and return how many break their limit."""
    rows = [("work", "measured", "peer", "ratio", "limit", "ok"), *(figure.cells for figure in figures)]
    widths = [max(len(row[column]) for row in rows) for column in range(6)]
    for row in rows:
        first, *others = (cell.ljust(width) if index == 0 else cell.rjust(width)
                          for index, (cell, width) in enumerate(zip(row, widths, strict=True)))  # fmt: skip
        print("  ".join([first, *others]))
    return sum(row[5] == "NO" for row in rows)


def alternate(actions: Mapping[str, Callable[[], object]], repeats: int) -> dict[str, float]:
    """Return the median seconds of each action, measured in turn, forwards and backwards.

    A machine that is busy for a moment is busy for all of them.

    Args:
        actions: What to time, by name.
        repeats: How often.
    """
    times: dict[str, list[float]] = {name: [] for name in actions}
    for number in range(repeats):
        for name in list(actions)[:: 1 if number % 2 else -1]:
            start = time.perf_counter()
            result = actions[name]()
            # An action that has something to prepare says itself how long the rest took.
            times[name].append(result if isinstance(result, float) else time.perf_counter() - start)
    return {name: statistics.median(values) for name, values in times.items()}


def keep_bytecode(folder: Path) -> None:
    """Let Python keep compiled modules, as an installed package has them, whatever the environment says."""
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    os.environ["PYTHONPYCACHEPREFIX"] = str(folder)


def make_repository(folder: Path, n_files: int) -> Path:
    """Make a repository with so many tracked files of 200 bytes, in folders of a hundred, and return its folder."""
    git = ["git", "-C", str(folder)]
    folder.mkdir(parents=True)
    subprocess.run([*git, "init", "-q", "-b", "main"], check=True)
    for key, value in (("user.name", "Ada"), ("user.email", "ada@example.org"), ("gc.auto", "0")):
        subprocess.run([*git, "config", key, value], check=True)
    for number in range(n_files):
        path = folder / f"part{number // 100}" / f"file{number}.py"
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"value = {number}\n".ljust(200, "#"), encoding="utf-8")
    (folder / "params.yaml").write_text("train:\n  lr: 0.1\n", encoding="utf-8")
    subprocess.run([*git, "add", "-A"], check=True)
    subprocess.run([*git, "commit", "-q", "-m", "All"], check=True)
    return folder
