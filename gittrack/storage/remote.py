"""Send and receive objects over a line that fails: checked on both sides, tried again, continued where it was cut."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING

from gittrack.artifacts.cache import corrupt
from gittrack.artifacts.digest import hash_mapped
from gittrack.artifacts.intake import WrongContentError
from gittrack.artifacts.manifest import MAX_MANIFEST_BYTES
from gittrack.storage.backend import Backend
from gittrack.storage.protocol import StorageError
from gittrack.storage.retries import Retries

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from gittrack.artifacts.intake import Incoming, Intake
    from gittrack.storage.backend import StoredObject


class RemoteBackend(Backend):
    """A place behind a network.

    Args:
        retries: How often requests are tried again.
    """

    def __init__(self, retries: Retries | None = None) -> None:
        self.retries = retries or Retries()

    @abstractmethod
    def upload(self, item: StoredObject, path: Path, size: int, on_bytes: Callable[[int], object]) -> None:
        """Send an object once.

        Args:
            item: The object.
            path: Where its content is.
            size: How many bytes it has.
            on_bytes: Called with the bytes that have travelled.

        Raises:
            TransientError: It may work in a moment.
            StorageError: It will not.
        """

    @abstractmethod
    def download(self, item: StoredObject, incoming: Incoming, on_bytes: Callable[[int], object]) -> bool:
        """Write the bytes of an object that follow those that are there.

        Args:
            item: The object.
            incoming: Where to; restarted where the place can only send all of it.
            on_bytes: Called with the bytes that have travelled.

        Returns:
            Whether it is here.

        Raises:
            TransientError: It may work in a moment.
            StorageError: It will not.
            WrongContentError: More bytes came than the object has.
        """

    def verify(self, item: StoredObject, path: Path, size: int) -> None:
        """Check an object before it is sent.

        Raises:
            ObjectCorruptError: Its content is not what its name says.
        """
        if item.size not in (None, size) or hash_mapped(str(path), size) != item.digest:
            raise corrupt(item.digest)

    def send(self, item: StoredObject, path: Path, on_bytes: Callable[[int], object]) -> None:
        """Put an object here, once it is known to be what its name says; see `Backend.send`."""
        size = path.stat().st_size
        self.verify(item, path, size)
        self.retries.run(lambda: self._upload_whole(item, path, size, on_bytes), check=lambda: on_bytes(0))

    def receive(self, item: StoredObject, intake: Intake, on_bytes: Callable[[int], object]) -> bool:
        """Take an object from here into a batch; see `Backend.receive`."""
        size = MAX_MANIFEST_BYTES if item.size is None else item.size
        with intake.receive(item.digest, size, is_exact=item.size is not None) as incoming:
            on_bytes(incoming.n_bytes)
            try:
                return self._receive(item, incoming, on_bytes)
            except WrongContentError as error:
                raise StorageError(
                    f"{self.label} served something else: {error.message}",
                    hint="remove that object from the storage, and push it again from a clone that has it",
                ) from error

    def _receive(self, item: StoredObject, incoming: Incoming, on_bytes: Callable[[int], object]) -> bool:
        while True:
            was_resumed = incoming.n_resumed > 0
            if not self.retries.run(
                lambda: self._download_rest(item, incoming, on_bytes),
                position=lambda: incoming.n_bytes,
                check=lambda: on_bytes(0),
            ):
                return False
            try:
                incoming.finish()
            except WrongContentError:
                # What an earlier process left may never have reached the disk.
                if not was_resumed:
                    raise
                on_bytes(-incoming.n_bytes)
                incoming.restart()
            else:
                return True

    def _download_rest(self, item: StoredObject, incoming: Incoming, on_bytes: Callable[[int], object]) -> bool:
        if item.size is not None and incoming.n_bytes == item.size > 0:
            return True
        if item.size is None and incoming.n_bytes:  # nobody told where it ends, so it cannot be continued
            on_bytes(-incoming.n_bytes)
            incoming.restart()
        return self.download(item, incoming, on_bytes)

    def _upload_whole(self, item: StoredObject, path: Path, size: int, on_bytes: Callable[[int], object]) -> None:
        n_sent = 0

        def count(n_bytes: int) -> None:
            nonlocal n_sent
            n_sent += n_bytes
            on_bytes(n_bytes)

        try:
            self.upload(item, path, size, count)
        except BaseException:
            on_bytes(-n_sent)
            raise
