"""Each kind of storage, empty, with a way to put other bytes into it behind its back."""

from __future__ import annotations

import json
import urllib.request
import uuid
from contextlib import ExitStack
from typing import TYPE_CHECKING, NamedTuple

import pytest

from gittrack.git.credentials import Credentials
from gittrack.storage.file import FileBackend
from gittrack.storage.http_client import HttpClient
from gittrack.storage.lfs import LfsBackend
from gittrack.storage.lfs_batch import LfsServer
from gittrack.storage.lfs_map import LfsMap
from gittrack.storage.object_store import ObjectStoreBackend
from gittrack.storage.objectwise import ObjectwiseStorage
from gittrack.storage.retries import Retries
from gittrack.storage.urls import parse_storage_url
from gittrack.storage.web import WebBackend
from tests.support.git_repository import run_git
from tests.support.object_server import serve_objects
from tests.support.remotes import make_pair
from tests.support.storage_servers import AZURITE_ACCOUNT, AZURITE_KEY, serve_azure, serve_lfs, serve_s3

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from gittrack.artifacts.digest import Digest

KINDS = ("file", "http", "webdav", "s3", "gs", "az", "lfs")


class Place(NamedTuple):
    """A storage under test.

    Attributes:
        storage: The storage.
        again: Opens it a second time, as another clone would.
        tamper: Puts other bytes in place of an object; None removes it.
    """

    storage: ObjectwiseStorage
    again: Callable[[], ObjectwiseStorage]
    tamper: Callable[[Digest, bytes | None], None]


@pytest.fixture(scope="session")
def s3_server() -> Iterator[str]:
    """An S3 server."""
    with serve_s3() as url:
        yield url


@pytest.fixture(scope="session")
def azure_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """An Azure Blob Storage server."""
    with serve_azure(tmp_path_factory.mktemp("azure")) as url:
        yield url


@pytest.fixture(scope="session")
def lfs_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """A Git LFS server and the folder of its objects."""
    folder = tmp_path_factory.mktemp("lfs")
    with serve_lfs(folder) as url:
        yield url, folder


def quick_retries() -> Retries:
    """Return the usual number of tries, without the waiting."""
    return Retries(sleep=lambda _: None)


@pytest.fixture(params=KINDS)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    """Each kind of storage."""
    with ExitStack() as stack:
        yield make_place(request, tmp_path, request.param, stack)


def make_place(request: pytest.FixtureRequest, folder: Path, kind: str, stack: ExitStack) -> Place:
    """Make an empty storage of a kind."""
    if kind == "file":
        return file_place(folder / "storage")
    if kind in {"http", "webdav"}:
        return web_place(kind, stack)
    if kind == "lfs":
        url, objects = request.getfixturevalue("lfs_server")
        return lfs_place(folder, url, objects)
    if kind == "gs":
        return google_place(stack)
    return bucket_place(kind, request.getfixturevalue(f"{'azure' if kind == 'az' else kind}_server"))


def file_place(folder: Path) -> Place:
    """A folder."""

    def tamper(digest: Digest, data: bytes | None) -> None:
        path = folder / "b3" / digest[:2] / digest[2:]
        path.unlink()
        if data is not None:
            path.write_bytes(data)

    def make() -> ObjectwiseStorage:
        return ObjectwiseStorage(FileBackend(folder))

    return Place(make(), make, tamper)


def web_place(kind: str, stack: ExitStack) -> Place:
    """A web server."""
    server = stack.enter_context(serve_objects("webdav" if kind == "webdav" else "plain"))

    def tamper(digest: Digest, data: bytes | None) -> None:
        key = f"team/b3/{digest[:2]}/{digest[2:]}"
        if data is None:
            del server.objects[key]
        else:
            server.objects[key] = data

    def make() -> ObjectwiseStorage:
        client = HttpClient({})
        stack.callback(client.close)
        return ObjectwiseStorage(WebBackend(parse_storage_url(f"{server.url}/team"), client, quick_retries()))

    return Place(make(), make, tamper)


def google_place(stack: ExitStack) -> Place:
    """A bucket of Google Cloud Storage, whose XML API our own server speaks."""
    server = stack.enter_context(serve_objects("bucket"))
    account = {
        "gcs_base_url": server.url,
        "disable_oauth": True,
        "client_email": "",
        "private_key": "",
        "private_key_id": "",
    }
    environ = {"GOOGLE_SERVICE_ACCOUNT_KEY": json.dumps(account), "GITTRACK_ALLOW_HTTP": "1"}

    def tamper(digest: Digest, data: bytes | None) -> None:
        key = f"team/line/b3/{digest[:2]}/{digest[2:]}"
        if data is None:
            del server.objects[key]
        else:
            server.objects[key] = data

    def make() -> ObjectwiseStorage:
        return ObjectwiseStorage(ObjectStoreBackend(parse_storage_url("gs://team/line"), environ, quick_retries()))

    return Place(make(), make, tamper)


def bucket_place(kind: str, address: str) -> Place:
    """A new bucket of S3 or container of Azure."""
    name = f"b{uuid.uuid4().hex[:12]}"
    if kind == "s3":
        environ = s3_environ(address)
        make_bucket(address, name)
    else:
        environ = {
            "AZURE_STORAGE_ACCOUNT_NAME": AZURITE_ACCOUNT,
            "AZURE_STORAGE_ACCOUNT_KEY": AZURITE_KEY,
            "AZURE_STORAGE_ENDPOINT": address,
        }
        make_container(address, name)
    backends = []

    def make() -> ObjectwiseStorage:
        backends.append(ObjectStoreBackend(parse_storage_url(f"{kind}://{name}/line"), environ, quick_retries()))
        return ObjectwiseStorage(backends[-1])

    def tamper(digest: Digest, data: bytes | None) -> None:
        key = f"b3/{digest[:2]}/{digest[2:]}"
        if data is None:
            backends[0]._store.delete(key)
        else:
            backends[0]._store.put(key, data)

    return Place(make(), make, tamper)


def s3_environ(address: str) -> dict[str, str]:
    """Return the environment of somebody who uses an S3 server."""
    return {
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": address,
    }


def make_bucket(address: str, name: str) -> None:
    """Make a bucket."""
    headers = {"Authorization": "AWS4-HMAC-SHA256 Credential=key/20240101/us-east-1/s3/aws4_request"}
    urllib.request.urlopen(urllib.request.Request(f"{address}/{name}", method="PUT", headers=headers)).close()


def make_container(address: str, name: str) -> None:
    """Make a container, signed as Azure wants it."""
    import base64
    import email.utils
    import hashlib
    import hmac

    date = email.utils.formatdate(usegmt=True)
    path = f"/{AZURITE_ACCOUNT}/{AZURITE_ACCOUNT}/{name}"
    text = f"PUT\n\n\n\n\n\n\n\n\n\n\n\nx-ms-date:{date}\nx-ms-version:2021-08-06\n{path}\nrestype:container"
    signature = base64.b64encode(hmac.new(base64.b64decode(AZURITE_KEY), text.encode(), hashlib.sha256).digest())
    headers = {
        "x-ms-date": date,
        "x-ms-version": "2021-08-06",
        "Authorization": f"SharedKey {AZURITE_ACCOUNT}:{signature.decode()}",
        "Content-Length": "0",
    }
    url = f"{address}/{name}?restype=container"
    urllib.request.urlopen(urllib.request.Request(url, method="PUT", headers=headers)).close()


def lfs_place(folder: Path, url: str, objects: Path) -> Place:
    """The Git LFS server of a remote, in a repository of its own."""
    pair = make_pair(folder / "lfs")
    team = f"team{uuid.uuid4().hex[:8]}"
    for repository in (pair.ada, pair.bob):
        run_git("config", "lfs.url", f"{url}/{team}/project.git/info/lfs", cwd=repository.require_work_tree())
    clones = iter([pair.ada, pair.bob, pair.bob, pair.bob])

    def make() -> ObjectwiseStorage:
        repository = next(clones)
        server = LfsServer(repository, "origin", Credentials(repository), lambda _: None)
        names = LfsMap(repository, "origin")
        return ObjectwiseStorage(LfsBackend("origin (Git LFS)", server, names, quick_retries()))

    def tamper(digest: Digest, data: bytes | None) -> None:
        names = LfsMap(pair.bob, "origin")
        names.fetch()
        path = objects / team / "project" / names.look_up([digest])[digest].sha256
        if data is None:
            path.unlink()
        else:
            path.write_bytes(data)

    return Place(make(), make, tamper)
