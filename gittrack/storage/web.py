"""A web server as storage: ``GET``, ``HEAD`` and ``PUT`` on ``<url>/b3/<2 hex>/<62 hex>``, and WebDAV if it can."""

from __future__ import annotations

import contextlib
import re
from typing import TYPE_CHECKING

from gittrack.artifacts.digest import Digest
from gittrack.storage.bodies import Rewound
from gittrack.storage.parallel import run_parallel
from gittrack.storage.remote import RemoteBackend
from gittrack.storage.retries import TransientError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    import requests

    from gittrack.artifacts.intake import Incoming
    from gittrack.storage.backend import StoredObject
    from gittrack.storage.http_client import HttpClient
    from gittrack.storage.retries import Retries
    from gittrack.storage.urls import StorageUrl

_LIST_ABOVE = 100  # objects, from which on it is asked for a listing first
_HEADS_PER_JOB = 4  # they wait for the line rather than fill it
_NOT_THERE = frozenset({404, 410})
_NO_FOLDER = frozenset({404, 409})
_NO_LISTING = frozenset({*range(400, 429), *range(430, 452), 501})
_IS_LISTING = 207
_IS_PART = 206
_BAD_RANGE = 416
_ENTRY = re.compile(
    rb"<(?:\w+:)?href[^>]*>[^<]*/b3/(?P<head>[0-9a-f]{2})/(?P<tail>[0-9a-f]{62})</.*?"
    rb"<(?:\w+:)?getcontentlength[^>]*>\s*(?P<size>\d{1,19})\s*<",
    re.DOTALL,
)
_END_OF_ENTRY = re.compile(rb"</(?:\w+:)?response\s*>")
_MAX_ENTRY_BYTES = 1 << 20
_WANTED_PROPERTIES = b'<?xml version="1.0"?><propfind xmlns="DAV:"><prop><getcontentlength/></prop></propfind>'


class WebBackend(RemoteBackend):
    """A web server that keeps what is put there.

    Args:
        url: Where the objects are.
        client: Connections to it.
        retries: How often requests are tried again.
    """

    def __init__(self, url: StorageUrl, client: HttpClient, retries: Retries | None = None) -> None:
        super().__init__(retries)
        self._url = str(url)
        self._client = client

    @property
    def label(self) -> str:
        """The URL."""
        return self._url

    def find_present(self, objects: Sequence[StoredObject], n_jobs: int) -> set[Digest]:
        """Return those that are here with their size; see `Backend.find_present`."""
        sizes = self.retries.run(self._list) if len(objects) > _LIST_ABOVE else None
        if sizes is None:
            found = run_parallel(self._is_here, objects, n_jobs * _HEADS_PER_JOB)
            return {item.digest for item, is_here in zip(objects, found, strict=True) if is_here}
        return {item.digest for item in objects if item.digest in sizes and item.size in (None, sizes[item.digest])}

    def upload(self, item: StoredObject, path: Path, size: int, on_bytes: Callable[[int], object]) -> None:
        """Send an object once; see `RemoteBackend.upload`."""
        with contextlib.closing(Rewound(path, size, on_bytes)) as body:
            response = self._client.request("PUT", self._address(item.digest), body=body, accept=_NO_FOLDER)
            response.close()
            if response.status_code in _NO_FOLDER:  # WebDAV wants each folder to be made
                self._make_folders(item.digest)
                self._client.request("PUT", self._address(item.digest), body=body).close()

    def download(self, item: StoredObject, incoming: Incoming, on_bytes: Callable[[int], object]) -> bool:
        """Write the bytes of an object that follow those that are there; see `RemoteBackend.download`."""
        return download(self._client, self._address(item.digest), {}, incoming, on_bytes)

    def _address(self, digest: Digest) -> str:
        return f"{self._url}/b3/{digest[:2]}/{digest[2:]}"

    def _is_here(self, item: StoredObject) -> bool:
        response = self.retries.run(lambda: self._client.request("HEAD", self._address(item.digest), accept=_NOT_THERE))
        response.close()
        # Some servers answer every address with a page of their own, so the size counts.
        length = response.headers.get("Content-Length", "")
        return response.ok and length.isdecimal() and item.size in (None, int(length))

    def _list(self) -> dict[Digest, int] | None:
        """Return the sizes of all objects by one request of WebDAV; None where the server does not know it."""
        response = self._client.request(
            "PROPFIND",
            f"{self._url}/b3/",
            headers={"Depth": "infinity", "Content-Type": "application/xml"},
            body=lambda: _WANTED_PROPERTIES,
            accept=_NO_LISTING,
        )
        with contextlib.closing(response):
            if response.status_code != _IS_LISTING:
                return None
            return _read_listing(self._client.read(response))

    def _make_folders(self, digest: Digest) -> None:
        for folder in ("", "/b3", f"/b3/{digest[:2]}"):
            self._client.request("MKCOL", f"{self._url}{folder}/", accept=_NO_LISTING).close()


def download(
    client: HttpClient,
    url: str,
    headers: dict[str, str],
    incoming: Incoming,
    on_bytes: Callable[[int], object],
) -> bool:
    """Write the bytes of an object that follow those that are there, from a server that may know ranges.

    Args:
        client: Connections.
        url: The object.
        headers: Further headers.
        incoming: Where to write.
        on_bytes: Called with the bytes that have travelled, negative when they travel again.

    Returns:
        Whether it is there.

    Raises:
        TransientError: It may work in a moment.
        StorageError: It will not.
        WrongContentError: More bytes came than the object has.
    """
    start = incoming.n_bytes
    wanted = {**headers, "Range": f"bytes={start}-"} if start else headers
    response = client.request("GET", url, headers=wanted, accept=_NOT_THERE | {_BAD_RANGE})
    with contextlib.closing(response):
        if response.status_code in _NOT_THERE:
            return False
        if start and not _continues(response, start):
            on_bytes(-start)
            incoming.restart()
            if response.status_code != 200:  # noqa: PLR2004  the whole object
                raise TransientError(f"{response.url.partition('?')[0]} cannot continue at byte {start:,}")
        for piece in client.read(response):
            incoming.write(piece)
            on_bytes(len(piece))
    return True


def _continues(response: requests.Response, start: int) -> bool:
    begin = response.headers.get("Content-Range", "").partition("-")[0]
    return response.status_code == _IS_PART and begin.strip() == f"bytes {start}"


def _read_listing(pieces: Iterable[bytes]) -> dict[Digest, int]:
    """Read names and sizes, and nothing else, from XML that may be hostile."""
    sizes: dict[Digest, int] = {}
    rest = b""
    for piece in pieces:
        *entries, rest = _END_OF_ENTRY.split(rest + piece)
        for entry in entries:
            if match := _ENTRY.search(entry):
                sizes[Digest((match["head"] + match["tail"]).decode())] = int(match["size"])
        rest = rest[-_MAX_ENTRY_BYTES:]
    return sizes
