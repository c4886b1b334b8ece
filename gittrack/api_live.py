"""`gittrack.post_live_metrics`: tell a receiver of one event in an experiment's life."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from gittrack.errors import UsageError
from gittrack.live.event import Event
from gittrack.live.post import post_event
from gittrack.live.target import Surroundings, Wishes

if TYPE_CHECKING:
    from gittrack.git.repository import Repository


def post_live_metrics(  # noqa: PLR0913, PLR0917  the signature is that of DVC Studio's client
    event_type: Literal["start", "data", "done", "interrupt", "failed"],
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
    """Post one event to a receiver of DVC Studio's live protocol, and wait for its answer.

    ``(baseline_sha, name)`` says which experiment is meant. NaN and infinities become texts whose places are told
    beside them; numpy values and paths become plain ones. More than 200 plots, and series that are too long for one
    request, are sent in several.

    Args:
        event_type: ``start``, ``data`` or ``done``; ``interrupt`` and ``failed`` are sent as ``done`` with an error.
        baseline_sha: The commit that the experiment starts from: 40 or 64 hex digits.
        name: The experiment's name, without slashes.
        client: Which program tells of it.
        experiment_rev: The experiment's commit; told when done.
        machine: What is known of the machine; at the start CPUs and memory by default.
        message: What it is about; told at the start, cut to 72 characters. Why, when it failed.
        metrics: Files of metrics: ``{path: {"data": {…}}}`` or ``{path: {"error": {"cls": …, "text": …}}}``.
        params: Files of params: ``{path: {…}}``.
        plots: Files of plots: ``{path: {"data": [{…}, …]}}`` or ``{path: {"image": …}}`` with bytes or base64; told
            with data.
        step: The training's step; data events need one.
        dvc_studio_config: The section ``studio`` of DVC's configuration, as a mapping.
        offline: Whether to send nothing.
        studio_token: The access token. By default that of ``GITTRACK_TOKEN``, ``DVC_STUDIO_TOKEN`` or
            ``STUDIO_TOKEN``, else of ``dvc_studio_config``, ``gittrack.token`` in git's settings, DVC's files, or git's
            credential helper.
        studio_repo_url: The repository's URL. By default that of ``DVC_STUDIO_REPO_URL`` or ``STUDIO_REPO_URL``, else
            of ``dvc_studio_config``, ``gittrack.live.repo``, DVC's files, or of the branch's remote. Credentials in it
            are not sent.
        studio_url: The receiver's base URL, or a ``file:`` URL of a file that events are appended to. By default that
            of ``GITTRACK_LIVE_URL`` or ``DVC_STUDIO_URL``, else of ``dvc_studio_config``, ``gittrack.live.url`` or
            DVC's files.
        subdir: The project's folder in the repository; told at the start.

    Returns:
        True when every request was answered with 200; False when one was answered otherwise or the network failed; None
        when nothing was sent, because something is missing or the event breaks the protocol.

    Raises:
        UsageError: ``offline`` is not a boolean.

    Example:
        >>> post_live_metrics("start", "0" * 40, "brave-fox", "gittrack", offline=True) is None
        True
    """
    if not isinstance(offline, bool):
        raise UsageError(f"'offline' must be True or False, not {offline!r:.100}")
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
    wishes = Wishes(studio_url, studio_token, studio_repo_url, offline, dvc_studio_config)
    return post_event(event, wishes, current_surroundings(), logging.getLogger("gittrack"))


def current_surroundings() -> Surroundings:
    """Return where this process is."""
    directory = Path.cwd()
    return Surroundings(dict(os.environ), directory, _find_repository(directory))


def _find_repository(directory: Path) -> Repository | None:
    from gittrack.git.process import GitMissingError
    from gittrack.git.repository import NotARepositoryError, Repository

    try:
        return Repository.discover(directory, os.environ)
    except (NotARepositoryError, GitMissingError):
        return None
