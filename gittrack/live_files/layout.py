"""Where DVCLive keeps what: the files and folders below the one that `Live` is given."""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from gittrack.live_files.errors import InvalidNameError

if TYPE_CHECKING:
    from collections.abc import Iterator

METRICS, IMAGES, CUSTOM, SKLEARN = "metrics", "images", "custom", "sklearn"
DVC_FILE = "dvc.yaml"
IMAGE_SUFFIXES = (".jpg", ".jpeg", ".gif", ".png")

_MAX_NAME_BYTES = 255
_LONGEST_SUFFIX = ".json"


class Layout:
    """The paths of one `Live`, as texts relative to the current folder where the folder was given so.

    Args:
        folder: The folder that holds all but ``dvc.yaml``.
    """

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self.params = os.path.join(folder, "params.yaml")  # noqa: PTH118  texts, in the form that DVCLive gives
        self.metrics = os.path.join(folder, "metrics.json")  # noqa: PTH118
        self.plots = os.path.join(folder, "plots")  # noqa: PTH118
        self.artifacts = os.path.join(folder, "artifacts")  # noqa: PTH118

    def report(self, suffix: str) -> str:
        """Return the path of a report with this suffix."""
        return os.path.join(self.folder, f"report.{suffix}")  # noqa: PTH118

    def plot(self, kind: str, name: str, suffix: str = "") -> Path:
        """Return the path of a plot.

        Args:
            kind: `METRICS`, `IMAGES`, `CUSTOM` or `SKLEARN`.
            name: Its name; slashes make folders.
            suffix: What its file ends with.
        """
        return Path(f"{Path(self.plots) / kind / name}{suffix}")

    def clean(self) -> None:
        """Remove what an earlier script left; other files of the folder stay."""
        for kind in (METRICS, IMAGES, CUSTOM, SKLEARN):
            plots = Path(self.plots, kind)
            if plots.is_symlink():  # which might lead anywhere
                plots.unlink()
            shutil.rmtree(plots, ignore_errors=True)
        for path in (self.params, self.metrics, self.report("html"), self.report("md"), self._inner_dvc_file):
            with suppress(FileNotFoundError):
                Path(path).unlink()

    def files(self) -> Iterator[Path]:
        """Yield the files that are there, without artifacts, which have pointers."""
        for path in (self.params, self.metrics, self.report("html"), self.report("md"), self._inner_dvc_file):
            if Path(path).is_file():
                yield Path(path)
        for folder in (Path(self.plots), Path(self.folder, "static")):
            yield from (path for path in sorted(folder.rglob("*")) if path.is_file())

    @property
    def _inner_dvc_file(self) -> str:
        return os.path.join(self.folder, DVC_FILE)  # noqa: PTH118


def check_name(name: object) -> str:
    """Accept the name of a metric, plot or image if it stays below its folder.

    Args:
        name: The name; slashes make folders.

    Returns:
        The name.

    Raises:
        InvalidNameError: It is no text, is empty or absolute, has a part ``..`` or one that is too long, or a NUL.

    Example:
        >>> check_name("train/loss")
        'train/loss'
    """
    if not isinstance(name, str):
        raise InvalidNameError(f"a name must be a str, not {type(name).__name__}")
    parts = Path(os.path.normpath(name)).parts
    if not name or "\0" in name or os.path.isabs(name) or ".." in parts or not parts:  # noqa: PTH117
        raise InvalidNameError(f"no file below the folder can have the name {name!r:.200}")
    with suppress(UnicodeEncodeError):
        if all(len(f"{part}{_LONGEST_SUFFIX}".encode()) <= _MAX_NAME_BYTES for part in parts):
            return name
    raise InvalidNameError(f"no file can have the name {name!r:.200}")
