"""A database read from another process than the one that writes it.

Owns such a look: the lines of a network with all that is kept of them, a portion at a time, so that no picture of the
database is held for long. Must not know what becomes of the lines.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar

from bouncer.model.entry import PAST_BOOT, Kind
from bouncer.model.errors import Refused
from bouncer.model.history import Range
from bouncer.model.past import PastLine
from bouncer.model.ports import Kept
from bouncer.store.conversations import bounded
from bouncer.store.database import BUSY_TIMEOUT, explain
from bouncer.store.migrations import read_scripts, schema_of
from bouncer.store.order import read_lines
from bouncer.store.transaction import transaction
from bouncer.store.values import from_column

COPY_PAGES = 2048  # copied between two signs of progress: 8 MiB, a few hundredths of a second
LINKS_AT_ONCE = 10_000  # rows moved by one statement: some 2 MB

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Named:
    """A network that has history. ``timezone`` and ``nick`` are its user's."""

    id: int
    user: str
    network: str
    timezone: str = "UTC"
    nick: str = ""

    def __str__(self) -> str:
        return f"{self.user}/{self.network}"


class Reader(Protocol):
    """A look at a store that another process may write to. Each raises Refused where it can't be read."""

    def networks(self) -> list[Named]:
        """All that are not removed, by their users' names and in their order."""

    def count(self, network: int, *, imported: bool = False) -> int:
        """How many lines there are of a network, or how many that were imported."""

    def targets(self, network: int) -> list[str]:
        """The names of all conversations, as they were last spelled."""

    def conversation(self, question: Range) -> list[Kept]:
        """As History.lines."""

    def head(self, network: int) -> int:
        """The last number of a network, up to which :meth:`lines` can then read; 0 if there is none."""

    def lines(self, network: int, after: int, upto: int, limit: int) -> list[tuple[int, PastLine]]:
        """The lines with ``after < seq <= upto``, the first ``limit`` of them, with their numbers. ``upto`` is what
        :meth:`head` gave for this network just before."""

    def loose(self, network: int) -> Iterator[tuple[int, int, bytes]]:
        """Lines that belong to no conversation: time, kind, raw. Looks at all lines of the network."""


def named(number: int, user: str | bytes, network: str | bytes, of_user: str, of_network: str) -> Named:
    """A network out of the columns of its row and its user's."""
    owner = from_column(user)
    user_settings, settings = json.loads(of_user), json.loads(of_network)
    nick = settings.get("nick") or user_settings.get("nick") or owner
    return Named(number, owner, from_column(network), user_settings.get("timezone", "UTC"), nick)


class FileReader:
    """A Reader of a SQLite file. Used by one thread."""

    def __init__(self, path: Path) -> None:
        """Raises Refused if there is none, or if it is not of the schema that this program knows."""
        self._path = path
        if not path.is_file():
            raise Refused(f"there is no database {path}: name another home with --home, or start the bouncer once")
        # not opened as read-only: where a bouncer was killed, its log has to be worked into the picture
        self._connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", BUSY_TIMEOUT, uri=True)
        self._connection.isolation_level = None
        self._links = sqlite3.connect("", isolation_level=None)  # a file of SQLite's own that is gone when it is closed
        try:
            with self._trouble():
                self._connection.execute("PRAGMA query_only = ON")
                found, known = schema_of(self._connection), max(read_scripts())
            if found != known:
                raise Refused(
                    f"the database {path} has schema {found} and this program reads {known}: "
                    "start this program's bouncer once, which brings it up to date"
                )
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        self._connection.close()
        self._links.close()

    def __enter__(self) -> FileReader:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def networks(self) -> list[Named]:
        rows = self._all(
            "SELECT n.id, u.name, n.name, u.settings, n.settings FROM networks AS n JOIN users AS u ON u.id = n.user "
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
        def look(connection: sqlite3.Connection) -> int:
            self._links.execute("DROP TABLE IF EXISTS links")
            self._links.execute("CREATE TABLE links (seq INTEGER, name)")
            rows = connection.execute(
                "SELECT l.seq, t.name FROM links AS l JOIN targets AS t ON t.id = l.target "
                "WHERE l.network = ? ORDER BY t.folded",
                (network,),
            )
            with transaction(self._links):
                while some := rows.fetchmany(LINKS_AT_ONCE):
                    self._links.executemany("INSERT INTO links VALUES (?, ?)", some)
            self._links.execute("CREATE INDEX links_of ON links (seq)")
            last = connection.execute("SELECT max(seq) FROM messages WHERE network = ?", (network,)).fetchone()[0]
            return last or 0

        return self._look(look)

    def lines(self, network: int, after: int, upto: int, limit: int) -> list[tuple[int, PastLine]]:
        # head() has found out which of them are of several conversations
        rows = self._all(
            "SELECT m.seq, m.time, m.kind, coalesce(t.name, ''), m.device, m.raw FROM messages AS m "
            "LEFT JOIN targets AS t ON t.id = m.target WHERE m.network = ? AND m.seq > ? AND m.seq <= ? "
            "ORDER BY m.seq LIMIT ?",
            network,
            bounded(after),
            bounded(upto),
            limit,
        )
        links: dict[int, list[str]] = {}
        if rows:
            for seq, name in self._links.execute(
                "SELECT seq, name FROM links WHERE seq BETWEEN ? AND ? ORDER BY rowid", (rows[0][0], rows[-1][0])
            ):
                links.setdefault(seq, []).append(from_column(name))
        return [
            (
                seq,
                PastLine(
                    time, Kind(kind), from_column(target), from_column(device), tuple(links.get(seq, ())), bytes(raw)
                ),
            )
            for seq, time, kind, target, device, raw in rows
        ]

    def loose(self, network: int) -> Iterator[tuple[int, int, bytes]]:
        rows = self._connection.execute(
            "SELECT time, kind, raw FROM messages WHERE network = :network AND target = 0 "
            "AND seq NOT IN (SELECT seq FROM links WHERE network = :network)",
            {"network": network},
        )
        for time, kind, raw in rows:
            yield time, kind, bytes(raw)

    def copy(self, to: Path, told: Callable[[int], None]) -> None:
        """Copy the whole database as it is now into a new file, while others go on writing. ``told`` is told how many
        bytes more are copied."""
        left_before = 0

        def step(_: int, left: int, whole: int) -> None:
            nonlocal left_before
            told(((left_before or whole) - left) * page_size)
            left_before = left

        # a picture that is held: without it the copy would begin anew whenever somebody writes
        with self._trouble(), transaction(self._connection, "DEFERRED"):
            page_size = self._connection.execute("PRAGMA page_size").fetchone()[0]
            self._connection.execute("SELECT count(*) FROM meta").fetchone()
            copy = sqlite3.connect(to)
            try:
                self._connection.backup(copy, pages=COPY_PAGES, progress=step, sleep=0)
                copy.execute("PRAGMA journal_mode = DELETE")  # one file, whole without a log beside it
            finally:
                copy.close()

    def _all(self, statement: str, *values: object) -> list[Any]:
        return self._look(lambda connection: connection.execute(statement, values).fetchall())

    def _look(self, ask: Callable[[sqlite3.Connection], T]) -> T:
        with self._trouble(), transaction(self._connection, "DEFERRED"):
            return ask(self._connection)

    @contextmanager
    def _trouble(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            raise Refused(explain(self._path, error)) from error
