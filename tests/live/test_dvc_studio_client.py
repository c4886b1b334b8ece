"""The names of `dvc_studio_client`: configuration, login, model registry, messages."""

from __future__ import annotations

import logging
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
import requests

from gittrack.compat.dvc_studio_client import DEFAULT_STUDIO_URL, auth, logger
from gittrack.compat.dvc_studio_client.config import get_studio_config, get_studio_repo_url
from gittrack.compat.dvc_studio_client.model_registry import get_download_uris
from gittrack.compat.dvc_studio_client.post_live_metrics import get_studio_token_and_repo_url
from gittrack.compat.dvc_studio_client.schema import SCHEMAS_BY_TYPE, Invalid
from gittrack.live import login

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.support.live_server import LiveServer

CONFIG = {"studio_token": "tok", "studio_repo_url": "r"}


@pytest.fixture(autouse=True)
def _in_repository(repo_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(repo_dir)
    get_studio_repo_url.cache_clear()  # type: ignore[attr-defined]


@pytest.fixture
def heard() -> Iterator[list[logging.LogRecord]]:
    """What is said to the client's logger."""
    records: list[logging.LogRecord] = []
    handler = logging.Handler()
    handler.emit = records.append  # type: ignore[method-assign]
    logger.addHandler(handler)
    yield records
    logger.removeHandler(handler)


def test_the_default_is_dvc_studio() -> None:
    """Who comes from there has set no URL."""
    assert get_studio_config(**CONFIG) == {"token": "tok", "repo_url": "r", "url": DEFAULT_STUDIO_URL}


@pytest.mark.parametrize(
    ("value", "is_offline"),
    [("anything y", True), ("1", True), ("TRUE", True), ("no", False), ("0", False), ("", False)],
)
def test_offline_is_any_text_with_a_yes_in_it(value: str, is_offline: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """As the original reads it."""
    monkeypatch.setenv("DVC_STUDIO_OFFLINE", value)
    assert (get_studio_config(**CONFIG) == {}) is is_offline


def test_the_url_of_the_repository_is_sent_as_it_is(git: Callable[..., str]) -> None:
    """With its credentials, as the original does it; of the branch's remote, or of origin."""
    git("remote", "add", "origin", "https://me:s3cret@example.org/x.git")
    assert get_studio_token_and_repo_url("tok") == ("tok", "https://me:s3cret@example.org/x.git")
    get_studio_repo_url.cache_clear()  # type: ignore[attr-defined]
    git("remote", "add", "up", "git@example.org:up.git")
    git("config", "branch.main.remote", "up")
    assert get_studio_repo_url() == "git@example.org:up.git"


def test_the_url_of_another_repository_after_a_change_of_folder(
    git: Callable[..., str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, heard: list[logging.LogRecord]
) -> None:
    """What was found is kept for its folder only."""
    git("remote", "add", "origin", "one")
    assert get_studio_repo_url() == "one"
    monkeypatch.chdir(tmp_path)
    assert get_studio_repo_url() is None
    assert [record.levelname for record in heard] == ["WARNING"]


def test_without_a_remote_there_is_a_warning(heard: list[logging.LogRecord]) -> None:
    """And no configuration."""
    assert get_studio_config(studio_token="tok") == {}
    assert [record.levelname for record in heard] == ["WARNING"]


@pytest.mark.parametrize("variable", ["DVC_STUDIO_CLIENT_LOGLEVEL", "DVCLIVE_LOGLEVEL"])
def test_the_level_of_messages(variable: str) -> None:
    """The environment sets it; the handler writes level, name and message."""
    program = (
        "from gittrack.compat.dvc_studio_client import logger; logger.info('hello'); "
        "assert logger.name == 'dvc_studio_client'"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], env={variable: "info"}, capture_output=True, text=True, check=True
    )
    assert done.stderr == "INFO:dvc_studio_client:hello\n"


def test_schemas() -> None:
    """By the type of the event, each is called with a body."""
    body = {"type": "start", "repo_url": "r", "baseline_sha": "h" * 40}
    assert SCHEMAS_BY_TYPE["start"](body) == body
    with pytest.raises(Invalid, match=r"required key not provided @ data\['step'\]"):
        SCHEMAS_BY_TYPE["data"]({**body, "type": "data"})


def test_a_login(receiver: LiveServer, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """The person gets an address, the program asks until they allowed it."""
    monkeypatch.setattr(login, "_POLL_INTERVAL_S", 0.01)
    receiver.answers = [200]
    receiver.answer_text = (
        '{"device_code": "dev", "user_code": "USER", "verification_uri": "http://login", '
        f'"token_uri": "{receiver.url}/token", "token_name": "lively", "expires_in": 60, '
        '"detail": "authorization_pending", "access_token": "isat_x"}'
    ).encode()
    receiver.answers = [200, 400, 400, 200]
    wishes = {"scopes": "experiments,MODELS", "team_names": ["a"], "never_expires": False, "open_browser": False}
    assert auth.get_access_token(hostname=receiver.url, **wishes) == ("lively", "isat_x")
    assert "http://login?code=USER" in capsys.readouterr().out
    first, *polls = receiver.requests
    assert first.path == "/api/device-login"
    assert first.body == {
        "client_name": "client",
        "scopes": ["experiments", "MODELS"],
        "team_names": ["a"],
        "never_expires": False,
    }
    assert [(poll.path, poll.body) for poll in polls] == [("/token", {"code": "dev"})] * 3
    assert "authorization" not in first.headers


def test_a_login_that_expires(receiver: LiveServer) -> None:
    """It has an error of its own; any other refusal is one of requests."""
    receiver.usual, receiver.answer_text = 400, b'{"detail": "authorization_expired"}'
    with pytest.raises(auth.AuthorizationExpiredError):
        auth.check_token_authentication(uri=receiver.url, device_code="x")
    receiver.answer_text = b'{"detail": "other"}'
    with pytest.raises(requests.HTTPError):
        auth.check_token_authentication(uri=receiver.url, device_code="x")


def test_a_login_that_cannot_be(receiver: LiveServer) -> None:
    """Unknown scopes, and no teams."""
    with pytest.raises(auth.InvalidScopesError, match="WRONG"):
        auth.start_device_login(client_name="x", base_url=receiver.url, scopes=["models", "WRONG"])
    with pytest.raises(ValueError, match="team_names"):
        auth.start_device_login(client_name="x", base_url=receiver.url, all_teams=False)
    assert receiver.requests == []


def test_download_addresses(receiver: LiveServer) -> None:
    """Of a version, or of the version in a stage."""
    receiver.answer_text = b'{"model.pt": "http://files/1"}'
    found = get_download_uris("repo", "net", stage="prod", studio_url=receiver.url, **CONFIG)
    assert found == {"model.pt": "http://files/1"}
    request = receiver.requests[0]
    assert request.path == "/api/model-registry/get-download-uris?repo=repo&name=net&stage=prod"
    assert request.headers["authorization"] == "token tok"


def test_download_addresses_that_there_are_not(receiver: LiveServer) -> None:
    """A ValueError says why."""
    receiver.usual, receiver.answer_text = 404, b"no such model"
    with pytest.raises(ValueError, match="no such model"):
        get_download_uris("repo", "net", studio_url=receiver.url, **CONFIG)
    with pytest.raises(ValueError, match="mutually exclusive"):
        get_download_uris("repo", "net", "1", "prod", studio_url=receiver.url, **CONFIG)
    with pytest.raises(ValueError, match="No studio config"):
        get_download_uris("repo", "net")
    receiver.close()
    with pytest.raises(ValueError, match="Failed to reach"):
        get_download_uris("repo", "net", studio_url="http://127.0.0.1:9", **CONFIG)
