"""Repositories as DVC leaves them, written byte by byte in its formats: no DVC is needed to test the import.

The formats were compared once with what DVC 3.67.1 writes and reads: `.dvc` files, `dvc.lock`, lists of files with
names beyond ASCII, the layout of cache and remote, links into the cache; and a DVC 2 layout written so was restored by
it.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


class DvcProject:
    """A folder with `.dvc`.

    Args:
        folder: The folder; may be below the top of a repository.
        is_legacy: Whether files are written as DVC 2 does.
    """

    def __init__(self, folder: Path, *, is_legacy: bool = False) -> None:
        self.folder = folder
        self.is_legacy = is_legacy
        (folder / ".dvc").mkdir(parents=True)
        (folder / ".dvc/.gitignore").write_text("/config.local\n/tmp\n/cache\n")
        (folder / ".dvc/config").touch()
        self.cache = folder / ".dvc/cache"

    def track(self, path: str, *lines: str) -> Path:
        """Track a file or folder that is there, as `dvc add` does, and return its `.dvc` file.

        Args:
            path: Relative to the project.
            lines: Further lines of the output.
        """
        source = self.folder / f"{path}.dvc"
        name = path.rpartition("/")[2]
        ignore = source.parent / ".gitignore"
        ignore.write_text((ignore.read_text() if ignore.exists() else "") + f"/{name}\n")
        source.write_text("outs:\n" + self.describe(path, name, *lines))
        return source

    def describe(self, path: str, name: str, *lines: str) -> str:
        """Store content, and return the lines by which a `.dvc` file or `dvc.lock` names it."""
        target = self.folder / path
        if target.is_dir():
            files = sorted(file for file in target.rglob("*") if file.is_file())
            entries = [{"md5": self.store(file), "relpath": file.relative_to(target).as_posix()} for file in files]
            entries.sort(key=lambda entry: entry["relpath"])
            data = json.dumps(entries, sort_keys=True).encode()
            md5 = hashlib.md5(data).hexdigest() + ".dir"
            self._write(md5, data)
            size, n_files = sum(file.stat().st_size for file in files), [f"  nfiles: {len(files)}"]
        else:
            md5, size, n_files = self.store(target), target.stat().st_size, []
        kind = [] if self.is_legacy else ["  hash: md5"]
        return "\n".join([f"- md5: {md5}", f"  size: {size}", *n_files, *kind, f"  path: {name}", *lines]) + "\n"

    def store(self, file: Path) -> str:
        """Put a file into the cache, and return its MD5."""
        data = file.read_bytes()
        is_text = self.is_legacy and b"\0" not in data
        md5 = hashlib.md5(data.replace(b"\r\n", b"\n") if is_text else data).hexdigest()
        self._write(md5, data)
        return md5

    def move_cache(self, folder: Path) -> None:
        """Move all content elsewhere."""
        folder.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(self.cache, folder)

    def stored(self) -> list[Path]:
        """Return all files of the cache."""
        return [path for path in self.cache.rglob("*") if path.is_file()]

    def _write(self, md5: str, data: bytes) -> None:
        layout = self.cache if self.is_legacy else self.cache / "files/md5"
        place = layout / md5[:2] / md5[2:]
        place.parent.mkdir(parents=True, exist_ok=True)
        if not place.exists():
            place.write_bytes(data)
            place.chmod(0o444)
