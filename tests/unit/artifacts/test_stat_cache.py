"""Remembered digests: never a wrong one, and never an error."""

from __future__ import annotations

import os
import sqlite3
import time
from typing import TYPE_CHECKING

import pytest

from gittrack.artifacts.digest import hash_bytes
from gittrack.artifacts.stat_cache import StatCache, is_racy

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

DIGEST = hash_bytes(b"content")
LATER_NS = 10**10


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "file"
    path.write_bytes(b"content")
    return path


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return tmp_path / "state" / "stat.sqlite"


def note(database: Path, file: Path) -> None:
    stats = StatCache(database)
    stats.note(file.stat(), DIGEST, time.time_ns() + LATER_NS)
    stats.close()


def test_an_unchanged_file_is_known(database: Path, file: Path) -> None:
    """In the same process and in the next one."""
    stats = StatCache(database)
    assert stats.look_up(file.stat()) is None
    stats.note(file.stat(), DIGEST, time.time_ns() + LATER_NS)
    assert stats.look_up(file.stat()) == DIGEST
    stats.close()
    assert StatCache(database).look_up(file.stat()) == DIGEST


def rewrite(file: Path) -> None:
    file.write_bytes(b"CONTENT")


def grow(file: Path) -> None:
    file.write_bytes(b"content and more")


def touch_back(file: Path) -> None:
    info = file.stat()
    file.write_bytes(b"CONTENT")
    os.utime(file, ns=(info.st_atime_ns, info.st_mtime_ns))


def replace(file: Path) -> None:
    info = file.stat()
    other = file.with_name("other")
    other.write_bytes(b"CONTENT")
    os.utime(other, ns=(info.st_atime_ns, info.st_mtime_ns))
    other.replace(file)


@pytest.mark.parametrize("change", [rewrite, grow, touch_back, replace])
def test_a_changed_file_is_not_known(database: Path, file: Path, change: Callable[[Path], None]) -> None:
    """Other content, another size, a time that was set back, another inode."""
    note(database, file)
    time.sleep(0.02)  # the clock of the file system ticks
    change(file)
    assert StatCache(database).look_up(file.stat()) is None
    stats = StatCache(database)
    note(database, file)
    stats.note(file.stat(), hash_bytes(b"other"), time.time_ns() + LATER_NS)
    assert stats.look_up(file.stat()) == hash_bytes(b"other")


def test_a_file_that_was_just_changed_is_not_noted(database: Path, file: Path) -> None:
    """A further change could have the same times."""
    stats = StatCache(database)
    stats.note(file.stat(), DIGEST, time.time_ns())
    assert stats.look_up(file.stat()) is None
    stats.note(file.stat(), DIGEST, file.stat().st_mtime_ns - LATER_NS)
    assert stats.look_up(file.stat()) is None
    stats.close()
    assert StatCache(database).look_up(file.stat()) is None


def test_coarse_clocks_are_given_more_time(file: Path) -> None:
    """Where times are whole milliseconds or seconds, the last two seconds count as just now."""

    def info(ctime_ns: int) -> os.stat_result:
        return os.stat_result(
            [*file.stat()[:10], *file.stat()[10:]], {"st_mtime_ns": ctime_ns, "st_ctime_ns": ctime_ns}
        )

    second = 10**9
    assert is_racy(info(5 * second), 6 * second)
    assert not is_racy(info(5 * second), 8 * second)
    assert is_racy(info(5 * second + 1), 5 * second + 10**7)
    assert not is_racy(info(5 * second + 1), 6 * second)


def garbage(database: Path) -> None:
    database.write_bytes(b"no database at all" * 1000)


def cut(database: Path) -> None:
    data = database.read_bytes()
    database.write_bytes(data[: len(data) // 2])


def scribbled(database: Path) -> None:
    data = bytearray(database.read_bytes())
    data[4096:] = os.urandom(len(data) - 4096)
    database.write_bytes(bytes(data))


def other_version(database: Path) -> None:
    connection = sqlite3.connect(database)
    connection.executescript("DROP TABLE files; CREATE TABLE files (x); PRAGMA user_version=99")
    connection.close()


def wrong_values(database: Path) -> None:
    connection = sqlite3.connect(database)
    connection.execute("UPDATE files SET digest='no bytes'")
    connection.commit()
    connection.close()


@pytest.mark.parametrize("damage", [garbage, cut, scribbled, other_version, wrong_values])
def test_a_damaged_database_is_made_anew(database: Path, file: Path, damage: Callable[[Path], None]) -> None:
    """It says nothing wrong, and soon works again."""
    note(database, file)
    damage(database)
    assert StatCache(database).look_up(file.stat()) is None
    for _ in range(2):
        note(database, file)
    assert StatCache(database).look_up(file.stat()) == DIGEST


def test_a_database_that_cannot_be_is_no_error(tmp_path: Path, file: Path) -> None:
    """As in a repository that only others may write."""
    (tmp_path / "state").write_text("a file where the folder should be")
    stats = StatCache(tmp_path / "state" / "stat.sqlite")
    stats.note(file.stat(), DIGEST, time.time_ns() + LATER_NS)
    assert stats.look_up(file.stat()) == DIGEST
    stats.close()
    assert stats.look_up(file.stat()) is None


def test_a_locked_database_stays(database: Path, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another process that writes for long is no damage."""
    note(database, file)
    monkeypatch.setattr("gittrack.artifacts.stat_cache._BUSY_S", 0.05)
    connection = sqlite3.connect(database)
    connection.execute("BEGIN EXCLUSIVE")
    assert StatCache(database).look_up(file.stat()) is None
    connection.close()
    assert StatCache(database).look_up(file.stat()) == DIGEST
