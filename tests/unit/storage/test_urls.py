"""The URLs of storages: what is accepted, what is refused, and what an unencrypted line needs."""

from __future__ import annotations

import pytest

from gittrack.storage.protocol import StorageError
from gittrack.storage.urls import check_encryption, folder_of, parse_storage_url


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("s3://bucket", ("s3", "bucket", "")),
        ("S3://bucket/a/b/", ("s3", "bucket", "/a/b")),
        ("gs://bucket/a%20b", ("gs", "bucket", "/a%20b")),
        ("abfs://box@account.dfs.core.windows.net/x", ("abfs", "box@account.dfs.core.windows.net", "/x")),
        ("https://host:8443/x", ("https", "host:8443", "/x")),
        ("file:///mnt/data", ("file", "", "/mnt/data")),
        ("file://localhost/mnt/data", ("file", "", "/mnt/data")),
    ],
)
def test_good_urls_are_read(text: str, parts: tuple[str, str, str]) -> None:
    """Scheme, host and path come apart, and slashes at the end do not count."""
    assert tuple(parse_storage_url(text)) == parts


@pytest.mark.parametrize(
    "text",
    [
        "",
        "bucket",
        "ftp://host/x",
        "ext::sh -c touch",
        "s3:bucket",
        "s3://",
        "s3:///x",
        "s3://bucket/a b",
        "s3://bucket/\n",
        "s3://bucket/\x1b[31m",
        "s3://bücket",
        "s3://bucket/a/../b",
        "s3://bucket/%2e%2e/b",
        "s3://bucket/a\\b",
        "file://host/share",
        "file://relative",
    ],
)
def test_bad_urls_are_refused(text: str) -> None:
    """What is no URL of a storage, or could mean another place than it says."""
    with pytest.raises(StorageError):
        parse_storage_url(text)


@pytest.mark.parametrize(
    "text",
    [
        "s3://key:s3cret@bucket/x",
        "https://me:s3cret@host/x",
        "https://s3cret@host/x",
        "https://host/x?sig=s3cret",
        "az://box/x#s3cret",
        "abfs://box:s3cret@account/x",
    ],
)
def test_a_credential_is_refused_and_not_shown(text: str) -> None:
    """A URL with a credential is an error, whose message does not spread it."""
    with pytest.raises(StorageError) as caught:
        parse_storage_url(text)
    assert "s3cret" not in f"{caught.value} {caught.value.hint}"


def test_folders_are_decoded() -> None:
    """Percent signs stand for bytes, in UTF-8 or not."""
    assert str(folder_of(parse_storage_url("file:///mnt/my%20data%C3%A9"))) == "/mnt/my dataé"


@pytest.mark.parametrize("text", ["file://localhost", "file:///", "file:///a%00b"])
def test_what_is_no_folder_is_refused(text: str) -> None:
    """The root of the disk, nothing at all, and a NUL."""
    with pytest.raises(StorageError):
        folder_of(parse_storage_url(text))


def test_an_unencrypted_line_must_be_local_or_allowed() -> None:
    """http:// goes to this machine, or anywhere when the user's environment says so; https:// always."""
    for url in ("http://127.0.0.1:80/x", "http://localhost/x", "http://[::1]/x", "https://example.org/x"):
        check_encryption(url, {})
    check_encryption("http://example.org/x", {"GITTRACK_ALLOW_HTTP": "1"})
    for url in ("http://example.org/x", "http://127.0.0.1.example.org/x", "HTTP://10.0.0.1/x"):
        with pytest.raises(StorageError, match="not encrypted"):
            check_encryption(url, {})
