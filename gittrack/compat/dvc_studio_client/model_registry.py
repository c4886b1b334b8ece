"""Addresses of the files of a registered model: `dvc_studio_client.model_registry`."""

from __future__ import annotations

from typing import Any, cast

import requests
from requests.exceptions import RequestException

from gittrack.compat.dvc_studio_client import logger
from gittrack.compat.dvc_studio_client.config import get_studio_config
from gittrack.live.wire import TIMEOUTS_S, join_url, make_headers

MODEL_REGISTRY_API_PATH = "api/model-registry"
GET_DOWNLOAD_URIS_PATH = f"{MODEL_REGISTRY_API_PATH}/get-download-uris"


def get_download_uris(
    repo: str, name: str, version: str | None = None, stage: str | None = None, **kwargs: Any
) -> dict[str, str]:
    """Return where the files of a model can be downloaded, by their paths.

    Args:
        repo: The repository's URL.
        name: The model's name.
        version: Its version.
        stage: Or the stage whose version is meant.
        kwargs: What `get_studio_config` takes.

    Raises:
        ValueError: There is no token, both version and stage are given, or the server refuses or does not answer.
    """
    config = get_studio_config(**kwargs)
    if not config:
        raise ValueError("No studio config")
    if version and stage:
        raise ValueError("Version and stage are mutually exclusive")
    params = {"repo": repo, "name": name, "version": version, "stage": stage}
    headers = {"Authorization": make_headers(config["token"])["Authorization"]}
    try:
        response = requests.get(
            join_url(config["url"], GET_DOWNLOAD_URIS_PATH),
            params={key: value for key, value in params.items() if value or key in {"repo", "name"}},
            headers=headers,
            timeout=TIMEOUTS_S,
        )
    except RequestException as error:
        raise ValueError("Failed to reach studio API") from error
    if response.status_code != requests.codes.ok:
        message = response.content.decode("utf-8", "replace")
        logger.debug("get_download_uris: %d '%s'", response.status_code, message)
        raise ValueError(f"Failed to get model download URIs from studio: {message}")
    return cast("dict[str, str]", response.json())
