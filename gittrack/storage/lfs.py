"""Git LFS as storage: the objects on the LFS server of a remote, their names there in a ref of the same remote."""

from __future__ import annotations

import contextlib
import hashlib
from functools import partial
from typing import TYPE_CHECKING

from gittrack.artifacts.cache import ObjectMissingError, corrupt
from gittrack.artifacts.digest import read_pieces
from gittrack.storage.bodies import Rewound
from gittrack.storage.lfs_batch import BATCH_SIZE
from gittrack.storage.lfs_map import LfsName
from gittrack.storage.parallel import run_parallel
from gittrack.storage.protocol import StorageError
from gittrack.storage.remote import RemoteBackend
from gittrack.storage.web import download

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from gittrack.artifacts.cache import Cache
    from gittrack.artifacts.digest import Digest
    from gittrack.artifacts.intake import Incoming
    from gittrack.git.lfs_endpoint import Operation
    from gittrack.storage.backend import StoredObject
    from gittrack.storage.lfs_batch import Actions, LfsServer
    from gittrack.storage.lfs_map import LfsMap
    from gittrack.storage.retries import Retries


class LfsBackend(RemoteBackend):
    """The Git LFS server of a remote.

    Args:
        label: What people call it.
        server: The server.
        names: The map of names.
        retries: How often requests are tried again.
    """

    def __init__(self, label: str, server: LfsServer, names: LfsMap, retries: Retries | None = None) -> None:
        super().__init__(retries)
        self._label = label
        self._server = server
        self._map = names
        self._known: dict[Digest, LfsName] = {}
        self._actions: dict[str, Actions] = {}

    @property
    def label(self) -> str:
        """The remote's name, and that it is Git LFS."""
        return self._label

    def find_present(self, objects: Sequence[StoredObject], n_jobs: int) -> set[Digest]:
        """Return those that the map names and the server has; see `Backend.find_present`."""
        names = self._look_up(objects)
        answers = self._ask("download", list(names.values()), n_jobs)
        return {digest for digest, name in names.items() if answers[name.sha256].is_there}

    @contextlib.contextmanager
    def sending(self, objects: Sequence[StoredObject], cache: Cache, n_jobs: int) -> Iterator[None]:
        """Check a batch, find its names and ask the server where to send it; see `Backend.sending`."""
        names = run_parallel(lambda item: _name(item, cache.path(item.digest)), objects, n_jobs)
        self._known.update({item.digest: name for item, name in zip(objects, names, strict=True)})
        self._actions = self._ask("upload", names, n_jobs)
        yield

    def begin_receiving(self, objects: Sequence[StoredObject], n_jobs: int) -> None:
        """Ask the server where to get a batch; see `Backend.begin_receiving`."""
        names = self._look_up(objects)
        self._known.update(names)
        self._actions = self._ask("download", list(names.values()), n_jobs)

    def verify(self, item: StoredObject, path: Path, size: int) -> None:
        """Do nothing: an object was checked when its name was found."""

    def upload(self, item: StoredObject, path: Path, size: int, on_bytes: Callable[[int], object]) -> None:
        """Send an object once, unless the server has it; see `RemoteBackend.upload`."""
        name = self._known[item.digest]
        actions = self._current("upload", name)
        if actions.transfer is None:
            on_bytes(size)
            return
        headers = {"Content-Type": "application/octet-stream", **actions.transfer.headers}
        with contextlib.closing(Rewound(path, size, on_bytes)) as body:
            client = self._server.client("upload")
            client.request("PUT", actions.transfer.url, headers=headers, body=body).close()
        if actions.verify is not None:
            self._server.confirm(actions.verify, name)

    def download(self, item: StoredObject, incoming: Incoming, on_bytes: Callable[[int], object]) -> bool:
        """Write the bytes of an object that follow those that are there; see `RemoteBackend.download`."""
        name = self._known.get(item.digest)
        if name is None:
            return False
        actions = self._current("download", name)
        if actions.transfer is None:
            return False
        client = self._server.client("download")
        return download(client, actions.transfer.url, actions.transfer.headers, incoming, on_bytes)

    def confirm_sent(self, objects: Sequence[StoredObject]) -> None:
        """Add the names to the map, now that the server has them all; see `Backend.confirm_sent`."""
        self._map.publish({item.digest: self._known[item.digest] for item in objects})

    def _look_up(self, objects: Sequence[StoredObject]) -> dict[Digest, LfsName]:
        self._map.fetch()
        names = self._map.look_up(item.digest for item in objects)
        for item in objects:
            name = names.get(item.digest)
            if name is not None and item.size not in (None, name.size):
                raise StorageError(
                    f"the map of Git LFS objects says that {item.digest[:12]} has {name.size:,} bytes, "
                    f"and it has {item.size:,}"
                )
        return names

    def _current(self, operation: Operation, name: LfsName) -> Actions:
        """Return what to do with an object, asked again where the answer is too old."""
        actions = self._actions.get(name.sha256)
        if actions is None or (actions.transfer is not None and actions.transfer.is_over):
            actions = self._server.ask(operation, [name])[name.sha256]
            self._actions[name.sha256] = actions
        return actions

    def _ask(self, operation: Operation, names: Sequence[LfsName], n_jobs: int) -> dict[str, Actions]:
        unique = list(dict.fromkeys(names))
        parts = [unique[start : start + BATCH_SIZE] for start in range(0, len(unique), BATCH_SIZE)]
        answers = run_parallel(lambda part: self.retries.run(partial(self._server.ask, operation, part)), parts, n_jobs)
        return {sha256: actions for answer in answers for sha256, actions in answer.items()}


def _name(item: StoredObject, path: Path) -> LfsName:
    """Check an object of the cache and return its name, reading it once."""
    from blake3 import blake3

    sha256, digest, size = hashlib.sha256(), blake3(), 0
    try:
        with path.open("rb", buffering=0) as file:
            for piece in read_pieces(file.fileno()):
                sha256.update(piece)
                digest.update(piece)
                size += len(piece)
    except FileNotFoundError as error:
        raise ObjectMissingError(f"the object {item.digest[:12]} is not in the cache") from error
    if digest.hexdigest() != item.digest or item.size not in (None, size):
        raise corrupt(item.digest)
    return LfsName(sha256.hexdigest(), size)
