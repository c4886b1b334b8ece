"""The content of an object as the body of a request, read as it is sent."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from io import BufferedReader
    from pathlib import Path

_PIECE_BYTES = 1 << 20


class FileBody:
    """A file with a length, which tells how far it was read.

    Args:
        file: The file, open at its start.
        size: Its length in bytes.
        on_bytes: Called with the number of bytes of each piece.
    """

    def __init__(self, file: BufferedReader, size: int, on_bytes: Callable[[int], object]) -> None:
        self._file = file
        self._size = size
        self._on_bytes = on_bytes

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> Iterator[bytes]:
        while piece := self.read(_PIECE_BYTES):
            yield piece

    def read(self, n_bytes: int = -1) -> bytes:
        """Return the next bytes."""
        data = self._file.read(n_bytes)
        self._on_bytes(len(data))
        return data


class Rewound:
    """Opens a file anew for each attempt to send it.

    Args:
        path: The file.
        size: Its length in bytes.
        on_bytes: Called with the bytes that have travelled; negative when they travel again.
    """

    def __init__(self, path: Path, size: int, on_bytes: Callable[[int], object]) -> None:
        self._path = path
        self._size = size
        self._on_bytes = on_bytes
        self._n_sent = 0
        self._file: BufferedReader | None = None

    def __call__(self) -> FileBody | bytes:
        """Return the body."""
        self.close()
        self._on_bytes(-self._n_sent)
        self._n_sent = 0
        if self._size == 0:  # a length of 0 is taken for an unknown one
            return b""
        self._file = self._path.open("rb")
        return FileBody(self._file, self._size, self._count)

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _count(self, n_bytes: int) -> None:
        self._n_sent += n_bytes
        self._on_bytes(n_bytes)
