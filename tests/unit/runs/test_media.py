"""Images of every kind become files."""

from __future__ import annotations

import struct
import zlib
from io import BytesIO
from typing import TYPE_CHECKING, Any

import matplotlib.figure
import numpy as np
import PIL.Image
import plotly.graph_objects
import pytest

from gittrack.runs.media import (
    InvalidFigureError,
    InvalidImageError,
    draw_matplotlib,
    is_matplotlib,
    plotly_specification,
    read_image,
)

if TYPE_CHECKING:
    from pathlib import Path


def decode_png(data: bytes) -> np.ndarray:
    """Return the pixels of a PNG without filters, as `encode_png` writes it; all checksums are checked."""
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    start, chunks = 8, {}
    while start < len(data):
        (length,) = struct.unpack(">I", data[start : start + 4])
        kind, content = data[start + 4 : start + 8], data[start + 8 : start + 8 + length]
        assert struct.unpack(">I", data[start + 8 + length : start + 12 + length])[0] == zlib.crc32(kind + content)
        chunks[kind] = content
        start += 12 + length
    width, height, depth, colour, *_ = struct.unpack(">IIBBBBB", chunks[b"IHDR"])
    n_channels = {0: 1, 4: 2, 2: 3, 6: 4}[colour]
    assert depth == 8
    rows = np.frombuffer(zlib.decompress(chunks[b"IDAT"]), dtype=np.uint8).reshape(height, 1 + width * n_channels)
    assert not rows[:, 0].any()
    return rows[:, 1:].reshape(height, width, n_channels)


def pixels_of(value: Any) -> np.ndarray:
    """Return the pixels of the image that a value becomes."""
    image = read_image(value)
    assert (image.suffix, image.media_type) == (".png", "image/png")
    assert isinstance(image.content, bytes)
    return decode_png(image.content)


@pytest.mark.parametrize("n_channels", [1, 2, 3, 4])
def test_bytes_are_kept(n_channels: int) -> None:
    """Every number of channels, with the channels last and first."""
    array = np.random.default_rng(1).integers(0, 256, (5, 7, n_channels), dtype=np.uint8)
    assert (pixels_of(array) == array).all()
    assert (pixels_of(np.moveaxis(array, 2, 0)) == array).all()


def test_grey_numbers_and_booleans() -> None:
    """Two dimensions are grey; numbers from 0 to 1 and booleans span all of the range; wide integers fit."""
    assert pixels_of(np.array([[0, 255]]))[..., 0].tolist() == [[0, 255]]
    assert pixels_of(np.array([[0.0, 0.5, 1.0]], dtype=np.float32))[..., 0].tolist() == [[0, 128, 255]]
    assert pixels_of(np.array([[False, True]]))[..., 0].tolist() == [[0, 255]]


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (5, "not int"),
        (None, "not NoneType"),
        (object(), "not object"),
        ([[1, 2]], "not list"),
        (np.zeros((5, 5, 5)), "shape"),
        (np.zeros((0, 4)), "shape"),
        (np.zeros(3), "shape"),
        (np.full((2, 2), 1.5), "from 0 to 1"),
        (np.full((2, 2), np.nan), "from 0 to 1"),
        (np.full((2, 2), 256), "from 0 to 255"),
        (np.full((2, 2), -1), "from 0 to 255"),
        (np.full((2, 2), "a"), "must be numbers"),
        ("image.exe", "no suffix of an image"),
    ],
)
def test_what_is_no_image_is_refused(value: Any, words: str) -> None:
    """By name, with what is wrong."""
    with pytest.raises(InvalidImageError, match=words):
        read_image(value)


def test_a_path_is_taken_as_it_is(tmp_path: Path) -> None:
    """With its suffix; one that is not there is named."""
    path = tmp_path / "photo.JPG"
    path.write_bytes(b"jpeg")
    assert read_image(path) == (".jpg", "image/jpeg", str(path))
    with pytest.raises(FileNotFoundError):
        read_image(tmp_path / "none.png")


def test_images_of_pillow() -> None:
    """Pixels of any mode are those of the file; an odd mode becomes RGB."""
    array = np.random.default_rng(2).integers(0, 256, (6, 4, 3), dtype=np.uint8)
    image = PIL.Image.fromarray(array)
    for picture in (image, image.convert("CMYK")):
        content = read_image(picture).content
        assert isinstance(content, bytes)
        with PIL.Image.open(BytesIO(content)) as saved:
            assert np.abs(np.asarray(saved, dtype=int) - array).max() <= 3
    assert (np.asarray(PIL.Image.open(BytesIO(file_of(array)))) == array).all()


def file_of(array: np.ndarray) -> bytes:
    """Return the file of an array."""
    content = read_image(array).content
    assert isinstance(content, bytes)
    return content


def test_figures_of_matplotlib() -> None:
    """They are drawn as they are and stay open; one that cannot be drawn says why."""
    figure = matplotlib.figure.Figure()
    axes = figure.subplots()
    axes.plot([1, 2, 3])
    assert is_matplotlib(figure)
    assert draw_matplotlib(figure, "png").startswith(b"\x89PNG")
    assert b"<svg" in draw_matplotlib(figure, "svg")
    axes.set_title(r"$\frax$")
    with pytest.raises(InvalidFigureError, match="cannot be drawn"):
        read_image(figure)


def test_figures_of_plotly() -> None:
    """Their data and layout, arrays among it, and dicts of the same form."""
    figure = plotly.graph_objects.Figure(plotly.graph_objects.Scatter(y=[1, 2]), {"title": {"text": "T"}})
    specification = plotly_specification(figure)
    assert specification is not None
    assert specification["data"][0]["y"] == [1, 2]
    assert specification["layout"]["title"] == {"text": "T"}
    assert plotly_specification({"data": [{"y": np.array([1, 2])}]}) == {"data": [{"y": [1, 2]}]}
    assert plotly_specification({"layout": {}}) is None
    assert plotly_specification("data") is None
