"""Images: arrays, figures, Pillow's images and files, each written under the name that it is given."""

from __future__ import annotations

import io
import os
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any

from gittrack.errors import GittrackError
from gittrack.live_files.errors import InvalidDataTypeError, InvalidImageNameError
from gittrack.live_files.layout import IMAGE_SUFFIXES, IMAGES, check_name

if TYPE_CHECKING:
    from gittrack.live_files.layout import Layout

_ARRAY, _FIGURE, _PIL = ("numpy", "ndarray"), ("matplotlib.figure", "Figure"), ("PIL.Image", "Image")


class PillowMissingError(GittrackError):
    """An image cannot be written without Pillow."""


def can_log(image: object) -> bool:
    """Say whether something is an image, or a path that may lead to one."""
    return isinstance(image, (str, PurePath)) or any(is_kind(image, *kind) for kind in (_ARRAY, _FIGURE, _PIL))


def is_kind(value: object, module: str, name: str) -> bool:
    """Say whether a value is of a class, without importing it.

    Args:
        value: The value.
        module: Where the class is.
        name: Its name.
    """
    return any((kind.__module__, kind.__name__) == (module, name) for kind in type(value).__mro__)


def write_image(layout: Layout, name: str, image: Any) -> tuple[str, Path]:
    """Write an image.

    Args:
        layout: Where it goes.
        name: Its name with a suffix; that of a path may be left out.
        image: An array, a figure, which is closed, an image of Pillow's, or a path.

    Returns:
        The name with its suffix, and the file.

    Raises:
        InvalidDataTypeError: It is something else, or no image can be made of it.
        InvalidImageNameError: The name has no suffix of an image.
        InvalidNameError: The name leads elsewhere.
        PillowMissingError: Pillow is needed.
        OSError: A file cannot be read or written.
    """
    if not can_log(image):
        raise InvalidDataTypeError(name, type(image))
    if isinstance(image, (str, PurePath)) and not Path(name).suffix and Path(image).suffix in IMAGE_SUFFIXES:
        name = f"{name}{Path(image).suffix}"
    if Path(check_name(name)).suffix not in IMAGE_SUFFIXES:
        raise InvalidImageNameError(name)
    path = layout.plot(IMAGES, name)
    data = _render(name, image, path.suffix)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        temporary.write_bytes(data)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    return name, path


def _render(name: str, image: Any, suffix: str) -> bytes:
    """Return the bytes of the file: nothing is written when this fails."""
    if is_kind(image, *_FIGURE):
        import matplotlib.pyplot as plt

        buffer = io.BytesIO()
        try:
            image.savefig(buffer, format=suffix[1:])
        finally:
            plt.close(image)
        return buffer.getvalue()
    pillow = _pillow()
    if isinstance(image, (str, PurePath)):
        if pillow is None and Path(image).suffix == suffix:
            return Path(image).read_bytes()
        with _required(pillow).open(image) as opened:
            return _save(opened, suffix)
    try:
        made = _required(pillow).fromarray(image) if is_kind(image, *_ARRAY) else image
        return _save(made, suffix)
    except (TypeError, ValueError) as error:
        raise InvalidDataTypeError(name, error) from error


def _save(image: Any, suffix: str) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format={".jpg": "JPEG", ".jpeg": "JPEG", ".gif": "GIF", ".png": "PNG"}[suffix])
    return buffer.getvalue()


def _pillow() -> Any:
    try:
        from PIL import Image
    except ImportError:
        return None
    return Image


def _required(pillow: Any) -> Any:
    if pillow is None:
        raise PillowMissingError("images need Pillow", hint="pip install 'gittrack[images]'")
    return pillow
