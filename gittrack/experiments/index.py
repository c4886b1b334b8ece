"""The index: what tables show of each commit, kept in ``.git/gittrack/index.sqlite`` so that it is read once.

A commit never changes, so an entry is never stale; the file holds nothing that git does not, and may be deleted at
any time. Where it is missing, damaged, of another version or busy, or the repository cannot be written, everything
works without it.

A row is the id of a commit, the id of its *schema* (the names of its metrics and params, stored once for all that
share them) and two JSON lists without their brackets: its attributes, and the values of its metrics and params. The
lists of many rows, joined by commas, are one long list, of which a column is every n-th value; so loading is one
SELECT, and for each schema two calls of the JSON decoder. Rows stay in the order in which they were added, which is
nearly that of tables: values that are shown together then lie together in memory.
"""

from __future__ import annotations

import json
import sqlite3
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from gittrack.experiments.summaries import ATTRIBUTES, BASELINE_ATTRIBUTES

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence
    from pathlib import Path

    from gittrack.experiments.summaries import Summary
    from gittrack.git.repository import Repository

    Section = Literal["experiments", "baselines"]
    _Row = tuple[str, int, str, str]

FILE_NAME = "index.sqlite"
VERSION = 4  # of what is kept; another one in the file means that it is made anew
_encode = json.JSONEncoder(separators=(",", ":"), check_circular=False).encode
_decode_as_text = json.JSONDecoder(parse_float=str, parse_int=str).decode
_N_ATTRIBUTES = {"experiments": len(ATTRIBUTES), "baselines": len(BASELINE_ATTRIBUTES)}
_N_ROWS_AT_ONCE = 1000  # few enough for the processor's cache
_BUSY_S = 0.1  # reading waits no longer for a process that writes
_MAX_PICKED = 500  # above, one scan of the whole section is faster
_SPARE_ROWS = 1000  # rows of commits that are no tips any more are kept up to here
_TABLES = """
CREATE TABLE schemas (id INTEGER PRIMARY KEY, names TEXT NOT NULL UNIQUE);
CREATE TABLE experiments (
    commit_id TEXT PRIMARY KEY, schema INTEGER NOT NULL, attributes TEXT NOT NULL, data TEXT NOT NULL
);
CREATE TABLE baselines (
    commit_id TEXT PRIMARY KEY, schema INTEGER NOT NULL, attributes TEXT NOT NULL, data TEXT NOT NULL
);
CREATE TABLE facts (kind TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (kind, key)) WITHOUT ROWID;
"""


class Block(NamedTuple):
    """Commits whose metrics and params have the same names, column by column.

    Attributes:
        metrics: Names of the metrics.
        params: Names of the params.
        commits: The ids of the commits: the rows.
        columns: Values of the attributes, then of the metrics, then of the params; each as long as ``commits``.
    """

    metrics: tuple[str, ...]
    params: tuple[str, ...]
    commits: list[str]
    columns: list[Sequence[Any]]


class DamagedIndexError(Exception):
    """The file is not an index of this version; never leaves this module."""


class Index:
    """The index of one repository, opened when it is first needed.

    Args:
        repository: The repository.
        numbers_as_text: Whether `load` may give numbers of metrics and params as their shortest text, for those who
            only write them out: to parse a float and to write it again takes most of the time of a large table.
    """

    def __init__(self, repository: Repository, *, numbers_as_text: bool = False) -> None:
        self.path: Path = repository.state_dir / FILE_NAME
        self._connection: sqlite3.Connection | None = None
        self._numbers_as_text = numbers_as_text
        self._is_usable = True

    def load(self, section: Section, commits: Collection[str]) -> list[Block]:
        """Return what is known of commits; those that are not in any block are unknown.

        Args:
            section: Which kind of commit.
            commits: Their ids.
        """
        load = partial(_load, section=section, commits=commits, numbers_as_text=self._numbers_as_text)
        return self._try(load, may_create=False) or []

    def save(self, section: Section, summaries: Iterable[Summary], *, keep: Collection[str] = ()) -> None:
        """Keep what commits say; silently nothing where the file cannot be written now.

        Args:
            section: Which kind of commit.
            summaries: What they say; those that are not final are left out.
            keep: When given, all commits that are still of use: many others are forgotten.
        """
        final = [summary for summary in summaries if summary.is_final]
        if final:
            self._try(lambda connection: _save(connection, section, final, keep), may_create=True)

    def prune(self, section: Section, keep: Collection[str]) -> int:
        """Forget all commits but some, and return how many were forgotten; 0 where the file cannot be written now.

        Args:
            section: Which kind of commit.
            keep: The ids of those that are still of use.
        """
        return self._try(lambda connection: _prune(connection, section, keep), may_create=False) or 0

    def load_facts(self, kind: str, keys: Collection[str]) -> dict[str, Any]:
        """Return the facts of a kind that are known, such as the commits behind tags.

        Args:
            kind: What sort of fact.
            keys: Of what.
        """
        facts = self._try(lambda connection: _load_facts(connection, kind, keys), may_create=False)
        return facts or {}

    def save_facts(self, kind: str, facts: dict[str, Any]) -> None:
        """Keep facts that follow from their keys alone.

        Args:
            kind: What sort of fact.
            facts: Values, plain data, by key.
        """
        if facts:
            self._try(lambda connection: _save_facts(connection, kind, facts), may_create=True)

    def prune_facts(self, kind: str, keep: Collection[str]) -> int:
        """Forget the facts of a kind but some, and return how many; 0 where the file cannot be written now.

        Args:
            kind: What sort of fact.
            keep: The keys of those that are still of use.
        """
        return self._try(lambda connection: _prune_facts(connection, kind, keep), may_create=False) or 0

    def close(self) -> None:
        """Close the file."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _try(self, action: Any, *, may_create: bool) -> Any:
        """Do something with the file; None when that is not possible, after which the file is left alone."""
        if not self._is_usable:
            return None
        try:
            connection = self._open(may_create=may_create)
            return None if connection is None else action(connection)
        except (DamagedIndexError, ValueError, TypeError) as error:
            self._discard(error)
        except sqlite3.OperationalError as error:
            if "no such" in str(error):
                self._discard(error)
            else:  # busy, read-only, disk full
                self._give_up()
        except sqlite3.DatabaseError as error:
            self._discard(error)
        except OSError:
            self._give_up()
        return None

    def _open(self, *, may_create: bool) -> sqlite3.Connection | None:
        if self._connection is not None or not (may_create or self.path.exists()):
            return self._connection
        self.path.parent.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(self.path, timeout=_BUSY_S, isolation_level=None)
        try:
            _prepare(connection, may_create=may_create)
        except BaseException:
            connection.close()
            raise
        self._connection = connection
        return connection

    def _discard(self, _reason: Exception) -> None:
        """Remove a file that is of no use; the next write makes it anew."""
        self.close()
        try:
            self.path.unlink(missing_ok=True)
        except OSError:
            self._is_usable = False

    def _give_up(self) -> None:
        self.close()
        self._is_usable = False


def _prepare(connection: sqlite3.Connection, *, may_create: bool) -> None:
    """Make the tables of a new file.

    Raises:
        DamagedIndexError: The file is of another version, or new and not to be made.
        sqlite3.Error: It is no database, or another process makes the tables at this moment.
    """
    if connection.execute("PRAGMA user_version").fetchone()[0] == VERSION:
        return
    if not may_create:
        raise DamagedIndexError
    connection.executescript(f"BEGIN IMMEDIATE; {_TABLES} PRAGMA user_version = {VERSION}; COMMIT;")


def _load(
    connection: sqlite3.Connection, section: Section, commits: Collection[str], *, numbers_as_text: bool
) -> list[Block]:
    by_schema: dict[int, list[_Row]] = {}
    for row in _pick(connection, section, commits):
        by_schema.setdefault(row[1], []).append(row)
    if not by_schema:
        return []
    names = dict(connection.execute("SELECT id, names FROM schemas"))
    return [
        _block(names[schema], rows, _N_ATTRIBUTES[section], numbers_as_text=numbers_as_text)
        for schema, rows in by_schema.items()
        if schema in names
    ]


def _pick(connection: sqlite3.Connection, section: Section, commits: Collection[str]) -> list[_Row]:
    query = f"SELECT commit_id, schema, attributes, data FROM {section}"  # noqa: S608  one of two literals
    if len(commits) <= _MAX_PICKED:
        marks = ",".join("?" * len(commits))
        return connection.execute(f"{query} WHERE commit_id IN ({marks})", tuple(commits)).fetchall()
    wanted = commits if isinstance(commits, (set, frozenset, dict)) else set(commits)
    return [row for row in connection.execute(query) if row[0] in wanted]


def _block(names: str, rows: list[_Row], n_attributes: int, *, numbers_as_text: bool) -> Block:
    metrics, params = json.loads(names)
    commits, _, attributes, data = zip(*rows, strict=True)
    columns: list[Sequence[Any]] = [
        *_columns(attributes, n_attributes),
        *_columns(data, len(metrics) + len(params), numbers_as_text=numbers_as_text),
    ]
    return Block(tuple(metrics), tuple(params), list(commits), columns)


def _columns(rows: Sequence[str], n_columns: int, *, numbers_as_text: bool = False) -> list[list[Any]]:
    """Return the columns of rows, each the inside of a JSON list."""
    columns: list[list[Any]] = [[] for _ in range(n_columns)]
    for start in range(0, len(rows) if n_columns else 0, _N_ROWS_AT_ONCE):
        some = rows[start : start + _N_ROWS_AT_ONCE]
        text = ",".join(some)
        # Within a list or an object that is a value, text would be taken for text.
        is_flat = "[" not in text and "{" not in text
        values = (_decode_as_text if numbers_as_text and is_flat else json.loads)(f"[{text}]")
        if len(values) != n_columns * len(some):
            raise DamagedIndexError
        for position, column in enumerate(columns):
            column.extend(values[position::n_columns])
    return columns


def _save(connection: sqlite3.Connection, section: Section, summaries: list[Summary], keep: Collection[str]) -> None:
    connection.execute("BEGIN IMMEDIATE")
    try:
        schemas = {names: number for number, names in connection.execute("SELECT id, names FROM schemas")}
        rows = [_row(connection, schemas, summary) for summary in summaries]
        connection.executemany(f"INSERT OR REPLACE INTO {section} VALUES (?, ?, ?, ?)", rows)  # noqa: S608  the same
        if keep:
            _forget(connection, section, keep)
    except BaseException:
        connection.rollback()
        raise
    connection.commit()


def _row(connection: sqlite3.Connection, schemas: dict[str, int], summary: Summary) -> _Row:
    names = _encode([list(summary.metrics), list(summary.params)])
    if names not in schemas:
        number = connection.execute("INSERT INTO schemas (names) VALUES (?)", (names,)).lastrowid
        schemas[names] = number or 0
    values = [*summary.metrics.values(), *summary.params.values()]
    return summary.commit, schemas[names], _encode(summary.attributes)[1:-1], _encode(values)[1:-1]


def _forget(connection: sqlite3.Connection, section: Section, keep: Collection[str]) -> None:
    """Remove the rows of commits that are no longer of use, when they are many."""
    known = [commit for (commit,) in connection.execute(f"SELECT commit_id FROM {section}")]  # noqa: S608  the same
    useless = [(commit,) for commit in known if commit not in keep]
    if len(useless) > max(_SPARE_ROWS, len(known) // 2):
        connection.executemany(f"DELETE FROM {section} WHERE commit_id = ?", useless)  # noqa: S608  the same


def _prune(connection: sqlite3.Connection, section: Section, keep: Collection[str]) -> int:
    known = connection.execute(f"SELECT commit_id FROM {section}").fetchall()  # noqa: S608  the same
    useless = [row for row in known if row[0] not in keep]
    connection.execute("BEGIN IMMEDIATE")
    try:
        connection.executemany(f"DELETE FROM {section} WHERE commit_id = ?", useless)  # noqa: S608  the same
        used = "SELECT schema FROM experiments UNION SELECT schema FROM baselines"
        connection.execute(f"DELETE FROM schemas WHERE id NOT IN ({used})")  # noqa: S608  a literal
    except BaseException:
        connection.rollback()
        raise
    connection.commit()
    return len(useless)


def _load_facts(connection: sqlite3.Connection, kind: str, keys: Collection[str]) -> dict[str, Any]:
    query = "SELECT key, value FROM facts WHERE kind = ?"
    if len(keys) <= _MAX_PICKED:
        marks = ",".join("?" * len(keys))
        rows = connection.execute(f"{query} AND key IN ({marks})", (kind, *keys))
        return {key: json.loads(value) for key, value in rows}
    return {key: json.loads(value) for key, value in connection.execute(query, (kind,)) if key in keys}


def _save_facts(connection: sqlite3.Connection, kind: str, facts: dict[str, Any]) -> None:
    rows = [(kind, key, json.dumps(value)) for key, value in facts.items()]
    connection.execute("BEGIN")
    try:
        connection.executemany("INSERT OR REPLACE INTO facts VALUES (?, ?, ?)", rows)
    except BaseException:
        connection.rollback()
        raise
    connection.commit()


def _prune_facts(connection: sqlite3.Connection, kind: str, keep: Collection[str]) -> int:
    known = connection.execute("SELECT kind, key FROM facts WHERE kind = ?", (kind,)).fetchall()
    useless = [row for row in known if row[1] not in keep]
    connection.execute("BEGIN")
    connection.executemany("DELETE FROM facts WHERE kind = ? AND key = ?", useless)
    connection.commit()
    return len(useless)
