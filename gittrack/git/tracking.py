"""The settings by which plain git brings experiments: fetch refspecs, and what `git log` decorates.

Experiments of a remote land beside the local ones, in ``refs/gittrack/remotes/<remote>/``, so no fetch and no
``--prune`` ever touches a local experiment.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from gittrack.git.settings import add_setting, read_all_settings, read_setting, unset_setting

if TYPE_CHECKING:
    from gittrack.git.repository import Repository

NAMESPACE = "refs/gittrack"
HIDDEN_REFS = f"{NAMESPACE}/"
# Where experiments are put on a remote that accepts branches only (experiments/route.py).
NAMESPACE_SETTING = "gittrack.pushNamespace"
_KINDS = ("exps", "models")
_DECORATION = "log.excludeDecoration"
# Since then `git log` decorates only with branches, tags and a few others, unless told otherwise.
_TIGHT_DECORATION_SINCE = (2, 39)


class FetchRefspec(NamedTuple):
    """A fetch refspec into gittrack's tracking namespace.

    Attributes:
        remote: The remote whose setting it is.
        value: The refspec.
        is_current: Whether it is exactly what `init` would write for that remote.
    """

    remote: str
    value: str
    is_current: bool


def tracking_refspecs(remote: str, namespace: str = NAMESPACE) -> tuple[str, ...]:
    """Return the refspecs that bring a remote's experiments and models with every fetch.

    Args:
        remote: The remote's name.
        namespace: Where the remote has them.

    Example:
        >>> tracking_refspecs("origin")[0]
        '+refs/gittrack/exps/*:refs/gittrack/remotes/origin/exps/*'
    """
    return tuple(f"+{namespace}/{kind}/*:{NAMESPACE}/remotes/{remote}/{kind}/*" for kind in _KINDS)


def list_tracking(repository: Repository) -> list[FetchRefspec]:
    """Return every fetch refspec of the repository that leads into gittrack's namespace.

    Args:
        repository: The repository.
    """
    completed = repository.git.run("config", "--local", "--null", "--get-regexp", r"^remote\..*\.fetch$", check=False)
    namespace = _published_namespace(repository)
    found = []
    for entry in completed.stdout.decode("utf-8", "surrogateescape").split("\0")[:-1]:
        key, _, value = entry.partition("\n")
        remote = key[len("remote.") : -len(".fetch")]
        if value.partition(":")[2].startswith("refs/gittrack/remotes/"):
            found.append(FetchRefspec(remote, value, value in tracking_refspecs(remote, namespace)))
    return found


def is_tracked(repository: Repository, remote: str) -> bool:
    """Return whether plain fetches from a remote bring its experiments, to the place of that remote and no other.

    Args:
        repository: The repository.
        remote: The remote's name.
    """
    present = [refspec for refspec in list_tracking(repository) if refspec.remote == remote]
    return {refspec.value for refspec in present} == set(tracking_refspecs(remote, _published_namespace(repository)))


def can_track(repository: Repository, remote: str) -> bool:
    """Return whether a refspec may be added: the remote has an ordinary one already.

    Without any refspec git fetches the remote's HEAD, which a refspec of ours would end; in a mirror git brings all
    refs to their own names as it is.

    Args:
        repository: The repository.
        remote: The remote's name.
    """
    present = read_all_settings(repository, f"remote.{remote}.fetch")
    return bool(present) and not any(value.removeprefix("+").startswith("refs/*:") for value in present)


def add_tracking(repository: Repository, remote: str) -> None:
    """Make plain fetches from a remote bring its experiments and models.

    Refspecs of ours that carry another remote's name, as ``git remote rename`` leaves them, are replaced.

    Args:
        repository: The repository.
        remote: The remote's name.
    """
    for present in list_tracking(repository):
        if present.remote == remote and not present.is_current:
            unset_setting(repository, f"remote.{remote}.fetch", present.value)
    for refspec in tracking_refspecs(remote, _published_namespace(repository)):
        add_setting(repository, f"remote.{remote}.fetch", refspec)


def remove_tracking(repository: Repository) -> list[str]:
    """Remove what `add_tracking` added, for every remote, and return the remotes.

    Args:
        repository: The repository.
    """
    found = list_tracking(repository)
    for refspec in found:
        unset_setting(repository, f"remote.{refspec.remote}.fetch", refspec.value)
    return list(dict.fromkeys(refspec.remote for refspec in found))


def hide_decorations(repository: Repository, version: tuple[int, int]) -> bool:
    """Keep experiments out of the decorations of `git log`, and return whether a setting was needed.

    git's own choice leaves them out already, and any setting of ours would end that choice for all other refs. So
    there is one only where the user's settings, or an older git, decorate with everything.

    Args:
        repository: The repository.
        version: The version of git.
    """
    if HIDDEN_REFS in read_all_settings(repository, _DECORATION):
        return False
    decorates_all = (
        version < _TIGHT_DECORATION_SINCE
        or read_setting(repository, "log.initialDecorationSet") == "all"
        or read_setting(repository, _DECORATION) is not None
    )
    if decorates_all:
        add_setting(repository, _DECORATION, HIDDEN_REFS)
    return decorates_all


def show_decorations(repository: Repository) -> bool:
    """Undo `hide_decorations`, and return whether there was anything to undo.

    Args:
        repository: The repository.
    """
    if HIDDEN_REFS not in read_all_settings(repository, _DECORATION, local=True):
        return False
    unset_setting(repository, _DECORATION, HIDDEN_REFS)
    return True


def _published_namespace(repository: Repository) -> str:
    return read_setting(repository, NAMESPACE_SETTING) or NAMESPACE
