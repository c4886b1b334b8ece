"""Log in to DVC Studio from a terminal: `dvc_studio_client.auth`."""

from __future__ import annotations

import sys
import webbrowser

from gittrack.compat.dvc_studio_client import DEFAULT_STUDIO_URL, logger
from gittrack.live import login
from gittrack.live.login import (
    AVAILABLE_SCOPES,
    AuthorizationExpiredError,
    DeviceLoginResponse,
    InvalidScopesError,
    StudioAuthError,
)

_AFTER_LOGIN = "Once you've logged in, return here and you'll be ready to start the experiments."
_NO_BROWSER = "Failed to open a web browser. Open the above url to continue in your web browser."


def get_access_token(  # noqa: PLR0913  the original's signature
    *,
    hostname: str,
    token_name: str | None = None,
    scopes: str = "",
    client_name: str = "client",
    open_browser: bool = True,
    post_login_message: str | None = None,
    use_device_code: bool = False,
    team_names: list[str] | None = None,
    all_teams: bool | None = None,
    expires_in_days: int | None = None,
    never_expires: bool | None = None,
) -> tuple[str, str]:
    """Let a person log in with a browser, and return the token's name and the token.

    Args:
        hostname: The base URL.
        token_name: What to call the token; made up by the server by default.
        scopes: What the token is for, with commas between: experiments, datasets, models.
        client_name: Which program asks.
        open_browser: Whether to open the browser; else the address is only printed.
        post_login_message: What to print below the address.
        use_device_code: Whether to leave the browser alone.
        team_names: The teams that the token is for.
        all_teams: Whether it is for all teams.
        expires_in_days: How long it is valid.
        never_expires: Whether it is valid for ever.

    Raises:
        InvalidScopesError: A scope is unknown.
        AuthorizationExpiredError: Nobody logged in in time.
        ValueError: ``all_teams`` is False and no team is named.
        requests.RequestException: The server refuses or does not answer.
    """
    response = start_device_login(
        client_name=client_name,
        base_url=hostname,
        token_name=token_name,
        scopes=scopes.split(",") if scopes else [],
        team_names=team_names,
        all_teams=all_teams,
        expires_in_days=expires_in_days,
        never_expires=never_expires,
    )
    address = f"{response['verification_uri']}?code={response['user_code']}"
    opens = open_browser and not use_device_code
    what = "Opening link for login at" if opens else "Open this url to continue in your web browser:"
    print(what, address)  # noqa: T201
    print(f"\n{post_login_message or _AFTER_LOGIN}")  # noqa: T201
    if opens and not webbrowser.open(address):
        print(f"\n{_NO_BROWSER}", file=sys.stderr)  # noqa: T201
    token = check_token_authentication(uri=response["token_uri"], device_code=response["device_code"])
    return response["token_name"], token


def start_device_login(
    *,
    client_name: str,
    base_url: str | None = None,
    token_name: str | None = None,
    scopes: list[str] | None = None,
    team_names: list[str] | None = None,
    all_teams: bool | None = None,
    expires_in_days: int | None = None,
    never_expires: bool | None = None,
) -> DeviceLoginResponse:
    """Ask for a code by which a person can allow this machine a token; see `get_access_token`.

    Raises:
        InvalidScopesError: A scope is unknown.
        ValueError: ``all_teams`` is False and no team is named.
        requests.RequestException: The server refuses or does not answer.
    """
    logger.debug("Starting device login for Studio%s", f" ({base_url})" if base_url else "")
    return login.start_device_login(
        base_url or DEFAULT_STUDIO_URL,
        client_name,
        logger,
        token_name=token_name,
        scopes=scopes,
        team_names=team_names,
        all_teams=all_teams,
        expires_in_days=expires_in_days,
        never_expires=never_expires,
    )


def check_token_authentication(*, uri: str, device_code: str) -> str:
    """Wait until a person has allowed the token, and return it.

    Args:
        uri: The ``token_uri`` that `start_device_login` gave.
        device_code: Its ``device_code``.

    Raises:
        AuthorizationExpiredError: Nobody did in time.
        requests.RequestException: The server refuses or does not answer.
    """
    return login.poll_access_token(uri, device_code, logger)


__all__ = [
    "AVAILABLE_SCOPES",
    "AuthorizationExpiredError",
    "DeviceLoginResponse",
    "InvalidScopesError",
    "StudioAuthError",
    "check_token_authentication",
    "get_access_token",
    "start_device_login",
]
