"""A receiver, and nothing of the machine that would name another one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.live_server import live_server

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.live_server import LiveServer

VARIABLES = (
    "DVC_STUDIO_TOKEN",
    "DVC_STUDIO_URL",
    "DVC_STUDIO_REPO_URL",
    "DVC_STUDIO_OFFLINE",
    "STUDIO_TOKEN",
    "STUDIO_REPO_URL",
    "STUDIO_ENDPOINT",
    "DVC_GLOBAL_CONFIG_DIR",
    "HTTP_PROXY",
    "http_proxy",
    "ALL_PROXY",
    "all_proxy",
)


@pytest.fixture(autouse=True)
def _nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def receiver() -> Iterator[LiveServer]:
    """A receiver that takes everything."""
    with live_server() as server:
        yield server
