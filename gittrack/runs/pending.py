"""Keep commands and runs apart: no change of an experiment that a run is writing, no name that one was given."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from gittrack.errors import GittrackError
from gittrack.runs.claims import NameTakenError, claim_name, release_name
from gittrack.runs.folder import RUNS, list_folders, new_run_id

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from gittrack.experiments.names import ExperimentRef
    from gittrack.git.repository import Repository


class StillRunningError(GittrackError):
    """A run is writing the experiment."""


def require_ended(repository: Repository, experiments: Iterable[ExperimentRef]) -> None:
    """Raise when one of the experiments has a run that is not recorded yet.

    A run of another machine counts too; those that died on this one are best closed first.

    Args:
        repository: The repository.
        experiments: The experiments.

    Raises:
        StillRunningError: It has.
    """
    pending = set()
    for folder in list_folders(repository.state_dir / RUNS):
        try:
            meta = folder.read_meta()
        except (OSError, GittrackError):  # recorded at this moment, or damaged
            continue
        pending.add((meta.baseline or repository.zero_id, meta.name))
    running = [one.name for one in experiments if one.remote is None and (one.baseline, one.name) in pending]
    if running:
        raise StillRunningError(
            f"still running: {', '.join(running)}", hint="wait until it ends, or stop its process first"
        )


@contextlib.contextmanager
def claimed_name(repository: Repository, baseline: str, name: str) -> Iterator[None]:
    """Keep a free name for an experiment that is about to get it.

    Args:
        repository: The repository.
        baseline: The baseline, or zeros.
        name: A valid name.

    Raises:
        NameTakenError: An experiment has it, or a run.
    """
    if not claim_name(repository, baseline, name, new_run_id()):
        raise NameTakenError(
            f"there is an experiment '{name}' under {baseline[:8]} already",
            hint=f"choose another name, or remove it: gittrack exp remove {name}@{baseline[:8]}",
        )
    try:
        yield
    finally:
        release_name(repository, baseline, name)
