"""Remember which other artifacts hold a directory's files on git remotes, so that a chain of versions stays flat."""

from __future__ import annotations

import contextlib
import sqlite3
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

_TABLE = "CREATE TABLE IF NOT EXISTS origins (artifact TEXT PRIMARY KEY, names TEXT) WITHOUT ROWID"
_BUSY_S = 2.0


class Origins:
    """What ``from`` of artifacts said when they were last seen; what is not known costs a connection more.

    Args:
        path: The database; it can be deleted at any time.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def find(self, artifact: str) -> list[str]:
        """Return the names that an artifact gave; empty when nothing is known."""
        with contextlib.suppress(sqlite3.Error, OSError), self._connect() as connection:
            row = connection.execute("SELECT names FROM origins WHERE artifact=?", (artifact,)).fetchone()
            return row[0].split() if row else []
        return []

    def note(self, artifact: str, names: Sequence[str]) -> None:
        """Remember the names that an artifact gives."""
        with contextlib.suppress(sqlite3.Error, OSError), self._connect() as connection, connection:
            connection.execute("INSERT OR REPLACE INTO origins VALUES (?, ?)", (artifact, " ".join(names)))

    @contextlib.contextmanager
    def _connect(self) -> Iterator[sqlite3.Connection]:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        try:
            connection = self._open()
        except sqlite3.DatabaseError:
            self._path.unlink(missing_ok=True)  # damaged: made anew
            connection = self._open()
        try:
            yield connection
        finally:
            connection.close()

    def _open(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._path, timeout=_BUSY_S)
        try:
            connection.execute("PRAGMA synchronous=OFF")  # it is disposable
            connection.execute(_TABLE)
        except BaseException:
            connection.close()
            raise
        return connection
