"""What a run must be told of its surroundings: this layer looks at no environment and no arguments itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

# The variables that reach child processes.
RUN_VARIABLE = "GITTRACK_RUN"
NAME_VARIABLE = "GITTRACK_EXP_NAME"
BASELINE_VARIABLE = "GITTRACK_BASELINE"
CONFIG_VARIABLE = "GITTRACK_EXPERIMENT_CONFIG"

# Launchers of distributed training name the rank here: torchrun, Lightning, Slurm.
_RANK_VARIABLES = ("RANK", "LOCAL_RANK", "SLURM_PROCID")


class RunContext(NamedTuple):
    """The process in which a run is made.

    Attributes:
        environ: Its environment.
        argv: Its command line.
        directory: Its current folder.
        is_nested: Whether the run is one of its own within another one, rather than a part of it.
        parent: The id of that other run; by default the one that the environment names.
        is_joining: Whether the run is to be that of the environment, and no other when that has ended.
    """

    environ: Mapping[str, str]
    argv: tuple[str, ...]
    directory: Path
    is_nested: bool = False
    parent: str | None = None
    is_joining: bool = False

    @property
    def is_writer(self) -> bool:
        """Whether this process is rank 0 of a distributed training, or not part of one."""
        return all(self.environ.get(name, "0").strip() in {"", "0"} for name in _RANK_VARIABLES)


def experiment_config(name: str, group: str | None) -> dict[str, str]:
    """Return what names a run for a job that shall log to it: `CONFIG_VARIABLE` has it as JSON.

    Args:
        name: The run's name.
        group: The run's group.
    """
    if group is None:
        return {"RunName": name}
    return {"ExperimentName": group, "TrialName": f"Default-Run-Group-{group}", "RunName": name}
