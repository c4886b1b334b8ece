"""What all kinds of data have."""

from __future__ import annotations

import abc
import os
from pathlib import Path
from typing import Any

from gittrack.live_files.layout import Layout, check_name


class Data(abc.ABC):
    """Data of one name.

    Args:
        name: Its name; slashes make folders.
        output_folder: The folder of all plots.
    """

    subfolder = ""
    suffixes: tuple[str, ...] = ()

    def __init__(self, name: str, output_folder: Any) -> None:
        self.name = check_name(name)
        self.output_folder = Path(output_folder) / self.subfolder
        self.step: Any = -1

    @property
    @abc.abstractmethod
    def output_path(self) -> Path:
        """The file, whose folder is made."""

    @staticmethod
    @abc.abstractmethod
    def could_log(val: object) -> bool:
        """Say whether a value can be logged so."""

    @abc.abstractmethod
    def dump(self, val: Any, **kwargs: Any) -> None:
        """Write a value."""

    @property
    def _layout(self) -> Layout:
        return Layout(os.fspath(self.output_folder.parent.parent))

    def _file(self, suffix: str) -> Path:
        path = Path(f"{self.output_folder / self.name}{suffix}")
        path.parent.mkdir(exist_ok=True, parents=True)
        return path
