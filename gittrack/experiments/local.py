"""Where a command may change experiments: those of this repository, or those of one remote."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gittrack.errors import UsageError
from gittrack.experiments.resolve import resolve
from gittrack.experiments.store import ExperimentMissingError

if TYPE_CHECKING:
    from gittrack.experiments.store import Tip
    from gittrack.git.repository import Repository


class NotLocalError(UsageError):
    """The experiment is one of a remote."""


def resolve_local(repository: Repository, text: str) -> Tip:
    """Return the local experiment that a text means.

    Args:
        repository: The repository.
        text: What a person wrote; see `gittrack.experiments.resolve`.

    Raises:
        NotLocalError: It means one that was only seen on a remote.
        AmbiguousNameError: It fits several experiments.
        ExperimentMissingError: It fits none.
    """
    tip = resolve(repository, text)
    if tip.experiment.remote is not None:
        remote, name = tip.experiment.remote, tip.experiment.name
        raise NotLocalError(
            f"experiment '{tip.experiment.label}' is on a remote only",
            hint=f"bring it here: gittrack pull {remote} {name}; or remove it there: "
            f"gittrack exp remove --remote {remote} {name}",
        )
    return tip


def resolve_on_remote(repository: Repository, remote: str, text: str) -> Tip:
    """Return the experiment that a text means among those last seen on a remote.

    Args:
        repository: The repository.
        remote: The remote's name.
        text: ``name``, or ``name@baseline``.

    Raises:
        AmbiguousNameError: It fits several experiments.
        ExperimentMissingError: It fits none.
    """
    try:
        return resolve(repository, f"{remote}/{text.removeprefix(f'{remote}/')}")
    except ExperimentMissingError as error:
        raise ExperimentMissingError(
            f"no experiment {text!r} was seen on {remote}", hint=f"run 'gittrack fetch {remote}' first"
        ) from error
