"""Buckets and containers as storage: S3 and what speaks its language, Google Cloud Storage, Azure Blob Storage."""

from __future__ import annotations

import contextlib
import math
import re
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from gittrack.artifacts.cache import ObjectMissingError
from gittrack.artifacts.digest import Digest, is_digest
from gittrack.storage.buckets import open_store, say
from gittrack.storage.parallel import run_parallel
from gittrack.storage.protocol import StorageError
from gittrack.storage.remote import RemoteBackend
from gittrack.storage.retries import TransientError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from io import BufferedReader
    from pathlib import Path

    from gittrack.artifacts.intake import Incoming
    from gittrack.storage.backend import StoredObject
    from gittrack.storage.retries import Retries
    from gittrack.storage.urls import StorageUrl

_PIECE_BYTES = 8 << 20  # of a multipart upload, whose parts must have 5 MiB, and of a download in parallel
_N_PIECES = 4
_MAX_PARTS = 10_000
_LARGE_BYTES = 64 << 20
_ASK_BELOW = 100  # objects, up to which each is asked for
_N_FOLDERS = 256
_LIST_PAGE = 1000  # what the services return at most
_STATUS = re.compile(r"status code: (\d{3})")
_CANNOT_SEND = re.compile(r"builder error|certificate|invalid peer", re.IGNORECASE)
_TRANSIENT = frozenset({408, 425, 429, 500, 502, 503, 504})
_CREDENTIALS_HINT = "set the store's own variables, such as AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"


class ObjectStoreBackend(RemoteBackend):
    """A bucket or container, or a part of one.

    Args:
        url: Such as ``s3://bucket/prefix``.
        environ: The user's environment, with the credentials.
        retries: How often requests are tried again.

    Raises:
        ExtraMissingError: obstore is not installed.
        StorageError: The settings make no sense.
    """

    def __init__(self, url: StorageUrl, environ: Mapping[str, str], retries: Retries | None = None) -> None:
        super().__init__(retries)
        self._url = str(url)
        self._store = open_store(url, environ, n_retries=0)
        # A part of an upload that fails must not let all others be sent again.
        self._patient_store = open_store(url, environ, n_retries=4)

    @property
    def label(self) -> str:
        """The URL."""
        return self._url

    def find_present(self, objects: Sequence[StoredObject], n_jobs: int) -> set[Digest]:
        """Return those that are here with their size, by whatever takes the fewest requests; see `find_present`."""
        if len(objects) <= _ASK_BELOW:
            return self._ask(objects, n_jobs)
        sample = {objects[0].digest[:2]: self._list(f"b3/{objects[0].digest[:2]}")}
        n_there = len(next(iter(sample.values()))) * _N_FOLDERS
        n_rounds = {
            "ask": len(objects) / n_jobs,
            "all": math.ceil(n_there / _LIST_PAGE),
            "folders": _N_FOLDERS * math.ceil(n_there / _N_FOLDERS / _LIST_PAGE) / n_jobs,
        }
        quickest = min(n_rounds, key=lambda way: n_rounds[way])
        if quickest == "ask":
            return self._ask(objects, n_jobs)
        if quickest == "all":
            sizes = self._list("b3")
        else:
            folders = sorted({f"b3/{item.digest[:2]}" for item in objects})
            sizes = {name: size for part in run_parallel(self._list, folders, n_jobs) for name, size in part.items()}
        return {item.digest for item in objects if item.digest in sizes and item.size in (None, sizes[item.digest])}

    def upload(self, item: StoredObject, path: Path, size: int, on_bytes: Callable[[int], object]) -> None:
        """Send an object once, a large one in several parts at once; see `RemoteBackend.upload`."""
        try:
            file = path.open("rb")
        except FileNotFoundError as error:
            raise ObjectMissingError(f"the object {item.digest[:12]} is not in the cache") from error
        with file, self._told_apart():
            if size <= _PIECE_BYTES:
                self._store.put(_key(item.digest), file.read(), use_multipart=False)
                on_bytes(size)
            else:
                self._upload_in_parts(_key(item.digest), file, size, on_bytes)

    def _upload_in_parts(self, key: str, file: BufferedReader, size: int, on_bytes: Callable[[int], object]) -> None:
        def pieces() -> Iterator[bytes]:
            while piece := file.read(1 << 20):
                on_bytes(len(piece))
                yield piece

        try:
            with self._told_apart():
                self._patient_store.put(
                    key,
                    pieces(),
                    chunk_size=max(_PIECE_BYTES, math.ceil(size / _MAX_PARTS)),
                    max_concurrency=_N_PIECES,
                )
        except TransientError as error:  # each part was tried again already
            raise StorageError(error.message, hint=error.hint) from error

    def download(self, item: StoredObject, incoming: Incoming, on_bytes: Callable[[int], object]) -> bool:
        """Write the bytes of an object that follow those that are there; see `RemoteBackend.download`."""
        key = _key(item.digest)
        with self._told_apart():
            if item.size is not None and item.size - incoming.n_bytes > _LARGE_BYTES:
                return self._download_in_parallel(key, item.size, incoming, on_bytes)
            try:
                start = incoming.n_bytes
                result = self._store.get(key, options={"range": {"offset": start}} if start else {})
            except FileNotFoundError as error:
                return self._is_absence(error)
            for piece in result.stream(min_chunk_size=1 << 20):
                view = memoryview(piece)
                incoming.write(view)
                on_bytes(len(view))
        return True

    def _download_in_parallel(self, key: str, size: int, incoming: Incoming, on_bytes: Callable[[int], object]) -> bool:
        """Ask for several ranges at once, and write them in their order."""
        starts = iter(range(incoming.n_bytes, size, _PIECE_BYTES))
        with ThreadPoolExecutor(_N_PIECES, thread_name_prefix="gittrack-range") as pool:

            def ask(start: int) -> Any:
                return pool.submit(self._store.get_range, key, start=start, end=min(size, start + _PIECE_BYTES))

            coming = deque(ask(start) for start, _ in zip(starts, range(_N_PIECES), strict=False))
            try:
                while coming:
                    view = memoryview(coming.popleft().result())
                    if (start := next(starts, None)) is not None:
                        coming.append(ask(start))
                    incoming.write(view)
                    on_bytes(len(view))
            except FileNotFoundError as error:
                return self._is_absence(error)
            finally:
                pool.shutdown(wait=True, cancel_futures=True)
        return True

    def _ask(self, objects: Sequence[StoredObject], n_jobs: int) -> set[Digest]:
        found = run_parallel(lambda item: self.retries.run(lambda: self._is_here(item)), objects, n_jobs)
        return {item.digest for item, is_here in zip(objects, found, strict=True) if is_here}

    def _is_here(self, item: StoredObject) -> bool:
        with self._told_apart():
            try:
                meta = self._store.head(_key(item.digest))
            except FileNotFoundError as error:
                return self._is_absence(error)
            return item.size in (None, meta["size"])

    def _list(self, prefix: str) -> dict[Digest, int]:
        """Return the sizes of all objects below a folder."""
        return self.retries.run(lambda: self._list_once(prefix))

    def _list_once(self, prefix: str) -> dict[Digest, int]:
        sizes: dict[Digest, int] = {}
        with self._told_apart():
            for page in self._store.list(prefix, chunk_size=_LIST_PAGE):
                for meta in page:
                    *_, folder, name = meta["path"].rsplit("/", 2)
                    if is_digest(folder + name):
                        sizes[Digest(folder + name)] = meta["size"]
        return sizes

    def _is_absence(self, error: FileNotFoundError) -> bool:
        """Return False for an object that is not there; a bucket that is not there is another matter."""
        if re.search(r"NoSuchBucket|ContainerNotFound|bucket does not exist", str(error)):
            raise StorageError(f"{self._url}: there is no such bucket", hint="make it, or correct the name") from error
        return False

    @contextlib.contextmanager
    def _told_apart(self) -> Iterator[None]:
        """Turn what obstore raises into what may be tried again and what may not."""
        from obstore.exceptions import BaseError, PermissionDeniedError, UnauthenticatedError

        try:
            yield
        except (PermissionDeniedError, UnauthenticatedError) as error:
            raise StorageError(f"{self._url} refuses: {say(error)}", hint=_CREDENTIALS_HINT) from error
        except FileNotFoundError as error:
            self._is_absence(error)
            raise StorageError(f"{self._url}: {say(error)}") from error
        except BaseError as error:
            raise self._failure(error) from error

    def _failure(self, error: Exception) -> StorageError:
        reason = say(error)
        message = f"{self._url}: {reason}"
        if "169.254." in reason or "metadata.google" in reason:
            return StorageError(f"{self._url}: no credentials were found", hint=_CREDENTIALS_HINT)
        if "without LOCATION" in reason:
            return StorageError(message, hint="the bucket may be in another region: set AWS_REGION")
        status = _STATUS.search(str(error))
        if status is not None:
            return TransientError(message) if int(status[1]) in _TRANSIENT else StorageError(message)
        is_final = _CANNOT_SEND.search(str(error)) is not None or "error" not in str(error).lower()
        return StorageError(message) if is_final else TransientError(message)


def _key(digest: Digest) -> str:
    return f"b3/{digest[:2]}/{digest[2:]}"
