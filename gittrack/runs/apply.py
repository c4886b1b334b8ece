"""Bring the files of an experiment into the workspace, and keep the way back open."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING, NamedTuple

from gittrack.errors import GittrackError
from gittrack.experiments import store
from gittrack.experiments.checkout import CheckoutError, prepare_checkout
from gittrack.experiments.code import write_code_tree
from gittrack.experiments.landed import changes_between
from gittrack.experiments.names import MAX_NAME_LENGTH, ExperimentRef
from gittrack.git.snapshot import take_snapshot
from gittrack.git.state import is_dirty, read_head
from gittrack.runs.capture import save_workspace
from gittrack.runs.claims import NameTakenError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from gittrack.experiments.checkout import Checkout
    from gittrack.experiments.landed import Change
    from gittrack.git.repository import Repository
    from gittrack.git.state import Head
    from gittrack.runs.context import RunContext

_PREFIX = "before-"
_N_SHOWN = 5


class UncommittedError(GittrackError):
    """Files that would be changed hold something that is nowhere else."""


class Applied(NamedTuple):
    """What was done, or would be.

    Attributes:
        changes: How each path changed.
        submodules: Submodules that are at another commit in the experiment, and were left as they are.
        saved: The experiment that holds the workspace as it was before; None when nothing was uncommitted.
        is_new: Whether that experiment was made now.
    """

    changes: Mapping[str, Change]
    submodules: tuple[str, ...]
    saved: ExperimentRef | None = None
    is_new: bool = False


def apply_experiment(
    repository: Repository, context: RunContext, tip: store.Tip, *, force: bool = False, dry_run: bool = False
) -> Applied:
    """Make the tracked files of the workspace like the code of an experiment; HEAD and the index stay.

    Where anything is uncommitted, the workspace is recorded as an experiment first. Untracked files that the
    experiment lacks are left alone.

    Args:
        repository: A repository with a work tree.
        context: The process.
        tip: The experiment.
        force: Whether to change files whose content no commit and no experiment held before.
        dry_run: Whether to change nothing.

    Raises:
        UncommittedError: Such files would be changed, and it is not forced; or the experiment made of the workspace
            does not hold them (they are large, ignored or look like secrets). Nothing was changed in the workspace.
        CheckoutError: Something else is in the way.
    """
    head = read_head(repository)
    keep = None if head.sha is None else repository.git.text("rev-parse", "--verify", f"{head.sha}^{{tree}}")
    target = write_code_tree(repository, tip.commit, keep=keep)
    with prepare_checkout(repository, target, head.sha) as checkout:
        applied = Applied(checkout.changes, checkout.submodules)
        uncommitted = _without_recorded(repository, checkout.uncommitted)
        if uncommitted and not force:
            raise UncommittedError(
                f"uncommitted changes in {_listed(uncommitted)} are in no experiment yet",
                hint="commit them, or let 'gittrack exp apply --force' record the workspace first",
            )
        if dry_run or not applied.changes:
            return applied
        if is_dirty(repository) or uncommitted:
            saved, is_new = _save(repository, context, head, tip.experiment.name)
            applied = applied._replace(saved=saved.experiment, is_new=is_new)
            _require_recorded(repository, checkout, uncommitted, saved.commit)
        _run(checkout, applied)
    return applied


def _run(checkout: Checkout, applied: Applied) -> None:
    try:
        checkout.run()
    except CheckoutError as error:
        if applied.saved is not None:
            error.hint = f"the workspace as it was is the experiment '{applied.saved.name}'"
        raise


def _save(repository: Repository, context: RunContext, head: Head, name: str) -> tuple[store.Tip, bool]:
    """Return the experiment that holds the workspace as it is, and whether it was made now."""
    known = _find_recorded(repository, head)
    if known is not None:
        return known, False
    base = (_PREFIX + name.removeprefix(_PREFIX))[: MAX_NAME_LENGTH - 5].rstrip(".")
    number = 1
    while True:
        candidate = base if number == 1 else f"{base}-{number}"
        with contextlib.suppress(NameTakenError):
            message = f"The workspace before '{name}' was applied"
            captured = save_workspace(repository, context, name=candidate, message=message)
            return store.Tip(captured.experiment, captured.commit), True
        number += 1


def _find_recorded(repository: Repository, head: Head) -> store.Tip | None:
    """Return an experiment of HEAD whose code is the workspace as it is."""
    tree = take_snapshot(repository, head.sha).tree
    metas = store.read_metas(repository, store.list_tips(repository, _folder_of(repository, head)))
    same = (tip for tip, meta in metas.items() if meta.code_tree == tree and meta.status != "running")
    # What a description says is believed only after a look at the commit.
    return next((tip for tip in same if not changes_between(repository, tree, tip.commit)), None)


def _folder_of(repository: Repository, head: Head) -> str:
    return ExperimentRef(head.sha or repository.zero_id, "x").ref.rpartition("/")[0]


def _require_recorded(repository: Repository, checkout: Checkout, paths: Iterable[str], commit: str) -> None:
    """Raise unless the experiment made of the workspace holds the content of the paths."""
    differing = changes_between(repository, checkout.current, commit)
    lost = [path for path in paths if path in differing]
    if lost:
        raise UncommittedError(
            f"{_listed(lost)} would be lost: too large for a snapshot, ignored, or like a secret",
            hint="move it away first",
        )


def _without_recorded(repository: Repository, contents: Mapping[str, str]) -> list[str]:
    """Return the paths whose content no local experiment holds at that path."""
    plain = [path for path in contents if "\n" not in path]  # else git's lines could not be told apart
    tips = store.list_tips(repository) if plain else []
    if not tips:
        return list(contents)
    specs = b"".join(os.fsencode(f"{tip.commit}:{path}\n") for path in plain for tip in tips)
    answer = repository.git.run(
        "cat-file", "--buffer", "--batch-check=%(objectname)", input=specs, env={"GIT_NO_LAZY_FETCH": "1"}
    )
    lines = iter(answer.stdout.decode("utf-8", "surrogateescape").split("\n"))
    held = {path: {next(lines) for _ in tips} for path in plain}
    return [path for path, oid in contents.items() if oid not in held.get(path, ())]


def _listed(paths: Iterable[str]) -> str:
    quoted = [f"'{path}'" for path in paths]
    more = f" and {len(quoted) - _N_SHOWN} more" if len(quoted) > _N_SHOWN else ""
    return ", ".join(quoted[:_N_SHOWN]) + more
