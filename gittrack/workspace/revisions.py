"""Where artifacts are looked up: the work tree, a commit, or an experiment."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from gittrack.errors import GittrackError
from gittrack.experiments.resolve import UnknownRevisionError, resolve, resolve_commit
from gittrack.experiments.store import ExperimentMissingError
from gittrack.workspace.pointers import list_commit_pointers, list_workspace_pointers

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gittrack.git.repository import Repository
    from gittrack.workspace.pointers import Pointers, Tracked


class NotTrackedError(GittrackError):
    """There is no artifact at a path."""


class Revision(NamedTuple):
    """A commit, as a person named it.

    Attributes:
        label: What the person wrote.
        commit: Its id.
    """

    label: str
    commit: str


def resolve_revision(repository: Repository, text: str) -> Revision:
    """Return the commit of the experiment, or else of the git revision, that a text means.

    Args:
        repository: The repository.
        text: What a person wrote.

    Raises:
        AmbiguousNameError: It fits several experiments.
        ExperimentMissingError: It is neither.
    """
    try:
        return Revision(text, resolve(repository, text).commit)
    except ExperimentMissingError as error:
        try:
            return Revision(text, resolve_commit(repository, text))
        except UnknownRevisionError:
            raise ExperimentMissingError(f"{text!r} is neither an experiment nor a commit", hint=error.hint) from error


def list_pointers(repository: Repository, revision: Revision | None) -> Pointers:
    """Return the pointers of a revision; of the work tree when there is none.

    Args:
        repository: The repository.
        revision: Where to look.

    Raises:
        NoWorkTreeError: There is no revision, and the repository is bare.
    """
    if revision is None:
        return list_workspace_pointers(repository)
    return list_commit_pointers(repository, revision.commit)


def select_below(artifacts: Iterable[Tracked], path: str) -> list[Tracked]:
    """Return the artifact at a path, or those below it; all of them for the top folder.

    Args:
        artifacts: Which there are.
        path: Relative to the top folder; empty for the top folder.
    """
    if not path:
        return list(artifacts)
    return [one for one in artifacts if one.path == path or one.path.startswith(f"{path}/")]


def find_around(artifacts: Iterable[Tracked], path: str) -> tuple[Tracked, str] | None:
    """Return the artifact that a path is, or is inside of, and the rest of the path; None when there is none.

    Args:
        artifacts: Which there are.
        path: Relative to the top folder.
    """
    for one in artifacts:
        if path == one.path:
            return one, ""
        if path.startswith(f"{one.path}/"):
            return one, path.removeprefix(f"{one.path}/")
    return None
