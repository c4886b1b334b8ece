"""Remember which git object an object is, so that the trees of a directory are built without reading its files."""

from __future__ import annotations

import contextlib
import sqlite3
from typing import TYPE_CHECKING

from gittrack.storage.git_layout import Oid

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from gittrack.artifacts.digest import Digest

_TABLE = "CREATE TABLE IF NOT EXISTS oids (digest BLOB PRIMARY KEY, oid BLOB, is_tree INTEGER) WITHOUT ROWID"
_N_AT_ONCE = 500
_BUSY_S = 2.0


class OidMap:
    """From digests to git objects; a map that cannot be read is as good as an empty one.

    Args:
        path: The database, for one object format; it can be deleted at any time.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def find(self, digests: Iterable[Digest]) -> dict[Digest, Oid]:
        """Return those that are known."""
        wanted = list(dict.fromkeys(digests))
        found: dict[Digest, Oid] = {}
        with contextlib.suppress(sqlite3.Error, OSError), self._connect() as connection:
            for start in range(0, len(wanted), _N_AT_ONCE):
                some = {bytes.fromhex(digest): digest for digest in wanted[start : start + _N_AT_ONCE]}
                marks = ",".join("?" * len(some))
                query = f"SELECT digest, oid, is_tree FROM oids WHERE digest IN ({marks})"  # noqa: S608  marks alone
                for digest, oid, is_tree in connection.execute(query, list(some)):
                    found[some[digest]] = Oid(oid.hex(), bool(is_tree))
        return found

    def note(self, oids: Mapping[Digest, Oid]) -> None:
        """Remember some more."""
        rows = [(bytes.fromhex(digest), bytes.fromhex(oid.hex), oid.is_tree) for digest, oid in oids.items()]
        with contextlib.suppress(sqlite3.Error, OSError), self._connect() as connection, connection:
            connection.executemany("INSERT OR REPLACE INTO oids VALUES (?, ?, ?)", rows)

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
