"""Read the plots of an experiment: their list, and the content of one, from git or from the cache."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gittrack.errors import GittrackError
from gittrack.experiments import format as fmt
from gittrack.git.batch import read_one

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from gittrack.artifacts.cache import Cache
    from gittrack.experiments.plot_files import PlotEntry
    from gittrack.git.repository import Repository

MAX_PLOT_BYTES = 1 << 30


class PlotMissingError(GittrackError):
    """There is no such plot, or its content is not here."""


def find_plot(plots: Sequence[PlotEntry], name: str, step: int | None = None) -> PlotEntry:
    """Return the plot of a name: of a step, or the last version of it.

    Args:
        plots: The plots of an experiment.
        name: What the script called it.
        step: The step; None for the last.

    Raises:
        PlotMissingError: There is none.
    """
    found = {entry.step: entry for entry in plots if entry.name == name}
    if not found:
        names = sorted({entry.name for entry in plots})
        hint = f"its plots are {', '.join(map(repr, names))[:300]}" if names else "the experiment has no plots"
        raise PlotMissingError(f"no plot {name!r}", hint=hint)
    if step is None:
        return last_version(found.values())
    if step not in found:
        steps = ", ".join(str(one) for one in sorted(one for one in found if one is not None)) or "none"
        raise PlotMissingError(f"no plot {name!r} of step {step}", hint=f"its steps are {steps[:300]}")
    return found[step]


def last_version(versions: Iterable[PlotEntry]) -> PlotEntry:
    """Return the last version of a plot: that of the highest step, or the one without a step if it is newer.

    Args:
        versions: The versions, at least one.
    """
    by_step = sorted(versions, key=lambda one: (one.step is not None, one.step or 0))
    bare, newest = by_step[0], by_step[-1]
    return bare if bare.step is None and (bare.time or 0) >= (newest.time or 0) else newest


def read_content(repository: Repository, commit: str, plot: PlotEntry, cache: Cache) -> bytes:
    """Return the content of a plot.

    Args:
        repository: The repository.
        commit: The experiment's commit.
        plot: The plot.
        cache: Where large ones are.

    Raises:
        ObjectMissingError: It is a large one, and not in the cache.
        ObjectCorruptError: It is damaged.
        PlotMissingError: It is not in the commit, or larger than 1 GiB.
    """
    if plot.digest is not None:
        return cache.read(plot.digest, MAX_PLOT_BYTES)
    found = read_one(repository, f"{commit}:{fmt.FOLDER}/{fmt.PLOTS_FOLDER}/{plot.file}", max_bytes=MAX_PLOT_BYTES)
    if found is None or found.kind != "blob" or found.data is None:
        raise PlotMissingError(f"the content of the plot {plot.name!r} is not in the experiment")
    return found.data
