"""Let other libraries find this package under the name ``dvclive``."""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import importlib.metadata
import importlib.util
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from os import PathLike
    from types import ModuleType

_HOME = "gittrack.compat.dvclive"
_NAME = "dvclive"


class _Loader(importlib.abc.Loader):
    """Gives a module of this package under its other name."""

    def __init__(self) -> None:
        self._own_spec: Any = None

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType:
        module = importlib.import_module(_HOME + spec.name[len(_NAME) :])
        self._own_spec = module.__spec__
        return module

    def exec_module(self, module: ModuleType) -> None:
        module.__spec__ = self._own_spec  # which the import system has just replaced


class _Finder(importlib.metadata.DistributionFinder):
    """Finds ``dvclive`` and its modules, and says of which version it is, for libraries ask."""

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None = None,  # noqa: ARG002  the import system's arguments
        target: ModuleType | None = None,  # noqa: ARG002
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname == _NAME or fullname.startswith(f"{_NAME}."):
            own = importlib.util.find_spec(_HOME + fullname[len(_NAME) :])
            if own is not None:
                return importlib.machinery.ModuleSpec(
                    fullname, _Loader(), origin=own.origin, is_package=own.submodule_search_locations is not None
                )
        return None

    def find_distributions(
        self, context: importlib.metadata.DistributionFinder.Context | None = None
    ) -> Iterable[importlib.metadata.Distribution]:
        return [_Distribution()] if context is not None and context.name == _NAME else []


class _Distribution(importlib.metadata.Distribution):
    """What the package index would say."""

    def read_text(self, filename: str) -> str | None:
        from gittrack.compat.dvclive import __version__

        return f"Metadata-Version: 2.1\nName: dvclive\nVersion: {__version__}\n" if filename == "METADATA" else None

    def locate_file(self, path: str | PathLike[str]) -> Any:
        from pathlib import Path

        return Path(__file__).parent / path


def install() -> None:
    """Let ``import dvclive`` find gittrack, here and in every library that is imported later.

    To be called first: a library that has looked for DVCLive already may not look again. Calling it twice does nothing.
    An installed DVCLive is hidden while the process runs, and not touched.

    Example:
        >>> install()
        >>> import dvclive
        >>> dvclive.Live.__module__
        'gittrack.compat.dvclive.live'
    """
    if any(isinstance(finder, _Finder) for finder in sys.meta_path):
        return
    for name in [name for name in sys.modules if name == _NAME or name.startswith(f"{_NAME}.")]:
        del sys.modules[name]
    sys.meta_path.insert(0, _Finder())
    sys.modules[_NAME] = importlib.import_module(_HOME)


def uninstall() -> None:
    """Undo `install`, for tests."""
    sys.meta_path[:] = [finder for finder in sys.meta_path if not isinstance(finder, _Finder)]
    for name in [name for name in sys.modules if name == _NAME or name.startswith(f"{_NAME}.")]:
        del sys.modules[name]
