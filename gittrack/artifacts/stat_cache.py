"""Remember the digests of files that have not changed, so that they are not hashed again.

A file is known by device and inode, and unchanged while size, modification and change time are the same. An entry is
never made for a file that was changed so shortly before it was read that a further change could have the same times
(git's rule for racy entries). The file can be deleted at any time.
"""

from __future__ import annotations

import contextlib
import sqlite3
import time
from typing import TYPE_CHECKING

from gittrack.artifacts.digest import Digest

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence
    from pathlib import Path

_VERSION = 1
_TABLE = (
    "CREATE TABLE IF NOT EXISTS files (device INTEGER, inode INTEGER, size INTEGER, mtime_ns INTEGER, "
    "ctime_ns INTEGER, digest BLOB, PRIMARY KEY (device, inode)) WITHOUT ROWID"
)
_COLUMNS = "device, inode, size, mtime_ns, ctime_ns, digest"
_N_AT_ONCE = 500
_BUSY_S = 2.0
_DIGEST_BYTES = 32
_N_HELD = 10_000  # of more files, not all that is noted is held in memory
# Times finer than a millisecond show a file system that takes them from the kernel's clock, which ticks every 10 ms
# at the slowest; others count whole seconds, or two.
_FINE_WINDOW_NS = 50_000_000
_COARSE_WINDOW_NS = 2_100_000_000
_FINE_NS = 1_000_000


class StatCache:
    """The digests of unchanged files.

    A cache that cannot be read or written is as good as an empty one: nothing here raises for it.

    Args:
        path: The database; made when something is noted.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._connection: sqlite3.Connection | None = None
        self._is_broken = False
        self._noted: dict[tuple[int, int], tuple[int, int, int, bytes]] = {}
        self._loaded: dict[tuple[int, int], tuple[int, int, int, bytes]] = {}
        self._asked: tuple[int, frozenset[int]] = (0, frozenset())
        self._is_empty: bool | None = None

    def look_up(self, info: os.stat_result) -> Digest | None:
        """Return the digest of a file that is unchanged since it was noted; None when it must be hashed.

        Args:
            info: What the file is now.
        """
        if self._is_empty and not self._noted:
            return None
        key = _key(info)
        entry = self._noted.get(key)
        if entry is None:
            if key[0] != self._asked[0] or key[1] not in self._asked[1]:
                self.load(info.st_dev, [info.st_ino])
            entry = self._loaded.get(key)
        return _digest(entry[3]) if entry is not None and entry[:3] == _times(info) else None

    def load(self, device: int, inodes: Sequence[int]) -> None:
        """Read what is known of the files of a folder, in place of what was read before; thousands cost one question.

        Args:
            device: The device of the folder.
            inodes: Those of its files.
        """
        signed_device = _signed(device)
        self._loaded = {}
        self._asked = signed_device, frozenset(map(_signed, inodes))
        connection = self._open()
        if connection is None or self._is_empty:
            return
        keys = list(self._asked[1])
        try:
            for start in range(0, len(keys), _N_AT_ONCE):
                some = keys[start : start + _N_AT_ONCE]
                marks = ",".join("?" * len(some))
                query = f"SELECT {_COLUMNS} FROM files WHERE device=? AND inode IN ({marks})"  # noqa: S608  marks alone
                for found_device, inode, *entry in connection.execute(query, (signed_device, *some)):
                    self._loaded[found_device, inode] = tuple(entry)
        except sqlite3.Error as error:
            self._give_up(error)

    def note(self, info: os.stat_result, digest: Digest, checked_ns: int) -> None:
        """Remember a digest, unless a later change of the file might go unnoticed.

        Args:
            info: What the file was when it was read.
            digest: Of its content.
            checked_ns: When that was seen, UTC nanoseconds: before the file was read.
        """
        if not is_racy(info, checked_ns):
            times = info.st_size, info.st_mtime_ns, info.st_ctime_ns
            self._noted[_key(info)] = (*times, bytes.fromhex(digest))
            if len(self._noted) >= _N_HELD:
                self._write()

    def save(self) -> None:
        """Write what was noted, and forget what was read."""
        self._write()
        self._loaded.clear()
        self._asked = (0, frozenset())

    def _write(self) -> None:
        if not self._noted:
            return
        connection = self._open()
        if connection is not None:
            rows = ((*key, *value) for key, value in self._noted.items())
            try:
                with connection:
                    connection.executemany("INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?, ?, ?)", rows)
            except sqlite3.Error as error:
                self._give_up(error)
            self._is_empty = False
        self._noted.clear()

    def __del__(self) -> None:
        """Close what nobody closed; what was noted is lost, which costs a hash."""
        connection = getattr(self, "_connection", None)
        if connection is not None:
            connection.close()

    def close(self) -> None:
        """Write what was noted and close the database."""
        self.save()
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _open(self) -> sqlite3.Connection | None:
        if self._connection is None and not self._is_broken:
            try:
                self._connection = self._connect()
                self._is_empty = self._connection.execute("SELECT 1 FROM files LIMIT 1").fetchone() is None
            except (sqlite3.Error, OSError) as error:
                self._give_up(error)
                if _is_damage(error):
                    with contextlib.suppress(sqlite3.Error, OSError):  # it was removed, and is made anew, once
                        self._connection = self._connect()
                        self._is_broken, self._is_empty = False, True
        return self._connection

    def _connect(self) -> sqlite3.Connection:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(self._path, timeout=_BUSY_S, check_same_thread=False)
        try:
            connection.execute("PRAGMA synchronous=OFF")  # it is disposable
            if connection.execute("PRAGMA user_version").fetchone()[0] != _VERSION:
                with connection:
                    connection.execute("DROP TABLE IF EXISTS files")
                    connection.execute(_TABLE)
                    connection.execute(f"PRAGMA user_version={_VERSION}")
        except BaseException:
            connection.close()
            raise
        return connection

    def _give_up(self, error: Exception) -> None:
        """Do without the database for now, and remove a damaged one."""
        self._is_broken = True
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        if _is_damage(error):
            for suffix in ("", "-journal"):  # an old journal would be played into a new database
                with contextlib.suppress(OSError):
                    self._path.with_name(self._path.name + suffix).unlink()


def _is_damage(error: Exception) -> bool:
    """Return whether a database is broken, and not only locked, out of reach or on a full disk."""
    return isinstance(error, sqlite3.DatabaseError) and not isinstance(error, sqlite3.OperationalError)


def _digest(value: object) -> Digest | None:
    """Return a digest as it was noted; None for what damage made of it."""
    return Digest(value.hex()) if isinstance(value, bytes) and len(value) == _DIGEST_BYTES else None


def is_racy(info: os.stat_result, checked_ns: int) -> bool:
    """Return whether a file was changed so shortly before a moment that a further change could have the same times.

    Args:
        info: What the file was.
        checked_ns: The moment, UTC nanoseconds.

    Example:
        >>> import os
        >>> is_racy(os.stat(os.devnull), checked_ns=0)
        True
    """
    is_fine = info.st_ctime_ns % _FINE_NS != 0
    window_ns = _FINE_WINDOW_NS if is_fine else _COARSE_WINDOW_NS
    return checked_ns - max(info.st_mtime_ns, info.st_ctime_ns) < window_ns


def now_ns() -> int:
    """Return the moment for `StatCache.note`, UTC nanoseconds."""
    return time.time_ns()


def _key(info: os.stat_result) -> tuple[int, int]:
    """Return device and inode; SQLite's integers have a sign."""
    return _signed(info.st_dev), _signed(info.st_ino)


def _signed(number: int) -> int:
    return number - (1 << 64) if number >= 1 << 63 else number


def _times(info: os.stat_result) -> tuple[int, int, int]:
    return info.st_size, info.st_mtime_ns, info.st_ctime_ns
