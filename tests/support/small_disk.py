"""A disk so small that a test can fill it."""

from __future__ import annotations

import contextlib
import os
import subprocess
from typing import TYPE_CHECKING

from tests.support.needs import need

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextlib.contextmanager
def small_disk(folder: Path, size: str = "3m") -> Iterator[Path]:
    """Mount a small file system, and unmount it whatever happens.

    Args:
        folder: Where to; made when it is missing.
        size: As `mount` takes it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    need(
        is_there=os.geteuid() == 0 and subprocess.run(mount, capture_output=True, check=False).returncode == 0,
        what="root that may mount a tmpfs",
    )
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(disk: Path) -> Path:
    """Fill a disk to the last byte, and return the file that fills it."""
    ballast = disk / "ballast"
    with contextlib.suppress(OSError), ballast.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))
    return ballast


def set_read_only(disk: Path, *, is_read_only: bool = True) -> None:
    """Let a mounted disk refuse every write, or take them again."""
    option = "remount,ro" if is_read_only else "remount,rw"
    subprocess.run(["mount", "-o", option, str(disk)], check=True)
