"""The batch API of Git LFS: ask a server, a hundred objects at a time, where to send them or where to get them.

https://github.com/git-lfs/git-lfs/blob/main/docs/api/batch.md
"""

from __future__ import annotations

import json
import re
import threading
import time
from typing import TYPE_CHECKING, Any, NamedTuple

from gittrack.git.lfs_endpoint import NoLfsServerError, find_lfs_endpoint
from gittrack.git.settings import read_url_setting
from gittrack.git.ssh import SshError, ask_over_ssh
from gittrack.storage.http_client import HttpClient, check_url, show, what_it_says
from gittrack.storage.protocol import StorageError
from gittrack.storage.retries import TransientError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import requests

    from gittrack.git.lfs_endpoint import LfsEndpoint, Operation
    from gittrack.git.repository import Repository
    from gittrack.storage.http_client import CredentialSource
    from gittrack.storage.lfs_map import LfsName

BATCH_SIZE = 100
_MEDIA_TYPE = "application/vnd.git-lfs+json"
_MAX_ANSWER_BYTES = 16 << 20
_GONE = frozenset({404, 410, 422})  # 422: it has another size there, so it is not the one that was meant
_ALL_ABSENT = frozenset({404, 422})
_TRANSIENT = frozenset({408, 429, 500, 502, 503, 504, 509})
_EARLY_S = 10.0  # an address that ends so soon is as good as ended
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
# The connection's own, which are made here.
_NOT_OURS_TO_SET = frozenset({"connection", "content-length", "host", "transfer-encoding", "upgrade", "te", "trailer"})


class Action(NamedTuple):
    """What a server lets us do with an object.

    Attributes:
        url: Where.
        headers: To be sent there.
        ends: When that ends to be valid, in seconds of `time.monotonic`; None when nobody said.
    """

    url: str
    headers: dict[str, str]
    ends: float | None

    @property
    def is_over(self) -> bool:
        """Whether a new one must be asked for."""
        return self.ends is not None and time.monotonic() > self.ends - _EARLY_S


class Actions(NamedTuple):
    """What a server answers for an object.

    Attributes:
        is_there: Whether the server has it.
        transfer: How to send or get it; None when there is nothing to do.
        verify: What to call after sending it; None for nothing.
    """

    is_there: bool
    transfer: Action | None = None
    verify: Action | None = None


class _FormError(ValueError):
    """An answer is not what the protocol says."""


class LfsServer:
    """The Git LFS server of a remote.

    Args:
        repository: The repository.
        remote: The name of a remote.
        credentials: Who knows passwords.
        accept: Called with the address that only the repository's own files name; raises when it must not be used.
    """

    def __init__(
        self,
        repository: Repository,
        remote: str,
        credentials: CredentialSource | None,
        accept: Callable[[str], object],
    ) -> None:
        self._repository = repository
        self._remote = remote
        self._credentials = credentials
        self._accept = accept
        self._lock = threading.Lock()
        self._sites: dict[Operation, tuple[Action, HttpClient]] = {}

    def client(self, operation: Operation) -> HttpClient:
        """Return the connections for an operation."""
        return self._site(operation)[1]

    def ask(self, operation: Operation, names: Sequence[LfsName]) -> dict[str, Actions]:
        """Ask what to do with objects.

        Args:
            operation: ``upload`` or ``download``.
            names: The objects, at most `BATCH_SIZE`.

        Returns:
            The answers by SHA-256.

        Raises:
            TransientError: It may work in a moment.
            StorageError: It will not.
        """
        question = {
            "operation": operation,
            "transfers": ["basic"],
            "hash_algo": "sha256",
            "objects": [{"oid": name.sha256, "size": name.size} for name in names],
        }
        site, client = self._site(operation)
        response = client.request(
            "POST",
            f"{site.url}/objects/batch",
            headers={**site.headers, "Accept": _MEDIA_TYPE, "Content-Type": _MEDIA_TYPE},
            body=lambda: json.dumps(question).encode(),
            accept=_ALL_ABSENT if operation == "download" else frozenset(),
        )
        if response.status_code in _ALL_ABSENT:
            return self._ask_apart(operation, names, response)
        data = b""
        try:
            for piece in client.read(response):
                data += piece
                if len(data) > _MAX_ANSWER_BYTES:
                    raise StorageError(f"{show(site.url)} answers with more than {_MAX_ANSWER_BYTES:,} bytes")
        finally:
            response.close()
        try:
            return parse_answer(data, operation, {name.sha256 for name in names})
        except ValueError as error:
            raise StorageError(
                f"{show(site.url)} does not answer as a Git LFS server: {error}",
                hint="see whether the host offers Git LFS, or name its server: git config lfs.url <url>",
            ) from error

    def _ask_apart(
        self, operation: Operation, names: Sequence[LfsName], response: requests.Response
    ) -> dict[str, Actions]:
        """Tell objects that are all absent, for which some servers refuse the request as a whole, from other faults."""
        said = what_it_says(response)
        response.close()
        if "object" not in said.lower():
            raise StorageError(
                f"{show(response.url)} answers {response.status_code}{f': {said}' if said else ''}",
                hint="see whether the address is right and you may read there",
            )
        if len(names) == 1:
            return {names[0].sha256: Actions(is_there=False)}
        return {sha256: actions for name in names for sha256, actions in self.ask(operation, [name]).items()}

    def confirm(self, action: Action, name: LfsName) -> None:
        """Tell the server that an object was sent, as it asked for.

        Raises:
            TransientError: It may work in a moment.
            StorageError: The server finds it wrong.
        """
        body = json.dumps({"oid": name.sha256, "size": name.size}).encode()
        headers = {"Accept": _MEDIA_TYPE, "Content-Type": _MEDIA_TYPE, **action.headers}
        self.client("upload").request("POST", action.url, headers=headers, body=lambda: body).close()

    def _site(self, operation: Operation) -> tuple[Action, HttpClient]:
        """Return where the server is, and connections to it; asked again when a token has ended."""
        with self._lock:
            known = self._sites.get(operation)
            if known is not None and not known[0].is_over:
                return known
            try:
                endpoint = find_lfs_endpoint(self._repository, self._remote, operation)
            except (NoLfsServerError, SshError) as error:
                raise StorageError(error.message, hint=error.hint) from error
            if endpoint.is_committed:
                self._accept(endpoint.url)
            site = self._resolve(endpoint, operation)
            check_url(site.url)
            client = known[1] if known is not None else self._connect(site.url, endpoint)
            self._sites[operation] = (site, client)
            return site, client

    def _resolve(self, endpoint: LfsEndpoint, operation: Operation) -> Action:
        if endpoint.ssh is None:
            return Action(endpoint.url, {}, None)
        words = ("git-lfs-authenticate", endpoint.ssh.path, operation)
        try:
            answer = json.loads(ask_over_ssh(self._repository, endpoint.ssh, *words))
            if not isinstance(answer, dict):
                raise _FormError("not an object")
            return _parse_action({**answer, "href": answer.get("href") or endpoint.url})
        except SshError as error:
            raise StorageError(error.message, hint="see whether the host offers Git LFS over ssh") from error
        except (ValueError, RecursionError) as error:
            raise StorageError(f"'{words[0]}' on {endpoint.ssh.host} answers nonsense: {error}") from error

    def _connect(self, url: str, endpoint: LfsEndpoint) -> HttpClient:
        extra = read_url_setting(self._repository, "http.extraHeader", url) or ""
        name, separator, value = extra.partition(":")
        headers = {name.strip(): value.strip()} if separator else {}
        client = HttpClient(self._repository.environ, self._credentials, {url: headers})
        if endpoint.user is not None:
            client.log_in(url, *endpoint.user)
        return client


def parse_answer(data: bytes, operation: Operation, asked: set[str]) -> dict[str, Actions]:
    """Read the answer of a batch request.

    Args:
        data: The answer.
        operation: What was asked.
        asked: The SHA-256 of the objects.

    Returns:
        What to do for each.

    Raises:
        ValueError: It is in another form, or an object is missing in it.
        TransientError: The server had a fault with an object that may be gone in a moment.
        StorageError: The server refuses an object.
    """
    try:
        answer: Any = json.loads(data)
    except RecursionError as error:
        raise _FormError("too deep") from error
    if not isinstance(answer, dict) or not isinstance(answer.get("objects"), list):
        raise _FormError("no list of objects")
    if answer.get("transfer", "basic") != "basic":
        raise _FormError(f"it wants the transfer {answer['transfer']!r:.40}, which was not offered")
    found = {
        entry["oid"]: _parse_entry(entry, operation)
        for entry in answer["objects"]
        if isinstance(entry, dict) and entry.get("oid") in asked
    }
    if missing := asked - found.keys():
        raise _FormError(f"{len(missing)} objects are missing in its answer")
    return found


def _parse_entry(entry: dict[str, Any], operation: Operation) -> Actions:
    error = entry.get("error")
    if isinstance(error, dict):
        code = error.get("code")
        if code in _GONE and operation == "download":
            return Actions(is_there=False)
        said = "".join(char for char in str(error.get("message", ""))[:200] if char.isprintable())
        message = f"the Git LFS server refuses the object {entry['oid'][:12]}: {code!r:.20} {said}".rstrip()
        raise TransientError(message) if code in _TRANSIENT else StorageError(message)
    actions = entry.get("actions") or {}
    if not isinstance(actions, dict):
        raise _FormError("actions that are no object")
    if operation == "download":
        if "download" not in actions:
            raise _FormError("an object without the action 'download'")
        return Actions(is_there=True, transfer=_parse_action(actions["download"]))
    if "upload" not in actions:
        return Actions(is_there=True)
    verify = actions.get("verify")
    return Actions(False, _parse_action(actions["upload"]), _parse_action(verify) if verify else None)  # noqa: FBT003  as named


def _parse_action(action: object) -> Action:
    if not isinstance(action, dict) or not isinstance(action.get("href"), str):
        raise _FormError("an action without an address")
    headers = action.get("header") or {}
    if not isinstance(headers, dict):
        raise _FormError("headers that are no object")
    return Action(action["href"].rstrip("/"), _check_headers(headers), _ends(action))


def _check_headers(headers: Mapping[Any, Any]) -> dict[str, str]:
    checked = {}
    for name, value in headers.items():
        if not isinstance(value, str) or not _TOKEN.fullmatch(name) or not value.isprintable():
            raise _FormError(f"the header {name!r:.40}")
        if name.lower() not in _NOT_OURS_TO_SET:
            checked[name] = value
    return checked


def _ends(action: dict[str, Any]) -> float | None:
    seconds = action.get("expires_in")
    if type(seconds) is int and seconds > 0:
        return time.monotonic() + min(seconds, 1 << 31)
    text = action.get("expires_at")
    if not isinstance(text, str):
        return None
    from datetime import datetime, timezone

    try:
        ends = datetime.fromisoformat(re.sub(r"\.\d+", "", text.upper()).replace("Z", "+00:00"))
    except ValueError:
        return None
    if ends.tzinfo is None or ends.year < 2000:  # noqa: PLR2004  servers send the year 1 for never
        return None
    return time.monotonic() + (ends - datetime.now(timezone.utc)).total_seconds()
