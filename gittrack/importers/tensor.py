"""The values of TensorFlow's ``TensorProto``: what scalars, texts, images and plots need."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from gittrack.importers import protobuf

if TYPE_CHECKING:
    from gittrack.importers.protobuf import Fields

_STRING = 7
_CONTENT, _STRINGS, _SHAPE = 4, 8, 2
# types.proto: the number of a type -> how one value of it stands in `tensor_content`
_FORMS = {1: "f", 2: "d", 3: "i", 4: "B", 5: "h", 6: "b", 9: "q", 10: "?", 17: "H", 19: "e", 22: "I", 23: "Q"}
_FLOATS, _DOUBLES = 5, 6
_HALVES = 13
_BFLOAT, _HALF = 14, 19
_VARINTS = (7, 10, 11, 16, 17)  # int_val, int64_val, bool_val, uint32_val, uint64_val
_SIGN = 1 << 63
_N_AXES = 2


def scalar(tensor: Fields) -> int | float | None:
    """Return the number that a tensor of one element holds; None for any other tensor.

    Args:
        tensor: A ``TensorProto``.
    """
    kind = protobuf.integer(tensor, 1)
    content = protobuf.raw(tensor, _CONTENT)
    if content:
        return _unpack(_FORMS.get(kind), content)
    for number, form in ((_FLOATS, "f"), (_DOUBLES, "d")):
        if number in tensor:
            return _unpack(form, protobuf.raw(tensor, number))
    if _HALVES in tensor:
        bits = _varint(tensor, _HALVES)
        if bits is None or not 0 <= bits < 1 << 16:
            return None
        return _unpack("f", struct.pack("<I", bits << 16)) if kind == _BFLOAT else _unpack("e", struct.pack("<H", bits))
    for number in _VARINTS:
        if number in tensor:
            return _varint(tensor, number)
    # a zero may be left out of the message
    return 0.0 if kind in _FORMS and not protobuf.message(tensor, _SHAPE) else None


def strings(tensor: Fields) -> list[str]:
    """Return the texts of a tensor of texts; none for any other."""
    return protobuf.texts(tensor, _STRINGS) if protobuf.integer(tensor, 1) == _STRING else []


def encoded(tensor: Fields) -> list[bytes]:
    """Return the byte strings of a tensor of texts, as they are; none for any other."""
    if protobuf.integer(tensor, 1) != _STRING:
        return []
    return [value for value in tensor.get(_STRINGS, ()) if isinstance(value, bytes)]


def rows(tensor: Fields) -> list[list[float]]:
    """Return the rows of a matrix of floats or doubles; none for any other tensor.

    Args:
        tensor: A ``TensorProto``.
    """
    sizes = [protobuf.integer(size, 1) for size in protobuf.messages(protobuf.message(tensor, _SHAPE), 2)]
    if len(sizes) != _N_AXES or min(sizes) <= 0:
        return []
    values: list[float] = []
    content = protobuf.raw(tensor, _CONTENT)
    form = _FORMS.get(protobuf.integer(tensor, 1), "")
    if content and form in {"f", "d"}:
        values = unpack_numbers(form, content)
    else:
        for number, one in ((_FLOATS, "f"), (_DOUBLES, "d")):
            for piece in tensor.get(number, ()):  # packed, as proto3 writes it, or one by one
                values += unpack_numbers(one, piece) if isinstance(piece, bytes) else []
    if len(values) != sizes[0] * sizes[1]:
        return []
    return [values[start : start + sizes[1]] for start in range(0, len(values), sizes[1])]


def unpack_numbers(form: str, data: bytes) -> list[float]:
    """Return little-endian numbers that stand one after the other; none when the length does not fit.

    Args:
        form: ``f`` or ``d``.
        data: The numbers.
    """
    number, rest = divmod(len(data), struct.calcsize(f"<{form}"))
    return [] if rest else list(struct.unpack(f"<{number}{form}", data))


def _unpack(form: str | None, data: bytes) -> int | float | None:
    if form is None or struct.calcsize(f"<{form}") != len(data):
        return None
    value = struct.unpack(f"<{form}", data)[0]
    return int(value) if isinstance(value, bool) else value


def _varint(tensor: Fields, number: int) -> int | None:
    """Return a number that is packed, as proto3 writes it, or not."""
    value = tensor[number][-1]
    if isinstance(value, bytes):
        # a packed list is like the values of a field, without its key: give it one
        found, at, shift = 0, 0, 0
        while at < len(value):
            found |= (value[at] & 0x7F) << shift
            at, shift = at + 1, shift + 7
            if value[at - 1] < 0x80:  # noqa: PLR2004  the bit that says that more follow
                break
        if at != len(value):
            return None
        value = found
    return value - (1 << 64) if value & _SIGN else value
