"""A line and a server that fail: what arrives is right or an error, and the number of requests is bounded."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from gittrack.artifacts.intake import RESUME_ABOVE_BYTES
from gittrack.scratch import sweep_scratch
from gittrack.storage.http_client import HttpClient
from gittrack.storage.object_store import ObjectStoreBackend
from gittrack.storage.objectwise import ObjectwiseStorage
from gittrack.storage.protocol import Progress, StorageError
from gittrack.storage.retries import Retries
from gittrack.storage.urls import parse_storage_url
from gittrack.storage.web import WebBackend
from tests.support.object_server import Fault, serve_objects
from tests.support.parcels import Meter, add_file, add_folder, find_faults, make_cache, read_folder

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from gittrack.artifacts.cache import Cache
    from gittrack.storage.protocol import Parcel
    from tests.support.object_server import ObjectServer

DATA = random.Random(2).randbytes(300_000)


@pytest.fixture
def server() -> Iterator[ObjectServer]:
    """A plain web server."""
    with serve_objects() as server:
        yield server


@pytest.fixture
def slept() -> list[float]:
    """What was waited for, in seconds."""
    return []


@pytest.fixture
def storage(server: ObjectServer, slept: list[float]) -> Iterator[ObjectwiseStorage]:
    """That server as storage, without the waiting."""
    with ExitStack() as stack:
        yield open_web(server, stack, slept)


def open_web(server: ObjectServer, stack: ExitStack, slept: list[float]) -> ObjectwiseStorage:
    client = HttpClient({})
    stack.callback(client.close)
    url = parse_storage_url(f"{server.url}/team")
    return ObjectwiseStorage(WebBackend(url, client, Retries(sleep=slept.append)))


def put(server: ObjectServer, cache: Cache, data: bytes) -> Parcel:
    """Put an object on the server, which the cache then lacks."""
    parcel = add_file(cache, data)
    server.objects[f"team/b3/{parcel.digest[:2]}/{parcel.digest[2:]}"] = data
    cache.remove(parcel.digest)
    return parcel


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_passing_faults_are_overcome(
    server: ObjectServer, storage: ObjectwiseStorage, tmp_path: Path, status: int
) -> None:
    """A server that is busy for a moment, in any request, is asked again."""
    cache = make_cache(tmp_path)
    parcel = add_file(cache, DATA)
    server.faults = [Fault(method, status) for method in ("HEAD", "PUT", "GET")]
    storage.send([parcel], cache)
    cache.remove(parcel.digest)
    assert storage.fetch([parcel], cache) == []
    assert cache.read(parcel.digest, 1 << 20) == DATA
    assert server.faults == []


def test_retry_after_is_honoured(
    server: ObjectServer, storage: ObjectwiseStorage, slept: list[float], tmp_path: Path
) -> None:
    """The pause is the one that the server asks for."""
    cache = make_cache(tmp_path)
    parcel = put(server, cache, DATA)
    server.faults = [Fault("GET", 429, retry_after="11"), Fault("GET", 503, retry_after="3")]
    assert storage.fetch([parcel], cache) == []
    assert sum(slept) == pytest.approx(14)


@pytest.mark.parametrize(("status", "n_requests"), [(503, 5), (429, 5), (400, 1), (403, 1), (413, 1), (501, 1)])
def test_lasting_faults_end_soon(
    server: ObjectServer, storage: ObjectwiseStorage, tmp_path: Path, status: int, n_requests: int
) -> None:
    """Five tries for what may pass, one for what will not; the error names the address and the status."""
    cache = make_cache(tmp_path)
    parcel = put(server, cache, DATA)
    server.always = Fault("GET", status)
    with pytest.raises(StorageError, match=rf"{server.url}/team/b3/.* answers {status}.*not now"):
        storage.fetch([parcel], cache)
    assert server.count("GET") == n_requests
    assert find_faults(cache) == []


@pytest.mark.parametrize("n_bytes", [0, 1, 1000, len(DATA) - 1])
def test_a_cut_download_continues_where_it_was_cut(
    server: ObjectServer, storage: ObjectwiseStorage, tmp_path: Path, n_bytes: int
) -> None:
    """After a cut at byte k only the bytes from k on are asked for again."""
    cache, meter = make_cache(tmp_path), Meter()
    parcel = put(server, cache, DATA)
    server.faults = [Fault(cut_after=n_bytes)]
    assert storage.fetch([parcel], cache, meter.progress) == []
    assert cache.read(parcel.digest, 1 << 20) == DATA
    assert [entry[2] for entry in server.requests] == [None, f"bytes={n_bytes}-" if n_bytes else None]
    assert meter.n_bytes == len(DATA)


@pytest.mark.parametrize("n_bytes", [0, 1000, len(DATA) - 1])
def test_a_reset_is_overcome(server: ObjectServer, storage: ObjectwiseStorage, tmp_path: Path, n_bytes: int) -> None:
    """A connection that is torn down, with what was on its way, loses nothing in the end."""
    cache, meter = make_cache(tmp_path), Meter()
    parcel = put(server, cache, DATA)
    server.faults = [Fault(cut_after=n_bytes, is_reset=True)]
    assert storage.fetch([parcel], cache, meter.progress) == []
    assert cache.read(parcel.digest, 1 << 20) == DATA
    assert server.count("GET") == 2
    assert meter.n_bytes == len(DATA)


def test_a_server_without_ranges_sends_all_again(
    server: ObjectServer, storage: ObjectwiseStorage, tmp_path: Path
) -> None:
    """The whole object that comes instead of the rest is not appended to the beginning."""
    cache, meter = make_cache(tmp_path), Meter()
    parcel = put(server, cache, DATA)
    server.knows_ranges = False
    server.faults = [Fault(cut_after=5000)]
    assert storage.fetch([parcel], cache, meter.progress) == []
    assert cache.read(parcel.digest, 1 << 20) == DATA
    assert meter.n_bytes == len(DATA)


def test_a_line_that_always_breaks_is_given_up(
    server: ObjectServer, storage: ObjectwiseStorage, tmp_path: Path
) -> None:
    """A download that never gets on ends with an error; nothing is left in the cache."""
    cache = make_cache(tmp_path)
    parcel = put(server, cache, DATA)
    server.always = Fault(cut_after=0)
    with pytest.raises(StorageError, match=r"was cut.*\(5 tries\)"):
        storage.fetch([parcel], cache)
    assert server.count("GET") == 5
    assert find_faults(cache) == []


@pytest.mark.parametrize("length", [len(DATA) + 1, 1 << 40])
def test_a_length_that_is_too_large_does_no_harm(
    server: ObjectServer, storage: ObjectwiseStorage, tmp_path: Path, length: int
) -> None:
    """All bytes came and are right, whatever the server had promised beyond."""
    cache = make_cache(tmp_path)
    parcel = put(server, cache, DATA)
    server.always = Fault(length=length)
    assert storage.fetch([parcel], cache) == []
    assert cache.read(parcel.digest, 1 << 20) == DATA
    assert server.count("GET") == 1


@pytest.mark.parametrize("length", [0, 10, len(DATA) - 1])
def test_a_length_that_is_too_small_is_found(
    server: ObjectServer, storage: ObjectwiseStorage, tmp_path: Path, length: int
) -> None:
    """A server that ends early and says that this is all is not believed."""
    cache = make_cache(tmp_path)
    parcel = put(server, cache, DATA)
    server.always = Fault(length=length)
    with pytest.raises(StorageError):
        storage.fetch([parcel], cache)
    assert list(cache.list_digests()) == []
    assert find_faults(cache) == []


def test_one_object_that_fails_leaves_the_others(
    server: ObjectServer, storage: ObjectwiseStorage, tmp_path: Path
) -> None:
    """Whole objects that had arrived stay, and the next attempt asks for the rest only."""
    cache = make_cache(tmp_path)
    parcels = [put(server, cache, b"%d" % number) for number in range(40)]
    bad = parcels[20]
    key = f"team/b3/{bad.digest[:2]}/{bad.digest[2:]}"
    right, server.objects[key] = server.objects[key], b"XX"
    with pytest.raises(StorageError, match="served something else"):
        storage.fetch(parcels, cache)
    assert find_faults(cache) == []
    n_there = len(list(cache.list_digests()))
    assert n_there >= 1
    server.objects[key] = right
    server.requests.clear()
    assert storage.fetch(parcels, cache) == []
    assert server.count("GET") == 40 - n_there


def test_a_cut_upload_is_sent_again(server: ObjectServer, storage: ObjectwiseStorage, tmp_path: Path) -> None:
    """A reset in the middle of an upload is overcome, and the bytes are counted once."""
    cache, meter = make_cache(tmp_path), Meter()
    parcel = add_file(cache, DATA)
    server.faults = [Fault("PUT", cut_after=0)]
    storage.send([parcel], cache, meter.progress)
    assert list(server.objects.values()) == [DATA]
    assert meter.n_bytes == len(DATA)


def test_a_manifest_is_sent_last_even_when_requests_fail(
    server: ObjectServer, storage: ObjectwiseStorage, tmp_path: Path
) -> None:
    """A push that ends in an error has left files, but no manifest; the next one sends what is missing."""
    cache, other = make_cache(tmp_path / "one"), make_cache(tmp_path / "two")
    files = {str(number): b"%d" % number for number in range(20)}
    folder = add_folder(cache, files)
    server.faults = [Fault("PUT", 403)]
    with pytest.raises(StorageError, match="403"):
        storage.send([folder], cache)
    assert not any(folder.digest[2:] in name for name in server.objects)
    storage.send([folder], cache)
    puts = [name for method, name, _ in server.requests if method == "PUT"]
    assert puts[-1].endswith(folder.digest[2:])
    assert storage.fetch([folder], other) == []
    assert read_folder(other, folder) == files


def test_redirects_are_followed_without_the_password(tmp_path: Path) -> None:
    """What was meant for one server is not told to another."""
    with serve_objects() as first, serve_objects() as second, ExitStack() as stack:
        first.login = "Basic YWRhOnMzY3JldA=="
        client = HttpClient({})
        stack.callback(client.close)
        client.log_in(first.url, "ada", "s3cret")
        storage = ObjectwiseStorage(WebBackend(parse_storage_url(f"{first.url}/team"), client, Retries()))
        cache = make_cache(tmp_path)
        parcel = put(second, cache, DATA)
        target = f"{second.url}/team/b3/{parcel.digest[:2]}/{parcel.digest[2:]}"
        first.faults = [Fault("GET", 307, headers={"Location": target})]
        assert storage.fetch([parcel], cache) == []
        assert "authorization" in first.sent_headers[0]
        assert "authorization" not in second.sent_headers[0]


def test_redirects_to_nonsense_are_refused(server: ObjectServer, storage: ObjectwiseStorage, tmp_path: Path) -> None:
    """Another protocol, an unencrypted line to another host, or a circle."""
    cache = make_cache(tmp_path)
    parcel = put(server, cache, DATA)
    for target in ("file:///etc/passwd", "http://example.org/x", "gopher://127.0.0.1/x", f"{server.url}/round"):
        server.always = Fault("GET", 302, headers={"Location": target})
        with pytest.raises(StorageError):
            storage.fetch([parcel], cache)
    assert server.count("GET") <= 8


def test_a_page_for_everything_is_not_an_object(
    server: ObjectServer, storage: ObjectwiseStorage, tmp_path: Path
) -> None:
    """A server that answers every address with its own page has no artifact."""
    cache = make_cache(tmp_path)
    parcel = add_file(cache, DATA)
    server.objects[f"team/b3/{parcel.digest[:2]}/{parcel.digest[2:]}"] = b"<html>welcome</html>"
    assert storage.find_absent([parcel]) == [parcel]


@pytest.mark.parametrize(("n_objects", "method"), [(3, "HEAD"), (150, "PROPFIND")])
def test_many_objects_are_looked_for_in_one_listing(tmp_path: Path, n_objects: int, method: str) -> None:
    """A few are asked for one by one, many by one request where the server can list."""
    with serve_objects("webdav") as server, ExitStack() as stack:
        storage = open_web(server, stack, [])
        parcels = [put(server, make_cache(tmp_path), b"%d" % number) for number in range(n_objects)]
        assert storage.find_absent(parcels) == []
        assert server.count(method) == len(server.requests) == (n_objects if method == "HEAD" else 1)


# Buckets, through obstore


def open_bucket(server: ObjectServer, slept: list[float]) -> ObjectwiseStorage:
    account = {"gcs_base_url": server.url, "disable_oauth": True}
    account |= dict.fromkeys(("client_email", "private_key", "private_key_id"), "")
    environ = {"GOOGLE_SERVICE_ACCOUNT_KEY": json.dumps(account), "GITTRACK_ALLOW_HTTP": "1"}
    return ObjectwiseStorage(ObjectStoreBackend(parse_storage_url("gs://team"), environ, Retries(sleep=slept.append)))


@pytest.fixture
def bucket() -> Iterator[ObjectServer]:
    """A server that speaks as a bucket."""
    with serve_objects("bucket") as server:
        yield server


def test_a_bucket_is_asked_again(bucket: ObjectServer, tmp_path: Path) -> None:
    """A bucket that is busy for a moment, or a line that is cut, is overcome."""
    cache, storage = make_cache(tmp_path), open_bucket(bucket, [])
    parcel = add_file(cache, DATA)
    bucket.faults = [Fault(method, 503) for method in ("HEAD", "PUT", "GET")] + [Fault(cut_after=1000)]
    storage.send([parcel], cache)
    cache.remove(parcel.digest)
    assert storage.fetch([parcel], cache) == []
    assert cache.read(parcel.digest, 1 << 20) == DATA
    assert bucket.faults == []


@pytest.mark.parametrize(("status", "n_requests"), [(503, 5), (429, 5), (403, 1), (400, 1)])
def test_a_bucket_is_given_up(bucket: ObjectServer, tmp_path: Path, status: int, n_requests: int) -> None:
    """Requests to a bucket are bounded too."""
    cache, storage = make_cache(tmp_path), open_bucket(bucket, [])
    parcel = put(bucket, cache, DATA)
    bucket.always = Fault("GET", status)
    with pytest.raises(StorageError, match="gs://team"):
        storage.fetch([parcel], cache)
    assert bucket.count("GET") == n_requests
    assert find_faults(cache) == []


def test_a_bucket_that_lies_is_found_out(bucket: ObjectServer, tmp_path: Path) -> None:
    """Other bytes, and other lengths, from a bucket are refused."""
    cache, storage = make_cache(tmp_path), open_bucket(bucket, [])
    parcel = put(bucket, cache, DATA)
    for fault in (Fault(body=DATA[::-1]), Fault(length=10), Fault(length=len(DATA) + 5)):
        bucket.always = fault
        with pytest.raises(StorageError):
            storage.fetch([parcel], cache)
    assert list(cache.list_digests()) == []
    assert find_faults(cache) == []


def test_many_objects_of_a_bucket_are_listed(bucket: ObjectServer, tmp_path: Path) -> None:
    """More than a page are found by a few requests."""
    cache, storage = make_cache(tmp_path), open_bucket(bucket, [])
    parcels = [put(bucket, cache, b"%d" % number) for number in range(2500)]
    assert storage.find_absent(parcels) == []
    assert len(bucket.requests) <= 5


# Kills


PROGRAM = """
import sys
from pathlib import Path
from gittrack.artifacts.cache import Cache
from gittrack.storage.http_client import HttpClient
from gittrack.storage.objectwise import ObjectwiseStorage
from gittrack.storage.protocol import Parcel
from gittrack.storage.urls import parse_storage_url
from gittrack.storage.web import WebBackend
url, folder, digest, size = sys.argv[1:]
storage = ObjectwiseStorage(WebBackend(parse_storage_url(url), HttpClient({})))
storage.fetch([Parcel(digest, "file", int(size), "big")], Cache(Path(folder)))
"""


def test_a_killed_download_of_a_large_object_is_continued(
    server: ObjectServer, storage: ObjectwiseStorage, tmp_path: Path
) -> None:
    """After SIGKILL nothing half is visible, and the next process asks for the missing bytes only."""
    cache, meter = make_cache(tmp_path), Meter()
    data = random.Random(3).randbytes(RESUME_ABOVE_BYTES + 4_000_000)
    parcel = put(server, cache, data)
    server.always = Fault(cut_after=RESUME_ABOVE_BYTES - 5)
    arguments = [f"{server.url}/team", str(tmp_path), parcel.digest, str(parcel.size)]
    process = subprocess.Popen([sys.executable, "-c", PROGRAM, *arguments], stderr=subprocess.DEVNULL)
    partial = cache.scratch_root / f"partial~{parcel.digest}" / "content"
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and not (partial.exists() and partial.stat().st_size > 1 << 20):
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    n_there = partial.stat().st_size
    sweep_scratch(cache.scratch_root)
    assert list(cache.list_digests()) == []
    server.always = None
    server.requests.clear()
    assert storage.fetch([parcel], cache, meter.progress) == []
    assert cache.is_intact(parcel.digest)
    assert server.requests[0][2] == f"bytes={n_there}-"
    assert meter.n_bytes == parcel.size
    assert list(cache.scratch_root.iterdir()) == []


def test_what_a_crash_garbled_is_fetched_anew(server: ObjectServer, storage: ObjectwiseStorage, tmp_path: Path) -> None:
    """A kept beginning that is not that of the object, as after a power cut, costs one more download and no error."""
    cache = make_cache(tmp_path)
    parcel = put(server, cache, random.Random(3).randbytes(RESUME_ABOVE_BYTES + 1))
    partial = cache.scratch_root / f"partial~{parcel.digest}" / "content"
    partial.parent.mkdir(parents=True)
    partial.write_bytes(bytes(1_000_000))
    assert storage.fetch([parcel], cache) == []
    assert cache.is_intact(parcel.digest)
    assert [entry[2] for entry in server.requests] == ["bytes=1000000-", None]


def test_what_nobody_continues_is_swept(tmp_path: Path) -> None:
    """A beginning that is a day old goes with all other scratch."""
    cache = make_cache(tmp_path)
    folder = cache.scratch_root / f"partial~{'0' * 64}"
    folder.mkdir(parents=True)
    (folder / "content").write_bytes(b"x")
    assert sweep_scratch(cache.scratch_root) == 0
    os.utime(folder, (time.time() - 90_000,) * 2)
    assert sweep_scratch(cache.scratch_root) == 1


def test_an_interruption_ends_all_threads_soon(
    server: ObjectServer, storage: ObjectwiseStorage, tmp_path: Path
) -> None:
    """When the person gives up, no thread goes on downloading, and what had arrived stays."""
    cache = make_cache(tmp_path)
    parcels = [put(server, cache, bytes([number]) * 3_000_000) for number in range(12)]
    before = set(threading.enumerate())
    n_calls = 0

    def give_up(n_bytes: int) -> None:
        nonlocal n_calls
        n_calls += n_bytes > 0
        if n_calls == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        storage.fetch(parcels, cache, Progress(on_bytes=give_up))
    left = [thread.name for thread in threading.enumerate() if thread not in before]
    assert not [name for name in left if name.startswith("gittrack")]
    assert len(list(cache.list_digests())) < 12
    assert find_faults(cache) == []
