"""Read TFRecord files: each record has its length, the checksum of the length, the data, and the data's checksum.

The form is https://www.tensorflow.org/tutorials/load_data/tfrecord#tfrecords_format_details; the checksum is CRC-32C,
masked.
"""

from __future__ import annotations

import struct
from functools import cache
from typing import TYPE_CHECKING, BinaryIO

from gittrack.errors import GittrackError

if TYPE_CHECKING:
    from collections.abc import Iterator

_HEAD = struct.Struct("<QI")
_TAIL = struct.Struct("<I")
_MAX_RECORD_BYTES = 1 << 30
_MAX_CHECKED_BYTES = 1 << 10  # a scalar has less; the checksum of an image would take longer than anything else
_POLYNOMIAL, _MASK = 0x82F63B78, 0xA282EAD8


class DamagedRecordError(GittrackError):
    """A file is cut off or damaged; what stands before was read."""


def read_records(file: BinaryIO) -> Iterator[bytes]:
    """Yield the records of a file.

    Args:
        file: The file, at its start.

    Raises:
        DamagedRecordError: It is cut off, or a checksum is wrong.
    """
    while head := file.read(_HEAD.size):
        if len(head) < _HEAD.size:
            raise DamagedRecordError("it is cut off")
        size, checksum = _HEAD.unpack(head)
        if masked_crc(head[:8]) != checksum or size > _MAX_RECORD_BYTES:
            raise DamagedRecordError("it is damaged")
        data, tail = file.read(size), file.read(_TAIL.size)
        if len(data) < size or len(tail) < _TAIL.size:
            raise DamagedRecordError("it is cut off")
        if size <= _MAX_CHECKED_BYTES and masked_crc(data) != _TAIL.unpack(tail)[0]:
            raise DamagedRecordError("it is damaged")
        yield data


def masked_crc(data: bytes) -> int:
    """Return the masked CRC-32C of data.

    Example:
        >>> hex(masked_crc(b"123456789"))
        '0xc78ab0e5'
    """
    table, crc = _table(), 0xFFFFFFFF
    for byte in data:
        crc = table[(crc ^ byte) & 0xFF] ^ (crc >> 8)
    crc ^= 0xFFFFFFFF
    return (((crc >> 15) | (crc << 17)) + _MASK) & 0xFFFFFFFF


@cache
def _table() -> tuple[int, ...]:
    table = []
    for number in range(256):
        crc = number
        for _ in range(8):
            crc = (crc >> 1) ^ _POLYNOMIAL if crc & 1 else crc >> 1
        table.append(crc)
    return tuple(table)
