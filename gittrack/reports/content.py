"""What a report says, before it is HTML or Markdown: tables, curves, figures, images and texts, as plain values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from gittrack.visible import sanitise

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

MAX_ROWS = 1_000  # of one table; the experiment has all
MAX_TEXT = 10_000  # characters of one text
MAX_CELL = 500  # characters of one value
MAX_IMAGE_BYTES = 4 << 20
MAX_IMAGES_BYTES = 64 << 20  # of all images together
MAX_PIECES = 100  # images, figures and texts: the newest


class Pairs(NamedTuple):
    """Names and their values.

    Attributes:
        title: What stands above them.
        pairs: The names and values.
    """

    title: str
    pairs: Sequence[tuple[str, str]]


class Table(NamedTuple):
    """Rows under a header.

    Attributes:
        title: What stands above it.
        columns: The header.
        rows: The rows.
    """

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]


class Drawing(NamedTuple):
    """A figure.

    Attributes:
        title: What stands above it.
        figure: The figure as plotly reads it: ``data`` and ``layout``; from anywhere, so that nothing of it is trusted.
        caption: Numbers that sum it up.
    """

    title: str
    figure: Mapping[str, Any]
    caption: str = ""


class Image(NamedTuple):
    """An image.

    Attributes:
        title: What stands above it.
        media_type: Such as ``image/png``.
        data: Its file.
    """

    title: str
    media_type: str
    data: bytes


class Text(NamedTuple):
    """A text.

    Attributes:
        title: What stands above it.
        text: The text.
    """

    title: str
    text: str


Piece = Pairs | Table | Drawing | Image | Text


class Content(NamedTuple):
    """A whole report.

    Attributes:
        title: What it is about.
        pieces: What it consists of, in order.
        is_final: Whether it stays as it is; else a page loads itself anew from time to time.
    """

    title: str
    pieces: Sequence[Piece]
    is_final: bool = True


def shorten(text: str, limit: int = MAX_CELL) -> str:
    r"""Return a text that is not longer than so many characters, with those that cannot be seen written out.

    Args:
        text: The text.
        limit: How many characters.

    Example:
        >>> shorten("abcdef", 4), shorten("\x1b[2J")
        ('abc…', '\\x1b[2J')
    """
    return sanitise(text if len(text) <= limit else f"{text[: limit - 1]}…", multiline=True)
