"""A PostgreSQL database as one side of a copy.

Owns how rows leave and enter it. Must not know the other side.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import psycopg

from bouncer.model.errors import Refused
from bouncer.store.copying import COUNTERS, LINKS, PORTION, TABLES, Row, Table
from bouncer.store.postgresql.connection import MIGRATION_TIMEOUT, Connection, Server
from bouncer.store.postgresql.migrations import migrate, read_scripts, take

# The binary form of COPY: a header, the number of columns before each row, the length before each value, -1 for none.
_HEADER = b"PGCOPY\n\xff\r\n\0" + struct.pack("!ii", 0, 0)
_END = struct.pack("!h", -1)
_NONE = struct.pack("!i", -1)
_LENGTH = struct.Struct("!i")
_NUMBERS = {"kind": struct.Struct("!ih"), "boot": struct.Struct("!ii")}  # all others are of eight bytes
_NUMBER = struct.Struct("!iq")

_LINKS = (
    "SELECT t.network, p.seq, p.target FROM places AS p JOIN targets AS t ON t.id = p.target "
    "JOIN messages AS m ON m.network = t.network AND m.seq = p.seq ORDER BY t.network, p.seq, p.target"
)
_PUT_LINKS = (
    "INSERT INTO places (target, time, seq, kind) SELECT link.target, m.time, m.seq, m.kind "
    "FROM unnest(CAST(? AS bigint[]), CAST(? AS bigint[]), CAST(? AS bigint[])) AS link (network, seq, target) "
    "JOIN messages AS m ON m.network = link.network AND m.seq = link.seq"
)


class _Side:
    """A connection that has the database alone, in a transaction."""

    def __init__(self, url: str, begin: str) -> None:
        """Raises Refused."""
        self._server = Server(url)
        with self._trouble():
            self._connection: Connection = self._server.connect()
        try:
            with self._trouble():
                take(self._connection)
                migrate(self._connection, self._server.name, read_scripts())
                self._connection.allow(MIGRATION_TIMEOUT)
                # nothing is asked of it while the other side is counted or read again
                self._connection.execute("SET idle_in_transaction_session_timeout = 0")
                self._connection.execute(begin)
        except BaseException:
            self.close()
            raise

    def rows(self, table: Table) -> Iterator[Row]:
        statement = f"SELECT {_columns(table.columns)} FROM {table.name} ORDER BY {_columns(table.key)}"
        if table is LINKS:
            statement = _LINKS
        with self._trouble(), self._connection.found(statement, {}) as cursor:
            cursor.itersize = PORTION
            yield from cursor

    def close(self) -> None:
        self._connection.close()

    @contextmanager
    def _trouble(self) -> Iterator[None]:
        try:
            yield
        except psycopg.Error as error:
            raise Refused(self._server.explain(error)) from error


class ServerSource(_Side):
    """A database that nobody writes to."""

    def __init__(self, url: str) -> None:
        """Raises Refused."""
        super().__init__(url, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")

    def counters(self) -> dict[str, int]:
        with self._trouble():
            found = {bytes(name).decode(): value for name, value in self._meta("CAST(value AS bigint)")}
        return {name: found[name] for name in COUNTERS}

    def check(self) -> bytes:
        with self._trouble():
            return next((bytes(sealed) for name, sealed in self._meta("sealed") if sealed is not None), b"")

    def size(self) -> int:
        with self._trouble():
            return int(self._connection.one("SELECT count(*) FROM messages")[0])

    def _meta(self, column: str) -> list[Row]:
        return self._connection.execute(f"SELECT convert_to(name, 'UTF8'), {column} FROM meta").fetchall()


class ServerTarget(_Side):
    """An empty database. All is written in one transaction."""

    def __init__(self, url: str) -> None:
        """Raises Refused if anything is in it."""
        super().__init__(url, "BEGIN")
        try:
            with self._trouble():
                for table in TABLES:
                    if table is not LINKS and self._connection.one(f"SELECT EXISTS (SELECT FROM {table.name})")[0]:
                        raise Refused(f"{self._server} has something in it already: name an empty one")
        except BaseException:
            self.close()
            raise

    def begin(self, counters: Mapping[str, int], check: bytes) -> None:
        with self._trouble():
            for name, value in counters.items():
                self._connection.execute(f"UPDATE meta SET value = ? WHERE name = '{name}'", (value,))
            self._connection.execute("DELETE FROM meta WHERE name = 'check'")
            if check:
                self._connection.execute("INSERT INTO meta (name, value, sealed) VALUES ('check', 0, ?)", (check,))

    def put(self, table: Table, rows: Sequence[Row]) -> None:
        if table is LINKS:
            with self._trouble():
                self._connection.execute(_PUT_LINKS, [list(column) for column in zip(*rows, strict=True)])
            return
        count = struct.pack("!h", len(table.columns))
        parts = [_HEADER]
        for row in rows:
            parts.append(count)
            parts += (_value(column, value) for column, value in zip(table.columns, row, strict=True))
        parts.append(_END)
        with self._trouble():
            statement = f"COPY {table.name} ({_columns(table.columns)}) FROM STDIN (FORMAT binary)"
            self._connection.copy(statement, b"".join(parts))

    def keep(self) -> None:
        with self._trouble():
            # the ids that targets get from here on are above those that they have
            self._connection.execute(
                "SELECT setval(pg_get_serial_sequence('targets', 'id'), (SELECT max(id) FROM targets)) "
                "WHERE EXISTS (SELECT FROM targets)"
            )
            self._connection.execute("COMMIT")
            self._connection.execute("ANALYZE")


def _columns(names: Sequence[str]) -> str:
    return ",".join(f'"{name}"' for name in names)


def _value(column: str, value: object) -> bytes:
    """A value in the binary form of COPY."""
    if value is None:
        return _NONE
    if isinstance(value, int):
        form = _NUMBERS.get(column, _NUMBER)
        return form.pack(form.size - _LENGTH.size, value)
    data = value.encode() if isinstance(value, str) else bytes(value)  # type: ignore[call-overload]  # a number, a text or bytes
    return _LENGTH.pack(len(data)) + data
