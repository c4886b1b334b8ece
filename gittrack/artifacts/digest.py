"""The name of content: the BLAKE3 digest of its bytes."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, NewType

from gittrack.errors import GittrackError

if TYPE_CHECKING:
    from collections.abc import Iterator

Digest = NewType("Digest", str)
"""256 bits of BLAKE3 as 64 lower-case hex digits."""

PREFIX = "b3:"  # names the algorithm wherever a digest is written down
MAX_THREADS = 4  # more would take the trainer's cores, for the disk is the limit
_PIECE_BYTES = 1 << 20
_THREADED_BYTES = 8 << 20
_FORM = re.compile(r"b3:([0-9a-f]{64})")
_BARE = re.compile(r"[0-9a-f]{64}")


class InvalidDigestError(GittrackError):
    """A text is not a digest."""


def parse_digest(text: object) -> Digest:
    """Read a digest as it is written in pointers and manifests.

    Args:
        text: ``b3:`` and 64 lower-case hex digits.

    Raises:
        InvalidDigestError: It is something else.

    Example:
        >>> parse_digest("b3:" + "0" * 64) == "0" * 64
        True
    """
    match = _FORM.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        raise InvalidDigestError(f"not a digest: {text!r:.100}", hint="a digest is 'b3:' and 64 hex digits")
    return Digest(match[1])


def render_digest(digest: Digest) -> str:
    """Return a digest as it is written in pointers and manifests.

    Example:
        >>> render_digest(hash_bytes(b""))
        'b3:af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262'
    """
    return PREFIX + digest


def is_digest(text: str) -> bool:
    """Return whether a text is the 64 hex digits of a digest, as in the names of files and refs."""
    return _BARE.fullmatch(text) is not None


def hash_bytes(data: bytes | memoryview) -> Digest:
    """Return the digest of bytes in memory.

    Args:
        data: The content.
    """
    from blake3 import blake3

    return Digest(blake3(data).hexdigest())


def hash_stream(descriptor: int) -> Digest:
    """Return the digest of an open file, read from where it stands to its end.

    It is read, not mapped: a file that somebody else truncates meanwhile would end this process by a signal.

    Args:
        descriptor: A file open for reading.

    Raises:
        OSError: It cannot be read.
    """
    from blake3 import blake3

    hasher = blake3()
    for piece in read_pieces(descriptor):
        hasher.update(piece)
    return Digest(hasher.hexdigest())


def hash_mapped(path: str, size: int) -> Digest:
    """Return the digest of a file that nobody changes, such as an object of the cache.

    Args:
        path: The file.
        size: Its size in bytes: large files are mapped, and hashed by several threads.

    Raises:
        OSError: It cannot be read.
    """
    from blake3 import blake3

    hasher = blake3(max_threads=min(MAX_THREADS, os.cpu_count() or 1) if size >= _THREADED_BYTES else 1)
    return Digest(hasher.update_mmap(path).hexdigest())


def read_pieces(descriptor: int, piece_bytes: int = _PIECE_BYTES) -> Iterator[memoryview]:
    """Yield the content of an open file piece by piece, each valid until the next one is asked for.

    Args:
        descriptor: A file open for reading.
        piece_bytes: The size of a piece.

    Raises:
        OSError: It cannot be read.
    """
    buffer = memoryview(bytearray(piece_bytes))
    while n_bytes := os.readv(descriptor, [buffer]):
        yield buffer[:n_bytes]
