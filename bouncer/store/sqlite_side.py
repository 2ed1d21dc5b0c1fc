"""A SQLite file as one side of a copy.

Owns how rows leave and enter it. Must not know the other side.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from bouncer.model.errors import Refused
from bouncer.store.copying import COUNTERS, LINKS, Row, Table
from bouncer.store.database import explain
from bouncer.store.files import make_empty, sync_directory
from bouncer.store.migrations import migrate, read_scripts, schema_of


class SqliteSource:
    """A database that nobody writes to."""

    def __init__(self, path: Path) -> None:
        """Raises Refused."""
        if not path.is_file():
            raise Refused(f"there is no database {path}: there is nothing to move")
        self._path = path
        try:
            self._connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", uri=True, isolation_level=None)
        except sqlite3.Error as error:
            raise Refused(explain(path, error)) from error
        try:
            found, known = schema_of(self._connection), max(read_scripts())
            if found != known:
                raise Refused(
                    f"the database {path} has schema {found} and this program reads {known}: "
                    "start this program's bouncer once, which brings it up to date"
                )
            self._connection.execute("PRAGMA query_only = ON")
            self._connection.execute("BEGIN")
        except sqlite3.Error as error:
            self.close()
            raise Refused(explain(path, error)) from error
        except BaseException:
            self.close()
            raise

    def counters(self) -> dict[str, int]:
        found = dict(self._connection.execute("SELECT name, value FROM meta"))
        return {name: found[name] for name in COUNTERS}

    def check(self) -> bytes:
        found = self._connection.execute("SELECT value FROM meta WHERE name = 'check'").fetchone()
        return bytes(found[0]) if found else b""

    def size(self) -> int:
        return int(self._connection.execute("SELECT count(*) FROM messages").fetchone()[0])

    def rows(self, table: Table) -> Iterator[Row]:
        return _rows(self._connection, table)

    def close(self) -> None:
        self._connection.close()


class SqliteTarget:
    """A new database, beside its place until it is kept."""

    def __init__(self, path: Path) -> None:
        """Raises Refused if there is a database at ``path``."""
        if path.exists():
            raise Refused(f"there is a database {path} already: move it away, for nothing is written over")
        self._path = path
        self._unfinished = path.with_name(f"{path.name}.new")
        self._remove()  # what an interrupted copy has left
        try:
            make_empty(self._unfinished)
            self._connection = sqlite3.connect(self._unfinished, isolation_level=None)
            # nobody sees it before it is kept, so nothing has to be undone
            self._connection.execute("PRAGMA journal_mode = OFF")
            self._connection.execute("PRAGMA synchronous = OFF")
            migrate(self._connection, self._unfinished, read_scripts())
        except (sqlite3.Error, OSError) as error:
            raise Refused(explain(self._unfinished, error)) from error

    def rows(self, table: Table) -> Iterator[Row]:
        return _rows(self._connection, table)

    def begin(self, counters: Mapping[str, int], check: bytes) -> None:
        self._connection.executemany("UPDATE meta SET value = ? WHERE name = ?", [(v, k) for k, v in counters.items()])
        if check:
            self._connection.execute("INSERT INTO meta (name, value) VALUES ('check', ?)", (check,))

    def put(self, table: Table, rows: Sequence[Row]) -> None:
        named = [column in table.names for column in table.columns]
        marks = ",".join("?" * len(table.columns))
        self._connection.execute("BEGIN")
        self._connection.executemany(
            f"INSERT INTO {table.name} ({','.join(map(_quoted, table.columns))}) VALUES ({marks})",
            (tuple(_column(value) if name else value for value, name in zip(row, named, strict=True)) for row in rows),
        )
        if table is LINKS:  # they are of the order of conversations, too; all else of it is made at the first start
            self._connection.executemany(
                "INSERT INTO places (target, time, seq, kind) "
                "SELECT ?3, time, seq, kind FROM messages WHERE network = ?1 AND seq = ?2",
                rows,
            )
        self._connection.execute("COMMIT")

    def keep(self) -> None:
        self._connection.execute("PRAGMA synchronous = FULL")
        self._connection.execute("PRAGMA journal_mode = DELETE")
        self._connection.execute("UPDATE meta SET value = value WHERE name = 'boot'")  # a commit that is forced to disk
        self._connection.close()
        self._unfinished.rename(self._path)
        sync_directory(self._path.parent)

    def close(self) -> None:
        """Give up what was not kept. May be called after it was."""
        self._connection.close()
        self._remove()

    def _remove(self) -> None:
        self._unfinished.unlink(missing_ok=True)
        self._unfinished.with_name(f"{self._unfinished.name}-journal").unlink(missing_ok=True)


# Without those that lead nowhere, as a server has none such.
_LINKS = (
    "SELECT l.network, l.seq, l.target FROM links AS l JOIN messages AS m ON m.network = l.network AND m.seq = l.seq "
    "JOIN targets AS t ON t.id = l.target AND t.network = l.network ORDER BY l.network, l.seq, l.target"
)


def _rows(connection: sqlite3.Connection, table: Table) -> Iterator[Row]:
    if table is LINKS:
        yield from connection.execute(_LINKS)
        return
    columns = ",".join(
        f"CAST({_quoted(name)} AS BLOB)" if name in table.names else _quoted(name) for name in table.columns
    )
    # a name is ordered as its bytes are, be it a text or not
    order = ",".join(f"CAST({_quoted(name)} AS BLOB)" if name in table.names else name for name in table.key)
    yield from connection.execute(f"SELECT {columns} FROM {table.name} ORDER BY {order}")


def _quoted(name: str) -> str:
    return f'"{name}"'


def _column(name: bytes) -> str | bytes:
    """A name as it is kept: text where it is UTF-8."""
    try:
        return name.decode()
    except UnicodeDecodeError:
        return name
