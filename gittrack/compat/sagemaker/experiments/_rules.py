"""The rules of SageMaker Experiments: lengths, times, tags, and the texts of its errors."""

from __future__ import annotations

import datetime as dt
import logging
import math
import os
import time
from collections.abc import Mapping
from functools import wraps
from numbers import Number
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable


class Enterable(Protocol):
    """What has a ``with`` block."""

    @property
    def is_entered(self) -> bool:
        """Whether the block goes on."""


P = ParamSpec("P")
R = TypeVar("R", bound=Enterable)
T = TypeVar("T")

MAX_NAME_LENGTH = 59
_MAX_GROUP_NAME_LENGTH = 100  # of the experiment's name within that of its group of runs
_OLDEST_S, _NEWEST_S = 1_209_600, 7_200  # how far from now the time of a metric may be

logger = logging.getLogger("gittrack.compat.sagemaker")


def in_context(method: Callable[Concatenate[R, P], T]) -> Callable[Concatenate[R, P], T]:
    """Let a method of a run be called within a ``with`` block alone."""

    @wraps(method)
    def checked(run: R, /, *args: P.args, **keywords: P.kwargs) -> T:
        if not run.is_entered:
            raise RuntimeError("This method should be called inside context of 'with' statement.")
        return method(run, *args, **keywords)

    return checked


def check_lengths_of_names(run_name: str, experiment_name: str) -> None:
    """Raise a `ValueError` for a name that is too long."""
    for what, name in (("run_name", run_name), ("experiment_name", experiment_name)):
        if len(name) > MAX_NAME_LENGTH:
            raise ValueError(
                f"The {what} (length: {len(name)}) must have length less than or equal to {MAX_NAME_LENGTH}"
            )


def new_run_name() -> str:
    """Return a name for a run without one: ``sagemaker-run-<seconds>-<4 hex>``."""
    return f"sagemaker-run-{int(time.time())}-{os.urandom(2).hex()}"


def run_group_name(experiment_name: str) -> str:
    """Return the name of the group that holds all runs of an experiment."""
    return f"Default-Run-Group-{experiment_name[:_MAX_GROUP_NAME_LENGTH]}"


def parse_tags(tags: Any) -> dict[str, Any]:
    """Return tags by key.

    Args:
        tags: A mapping, a list of ``{"Key": …, "Value": …}``, or None.

    Raises:
        ValueError: They are of another form.
    """
    if not tags:
        return {}
    if isinstance(tags, Mapping):
        return {str(key): str(value) for key, value in tags.items()}
    try:
        return {str(tag["Key"]): tag["Value"] for tag in tags}
    except (TypeError, KeyError) as error:
        raise ValueError("tags must be a dict or a list of {'Key': …, 'Value': …}") from error


def is_finite(kind: str, name: str, value: Any) -> bool:
    """Return whether a value can be logged; one that is NaN or infinite cannot, and a warning says so."""
    if isinstance(value, Number):
        number: Any = value
        try:
            is_number = math.isfinite(number)
        except (TypeError, OverflowError):  # complex; an integer wider than any float
            return True
        if not is_number:
            logger.warning("Failed to log %s %s. Received invalid value: %s.", kind, name, value)
            return False
    return True


def to_epoch_s(timestamp: Any) -> float | None:
    """Return the time of a metric as UTC epoch seconds; None when there is none.

    Args:
        timestamp: A `datetime` (local time when it has no zone) or epoch seconds.

    Raises:
        ValueError: It is more than two weeks ago, or more than two hours ahead.
    """
    if timestamp is None:
        return None
    seconds = timestamp.timestamp() if isinstance(timestamp, dt.datetime) else float(timestamp)
    now = time.time()
    if not now - _OLDEST_S <= seconds <= now + _NEWEST_S:
        raise ValueError(
            f"Supplied timestamp {seconds:f} is invalid. "
            "Timestamps must be between two weeks before and two hours from now."
        )
    return seconds


def check_step(step: Any) -> int | None:
    """Return the step of a metric.

    Raises:
        ValueError: It is no integer.
    """
    if step is not None and not isinstance(step, int):
        raise ValueError("step must be int.")
    return None if step is None else int(step)


def check_lengths(y_true: Any, predicted: Any, what: str) -> None:
    """Raise a `ValueError` when there are more labels than predictions, or fewer."""
    if len(y_true) != len(predicted):
        raise ValueError(f"Lengths mismatch between true labels and {what}: ({len(y_true)} vs {len(predicted)}).")


def check_load_names(run_name: str | None, experiment_name: str | None) -> None:
    """Raise a `ValueError` for a run without its experiment; an experiment alone is ignored with a warning."""
    if experiment_name and not run_name:
        logger.warning(
            "No run_name is supplied. Ignoring the provided experiment_name since it only takes effect along with "
            "run_name. Will load the Run object from the job environment or current Run context."
        )
    if run_name and not experiment_name:
        raise ValueError(
            "Invalid input: experiment_name is missing when run_name is supplied. "
            "Please supply a valid experiment_name when the run_name is not None."
        )
