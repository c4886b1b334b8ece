"""Free what removed experiments still take; what is not in the trash is never touched."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

from gittrack.experiments.index import Index
from gittrack.experiments.lineage import FACT
from gittrack.experiments.names import NAMESPACE, REMOTES_NAMESPACE
from gittrack.experiments.store import list_tips
from gittrack.experiments.trash import discard_trash, list_trash, measure_loose_ends

if TYPE_CHECKING:
    from gittrack.experiments.trash import Trashed
    from gittrack.git.repository import Repository

KEEP_DAYS = 14
# Reading a loose ref opens a file; many thousands of them are slow, a few hundred are not worth a rewrite of all.
_MANY_LOOSE_REFS = 500


class Collected(NamedTuple):
    """What was freed, or would be.

    Attributes:
        discarded: The experiments that left the trash for good.
        n_kept: How many stay in the trash, because they were removed too lately.
        size_bytes: What only those held, on disk, until git removes it; None when git cannot tell.
        n_forgotten: Entries of the index that were of no use.
        n_packed: Refs that were files of their own, and are in one file now.
    """

    discarded: list[Trashed]
    n_kept: int
    size_bytes: int | None
    n_forgotten: int = 0
    n_packed: int = 0


def collect_garbage(repository: Repository, *, before_s: float, dry_run: bool = False) -> Collected:
    """Remove experiments from the trash for good, and tidy up what gittrack keeps for speed.

    Args:
        repository: The repository.
        before_s: UTC epoch seconds; experiments removed later stay in the trash.
        dry_run: Whether to change nothing.

    Raises:
        RefChangedError: Somebody took one of them out meanwhile; nothing was removed.
    """
    trash = list_trash(repository)
    old = [one for one in trash if one.removed <= before_s]
    n_kept = len(trash) - len(old)
    if dry_run:
        refs = {one.ref for one in old}
        size = measure_loose_ends(repository, [one.tip.commit for one in old], besides=refs) if old else 0
        return Collected(old, n_kept, size)
    size = discard_trash(repository, old) if old else 0
    return Collected(old, n_kept, size, _prune_index(repository), _pack_refs(repository))


def _prune_index(repository: Repository) -> int:
    tips = [tip for namespace in (NAMESPACE, REMOTES_NAMESPACE) for tip in list_tips(repository, namespace)]
    index = Index(repository)
    try:
        commits = {tip.commit for tip in tips}
        index.prune_facts(FACT, commits)
        n_experiments = index.prune("experiments", commits)
        return n_experiments + index.prune("baselines", {tip.experiment.baseline for tip in tips})
    finally:
        index.close()


def _pack_refs(repository: Repository) -> int:
    """Let git write all refs into one file when there are many; their values stay."""
    if repository.ref_format != "files":
        return 0
    folder = repository.common_dir / "refs" / "gittrack"
    n_loose = sum(len(files) for _, _, files in os.walk(folder))
    if n_loose < _MANY_LOOSE_REFS:
        return 0
    repository.git.run("-c", "core.packedRefsTimeout=20000", "pack-refs", "--all")
    return n_loose
