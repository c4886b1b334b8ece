"""Read the record files of Weights & Biases: the log format of LevelDB with a header of seven bytes.

Blocks of 32 KiB hold pieces of records: CRC-32 (of the type and the data, unlike LevelDB's), length, type, data. A
record that crosses blocks has a first, middle and last piece. The form is in wandb's `sdk/internal/datastore.py`.
"""

from __future__ import annotations

import struct
import zlib
from typing import TYPE_CHECKING, BinaryIO

from gittrack.errors import GittrackError

if TYPE_CHECKING:
    from collections.abc import Iterator

_HEADER = struct.Struct("<4sHB")
_IDENT, _MAGIC, _VERSION = b":W&B", 0xBEE1, 0
_PIECE = struct.Struct("<IHB")
_BLOCK_BYTES = 32768
_ZERO, _FULL, _FIRST, _MIDDLE, _LAST = range(5)
_MAX_RECORD_BYTES = 1 << 30


class DamagedLogError(GittrackError):
    """A file is cut off, damaged, or none of Weights & Biases; what stands before was read."""


def read_records(file: BinaryIO) -> Iterator[bytes]:
    """Yield the records of a file.

    Args:
        file: The file, at its start.

    Raises:
        DamagedLogError: It is no such file, cut off, or a checksum is wrong.
    """
    head = file.read(_HEADER.size)
    if len(head) < _HEADER.size or _HEADER.unpack(head) != (_IDENT, _MAGIC, _VERSION):
        raise DamagedLogError("it is no record file of Weights & Biases, or of another version")
    pieces: list[bytes] = []
    n_bytes = 0
    for kind, data in _read_pieces(file):
        if (kind in {_FULL, _FIRST}) == bool(pieces):
            raise DamagedLogError("it is damaged: a record begins or ends in another")
        pieces.append(data)
        n_bytes += len(data)
        if n_bytes > _MAX_RECORD_BYTES:
            raise DamagedLogError("a record is too large")
        if kind in {_FULL, _LAST}:
            yield b"".join(pieces)
            pieces.clear()
            n_bytes = 0
    if pieces:
        raise DamagedLogError("it is cut off")


def _read_pieces(file: BinaryIO) -> Iterator[tuple[int, bytes]]:
    at = _HEADER.size
    while True:
        n_left = _BLOCK_BYTES - at % _BLOCK_BYTES
        if n_left < _PIECE.size:  # too little for a piece: zeros up to the next block
            at += len(file.read(n_left))
            continue
        head = file.read(_PIECE.size)
        if not head:
            return
        if len(head) < _PIECE.size:
            raise DamagedLogError("it is cut off")
        checksum, size, kind = _PIECE.unpack(head)
        data = file.read(size)
        at += _PIECE.size + size
        if len(data) < size:
            raise DamagedLogError("it is cut off")
        if (
            not _ZERO < kind <= _LAST
            or size > n_left - _PIECE.size
            or zlib.crc32(data, zlib.crc32(head[6:])) != checksum
        ):
            raise DamagedLogError("it is damaged: a checksum is wrong")
        yield kind, data
