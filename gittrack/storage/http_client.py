"""HTTP as storages need it: credentials by git, redirects that cannot leak them, faults told apart by what helps."""

from __future__ import annotations

import base64
import email.utils
import json
import re
import threading
import time
from http.cookiejar import DefaultCookiePolicy
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import urljoin, urlsplit, urlunsplit

from gittrack.secrets import mask_secrets
from gittrack.storage.protocol import StorageError
from gittrack.storage.retries import TransientError
from gittrack.storage.urls import check_encryption

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    import requests

_TIMEOUT_S = (10.0, 60.0)  # to connect, and between two pieces of an answer
_MAX_REDIRECTS = 5
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_TRANSIENT = frozenset({408, 425, 429, 500, 502, 503, 504})
_UNAUTHORIZED = 401
_FIRST_FAULT = 400
_PIECE_BYTES = 1 << 20
_MAX_SAID_BYTES = 4096
_POOL_SIZE = 32
_HINTS = {
    401: "see that git's credential helper knows the host: git credential fill",
    403: "see whether your account may do that there",
    404: "see whether the address is right",
    413: "the server takes only smaller files; see its own limits",
    507: "the server has no room left",
}
_NO_TEXT = re.compile(r"[^\x20-\x7e\x80-\U0010ffff]+")


class CredentialSource(Protocol):
    """Who knows the user's credentials for a host; see `gittrack.git.credentials.Credentials`."""

    def fill(self, url: str) -> tuple[str, str] | None:
        """Return user and password for a URL, or None."""

    def approve(self, url: str) -> None:
        """Say that those of a URL were right."""

    def reject(self, url: str) -> None:
        """Say that those of a URL were wrong."""


class HttpClient:
    """Connections to one server, and to those that it redirects to.

    Args:
        environ: The user's environment.
        credentials: Who knows passwords; None for nobody.
        headers: Sent with every request to a server, by any URL of it.
    """

    def __init__(
        self,
        environ: Mapping[str, str],
        credentials: CredentialSource | None = None,
        headers: Mapping[str, Mapping[str, str]] | None = None,
    ) -> None:
        import requests
        from requests.adapters import HTTPAdapter

        self._environ = environ
        self._credentials = credentials
        self._headers = {_origin(url): dict(values) for url, values in (headers or {}).items()}
        self._lock = threading.Lock()
        self._basic: dict[str, tuple[str, str]] = {}
        self._refused: set[str] = set()
        self._session = requests.Session()
        self._session.headers.update({"User-Agent": "gittrack", "Accept-Encoding": "identity"})
        self._session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        self._session.auth = _leave_as_is  # or ~/.netrc would replace the header that a server asked for
        for scheme in ("http://", "https://"):
            self._session.mount(scheme, HTTPAdapter(pool_maxsize=_POOL_SIZE, max_retries=0))

    def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: Callable[[], Any] | None = None,
        accept: frozenset[int] = frozenset(),
    ) -> requests.Response:
        """Send a request and return its answer; the body of the answer is read by the caller, who closes it.

        Args:
            method: Such as ``GET``.
            url: Where to; ``http`` or ``https``.
            headers: Further headers.
            body: Returns the body anew for each attempt: bytes, or a file with a length.
            accept: Statuses from 400 on that the caller understands.

        Raises:
            TransientError: It may work in a moment.
            StorageError: It will not.
        """
        own = dict(headers or {})
        origin = _origin(url)
        for _ in range(_MAX_REDIRECTS):
            response = self._authorized(method, url, own, body)
            if response.status_code not in _REDIRECTS or "Location" not in response.headers:
                return self._checked(response, accept)
            response.close()
            target = _join(url, response.headers["Location"])
            if urlsplit(url).scheme == "https" and urlsplit(target).scheme != "https":
                raise StorageError(f"{show(url)} redirects to a place without encryption")
            if response.status_code == 303 and method != "HEAD":  # noqa: PLR2004  see other
                method, body = "GET", None
            if _origin(target) != origin:  # never hand on what was meant for another server
                own = {name: value for name, value in own.items() if name.lower() not in {"authorization", "cookie"}}
            url = target
        raise StorageError(f"{show(url)} redirects again and again")

    def read(self, response: requests.Response) -> Iterator[bytes]:
        """Yield the body of an answer piece by piece, as it travels.

        Raises:
            TransientError: The connection was cut.
        """
        import requests
        import urllib3

        try:
            yield from response.raw.stream(_PIECE_BYTES, decode_content=False)
        except (urllib3.exceptions.HTTPError, requests.RequestException, OSError) as error:
            raise TransientError(f"the connection to {show(response.url)} was cut: {_plain(error)}") from error

    def log_in(self, url: str, user: str, password: str) -> None:
        """Use a user and password for all requests to the server of a URL."""
        self._basic[_origin(url)] = (user, password)

    def close(self) -> None:
        """Close all connections."""
        self._session.close()

    def _authorized(
        self, method: str, url: str, headers: dict[str, str], body: Callable[[], Any] | None
    ) -> requests.Response:
        """Send a request, a second time with the user's credentials where the server asks for them."""
        origin = _origin(url)
        has_own = any(name.lower() == "authorization" for name in headers)
        response = self._send(method, url, headers, body)
        if response.status_code != _UNAUTHORIZED or self._credentials is None or has_own:
            return response
        with self._lock:  # so that the person is asked once, however many requests come back
            is_asked = origin in self._basic and not _was_sent(response, self._basic[origin])
            found = self._basic.get(origin) if is_asked else self._credentials.fill(url)
            if found is None or origin in self._refused:
                return response
            self._basic[origin] = found
            response.close()
            response = self._send(method, url, headers, body)
            if is_asked:
                return response
            if response.status_code == _UNAUTHORIZED:
                del self._basic[origin]
                self._refused.add(origin)
                self._credentials.reject(url)
            elif response.status_code < _FIRST_FAULT:
                self._credentials.approve(url)
            return response

    def _send(
        self, method: str, url: str, headers: dict[str, str], body: Callable[[], Any] | None
    ) -> requests.Response:
        import requests

        check_url(url)
        check_encryption(url, self._environ)
        origin = _origin(url)
        everything = {**self._headers.get(origin, {}), **headers}
        if origin in self._basic and not any(name.lower() == "authorization" for name in everything):
            everything["Authorization"] = _basic(*self._basic[origin])
        try:
            return self._session.request(
                method,
                url,
                headers=everything,
                data=None if body is None else body(),
                stream=True,
                allow_redirects=False,
                timeout=_TIMEOUT_S,
            )
        except requests.exceptions.SSLError as error:
            raise StorageError(f"the certificate of {show(url)} cannot be trusted: {_plain(error)}") from error
        except (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError) as error:
            raise TransientError(f"{show(url)} cannot be reached: {_plain(error)}") from error
        except requests.RequestException as error:
            raise StorageError(f"{show(url)} cannot be asked: {_plain(error)}") from error

    def _checked(self, response: requests.Response, accept: frozenset[int]) -> requests.Response:
        status = response.status_code
        if status < _FIRST_FAULT or status in accept:
            return response
        said = what_it_says(response)
        response.close()
        message = f"{show(response.url)} answers {status} {response.reason or ''}".rstrip() + (
            f": {said}" if said else ""
        )
        if status in _TRANSIENT:
            raise TransientError(message, wait_s=parse_retry_after(response.headers.get("Retry-After")))
        raise StorageError(message, hint=_HINTS.get(status))


def check_url(url: str) -> None:
    """Refuse a URL that a server must not send us to, or that names a user.

    Raises:
        StorageError: It is not http or https, or holds a user or what is not printable.
    """
    try:
        parts = urlsplit(url)
        is_good = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError as error:
        raise StorageError("a server names an address that is no URL") from error
    if not is_good or "@" in parts.netloc or not url.isprintable():
        raise StorageError(f"not a URL to send artifacts to: {show(url)!r:.200}")


def show(url: str) -> str:
    """Return a URL without user, query and fragment, which may hold credentials.

    Example:
        >>> show("https://me:s3cret@example.org/x?sig=abc")
        'https://example.org/x'
    """
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def parse_retry_after(value: str | None) -> float | None:
    """Return the seconds that a ``Retry-After`` header asks to wait; None where it says nothing of sense.

    Example:
        >>> parse_retry_after("3"), parse_retry_after("soon")
        (3.0, None)
    """
    if value is None:
        return None
    if value.strip().isdecimal():
        return float(value[:12])
    try:
        return max(0.0, email.utils.parsedate_to_datetime(value).timestamp() - time.time())
    except (ValueError, TypeError, OverflowError):
        return None


def what_it_says(response: requests.Response) -> str:
    """Return the server's own words in one short line: the message of a JSON object, else nothing."""
    import requests
    import urllib3

    try:
        data = response.raw.read(_MAX_SAID_BYTES, decode_content=False)
        said = json.loads(data)
        text = said.get("message") or said.get("detail") if isinstance(said, dict) else None
    except (ValueError, RecursionError, urllib3.exceptions.HTTPError, requests.RequestException, OSError):
        return ""
    return mask_secrets(_NO_TEXT.sub(" ", text)[:300]) if isinstance(text, str) else ""


def _plain(error: BaseException) -> str:
    """Return the innermost reason, without the addresses of objects that the library puts into its messages."""
    reason: object = error
    while isinstance(reason, BaseException):
        inner = getattr(reason, "reason", None) or next(iter(reason.args), None)
        if not isinstance(inner, BaseException):
            break
        reason = inner
    text = str(reason.strerror or reason) if isinstance(reason, OSError) else str(reason)
    text = re.sub(r"<[^>]*>:? ?|^\('|',.*\)$|HTTPS?Connection(?:Pool)?\([^)]*\): ", "", text)
    return mask_secrets(re.sub(r"\?[^\s'\"]*", "", text))[:200] or type(error).__name__


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}".lower()


def _join(url: str, location: str) -> str:
    try:
        target = urljoin(url, location)
        _origin(target)
    except ValueError as error:
        raise StorageError(f"{show(url)} redirects to what is no URL") from error
    return target


def _basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode("ascii")


def _was_sent(response: requests.Response, login: tuple[str, str]) -> bool:
    return response.request.headers.get("Authorization") == _basic(*login)


def _leave_as_is(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request
