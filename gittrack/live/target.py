"""Where events go, and as whom: from arguments, environment, git's settings and DVC's files, in this order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit, urlunsplit

from gittrack.errors import GittrackError
from gittrack.git.remotes import default_remote, remote_url, strip_credentials
from gittrack.git.state import read_head
from gittrack.git.variables import read_variables
from gittrack.live.dvc_config import read_studio_config

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from gittrack.git.repository import Repository

TOKEN_VARIABLES = ("GITTRACK_TOKEN", "DVC_STUDIO_TOKEN", "STUDIO_TOKEN")
URL_VARIABLES = ("GITTRACK_LIVE_URL", "DVC_STUDIO_URL")
REPO_URL_VARIABLES = ("DVC_STUDIO_REPO_URL", "STUDIO_REPO_URL")
OFFLINE_VARIABLE = "DVC_STUDIO_OFFLINE"
ENDPOINT_VARIABLE = "STUDIO_ENDPOINT"
URL_SETTING, REPO_SETTING, OFFLINE_SETTING = "gittrack.live.url", "gittrack.live.repo", "gittrack.live.offline"
TOKEN_SETTING = "gittrack.token"  # noqa: S105  the name of a setting

FILE_SCHEME = "file:"

_WORDS = {"1": True, "true": True, "yes": True, "on": True, "y": True}
_WORDS |= {"0": False, "false": False, "no": False, "off": False, "n": False, "": False}


class NoTargetError(GittrackError):
    """Something is missing without which nothing is sent: the address, the token, the repository's URL.

    Attributes:
        level: The level of `logging` at which one event tells of it.
    """

    level = 10  # debug: who has set nothing up need not hear of it


class NoURLError(NoTargetError):
    """No receiver is set at all, which is the usual case."""


class OfflineError(NoTargetError):
    """Sending is switched off."""


class BadSettingError(NoTargetError):
    """A setting makes no sense, and nothing is sent."""

    level = 30  # a warning


class Target(NamedTuple):
    """Where events go.

    Attributes:
        url: The base URL of the receiver; a ``file:`` URL names a file that events are appended to.
        repo_url: The repository's URL, without credentials.
        token: The access token; None when the receiver needs none.
        endpoint: The path below the base URL; None for the usual one.
    """

    url: str
    repo_url: str
    token: str | None = None
    endpoint: str | None = None

    def __repr__(self) -> str:  # a token must not get into a message by chance
        return f"Target({self.url!r}, {self.repo_url!r})"


class Wishes(NamedTuple):
    """What the caller says itself; it comes before everything else.

    Attributes:
        url: The base URL.
        token: The access token.
        repo_url: The repository's URL.
        is_offline: Whether nothing shall be sent.
        dvc_config: The section ``studio`` as DVC read it; it comes after the environment.
    """

    url: str | None = None
    token: str | None = None
    repo_url: str | None = None
    is_offline: bool = False
    dvc_config: Mapping[str, Any] | None = None


class Surroundings(NamedTuple):
    """Where the caller is.

    Attributes:
        environ: The environment.
        directory: The current folder.
        repository: The repository; None outside of one.
    """

    environ: Mapping[str, str]
    directory: Path
    repository: Repository | None


def find_target(wishes: Wishes, around: Surroundings) -> Target:
    """Return where events go.

    Args:
        wishes: What the caller says.
        around: Where the caller is.

    Raises:
        OfflineError: Sending is switched off.
        NoURLError: No receiver is set.
        BadSettingError: A setting makes no sense.
        NoTargetError: The token or the repository's URL is missing.
    """
    environ = around.environ
    given = dict(wishes.dvc_config or {})
    if wishes.is_offline or _is_true(environ.get(OFFLINE_VARIABLE)) or _is_true(given.get("offline")):
        raise OfflineError("live posting is switched off")
    settings = read_variables(around.repository) if around.repository is not None else {}
    files = read_studio_config(around.repository, around.directory, environ)
    if _is_true(settings.get(OFFLINE_SETTING)) or _is_true(files.get("offline")):
        raise OfflineError("live posting is switched off")
    url = _first(
        wishes.url, *map(environ.get, URL_VARIABLES), given.get("url"), settings.get(URL_SETTING), files.get("url")
    )
    if url is None:
        raise NoURLError("no live URL is set", hint=f"git config {URL_SETTING} <url>, or set {URL_VARIABLES[1]}")
    endpoint = environ.get(ENDPOINT_VARIABLE) or None
    if not url.startswith(("http://", "https://", FILE_SCHEME)):
        raise BadSettingError(f"the live URL is none of http, https or file: '{strip_credentials(url)}'")
    repo_url = _first(
        wishes.repo_url,
        *map(environ.get, REPO_URL_VARIABLES),
        given.get("repo_url"),
        settings.get(REPO_SETTING),
        files.get("repo_url"),
    )
    repo_url = strip_credentials(repo_url) if repo_url else _infer_repo_url(around.repository, settings)
    if url.startswith(FILE_SCHEME):
        return Target(url, repo_url)
    token = _first(
        wishes.token,
        *map(environ.get, TOKEN_VARIABLES),
        given.get("token"),
        settings.get(TOKEN_SETTING),
        files.get("token"),
    )
    if token is None:
        token = _ask_git(around.repository, url)
    if token is None:
        hint = f"git config --global {TOKEN_SETTING} <token>, or set {TOKEN_VARIABLES[1]}"
        raise NoTargetError("there is no token for live posting", hint=hint)
    return Target(url, repo_url, token, endpoint)


def without_userinfo(url: str) -> str:
    """Return a URL without user and password, which `requests` would send in the place of the token.

    Example:
        >>> without_userinfo("https://ada:s3cret@studio.example/")
        'https://studio.example/'
    """
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def _first(*values: Any) -> str | None:
    """Return the first text that says something."""
    return next((value for value in values if isinstance(value, str) and value), None)


def _infer_repo_url(repository: Repository | None, settings: Mapping[str, str]) -> str:
    """Return the URL of the remote that git would use.

    Raises:
        NoTargetError: There is no repository or no remote.
    """
    hint = f"set {REPO_URL_VARIABLES[0]}"
    if repository is None:
        raise NoTargetError("without a git repository its URL must be said", hint=hint)
    remote = default_remote(repository, read_head(repository), settings)
    url = remote_url(repository, remote) if remote is not None else None
    if url is None:
        raise NoTargetError(
            "there is no git remote whose URL could name the repository",
            hint=f"git remote add origin <url>, git config {REPO_SETTING} <url>, or {hint}",
        )
    return url


def _ask_git(repository: Repository | None, url: str) -> str | None:
    """Return the password that git's credential helpers know for the receiver; nobody is asked on a terminal."""
    if repository is None:
        return None
    from gittrack.git.credentials import Credentials

    login = Credentials(repository).fill(url)
    return login[1] if login is not None else None


def _is_true(value: object) -> bool:
    """Read a switch as git does.

    Raises:
        BadSettingError: It says neither yes nor no.
    """
    if value is None or isinstance(value, bool):
        return bool(value)
    word = str(value).strip().lower()
    if word not in _WORDS:
        raise BadSettingError(f"live posting is switched off by true or false, not {value!r:.100}")
    return _WORDS[word]
