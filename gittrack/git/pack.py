"""Write packs of new objects, by default stored as they are: for content that does not shrink, at the disk's speed.

The form is git's pack version 2 with an index of version 2 (gitformat-pack). The index is written here as well, because
the ids are known: `git index-pack` would hash everything twice more.
"""

from __future__ import annotations

import hashlib
import os
import struct
import threading
import zlib
from queue import Queue
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

    from typing_extensions import Self

    from gittrack.git.repository import ObjectFormat

_KINDS = {"commit": 1, "tree": 2, "blob": 3}
_HEADER = struct.Struct(">4sII")
_LARGE_OFFSET = 1 << 31
_ZLIB_HEADER = b"\x78\x01"
_BLOCK = struct.Struct("<BHH")  # whether it is the last one, its length, and that inverted
_MAX_BLOCK_BYTES = 0xFFFF
_MAX_PIECES = 512  # of one call; systems allow 1024
_QUEUE_LENGTH = 4  # mebibytes that may wait for the disk


class PackWriter:
    """A pack that is being written; objects that it has already are passed over.

    Hashing goes on in the caller's thread, compression into stored blocks and writing in another one.

    Args:
        folder: ``objects/pack`` of a repository that nobody else uses.
        object_format: Its hash.
        level: How hard zlib tries, 0 to 9.
        is_for_one_push: Whether the pack is gone after one push: then its checksum is of its ids, not of its bytes,
            which saves reading all of it once more. git compares the checksum with the index's alone, and makes a pack
            with a checksum of its own for what it sends.
    """

    def __init__(
        self, folder: Path, object_format: ObjectFormat, level: int = 0, *, is_for_one_push: bool = False
    ) -> None:
        self._folder = folder
        self._is_for_one_push = is_for_one_push
        self._format = object_format
        self._level = level
        self._path = folder / "new.pack"
        self._file = self._path.open("xb", buffering=0)
        self._entries: dict[bytes, tuple[int, int]] = {}  # id -> offset and CRC
        self._offset = _HEADER.size
        self._error: BaseException | None = None
        self._queue: Queue[tuple[bytes, str, bytes | memoryview] | None] = Queue(_QUEUE_LENGTH)
        self._file.write(_HEADER.pack(b"PACK", 2, 0))  # the number of objects is filled in at the end
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    @property
    def n_objects(self) -> int:
        """How many objects it has."""
        return len(self._entries)

    def add(self, kind: str, data: bytes | memoryview) -> str:
        """Add an object and return its id in hex.

        Args:
            kind: ``blob``, ``tree`` or ``commit``.
            data: Its content, which must not be changed afterwards.

        Raises:
            OSError: The disk is full or broken.
        """
        digest = hashlib.new(self._format, b"%s %d\0" % (kind.encode(), len(data)), usedforsecurity=False)
        digest.update(data)
        oid = digest.digest()
        if oid not in self._entries:
            self._entries[oid] = (0, 0)
            self._queue.put((oid, kind, data))
            self._check()
        return oid.hex()

    def finish(self) -> Path | None:
        """Write the end of the pack and its index, and return the pack; None when it has no objects.

        Raises:
            OSError: The disk is full or broken.
        """
        self._stop()
        self._check()
        if not self._entries:
            self.close()
            return None
        self._file.seek(0)
        self._file.write(_HEADER.pack(b"PACK", 2, len(self._entries)))
        checksum = self._hash_ids() if self._is_for_one_push else self._hash_file()
        self._file.seek(0, os.SEEK_END)
        self._file.write(checksum)
        self._file.close()
        name = f"pack-{checksum.hex()}"
        (self._folder / f"{name}.idx").write_bytes(self._index(checksum))
        pack = self._folder / f"{name}.pack"
        self._path.rename(pack)
        return pack

    def close(self) -> None:
        """Give up what was not finished."""
        self._stop()
        if not self._file.closed:
            self._file.close()
            self._path.unlink(missing_ok=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _stop(self) -> None:
        if self._thread.is_alive():
            self._queue.put(None)
            self._thread.join()

    def _check(self) -> None:
        if self._error is not None:
            raise self._error

    def _work(self) -> None:
        while (item := self._queue.get()) is not None:
            if self._error is None:
                try:
                    self._write(*item)
                except BaseException as error:  # noqa: BLE001  it is raised in the caller's thread
                    self._error = error

    def _write(self, oid: bytes, kind: str, data: bytes | memoryview) -> None:
        content = [zlib.compress(data, self._level)] if self._level else _stored(data)
        pieces = [_entry_header(_KINDS[kind], len(data)), *content]
        crc = 0
        for piece in pieces:
            crc = zlib.crc32(piece, crc)
        self._entries[oid] = (self._offset, crc)
        for start in range(0, len(pieces), _MAX_PIECES):
            self._offset += _write_pieces(self._file.fileno(), pieces[start : start + _MAX_PIECES])

    def _hash_ids(self) -> bytes:
        return hashlib.new(self._format, b"".join(sorted(self._entries)), usedforsecurity=False).digest()

    def _hash_file(self) -> bytes:
        hasher = hashlib.new(self._format, usedforsecurity=False)
        self._file.flush()
        with self._path.open("rb", buffering=0) as file:
            buffer = memoryview(bytearray(1 << 20))
            while n_bytes := file.readinto(buffer):
                hasher.update(buffer[:n_bytes])
        return hasher.digest()

    def _index(self, checksum: bytes) -> bytes:
        ids = sorted(self._entries)
        counts = [0] * 256
        for oid in ids:
            counts[oid[0]] += 1
        total, fan_out = 0, []
        for count in counts:
            total += count
            fan_out.append(total)
        large = [self._entries[oid][0] for oid in ids if self._entries[oid][0] >= _LARGE_OFFSET]
        numbers = iter(range(len(large)))
        offsets = [
            offset if offset < _LARGE_OFFSET else _LARGE_OFFSET | next(numbers)
            for offset in (self._entries[oid][0] for oid in ids)
        ]
        data = b"".join(
            [
                b"\377tOc\0\0\0\2",
                struct.pack(">256I", *fan_out),
                *ids,
                struct.pack(f">{len(ids)}I", *(self._entries[oid][1] for oid in ids)),
                struct.pack(f">{len(ids)}I", *offsets),
                struct.pack(f">{len(large)}Q", *large),
                checksum,
            ]
        )
        return data + hashlib.new(self._format, data, usedforsecurity=False).digest()


def _stored(data: bytes | memoryview) -> list[bytes | memoryview]:
    """Return the pieces of a zlib stream that stores data as it is (RFC 1950 and 1951), without a copy of the data.

    `zlib.compress` at level 0 takes five times as long.
    """
    view = memoryview(data)
    pieces: list[bytes | memoryview] = [_ZLIB_HEADER]
    n_left = len(view)
    while True:
        block = view[len(view) - n_left :][:_MAX_BLOCK_BYTES]
        n_left -= len(block)
        pieces += [_BLOCK.pack(not n_left, len(block), len(block) ^ 0xFFFF), block]
        if not n_left:
            return [*pieces, zlib.adler32(data).to_bytes(4, "big")]


def _write_pieces(descriptor: int, pieces: list[bytes | memoryview]) -> int:
    """Write pieces to the last byte, and return how many bytes they were."""
    n_bytes = sum(map(len, pieces))
    n_written = os.writev(descriptor, pieces)
    if n_written < n_bytes:  # the disk is almost full, or a signal came
        rest = memoryview(b"".join(pieces))[n_written:]
        while rest:
            rest = rest[os.write(descriptor, rest) :]
    return n_bytes


def _entry_header(kind: int, size: int) -> bytes:
    """Return the type and the size of an object as a pack writes them."""
    first, size = (kind << 4) | (size & 0x0F), size >> 4
    header = bytearray()
    while size:
        header.append(first | 0x80)
        first, size = size & 0x7F, size >> 7
    header.append(first)
    return bytes(header)
