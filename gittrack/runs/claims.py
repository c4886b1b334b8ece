"""Claim a name under a baseline before there is a ref, so that two runs that start together never share one."""

from __future__ import annotations

import contextlib
import os
import time
from typing import TYPE_CHECKING

from gittrack.errors import GittrackError
from gittrack.experiments.names import MAX_NAME_LENGTH, NAMESPACE, generate_name
from gittrack.git.refs import list_names

if TYPE_CHECKING:
    from pathlib import Path

    from gittrack.git.repository import Repository

_N_GENERATED_TRIES = 50
_FOLDER_FOLLOWS_WITHIN_S = 60.0  # the run's folder is made a millisecond after its claim


class NameTakenError(GittrackError):
    """An experiment of that name exists under the baseline."""


def claim_name(repository: Repository, baseline: str, name: str, run_id: str) -> bool:
    """Claim a name for a run; return False when an experiment or another run has it.

    Names that differ only in case count as the same, because file systems fold case.

    Args:
        repository: The repository.
        baseline: The baseline commit, or zeros.
        name: A valid name.
        run_id: The run that claims it.
    """
    if not _claim(repository, baseline, name, run_id):
        return False
    # Looked at under the claim: a run that ends between a look and a claim has made its ref and given its claim back.
    if name.casefold() in {taken.casefold() for taken in list_names(repository, f"{NAMESPACE}/{baseline}")}:
        release_name(repository, baseline, name)
        return False
    return True


def claim_generated_name(repository: Repository, baseline: str, run_id: str) -> str:
    """Make up a name, claim it and return it."""
    for _ in range(_N_GENERATED_TRIES):
        name = generate_name()
        if claim_name(repository, baseline, name, run_id):
            return name
    name = f"{generate_name()}-{run_id[:8]}"
    if not claim_name(repository, baseline, name, run_id):  # pragma: no cover  64 random bits
        raise NameTakenError(f"no free name under {baseline}")
    return name


def claim_numbered_name(repository: Repository, baseline: str, name: str, run_id: str) -> str:
    """Claim the first free one of ``name``, ``name-2``, ``name-3``… and return it."""
    candidate, number = name, 1
    while not claim_name(repository, baseline, candidate, run_id):
        number += 1
        suffix = f"-{number}"
        candidate = name[: MAX_NAME_LENGTH - len(suffix)] + suffix
    return candidate


def claim_for_resume(repository: Repository, baseline: str, name: str, run_id: str) -> bool:
    """Claim the name of an experiment that exists; return False while another run writes it."""
    return _claim(repository, baseline, name, run_id)


def release_name(repository: Repository, baseline: str, name: str) -> None:
    """Give a claim back: the ref exists now, or the run is gone."""
    _path(repository, baseline, name).unlink(missing_ok=True)


def _claim(repository: Repository, baseline: str, name: str, run_id: str) -> bool:
    path = _path(repository, baseline, name)
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
    except FileExistsError:
        return _is_abandoned(repository, path) and _claim(repository, baseline, name, run_id)
    try:
        os.write(descriptor, run_id.encode())
    except OSError:
        path.unlink(missing_ok=True)
        raise
    finally:
        os.close(descriptor)
    return True


def _is_abandoned(repository: Repository, path: Path) -> bool:
    """Remove a claim whose run no longer has a folder, and return whether it was one."""
    with contextlib.suppress(FileNotFoundError):
        owner = path.read_text(encoding="ascii", errors="replace").strip()
        runs = repository.state_dir / "runs"
        is_fresh = time.time() - path.stat().st_mtime < _FOLDER_FOLLOWS_WITHIN_S
        if is_fresh or (owner and (runs / owner).exists()):
            return False
        path.unlink(missing_ok=True)
    return True


def _path(repository: Repository, baseline: str, name: str) -> Path:
    return repository.state_dir / "names" / f"{baseline}~{name.casefold()}"
