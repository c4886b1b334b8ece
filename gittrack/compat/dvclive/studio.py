"""DVC Studio, as DVCLive speaks of it: a run that is told of a server posts by itself."""

from __future__ import annotations

from typing import Any


def get_dvc_studio_config(live: Any) -> dict[str, Any]:  # noqa: ARG001  the original's
    """Return no configuration."""
    return {}


def post_to_studio(live: Any, event: str, data: Any = None) -> None:
    """Do nothing."""
