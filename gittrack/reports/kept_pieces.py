"""What was made of files, made again only when they have changed."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from gittrack.reports.content import Piece


class KeptPieces:
    """Pieces of a report that is written again and again."""

    def __init__(self) -> None:
        self._pieces: dict[Path, tuple[tuple[int, int], Piece | None]] = {}

    def get(self, path: Path, make: Callable[[], Piece | None]) -> Piece | None:
        """Return the piece of a file; None where there is no file or no piece.

        Args:
            path: The file.
            make: Makes the piece.
        """
        try:
            info = path.stat()
        except OSError:
            return None
        state = (info.st_mtime_ns, info.st_size)
        if path not in self._pieces or self._pieces[path][0] != state:
            self._pieces[path] = (state, make())
        return self._pieces[path][1]
