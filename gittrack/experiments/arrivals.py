"""Which experiments came from remotes since the user was last told.

``announced.json`` in gittrack's folder holds the names that were told, and the state of FETCH_HEAD at that time: git
writes that file at every fetch, so when it has not changed nothing arrived, and one ``stat`` says so.
"""

from __future__ import annotations

import contextlib
import json
import os
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

FILE_NAME = "announced.json"
_VERSION = 1
_N_NAMES_SHOWN = 3


class Announced(NamedTuple):
    """What the user was told last.

    Attributes:
        fetched: The state of FETCH_HEAD then.
        experiments: ``<remote>/<baseline>/<name>`` of every experiment of a remote then.
    """

    fetched: str
    experiments: frozenset[str]


def read_announced(state_dir: str) -> Announced | None:
    """Return what the user was told last; None when that is not known.

    Args:
        state_dir: gittrack's folder in the repository.
    """
    try:
        with open(os.path.join(state_dir, FILE_NAME), encoding="utf-8") as stream:  # noqa: PTH118, PTH123  pathlib costs a hook 4 ms
            data = json.load(stream)
        if data["version"] != _VERSION:
            return None
        return Announced(str(data["fetched"]), frozenset(map(str, data["experiments"])))
    except (OSError, ValueError, TypeError, KeyError):
        return None


def write_announced(state_dir: str, announced: Announced) -> None:
    """Remember what the user was told.

    Args:
        state_dir: gittrack's folder in the repository; made when it is missing.
        announced: What the user knows now.

    Raises:
        OSError: The file cannot be written.
    """
    os.makedirs(state_dir, exist_ok=True)  # noqa: PTH103  pathlib costs a hook 4 ms
    data = {"version": _VERSION, "fetched": announced.fetched, "experiments": sorted(announced.experiments)}
    path = os.path.join(state_dir, FILE_NAME)  # noqa: PTH118  the same
    temporary = f"{path}.{os.getpid()}"
    try:
        with open(temporary, "w", encoding="utf-8") as stream:  # noqa: PTH123  the same
            json.dump(data, stream)
        os.replace(temporary, path)  # noqa: PTH105  the same
    except OSError:
        with contextlib.suppress(OSError):
            os.unlink(temporary)  # noqa: PTH108  the same
        raise


def fetch_state(git_dir: str) -> str:
    """Return a text that changes with every ``git fetch`` in a work tree.

    Args:
        git_dir: The git directory of the work tree.
    """
    try:
        info = os.stat(os.path.join(git_dir, "FETCH_HEAD"))  # noqa: PTH116, PTH118  the same
    except OSError:
        return ""
    return f"{info.st_mtime_ns} {info.st_size} {info.st_ino}"


def remote_experiments(refs: Iterable[str]) -> frozenset[str]:
    """Return ``<remote>/<baseline>/<name>`` of each tracking ref of an experiment; other refs are left out.

    Args:
        refs: Full ref names.

    Example:
        >>> baseline = "ab12" * 10
        >>> refs = [f"refs/gittrack/remotes/origin/exps/{baseline}/calm-owl", "refs/heads/main"]
        >>> remote_experiments(refs) == {f"origin/{baseline}/calm-owl"}
        True
    """
    from gittrack.experiments.names import parse_ref

    found = filter(None, map(parse_ref, refs))
    return frozenset(f"{ref.remote}/{ref.baseline}/{ref.name}" for ref in found if ref.remote)


def render_arrivals(experiments: Iterable[str]) -> str:
    """Say in one line what arrived, or return an empty text.

    Args:
        experiments: ``<remote>/<baseline>/<name>`` of what arrived.

    Example:
        >>> render_arrivals(["origin/ab12/calm-owl", "origin/ab12/brave-fox"])
        "2 experiments arrived from origin: brave-fox, calm-owl (see 'gittrack exp show')"
    """
    parts = sorted(experiment.rsplit("/", 2) for experiment in experiments)
    if not parts:
        return ""
    names = [name for _, _, name in parts]
    shown = ", ".join(names[:_N_NAMES_SHOWN]) + (", …" if len(names) > _N_NAMES_SHOWN else "")
    remotes = ", ".join(dict.fromkeys(remote for remote, _, _ in parts))
    word = "experiment" if len(names) == 1 else "experiments"
    return f"{len(names)} {word} arrived from {remotes}: {shown} (see 'gittrack exp show')"
