"""A database on a PostgreSQL server read from another process than the one that writes it.

Owns the questions of such a look. Must not know what becomes of the lines.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import psycopg

from bouncer.model.entry import PAST_BOOT, Kind
from bouncer.model.errors import Refused
from bouncer.model.history import Range
from bouncer.model.past import PastLine
from bouncer.model.ports import Kept
from bouncer.store.conversations import bounded
from bouncer.store.postgresql.connection import Connection, Server
from bouncer.store.postgresql.conversations import read_lines
from bouncer.store.postgresql.migrations import read_scripts
from bouncer.store.reading import Named, named
from bouncer.store.values import from_column

T = TypeVar("T")


class ServerReader:
    """A Reader of one database."""

    def __init__(self, url: str) -> None:
        """Raises Refused if it can't be read, or is not of the schema that this program knows."""
        self._server = Server(url)
        with self._trouble():
            self._connection: Connection = self._server.connect()
        try:
            with self._trouble():
                self._connection.only_read()
            found = []
            if self._all("SELECT FROM pg_catalog.pg_tables WHERE schemaname = current_schema() AND tablename = 'meta'"):
                found = self._all("SELECT value FROM meta WHERE name = 'schema'")
            if found != [(max(read_scripts()),)]:
                raise Refused(f"{self._server} is not of this program's schema: start this program's bouncer once")
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        self._connection.close()

    def __enter__(self) -> ServerReader:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def networks(self) -> list[Named]:
        rows = self._all(
            'SELECT n.id, u.name, n.name, u.settings, n.settings FROM networks AS n JOIN users AS u ON u.id = n."user" '
            "WHERE n.deleted_at IS NULL AND u.deleted_at IS NULL ORDER BY u.name, n.place"
        )
        return [named(*row) for row in rows]

    def count(self, network: int, *, imported: bool = False) -> int:
        only = f" AND boot = {PAST_BOOT}" if imported else ""
        return int(self._all(f"SELECT count(*) FROM messages WHERE network = ?{only}", network)[0][0])

    def targets(self, network: int) -> list[str]:
        rows = self._all("SELECT name FROM targets WHERE network = ? ORDER BY folded", network)
        return [from_column(name) for (name,) in rows]

    def conversation(self, question: Range) -> list[Kept]:
        return self._look(lambda connection: read_lines(connection, question))

    def head(self, network: int) -> int:
        return int(self._all("SELECT coalesce(max(seq), 0) FROM messages WHERE network = ?", network)[0][0])

    def lines(self, network: int, after: int, upto: int, limit: int) -> list[tuple[int, PastLine]]:
        def look(connection: Connection) -> list[tuple[int, PastLine]]:
            rows = connection.execute(
                "SELECT m.seq, m.time, m.kind, coalesce(t.name, '') AS name, m.device, m.raw FROM messages AS m "
                "LEFT JOIN targets AS t ON t.id = m.target WHERE m.network = ? AND m.seq > ? AND m.seq <= ? "
                "ORDER BY m.seq LIMIT ?",
                (network, bounded(after), bounded(upto), limit),
            ).fetchall()
            links: dict[int, list[str]] = {}
            for seq, name in connection.execute(
                "SELECT p.seq, t.name FROM places AS p JOIN targets AS t ON t.id = p.target "
                "WHERE t.network = ? AND p.seq >= ? AND p.seq <= ? ORDER BY t.folded",
                (network, rows[0][0] if rows else 0, rows[-1][0] if rows else 0),
            ):
                links.setdefault(seq, []).append(from_column(name))
            return [
                (
                    seq,
                    PastLine(
                        time, Kind(kind), from_column(name), from_column(device), tuple(links.get(seq, ())), bytes(raw)
                    ),
                )
                for seq, time, kind, name, device, raw in rows
            ]

        return self._look(look)

    def loose(self, network: int) -> Iterator[tuple[int, int, bytes]]:
        rows = self._all(
            "SELECT time, kind, raw FROM messages AS m WHERE network = ? AND target = 0 AND NOT EXISTS "
            "(SELECT FROM places AS p JOIN targets AS t ON t.id = p.target WHERE p.seq = m.seq "
            "AND t.network = m.network)",
            network,
        )
        for time, kind, raw in rows:
            yield time, kind, bytes(raw)

    def _all(self, statement: str, *values: object) -> list[Any]:
        return self._look(lambda connection: connection.execute(statement, values).fetchall())

    def _look(self, ask: Callable[[Connection], T]) -> T:
        with self._trouble(), self._connection.transaction():
            return ask(self._connection)

    @contextmanager
    def _trouble(self) -> Iterator[None]:
        try:
            yield
        except psycopg.Error as error:
            raise Refused(self._server.explain(error)) from error
