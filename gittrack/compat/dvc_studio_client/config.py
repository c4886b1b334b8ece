"""Where DVC Studio is, and the token for it: `dvc_studio_client.config`.

Precedence: arguments, environment, then the mapping of DVC's configuration. The repository's URL is sent as it stands
in git's settings, credentials included, as the original does it; `gittrack.post_live_metrics` removes them.
"""

from __future__ import annotations

import os
import re
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gittrack.compat.dvc_studio_client import DEFAULT_STUDIO_URL, logger
from gittrack.compat.dvc_studio_client.env import (
    DVC_STUDIO_OFFLINE,
    DVC_STUDIO_REPO_URL,
    DVC_STUDIO_TOKEN,
    DVC_STUDIO_URL,
    STUDIO_REPO_URL,
    STUDIO_TOKEN,
)
from gittrack.git.process import GitMissingError
from gittrack.git.remotes import configured_url
from gittrack.git.repository import NotARepositoryError, Repository
from gittrack.git.state import read_head
from gittrack.git.variables import read_variables

if TYPE_CHECKING:
    from collections.abc import Mapping

_YES = re.compile("1|y|yes|true", re.IGNORECASE)


def get_studio_repo_url() -> str | None:
    """Return the URL of the remote of the current branch, else of ``origin``; None, with a warning, without one.

    It is kept for each folder; `get_studio_repo_url.cache_clear` forgets it.
    """
    return _read_repo_url(Path.cwd())


def get_studio_config(
    dvc_studio_config: Mapping[str, Any] | None = None,
    offline: bool = False,  # noqa: FBT001, FBT002  the original's signature
    studio_token: str | None = None,
    studio_repo_url: str | None = None,
    studio_url: str | None = None,
) -> dict[str, Any]:
    """Return ``token``, ``repo_url`` and ``url`` for posting; an empty dict when one is missing, or when offline.

    Args:
        dvc_studio_config: The section ``studio`` of DVC's configuration.
        offline: Whether nothing shall be sent; ``DVC_STUDIO_OFFLINE`` and ``offline`` of the section say so too, by any
            text that holds ``1``, ``y`` or ``true``.
        studio_token: The access token.
        studio_repo_url: The repository's URL; inferred from git by default.
        studio_url: The base URL of DVC Studio.
    """
    section = dvc_studio_config or {}
    if offline or _says_yes(os.getenv(DVC_STUDIO_OFFLINE)) or _says_yes(section.get("offline")):
        logger.debug("Offline mode enabled. Skipping `post_studio_live_metrics`")
        return {}
    token = studio_token or os.getenv(DVC_STUDIO_TOKEN) or os.getenv(STUDIO_TOKEN) or section.get("token")
    if not token:
        logger.debug("%s not found. Skipping `post_studio_live_metrics`", DVC_STUDIO_TOKEN)
        return {}
    repo_url = (
        studio_repo_url
        or os.getenv(DVC_STUDIO_REPO_URL)
        or os.getenv(STUDIO_REPO_URL)
        or section.get("repo_url")
    )  # fmt: skip
    if repo_url is None:
        logger.debug("%s not found. Trying to automatically find it.", DVC_STUDIO_REPO_URL)
        repo_url = get_studio_repo_url()
    if not repo_url:
        logger.debug("%s not found. Skipping `post_studio_live_metrics`", DVC_STUDIO_REPO_URL)
        return {}
    url = studio_url or os.getenv(DVC_STUDIO_URL) or section.get("url")
    if not url:
        logger.debug("%s not found. Using %s.", DVC_STUDIO_URL, DEFAULT_STUDIO_URL)
        url = DEFAULT_STUDIO_URL
    return {"token": token, "repo_url": repo_url, "url": url}


@lru_cache(maxsize=16)
def _read_repo_url(directory: Path) -> str | None:
    try:
        repository = Repository.discover(directory, os.environ)
    except (NotARepositoryError, GitMissingError):
        logger.warning(
            "Couldn't find a valid Studio Repo URL.\nYou can try manually setting the environment variable `%s`.",
            STUDIO_REPO_URL,
        )
        return None
    url = configured_url(read_variables(repository), read_head(repository))
    if url is None:
        logger.warning("No Git remote. Can't infer Studio repo URL.")
    return url


def _says_yes(value: object) -> bool:
    return value is not None and _YES.search(str(value)) is not None


vars(get_studio_repo_url)["cache_clear"] = _read_repo_url.cache_clear  # as the original has it
