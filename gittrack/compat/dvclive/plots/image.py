"""An image."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from gittrack.compat.dvclive.plots.base import Data
from gittrack.live_files.image_files import can_log, write_image
from gittrack.live_files.layout import IMAGE_SUFFIXES, IMAGES, Layout

if TYPE_CHECKING:
    from pathlib import Path


class Image(Data):
    """An array, a figure, an image of Pillow's, or a path."""

    subfolder = IMAGES
    suffixes = IMAGE_SUFFIXES

    @property
    def output_path(self) -> Path:
        """The file, whose folder is made."""
        return self._file("")

    @staticmethod
    def could_log(val: object) -> bool:
        """Say whether something is an image, or a path."""
        return can_log(val)

    def dump(self, val: Any, **kwargs: Any) -> None:  # noqa: ARG002  the original's
        """Write an image."""
        layout = Layout("")
        layout.plots = os.fspath(self.output_folder.parent)
        write_image(layout, self.name, val)
