"""Sizes for people, and a bar that says how many bytes of a transfer are done, how fast, and how long it will take."""

from __future__ import annotations

from contextlib import contextmanager
from threading import Lock
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gittrack.cli.terminal import Terminal
    from gittrack.storage.protocol import Progress

_UNITS = ("bytes", "KiB", "MiB", "GiB", "TiB")
_STEP = 1024
_DELAY_S = 0.5  # what is done sooner needs no bar


def render_size(n_bytes: int) -> str:
    """Return a size as people read it.

    Example:
        >>> render_size(1), render_size(1023), render_size(1536)
        ('1 byte', '1023 bytes', '1.5 KiB')
    """
    size, unit = float(n_bytes), 0
    while size >= _STEP and unit < len(_UNITS) - 1:
        size, unit = size / _STEP, unit + 1
    return f"{size:.1f} {_UNITS[unit]}" if unit else f"{n_bytes} byte{'' if n_bytes == 1 else 's'}"


@contextmanager
def byte_progress(terminal: Terminal, label: str) -> Iterator[Progress]:
    """Give whom to tell of bytes; a bar on stderr shows them while a person reads it, and is gone at the end.

    Args:
        terminal: The terminal of the command.
        label: What is being done, such as ``adding``.
    """
    from gittrack.storage.protocol import SILENT, Progress

    if not terminal.stderr.isatty() or terminal.environ.get("TERM") == "dumb":
        yield SILENT
        return
    from tqdm import tqdm

    tqdm.monitor_interval = 0  # its thread would keep many small files from being read in several processes
    lock = Lock()
    with tqdm(
        total=0, unit="B", unit_scale=True, unit_divisor=_STEP, desc=label, file=terminal.stderr, leave=False,
        delay=_DELAY_S, dynamic_ncols=True, ascii=not terminal.unicode,
    ) as bar:  # fmt: skip

        def on_total(n_bytes: int) -> None:
            with lock:
                bar.total = (bar.total or 0) + n_bytes
                bar.refresh()

        def on_bytes(n_bytes: int) -> None:
            with lock:
                bar.update(n_bytes)

        yield Progress(on_total, on_bytes)
