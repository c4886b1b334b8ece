"""Make a git branch from an experiment: its code, without its description, as one commit on the baseline."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gittrack.errors import GittrackError, UsageError
from gittrack.experiments import store
from gittrack.experiments.code import write_code_tree
from gittrack.git.objects import read_object
from gittrack.git.refs import RefError, RefUpdate, check_ref, read_ref, transaction
from gittrack.git.state import read_identity

if TYPE_CHECKING:
    from gittrack.experiments.format import Meta
    from gittrack.git.repository import Repository


class BranchExistsError(GittrackError):
    """There is a branch of that name."""


def create_branch(repository: Repository, tip: store.Tip, branch: str) -> str:
    """Create a branch with one commit, the experiment's code, on top of its baseline; nothing is checked out.

    The author of the experiment stays its author, and the time when it was recorded.

    Args:
        repository: The repository.
        tip: The experiment.
        branch: The branch's short name.

    Returns:
        The commit.

    Raises:
        UsageError: git would refuse the name.
        BranchExistsError: There is such a branch.
        FormatError: The experiment's description is damaged.
    """
    ref = _check_branch(branch)
    if read_ref(repository, ref) is not None:
        raise BranchExistsError(
            f"there is a branch '{branch}' already",
            hint=f"choose another name: gittrack exp branch {tip.experiment.name} NAME",
        )
    meta = store.read_record(repository, tip.commit).meta
    commit = _write_commit(repository, tip, meta)
    try:
        transaction(repository, [RefUpdate(ref, commit, None)])
    except RefError as error:
        raise BranchExistsError(f"the branch '{branch}' cannot be made: {error.message}") from error
    return commit


def _check_branch(branch: str) -> str:
    wrong = UsageError(f"not a valid name of a branch: {branch!r}")
    if branch.startswith("-") or branch == "HEAD":  # as git check-ref-format --branch
        raise wrong
    try:
        return check_ref(f"refs/heads/{branch}")
    except RefError as error:
        raise wrong from error


def _write_commit(repository: Repository, tip: store.Tip, meta: Meta) -> str:
    name, email, date = _author_of(repository, tip.commit)
    committer = read_identity(repository)
    baseline = tip.experiment.baseline
    parents = [] if baseline == repository.zero_id else ["-p", baseline]
    title = meta.description or f"Experiment {tip.experiment.name}"
    return (
        repository.git.run(
            *("-c", "core.fsync=loose-object", "-c", "i18n.commitEncoding=UTF-8"),
            *("commit-tree", write_code_tree(repository, tip.commit), *parents),
            input=f"{title}\n\nExperiment: {tip.experiment.ref}\n".replace("\0", "").encode("utf-8", "replace"),
            env={
                "GIT_AUTHOR_NAME": name,
                "GIT_AUTHOR_EMAIL": email,
                "GIT_AUTHOR_DATE": date,
                "GIT_COMMITTER_NAME": committer.name,
                "GIT_COMMITTER_EMAIL": committer.email,
            },
        )
        .stdout.decode()
        .strip()
    )


def _author_of(repository: Repository, commit: str) -> tuple[str, str, str]:
    """Return name, email and date (``@<seconds> <zone>``) of a commit's author."""
    header = read_object(repository, commit, "commit").partition(b"\n\n")[0].decode("utf-8", "replace")
    line = next(line for line in header.split("\n") if line.startswith("author "))
    who, _, when = line.removeprefix("author ").rpartition("> ")
    name, _, email = who.rpartition(" <")
    return name or "unknown", email, f"@{when}"
