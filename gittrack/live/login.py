"""Log in to a receiver as a device: the person allows it with a browser, anywhere.

The way of OAuth 2.0 (RFC 8628), in the form of DVC Studio: ``POST api/device-login`` gives a code for the person and
one for the device, then the device asks ``token_uri`` every five seconds.
"""

from __future__ import annotations

import time
from typing import Any, TypedDict, cast
from urllib.parse import urljoin

import requests
from requests.adapters import HTTPAdapter

AVAILABLE_SCOPES = ["EXPERIMENTS", "DATASETS", "MODELS"]

_PATH = "api/device-login"
_TIMEOUT_S = 5
_POLL_INTERVAL_S = 5.0
_N_RETRIES = 3


class DeviceLoginResponse(TypedDict):
    """What the receiver answers at the start.

    Attributes:
        device_code: By which the device asks for the token.
        user_code: What the person enters.
        verification_uri: Where.
        token_uri: Where the device asks.
        token_name: What the token will be called.
        expires_in: How many seconds there are.
    """

    device_code: str
    user_code: str
    verification_uri: str
    token_uri: str
    token_name: str
    expires_in: int


class StudioAuthError(Exception):
    """The login failed."""


class InvalidScopesError(StudioAuthError):
    """A scope is unknown."""


class AuthorizationExpiredError(StudioAuthError):
    """Nobody allowed the device in time."""


def start_device_login(
    base_url: str, client_name: str, *, scopes: list[str] | None = None, **wishes: Any
) -> DeviceLoginResponse:
    """Begin a login.

    Args:
        base_url: The base URL of the receiver.
        client_name: Which program asks.
        scopes: What the token is for, of `AVAILABLE_SCOPES`, in any case.
        wishes: ``token_name``, ``team_names``, ``all_teams``, ``expires_in_days``, ``never_expires``: what is None is
            not sent.

    Raises:
        InvalidScopesError: A scope is unknown.
        ValueError: ``all_teams`` is False and no team is named.
        requests.RequestException: The receiver refuses or does not answer.
    """
    unknown = [scope for scope in scopes or [] if scope.upper() not in AVAILABLE_SCOPES]
    if unknown:
        raise InvalidScopesError(f"unknown scopes: {', '.join(unknown)}")
    if wishes.get("all_teams") is False and not wishes.get("team_names"):
        raise ValueError("team_names must be given when all_teams is False")
    body: dict[str, Any] = {"client_name": client_name}
    given = {"scopes": scopes, **wishes}
    may_be_empty = {"all_teams", "expires_in_days", "never_expires"}
    body |= {key: value for key, value in given.items() if value or (key in may_be_empty and value is not None)}
    headers = {"Content-type": "application/json"}
    response = requests.post(urljoin(base_url, _PATH), json=body, headers=headers, timeout=_TIMEOUT_S)
    response.raise_for_status()
    return cast("DeviceLoginResponse", response.json())


def poll_access_token(token_uri: str, device_code: str) -> str:
    """Ask for the token until the person has allowed it.

    Args:
        token_uri: Where to ask.
        device_code: The device's code.

    Raises:
        AuthorizationExpiredError: Nobody allowed it in time.
        requests.RequestException: The receiver refuses or does not answer.
    """
    with requests.Session() as session:
        session.mount(token_uri, HTTPAdapter(max_retries=_N_RETRIES))
        while True:
            response = session.post(token_uri, json={"code": device_code}, timeout=_TIMEOUT_S, allow_redirects=False)
            detail = response.json().get("detail") if response.status_code == requests.codes.bad_request else None
            if detail == "authorization_expired":
                raise AuthorizationExpiredError("the code has expired: log in again")
            if detail != "authorization_pending":
                response.raise_for_status()
                return str(response.json()["access_token"])
            time.sleep(_POLL_INTERVAL_S)
