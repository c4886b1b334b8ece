"""What this clone remembers of storages: what they hold, and where on git remotes the files of a directory lie."""

from __future__ import annotations

import contextlib
import sqlite3
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from gittrack.artifacts.digest import Digest

FILE_NAME = "storage.sqlite"
_TABLES = (
    "CREATE TABLE IF NOT EXISTS origins (artifact TEXT PRIMARY KEY, names TEXT) WITHOUT ROWID",
    "CREATE TABLE IF NOT EXISTS held (storage TEXT, digest TEXT, PRIMARY KEY (storage, digest)) WITHOUT ROWID",
)
_BUSY_S = 2.0
_T = TypeVar("_T")


class Memory:
    """A small database that can be deleted at any time: what is not known is asked for again.

    Args:
        path: The database.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def find_origins(self, artifact: str) -> list[str]:
        """Return the names that an artifact on a git remote gave as places of its files; empty when unknown."""
        query = "SELECT names FROM origins WHERE artifact=?"
        row = self._do(lambda connection: connection.execute(query, (artifact,)).fetchone(), None)
        return row[0].split() if row else []

    def note_origins(self, artifact: str, names: Sequence[str]) -> None:
        """Remember the names that an artifact on a git remote gives, so that a chain of versions stays flat."""
        row = (artifact, " ".join(names))
        self._do(lambda connection: connection.execute("INSERT OR REPLACE INTO origins VALUES (?, ?)", row), None)

    def list_held(self, storage: str) -> set[str]:
        """Return the artifacts that a storage was last seen to hold."""
        query = "SELECT digest FROM held WHERE storage=?"
        rows: list[tuple[str]] = self._do(lambda connection: connection.execute(query, (storage,)).fetchall(), [])
        return {row[0] for row in rows}

    def note_held(self, storage: str, held: Iterable[Digest], absent: Iterable[Digest] = ()) -> None:
        """Remember what a storage holds, and what it does not."""
        new, old = [(storage, one) for one in held], [(storage, one) for one in absent]

        def work(connection: sqlite3.Connection) -> None:
            connection.executemany("INSERT OR IGNORE INTO held VALUES (?, ?)", new)
            connection.executemany("DELETE FROM held WHERE storage=? AND digest=?", old)

        self._do(work, None)

    def _do(self, work: Callable[[sqlite3.Connection], _T], default: _T) -> _T:
        """Do something with the database; where it cannot be read or written, nothing is known."""
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with contextlib.closing(self._open_or_renew()) as connection, connection:
                return work(connection)
        except (sqlite3.Error, OSError):
            return default

    def _open_or_renew(self) -> sqlite3.Connection:
        try:
            return self._open()
        except sqlite3.OperationalError:
            raise
        except sqlite3.DatabaseError:
            self._path.unlink(missing_ok=True)  # damaged
            return self._open()

    def _open(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._path, timeout=_BUSY_S)
        try:
            connection.execute("PRAGMA synchronous=OFF")  # it is disposable
            for table in _TABLES:
                connection.execute(table)
        except BaseException:
            connection.close()
            raise
        return connection
