"""Requests of the live protocol over HTTP, and what the receiver answered."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin

import requests

from gittrack.live.answer import Answer
from gittrack.live.target import without_userinfo

if TYPE_CHECKING:
    from collections.abc import Mapping

DEFAULT_ENDPOINT = "api/live"
CONNECT_TIMEOUT_S, READ_TIMEOUT_S = 30, 5
TIMEOUTS_S = (CONNECT_TIMEOUT_S, READ_TIMEOUT_S)

_MAX_ANSWER_BYTES = 64 << 10  # of which only a person reads anything
_MAX_SHOWN = 300


def join_url(url: str, endpoint: str | None = None) -> str:
    """Return the address that events are posted to.

    As with links of a web page, the last part of a base URL's path is replaced unless a slash follows it.

    Args:
        url: The base URL.
        endpoint: The path below it; ``api/live`` by default.

    Example:
        >>> join_url("http://studio.example/team"), join_url("http://studio.example/team/")
        ('http://studio.example/api/live', 'http://studio.example/team/api/live')
    """
    return urljoin(url, endpoint or DEFAULT_ENDPOINT)


def make_headers(token: str | None) -> dict[str, str]:
    """Return the headers of a request.

    Args:
        token: The access token; None for a receiver that takes anybody.
    """
    headers = {"Content-type": "application/json"}
    if token:
        headers["Authorization"] = f"token {token}"
    return headers


class Connection:
    """A connection to one receiver, kept open between requests; not for several threads.

    Args:
        url: The address to post to.
        token: The access token.
        read_timeout_s: How long an answer may take, in seconds.
    """

    def __init__(self, url: str, token: str | None, read_timeout_s: float = READ_TIMEOUT_S) -> None:
        self.url = without_userinfo(url)
        self._headers = make_headers(token)
        self._read_timeout_s = read_timeout_s
        self._session = requests.Session()
        # Whatever `.netrc` says of the host would replace the token, unless somebody else gives the header.
        self._session.auth = _keep_headers
        self._is_set_up = False

    def post(self, body: Mapping[str, Any]) -> Answer:
        """Post one body and return the answer; a network that fails is an answer too.

        Args:
            body: Plain JSON without NaN.
        """
        try:
            self._set_up()
            with self._session.post(
                self.url,
                json=body,
                headers=self._headers,
                timeout=(CONNECT_TIMEOUT_S, self._read_timeout_s),
                stream=True,
            ) as response:
                text = _read_some(response)
                is_posted = response.request.method == "POST"
                return Answer(response.status_code, text, is_posted, response.headers.get("Retry-After"))
        except (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError) as error:
            return Answer(None, describe_failure(error))
        except (requests.RequestException, ValueError) as error:  # urllib3 lets some URLs fail as a ValueError
            return Answer(None, describe_failure(error), is_passing=False)

    def _set_up(self) -> None:
        """Take proxies and certificates from the environment, once: `requests` would search it for each request."""
        if not self._is_set_up:
            session = self._session
            settings: Mapping[str, Any] = session.merge_environment_settings(self.url, {}, None, None, None)
            session.proxies, session.verify, session.cert = settings["proxies"], settings["verify"], settings["cert"]
            session.trust_env = False
            self._is_set_up = True

    def close(self) -> None:
        """Close it."""
        self._session.close()


def describe_failure(error: Exception) -> str:
    """Return why there was no answer, in one line that names neither token nor password.

    Args:
        error: What `requests` raised.
    """
    from gittrack.git.process import scrub

    if isinstance(error, requests.Timeout):
        return "no answer in time"
    cause: BaseException = error
    while cause.args and isinstance(getattr(cause.args[0], "reason", cause.args[0]), BaseException):
        cause = getattr(cause.args[0], "reason", cause.args[0])
    text = str(cause.args[-1] if len(cause.args) > 1 else cause)
    text = re.sub(r"^(<[^>]*>|HTTPS?Connection(Pool)?\([^)]*\)): ", "", text)
    return " ".join(scrub(text).split())[:_MAX_SHOWN] or type(error).__name__


def warm_up() -> None:
    """Load what `requests` would load with the first request, when a fork may come between."""
    "a".encode("idna")


def _read_some(response: requests.Response) -> str:
    """Return the beginning of an answer, however long it is, in one line."""
    data = b""
    for chunk in response.iter_content(8192):
        data += chunk
        if len(data) >= _MAX_ANSWER_BYTES:
            break
    return " ".join(data[:_MAX_ANSWER_BYTES].decode("utf-8", "replace").split())


def _keep_headers(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request
