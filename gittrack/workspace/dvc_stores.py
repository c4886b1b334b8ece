"""Find content that DVC has stored: in its cache, and in remotes that are folders."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from gittrack.git.work_tree import read_file
from gittrack.workspace.dvc_files import MAX_LIST_BYTES, InvalidDvcFileError, hash_dvc, parse_dvc_config, parse_dvc_list

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gittrack.workspace.dvc_files import DvcEntry

OPEN = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_FOLDER = ".dvc"
_CONFIGS = ("config", "config.local")


class DvcStores(NamedTuple):
    """Where DVC's content may be.

    Attributes:
        folders: Caches and remotes, the nearest first.
        outside: Folders outside of the repository that are named and were left out.
    """

    folders: tuple[Path, ...]
    outside: tuple[Path, ...]

    def open(self, md5: str, suffix: str = "") -> Iterator[int]:
        """Yield each stored file that is named by an MD5, open; its content is not checked.

        Args:
            md5: 32 hex digits.
            suffix: ``.dir`` for a list of files.
        """
        for folder in self.folders:
            for layout in ("files/md5", ""):  # DVC 3, and DVC 2
                path = folder / layout / md5[:2] / (md5[2:] + suffix)
                try:
                    descriptor = os.open(path, OPEN)
                except OSError:
                    continue
                try:
                    yield descriptor
                finally:
                    os.close(descriptor)

    def read_list(self, md5: str) -> list[DvcEntry] | None:
        """Return the list of a directory's files, checked; None when it is nowhere.

        Args:
            md5: That of the list.

        Raises:
            InvalidDvcFileError: It is no list, or a hostile one.
        """
        for descriptor in self.open(md5, ".dir"):
            if os.fstat(descriptor).st_size <= MAX_LIST_BYTES and hash_dvc(descriptor, is_legacy=False) == md5:
                os.lseek(descriptor, 0, os.SEEK_SET)
                with os.fdopen(descriptor, "rb", closefd=False) as file:
                    return parse_dvc_list(file.read())
        return None


def find_stores(root: Path, *, allow_outside: bool) -> DvcStores:
    """Return where the DVC projects of a work tree keep their content.

    Args:
        root: The top folder.
        allow_outside: Whether folders outside of it are read, that the settings of DVC name.

    Raises:
        InvalidDvcFileError: A configuration cannot be read.
    """
    named: list[Path] = []
    for project in _projects(root):
        named.append(root / project / _FOLDER / "cache")
        for name in _CONFIGS:
            data = read_file(root, f"{project}/{_FOLDER}/{name}".removeprefix("./"))
            if data is None:
                continue
            try:
                text = data.decode()
            except UnicodeDecodeError as error:
                raise InvalidDvcFileError(f"the configuration of DVC in '{project}' is not UTF-8") from error
            named += [Path(os.path.normpath(root / project / _FOLDER / folder)) for folder in parse_dvc_config(text)]
    top = Path(os.path.realpath(root))
    found = [folder for folder in dict.fromkeys(named) if folder.is_dir()]
    inside = [folder for folder in found if Path(os.path.realpath(folder)).is_relative_to(top)]
    outside = [folder for folder in found if folder not in inside]
    return DvcStores(tuple([*inside, *outside] if allow_outside else inside), () if allow_outside else tuple(outside))


def _projects(root: Path) -> Iterator[str]:
    """Yield the folders that hold a DVC project, relative to the top; DVC allows several in one repository."""
    for parent, folders, _ in os.walk(root):
        if _FOLDER in folders:
            yield os.path.relpath(parent, root)
        folders[:] = [name for name in folders if name not in {".git", _FOLDER}]
