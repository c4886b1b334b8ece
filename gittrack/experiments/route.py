"""Where experiments lie on a remote, and where they are seen here.

On a remote they have the names that they have here, unless the host accepts branches only: then the git setting
``gittrack.pushNamespace`` (such as ``refs/heads/gittrack``) puts them under another name there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from gittrack.errors import UsageError
from gittrack.experiments.names import NAMESPACE, REMOTES_NAMESPACE, parse_ref
from gittrack.git.refs import RefError, check_ref
from gittrack.git.settings import read_setting
from gittrack.git.tracking import NAMESPACE_SETTING

if TYPE_CHECKING:
    from gittrack.experiments.names import ExperimentRef
    from gittrack.git.repository import Repository


class Route(NamedTuple):
    """The way between here and a remote.

    Attributes:
        remote: The remote's name.
        published: The namespace of experiments on the remote, such as ``refs/gittrack/exps``.
    """

    remote: str
    published: str = NAMESPACE

    @property
    def tracking(self) -> str:
        """The namespace of what was last seen on the remote."""
        return f"{REMOTES_NAMESPACE}/{self.remote}/exps"

    @property
    def fetch_refspec(self) -> str:
        """What brings everything that the remote has."""
        return f"+{self.published}/*:{self.tracking}/*"

    def published_ref(self, experiment: ExperimentRef) -> str:
        """Return the name of an experiment's ref on the remote."""
        return f"{self.published}/{experiment.baseline}/{experiment.name}"

    def tracking_ref(self, experiment: ExperimentRef) -> str:
        """Return the name of the ref that says what was last seen on the remote."""
        return f"{self.tracking}/{experiment.baseline}/{experiment.name}"

    def parse_published(self, ref: str) -> ExperimentRef | None:
        """Return the experiment of a ref on the remote; None when it is not one.

        Example:
            >>> route = Route("origin", "refs/heads/gittrack/exps")
            >>> route.parse_published("refs/heads/gittrack/exps/" + "a" * 40 + "/calm-owl").name
            'calm-owl'
        """
        if not ref.startswith(f"{self.published}/"):
            return None
        return parse_ref(NAMESPACE + ref[len(self.published) :])

    def parse_tracking(self, ref: str) -> ExperimentRef | None:
        """Return the local identity of an experiment that was seen on the remote; None when it is not one."""
        return parse_ref(NAMESPACE + ref[len(self.tracking) :])


def find_route(repository: Repository, remote: str) -> Route:
    """Return the way to a remote.

    Args:
        repository: The repository, with its settings.
        remote: The remote's name.

    Raises:
        UsageError: The setting ``gittrack.pushNamespace`` is not a namespace of refs.
    """
    namespace = read_setting(repository, NAMESPACE_SETTING)
    if not namespace:
        return Route(remote)
    try:
        return Route(remote, f"{check_ref(namespace)}/exps")
    except RefError as error:
        raise UsageError(
            f"the git setting '{NAMESPACE_SETTING}' is not a namespace of refs: {namespace!r}",
            hint=f"git config {NAMESPACE_SETTING} refs/heads/gittrack",
        ) from error
