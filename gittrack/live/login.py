"""Log in to a receiver as a device: the person allows it with a browser, anywhere.

The way of OAuth 2.0 (RFC 8628), in the form of DVC Studio: ``POST api/device-login`` gives a code for the person and
one for the device, then the device asks ``token_uri`` every five seconds.
"""

from __future__ import annotations

import itertools
import time
from typing import TYPE_CHECKING, Any, TypedDict, cast
from urllib.parse import urljoin

import requests
from requests.adapters import HTTPAdapter

if TYPE_CHECKING:
    import logging

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
    base_url: str, client_name: str, log: logging.Logger, *, scopes: list[str] | None = None, **wishes: Any
) -> DeviceLoginResponse:
    """Begin a login.

    Args:
        base_url: The base URL of the receiver.
        client_name: Which program asks.
        log: Where to say, for who looks for a fault, what is sent and answered; codes are left out.
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
        raise InvalidScopesError(f"Following scopes are not valid: {', '.join(unknown)}")
    if wishes.get("all_teams") is False and not wishes.get("team_names"):
        raise ValueError("team_names must be specified when all_teams is False")
    body: dict[str, Any] = {"client_name": client_name}
    given = {"token_name": wishes.pop("token_name", None), "scopes": scopes, **wishes}  # in the client's order
    may_be_empty = {"all_teams", "expires_in_days", "never_expires"}
    body |= {key: value for key, value in given.items() if value or (key in may_be_empty and value is not None)}
    log.debug("JSON body `body=%r`", body)
    headers = {"Content-type": "application/json"}
    response = requests.post(urljoin(base_url, _PATH), json=body, headers=headers, timeout=_TIMEOUT_S)
    response.raise_for_status()
    answer = response.json()
    log.debug("received response: %s (status=%r)", _without_codes(answer), response.status_code)
    return cast("DeviceLoginResponse", answer)


def poll_access_token(token_uri: str, device_code: str, log: logging.Logger) -> str:
    """Ask for the token until the person has allowed it.

    Args:
        token_uri: Where to ask.
        device_code: The device's code.
        log: Where to say how often it was asked.

    Raises:
        AuthorizationExpiredError: Nobody allowed it in time.
        requests.RequestException: The receiver refuses or does not answer.
    """
    log.debug("Polling to find if the user code is authorized")
    log.debug("Checking with *** to %s", token_uri)
    with requests.Session() as session:
        session.mount(token_uri, HTTPAdapter(max_retries=_N_RETRIES))
        for attempt in itertools.count(1):
            log.debug("Polling attempt #%s", attempt)
            response = session.post(token_uri, json={"code": device_code}, timeout=_TIMEOUT_S, allow_redirects=False)
            detail = response.json().get("detail") if response.status_code == requests.codes.bad_request else None
            if detail == "authorization_expired":
                raise AuthorizationExpiredError("failed to authenticate: This 'device_code' has expired.")
            if detail != "authorization_pending":
                response.raise_for_status()
                return cast("str", response.json()["access_token"])
            time.sleep(_POLL_INTERVAL_S)
    raise AssertionError  # it is asked for ever


def _without_codes(answer: Any) -> Any:
    """Return an answer without what lets anybody who reads it take the token."""
    if not isinstance(answer, dict):
        return answer
    return {key: "***" if key in {"device_code", "user_code"} else value for key, value in answer.items()}
