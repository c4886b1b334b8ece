"""Turn what a script has in hand into a file: arrays, images of pillow, figures of matplotlib and plotly."""

from __future__ import annotations

import os
import struct
import zlib
from io import BytesIO
from typing import TYPE_CHECKING, Any, NamedTuple

from gittrack.columns import detached
from gittrack.values import InvalidValueError, load_json

if TYPE_CHECKING:
    from collections.abc import Mapping

IMAGE_TYPES = {
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".gif": "image/gif",
    ".svg": "image/svg+xml",
    ".webp": "image/webp",
    ".bmp": "image/bmp",
    ".tif": "image/tiff",
    ".tiff": "image/tiff",
}
_CHANNELS_TO_COLOUR = {1: 0, 2: 4, 3: 2, 4: 6}  # https://www.w3.org/TR/png-3/#6Colour-values
_MAX_BYTE = 255
_PNG_LEVEL = 6


class InvalidImageError(InvalidValueError):
    """A value is no image."""


class InvalidFigureError(InvalidValueError):
    """A value is no figure, or one that cannot be drawn."""


class Image(NamedTuple):
    """An image as a file.

    Attributes:
        suffix: Such as ``.png``.
        media_type: The kind of its content.
        content: The content, or the path of the file that has it.
    """

    suffix: str
    media_type: str
    content: bytes | str


def read_image(value: Any) -> Image:
    """Return the file of an image.

    Args:
        value: The path of an image, a figure of matplotlib, an image of pillow, or an array or tensor of pixels: of
            shape (height, width), (height, width, channels) or (channels, height, width), with 1 to 4 channels;
            integers from 0 to 255, numbers from 0 to 1, or booleans.

    Raises:
        InvalidImageError: It is something else.
        InvalidFigureError: It is a figure that cannot be drawn.
    """
    if isinstance(value, (str, os.PathLike)):
        return _image_of_path(os.fspath(value))
    if is_matplotlib(value):
        return Image(".png", IMAGE_TYPES[".png"], draw_matplotlib(value, "png"))
    if hasattr(value, "save") and hasattr(value, "mode") and hasattr(value, "size"):
        return Image(".png", IMAGE_TYPES[".png"], _save_pillow(value))
    pixels = detached(value)
    if hasattr(pixels, "__array__"):
        return Image(".png", IMAGE_TYPES[".png"], _encode_pixels(_to_array(pixels)))
    raise InvalidImageError(
        f"an image must be an array, an image of pillow, a figure of matplotlib or a path, not {type(value).__name__}"
    )


def is_matplotlib(value: Any) -> bool:
    """Return whether a value is a figure of matplotlib."""
    return hasattr(value, "savefig") and any(kind.__module__.startswith("matplotlib.") for kind in type(value).__mro__)


def draw_matplotlib(figure: Any, form: str) -> bytes:
    """Return a figure of matplotlib as a file.

    Args:
        figure: The figure; it stays open.
        form: ``png`` or ``svg``.

    Raises:
        InvalidFigureError: It cannot be drawn.
    """
    buffer = BytesIO()
    try:
        figure.savefig(buffer, format=form)
    except Exception as error:  # whatever is wrong with it
        raise InvalidFigureError(f"the figure cannot be drawn: {error}") from error
    return buffer.getvalue()


def plotly_specification(figure: Any) -> Mapping[str, Any] | None:
    """Return the data and the layout of a figure of plotly, or of a dict that has them; None for anything else.

    Raises:
        InvalidFigureError: It cannot be written as JSON.
    """
    if isinstance(figure, dict):
        if not isinstance(figure.get("data"), (list, tuple)):
            return None
        from gittrack.values import to_plain

        plain = to_plain(figure, name="the figure")
        return plain if isinstance(plain, dict) else None
    if not (hasattr(figure, "to_json") and hasattr(figure, "layout") and hasattr(figure, "data")):
        return None
    try:
        document = load_json(figure.to_json(), tagged=False)
    except Exception as error:  # whatever is wrong with it
        raise InvalidFigureError(f"the figure cannot be written: {error}") from error
    return document if isinstance(document, dict) else None


def encode_png(rows: bytes, width: int, height: int, n_channels: int) -> bytes:
    """Return pixels as a PNG file.

    Args:
        rows: One byte for each channel of each pixel, row by row.
        width: Pixels in a row.
        height: Rows.
        n_channels: 1 for grey, 2 with alpha, 3 for red, green and blue, 4 with alpha.
    """
    stride = width * n_channels
    lines = b"".join(b"\0" + rows[start : start + stride] for start in range(0, height * stride, stride))
    header = struct.pack(">IIBBBBB", width, height, 8, _CHANNELS_TO_COLOUR[n_channels], 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(lines, _PNG_LEVEL)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )


def _image_of_path(path: str) -> Image:
    suffix = os.path.splitext(path)[1].lower()  # noqa: PTH122  a text
    if suffix not in IMAGE_TYPES:
        raise InvalidImageError(
            f"'{path}' has no suffix of an image", hint=f"name a file that ends with {', '.join(IMAGE_TYPES)}"
        )
    path = os.path.expanduser(path)  # noqa: PTH111  a text
    if not os.path.isfile(path):  # noqa: PTH113  a text
        raise FileNotFoundError(2, "there is no such file", path)
    return Image(suffix, IMAGE_TYPES[suffix], path)


def _save_pillow(image: Any) -> bytes:
    buffer = BytesIO()
    try:
        keeps = image.mode in {"1", "L", "LA", "I", "I;16", "P", "RGB", "RGBA"}
        (image if keeps else image.convert("RGB")).save(buffer, format="PNG")
    except Exception as error:  # whatever pillow, or what looks like it, raises
        raise InvalidImageError(f"the image cannot be written: {error}") from error
    return buffer.getvalue()


def _to_array(pixels: Any) -> Any:
    import numpy as np

    try:
        array = np.asarray(pixels)
    except Exception as error:  # whatever the pixels' own library raises
        raise InvalidImageError(f"the image cannot be read as an array: {error}") from error
    if array.ndim == 3 and array.shape[0] in _CHANNELS_TO_COLOUR and array.shape[2] not in _CHANNELS_TO_COLOUR:  # noqa: PLR2004
        array = np.moveaxis(array, 0, 2)
    if array.ndim == 2:  # noqa: PLR2004
        array = array[:, :, None]
    if array.ndim != 3 or array.shape[2] not in _CHANNELS_TO_COLOUR or 0 in array.shape:  # noqa: PLR2004
        raise InvalidImageError(f"an image cannot have the shape {np.shape(pixels)}")
    return array


def _encode_pixels(array: Any) -> bytes:
    import numpy as np

    kind = array.dtype.kind
    if kind == "b":
        array = array.astype(np.uint8) * _MAX_BYTE
    elif kind == "f":
        if not np.isfinite(array).all() or array.min() < 0 or array.max() > 1:
            raise InvalidImageError(
                "pixels that are no integers must be numbers from 0 to 1", hint="scale them, or pass integers to 255"
            )
        array = np.rint(array.astype(float) * _MAX_BYTE).astype(np.uint8)
    elif kind in "iu":
        if array.min() < 0 or array.max() > _MAX_BYTE:
            raise InvalidImageError("pixels must be integers from 0 to 255")
        array = array.astype(np.uint8)
    else:
        raise InvalidImageError(f"pixels must be numbers, not {array.dtype}")
    height, width, n_channels = array.shape
    return encode_png(array.tobytes(), width, height, n_channels)
