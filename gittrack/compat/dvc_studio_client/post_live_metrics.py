"""Post events to DVC Studio: `dvc_studio_client.post_live_metrics`, with the original's rules."""

from __future__ import annotations

import os
from typing import Any, Literal

import requests
from requests.exceptions import RequestException

from gittrack.compat.dvc_studio_client import logger
from gittrack.compat.dvc_studio_client.config import get_studio_config
from gittrack.compat.dvc_studio_client.env import DVC_STUDIO_TOKEN, STUDIO_ENDPOINT, STUDIO_TOKEN
from gittrack.compat.dvc_studio_client.schema import humanize
from gittrack.live.event import MAX_PLOT_BYTES as MAX_PLOT_SIZE
from gittrack.live.event import MAX_PLOTS as MAX_NUMBER_OF_PLOTS
from gittrack.live.event import MAX_REQUEST_BYTES as MAX_REQUEST_SIZE
from gittrack.live.event import Event, UnsendableEventError, build_body, choose_plots
from gittrack.live.schema import STUDIO_IDS
from gittrack.live.wire import TIMEOUTS_S, join_url, make_headers


def get_studio_token_and_repo_url(
    studio_token: str | None = None, studio_repo_url: str | None = None
) -> tuple[str | None, str | None]:
    """Return token and URL of the repository; both are None when one is missing.

    Args:
        studio_token: The token.
        studio_repo_url: The URL.
    """
    token = studio_token or os.getenv(DVC_STUDIO_TOKEN) or os.getenv(STUDIO_TOKEN)
    config = get_studio_config(studio_token=token, studio_repo_url=studio_repo_url)
    return config.get("token"), config.get("repo_url")


def post_live_metrics(  # noqa: PLR0913, PLR0917  the original's signature
    event_type: Literal["start", "data", "done"],
    baseline_sha: str,
    name: str,
    client: str,
    experiment_rev: str | None = None,
    machine: dict[str, Any] | None = None,
    message: str | None = None,
    metrics: dict[str, Any] | None = None,
    params: dict[str, Any] | None = None,
    plots: dict[str, Any] | None = None,
    step: int | None = None,
    dvc_studio_config: dict[str, Any] | None = None,
    offline: bool = False,  # noqa: FBT001, FBT002
    studio_token: str | None = None,
    studio_repo_url: str | None = None,
    studio_url: str | None = None,
    subdir: str | None = None,
) -> bool | None:
    """Post one event to DVC Studio; `gittrack.post_live_metrics` explains the arguments.

    Unlike that, NaN makes the post fail, plots above the limits are left out with a warning, and the URL defaults to
    that of DVC Studio.

    Returns:
        True when all was answered with 200, False when not, None when nothing was sent.
    """
    config = get_studio_config(dvc_studio_config, offline, studio_token, studio_repo_url, studio_url)
    if not config:
        return None
    event = Event(
        event_type,
        baseline_sha,
        name,
        client,
        experiment_rev=experiment_rev,
        machine=machine,
        message=message,
        metrics=metrics,
        params=params,
        plots=plots,
        step=step,
        subdir=subdir,
    )
    try:
        body = build_body(event, config["repo_url"], STUDIO_IDS)
    except UnsendableEventError as error:
        logger.warning("%s", _explain(event, error))
        return None
    logger.debug("post_studio_live_metrics `event_type=%r`", event_type)
    url = join_url(config["url"], os.getenv(STUDIO_ENDPOINT))
    return _post(url, body, config["token"])


def _explain(event: Event, error: UnsendableEventError) -> str:
    if error.problems:
        return humanize(error.body, error.problems)
    return "Missing `step` in `data` event." if event.event_type == "data" else f"Invalid `event_type`: {event[0]}"


def _post(url: str, body: dict[str, Any], token: str) -> bool:
    """Post a body, and its plots in a request of their own."""
    all_plots = body.pop("plots", None)
    if not _single_post(url, body, token):
        return False
    if all_plots is None:
        return True
    plots, omissions = choose_plots(all_plots)
    for omission in omissions:
        logger.warning(omission)
    rest = {key: value for key, value in body.items() if key not in {"metrics", "params"}}
    return not plots or _single_post(url, {**rest, "plots": plots}, token)


def _single_post(url: str, body: dict[str, Any], token: str) -> bool:
    try:
        response = requests.post(url, json=body, headers=make_headers(token), timeout=TIMEOUTS_S)
    except RequestException as error:
        logger.warning("Failed to post to Studio: %s", error)
        return False
    message = response.content.decode("utf-8", "replace")
    if message:
        logger.debug("post_to_studio: response.status_code=%d, message=%r", response.status_code, message)
    if response.status_code != requests.codes.ok:
        logger.warning("Failed to post to Studio: %s", message)
        return False
    return True


__all__ = [
    "MAX_NUMBER_OF_PLOTS",
    "MAX_PLOT_SIZE",
    "MAX_REQUEST_SIZE",
    "get_studio_token_and_repo_url",
    "post_live_metrics",
]
