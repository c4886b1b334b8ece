"""Many files on their way into a batch, in several processes."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from gittrack.artifacts.digest import Digest
from gittrack.artifacts.intake import Staged, Taken
from gittrack.artifacts.spreading import Spread

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from typing_extensions import Self

    from gittrack.artifacts.intake import Intake
    from gittrack.artifacts.walk import FoundFile

_RECORD = struct.Struct("<32s66s?")  # digest, name and whether to sync: what a fork tells of a file


class Taking:
    """Files on their way into a batch; leave the ``with`` block to end what is not finished.

    Args:
        intake: The batch.
        files: The files; their folders are open.
        prefix: What names begin with that forks make.
        on_bytes: Called with the number of bytes of each file.
    """

    def __init__(
        self,
        intake: Intake,
        files: Sequence[FoundFile],
        prefix: str,
        on_bytes: Callable[[int], object] | None = None,
    ) -> None:
        self._intake = intake
        self._files = files
        self._prefix = prefix
        self._on_bytes = on_bytes
        self._taken: dict[int, Taken] = {}
        self._spread = Spread(len(files), _RECORD.size, self._take_in_fork)

    def finish(self) -> list[Taken]:
        """Wait for the files, and return what they are.

        Raises:
            GittrackError: See `Intake.add_file`.
            OSError: The same.
        """
        if self._spread.finish(self._take):
            self._intake.note_leftovers()
        for item, file in enumerate(self._files):
            record = self._spread.record(item)
            if record is not None:
                self._accept(item, file, record)
        return [self._taken[item] for item in range(len(self._files))]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._spread.close()

    def _take(self, item: int) -> None:
        file = self._files[item]
        self._taken[item] = self._intake.add_file(file.name, file.folder_fd, self._on_bytes)

    def _take_in_fork(self, fork: int, item: int) -> bytes | None:
        staged = self._intake.stage_in_fork(self._files[item], f"{self._prefix}{fork}-")
        if staged is None:
            return None  # this process takes the file again, and sees what it is now
        return _RECORD.pack(bytes.fromhex(staged.digest), staged.name.encode(), staged.is_unsynced)

    def _accept(self, item: int, file: FoundFile, record: bytes) -> None:
        raw, name, is_unsynced = _RECORD.unpack(record)
        digest = Digest(raw.hex())
        self._intake.accept(Staged(digest, name.rstrip(b"\0").decode(), is_unsynced), file.info.st_size)
        if item not in self._taken:
            self._taken[item] = Taken(digest, file.info)
            if self._on_bytes is not None:
                self._on_bytes(file.info.st_size)
