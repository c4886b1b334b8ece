"""Storages beside plain copies: push and pull of 1 GiB through a folder, and what is there of 10,000 objects.

The peer of push and pull is `cp` of the same file on the same file system, in memory so that no disk is measured.
Looking for objects is measured with a folder, with a web server that can list (WebDAV), and with one that cannot, where
each object is a request of its own.

    python benchmarks/bench_storage.py [folder on a file system in memory]
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING

from timing import Figure, alternate, print_figures

from gittrack.artifacts.cache import Cache
from gittrack.artifacts.digest import Digest
from gittrack.artifacts.intake import Intake
from gittrack.storage.file import FileBackend
from gittrack.storage.http_client import HttpClient
from gittrack.storage.objectwise import ObjectwiseStorage
from gittrack.storage.protocol import Parcel
from gittrack.storage.urls import parse_storage_url
from gittrack.storage.web import WebBackend

if TYPE_CHECKING:
    from collections.abc import Iterator

SIZE = 1 << 30
N_OBJECTS = 10_000
REPEATS = 5
COPY_LIMIT = 1.5
LOOK_LIMIT_S = 1.0


def measure(folder: Path, size: int = SIZE, repeats: int = REPEATS) -> list[Figure]:
    """Return every figure.

    Args:
        folder: Where to work.
        size: Of the file, in bytes.
        repeats: How often to measure.
    """
    return [*copy_figures(folder, size, repeats), *look_figures(folder, repeats)]


def copy_figures(folder: Path, size: int, repeats: int) -> list[Figure]:
    """Return the seconds of push and pull through a folder, beside `cp`."""
    source = folder / "model.pt"
    with source.open("wb") as file:
        for _ in range(size >> 20):
            file.write(os.urandom(1 << 20))
    cache = Cache(folder / "cache")
    with Intake(cache) as intake:
        digest = intake.add_file(str(source)).digest
    source.unlink()
    parcel = Parcel(digest, "file", size, "model.pt")
    storage = ObjectwiseStorage(FileBackend(folder / "store"))
    storage.send([parcel], cache)

    def copy() -> float:
        (folder / "copy").unlink(missing_ok=True)
        start = time.perf_counter()
        subprocess.run(["cp", str(cache.path(digest)), str(folder / "copy")], check=True)
        return time.perf_counter() - start

    def push() -> float:
        shutil.rmtree(folder / "store")
        start = time.perf_counter()
        storage.send([parcel], cache)
        return time.perf_counter() - start

    def pull() -> float:
        shutil.rmtree(folder / "other", ignore_errors=True)
        start = time.perf_counter()
        storage.fetch([parcel], Cache(folder / "other"))
        return time.perf_counter() - start

    alternate({"cp": copy}, 1)
    times = alternate({"cp": copy, "push": push, "pull": pull}, repeats)
    work = f"file:// {size >> 20:,} MiB"
    return [Figure(f"{verb} {work}", times[verb], times["cp"], COPY_LIMIT * times["cp"]) for verb in ("push", "pull")]


def look_figures(folder: Path, repeats: int) -> list[Figure]:
    """Return the seconds of finding out that 10,000 objects are all there."""
    parcels = [Parcel(Digest(f"{number * 7919 % 256:02x}{number:062x}"), "file", 3, "x") for number in range(N_OBJECTS)]
    store = Cache(folder / "many")
    for parcel in parcels:
        store.path(parcel.digest).parent.mkdir(parents=True, exist_ok=True)
        store.path(parcel.digest).write_bytes(b"abc")
    file_storage = ObjectwiseStorage(FileBackend(store.root))
    figures = []
    with serve(parcels, can_list=True) as listing, serve(parcels, can_list=False) as plain:
        storages = {
            "file://": file_storage,
            "http:// by listing": open_web(listing),
            "http:// one by one": open_web(plain),
        }
        times = alternate({name: partial(look, storage, parcels) for name, storage in storages.items()}, repeats)
    for name, seconds in times.items():
        limit = None if name.endswith("one by one") else LOOK_LIMIT_S
        figures.append(Figure(f"look for {N_OBJECTS:,} objects, {name}", seconds, None, limit))
    return figures


def look(storage: ObjectwiseStorage, parcels: list[Parcel]) -> None:
    """Look for objects that are all there."""
    if storage.find_absent(parcels):
        raise RuntimeError("objects are missing")


def open_web(url: str) -> ObjectwiseStorage:
    """Open a web server as storage."""
    return ObjectwiseStorage(WebBackend(parse_storage_url(url), HttpClient({})))


@contextlib.contextmanager
def serve(parcels: list[Parcel], *, can_list: bool) -> Iterator[str]:
    """Run a web server in a process of its own, as a real one is, that has all objects."""
    names = [f"/b3/{parcel.digest[:2]}/{parcel.digest[2:]}" for parcel in parcels]
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        run_server(names, writer, can_list=can_list)
    os.close(writer)
    with open(reader, encoding="ascii") as pipe:  # noqa: PTH123  a descriptor
        port = pipe.readline().strip()
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        os.kill(child, 15)
        os.waitpid(child, 0)


def run_server(names: list[str], writer: int, *, can_list: bool) -> None:
    """Answer requests until the process is ended."""
    entries = "".join(
        f"<D:response><D:href>{name}</D:href><D:propstat><D:prop><D:getcontentlength>3</D:getcontentlength></D:prop>"
        "</D:propstat></D:response>"
        for name in names
    )
    listing = f'<D:multistatus xmlns:D="DAV:">{entries}</D:multistatus>'.encode()
    known = set(names)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_HEAD(self) -> None:
            self.send_response(200 if self.path in known else 404)
            self.send_header("Content-Length", "3")
            self.end_headers()

        def do_PROPFIND(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(207 if can_list else 405)
            self.send_header("Content-Length", str(len(listing) if can_list else 0))
            self.end_headers()
            if can_list:
                self.wfile.write(listing)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the standard library's name
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    os.write(writer, f"{server.server_address[1]}\n".encode())
    os.close(writer)
    server.serve_forever()


def find_memory() -> str | None:
    """Return a folder whose files are in memory; None where there is none."""
    return "/dev/shm" if Path("/dev/shm").is_dir() else None


def main() -> int:
    """Measure, print and return 1 when a limit is broken."""
    root = sys.argv[1] if len(sys.argv) > 1 else find_memory()
    with tempfile.TemporaryDirectory(dir=root) as folder:
        return int(print_figures(measure(Path(folder))) > 0)


if __name__ == "__main__":
    sys.exit(main())
