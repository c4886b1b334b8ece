"""Read protobuf's wire format: the fields of a message by their numbers, without a description of it.

The form is https://protobuf.dev/programming-guides/encoding/. Messages are read lazily: what a field holds is bytes
until somebody asks, so that what is of no interest costs nothing.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from gittrack.errors import GittrackError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import TypeAlias

# varints as unsigned numbers; everything else as the bytes that stand there
Fields: TypeAlias = "dict[int, list[int | bytes]]"

_VARINT, _FIXED_64, _DELIMITED, _FIXED_32 = 0, 1, 2, 5
_MAX_VARINT_BITS = 70
_SIGN = 1 << 63
_DOUBLE, _FLOAT = struct.Struct("<d"), struct.Struct("<f")


class MalformedMessageError(GittrackError):
    """Bytes are no message."""


def parse_message(data: bytes) -> Fields:
    r"""Return the fields of a message by number, repeated ones in order.

    Args:
        data: The message.

    Raises:
        MalformedMessageError: It is cut off, or no message.

    Example:
        >>> parse_message(b"\x08\x96\x01\x12\x02hi")
        {1: [150], 2: [b'hi']}
    """
    fields: Fields = {}
    at, end = 0, len(data)
    try:
        while at < end:
            key = data[at]
            at += 1
            if key & 0x80:
                key, at = _read_varint(data, at - 1)
            kind = key & 7
            value: int | bytes
            if kind == _DELIMITED:
                size, at = _read_varint(data, at)
                value = data[at : at + size]
                at += size
            elif kind == _VARINT:
                value, at = _read_varint(data, at)
            elif kind in {_FIXED_64, _FIXED_32}:
                size = 8 if kind == _FIXED_64 else 4
                value = data[at : at + size]
                at += size
            else:
                raise MalformedMessageError(f"a field is of the kind {kind}")
            fields.setdefault(key >> 3, []).append(value)
    except IndexError:
        at = end + 1
    if at > end:
        raise MalformedMessageError("it is cut off")
    return fields


def _read_varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:  # noqa: PLR2004  the bit that says that more follow
            return value, at
        shift += 7
        if shift >= _MAX_VARINT_BITS:
            raise MalformedMessageError("a number has more than ten bytes")


def messages(fields: Fields, number: int) -> Iterator[Fields]:
    """Yield the messages of a repeated field.

    Args:
        fields: The message that has it.
        number: The field.

    Raises:
        MalformedMessageError: One of them is none.
    """
    for value in fields.get(number, ()):
        if isinstance(value, int):
            raise MalformedMessageError(f"field {number} is a number")
        yield parse_message(value)


def message(fields: Fields, number: int) -> Fields:
    """Return the last message of a field; an empty one when the field is absent."""
    found: Fields = {}
    for found in messages(fields, number):  # noqa: B007  the last one counts
        pass
    return found


def text(fields: Fields, number: int) -> str:
    """Return the text of a field; an empty one when it is absent."""
    value = fields.get(number, [b""])[-1]
    return value.decode("utf-8", "backslashreplace") if isinstance(value, bytes) else ""


def texts(fields: Fields, number: int) -> list[str]:
    """Return all texts of a repeated field."""
    return [value.decode("utf-8", "backslashreplace") for value in fields.get(number, ()) if isinstance(value, bytes)]


def raw(fields: Fields, number: int) -> bytes:
    """Return the bytes of a field; none when it is absent."""
    value = fields.get(number, [b""])[-1]
    return value if isinstance(value, bytes) else b""


def integer(fields: Fields, number: int, default: int = 0) -> int:
    """Return the signed number of a field (int32, int64, enum or bool)."""
    value = fields.get(number, [default])[-1]
    if not isinstance(value, int):
        return default
    return value - (1 << 64) if value & _SIGN else value


def double(fields: Fields, number: int) -> float | None:
    """Return the double of a field; None when it is absent."""
    value = fields.get(number, [b""])[-1]
    return _DOUBLE.unpack(value)[0] if isinstance(value, bytes) and len(value) == _DOUBLE.size else None


def single(fields: Fields, number: int) -> float | None:
    """Return the float of a field; None when it is absent."""
    value = fields.get(number, [b""])[-1]
    return _FLOAT.unpack(value)[0] if isinstance(value, bytes) and len(value) == _FLOAT.size else None


def seconds(fields: Fields, number: int) -> float | None:
    """Return the UTC epoch seconds of a ``google.protobuf.Timestamp``; None when it is absent."""
    if number not in fields:
        return None
    stamp = message(fields, number)
    return integer(stamp, 1) + integer(stamp, 2) / 1e9
