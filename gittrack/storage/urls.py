"""The URLs of storages: what they may hold, and when a line without encryption will do."""

from __future__ import annotations

import ipaddress
import re
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import unquote_to_bytes, urlsplit

from gittrack.storage.protocol import StorageError

if TYPE_CHECKING:
    from collections.abc import Mapping

OBJECT_STORE_SCHEMES = ("s3", "s3a", "gs", "az", "azure", "adl", "abfs", "abfss")
WEB_SCHEMES = ("http", "https")
SCHEMES = ("file", *OBJECT_STORE_SCHEMES, *WEB_SCHEMES)
ALLOW_HTTP_VARIABLE = "GITTRACK_ALLOW_HTTP"
_FORM = re.compile(r"(?P<scheme>[a-z][a-z0-9+.-]*)://(?P<host>[^/]*)(?P<path>(?:/.*)?)", re.IGNORECASE)
_PLAIN = re.compile(r"[!-~]+")
_YES = frozenset({"1", "true", "yes", "on"})


class StorageUrl(NamedTuple):
    """The URL of a storage.

    Attributes:
        scheme: In lower case, such as ``s3``.
        host: A bucket, container or host with an optional port; empty for a folder.
        path: Begins with a slash unless it is empty; never ends with one.
    """

    scheme: str
    host: str
    path: str

    def __str__(self) -> str:
        return f"{self.scheme}://{self.host}{self.path}"


def parse_storage_url(text: str) -> StorageUrl:
    """Read the URL of a storage.

    Args:
        text: Such as ``s3://bucket/prefix``.

    Raises:
        StorageError: It is of no known kind, or holds a credential, a query, ``..`` or what is not printable ASCII.

    Example:
        >>> parse_storage_url("s3://team-data/line/").path
        '/line'
    """
    match = _FORM.fullmatch(text)
    scheme = match["scheme"].lower() if match else ""
    if match is None or scheme not in SCHEMES:
        known = ", ".join(f"{name}://" for name in SCHEMES)
        raise StorageError("the storage is neither a known word nor a URL", hint=f"use git, lfs or one of {known}")
    host, path = match["host"], match["path"].rstrip("/")
    # The text is not shown: it may hold the credential.
    is_container = scheme.startswith("abfs") and ":" not in host.rpartition("@")[0]
    if ("@" in host and not is_container) or "?" in text or "#" in text:
        raise StorageError(
            f"the {scheme}:// URL of the storage holds a credential, query or fragment",
            hint="keep credentials where the store's own programs read them, such as the environment",
        )
    if _PLAIN.fullmatch(text) is None or "\\" in text or b".." in unquote_to_bytes(path).split(b"/"):
        raise StorageError(
            f"the {scheme}:// URL of the storage holds a space, a control character, a backslash or '..'",
            hint="write other characters as %XX",
        )
    if (scheme == "file") != (not host) and not (scheme == "file" and host == "localhost"):
        form = "file:///folder" if scheme == "file" else f"{scheme}://name/prefix"
        raise StorageError(f"the {scheme}:// URL of the storage is not of the form {form}")
    return StorageUrl(scheme, "" if scheme == "file" else host, path)


def folder_of(url: StorageUrl) -> Path:
    """Return the folder that a ``file://`` URL names.

    Raises:
        StorageError: It names the root of the disk, or holds a NUL.

    Example:
        >>> folder_of(parse_storage_url("file:///mnt/team%20data")).name
        'team data'
    """
    raw = unquote_to_bytes(url.path)
    if not raw.startswith(b"/") or b"\0" in raw:
        raise StorageError(f"'{url}' names no folder", hint="write file:// and an absolute path")
    return Path(raw.decode("utf-8", "surrogateescape"))


def check_encryption(url: str, environ: Mapping[str, str]) -> None:
    """Refuse ``http://`` to another machine, where everybody on the way can read and change what travels.

    Args:
        url: Any URL.
        environ: The user's environment, which may allow it.

    Raises:
        StorageError: It would not be encrypted.
    """
    if not url.lower().startswith("http://") or is_allowed(environ, ALLOW_HTTP_VARIABLE):
        return
    host = urlsplit(url).hostname or ""
    if not _is_loopback(host):
        raise StorageError(
            f"http://{host} is not encrypted",
            hint=f"use https://, or set {ALLOW_HTTP_VARIABLE}=1 in a network you trust",
        )


def is_allowed(environ: Mapping[str, str], variable: str) -> bool:
    """Return whether a variable of the environment says yes."""
    return environ.get(variable, "").lower() in _YES


def _is_loopback(host: str) -> bool:
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
