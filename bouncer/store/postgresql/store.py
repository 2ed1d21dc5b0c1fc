"""The store on PostgreSQL: settings, lines, positions and history in one schema of a database.

Owns the connections that read. Must not know what the lines mean, nor how the threads work together.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

import psycopg

from bouncer.model.errors import Unavailable
from bouncer.model.history import Mark, Range, Search, Trace, Weight
from bouncer.model.ports import Found, Kept, Page, Removed, Run, Seen, Talk
from bouncer.store.conversations import read_markers
from bouncer.store.lines import read_devices, read_first_helping
from bouncer.store.postgresql.blocks import BLOCK_LINES
from bouncer.store.postgresql.connection import Connection, Server, Silent
from bouncer.store.postgresql.conversations import read_known, read_lines, read_page, read_place, read_targets
from bouncer.store.postgresql.database import ServerDatabase
from bouncer.store.postgresql.expiry import read_weight
from bouncer.store.postgresql.finding import read_search
from bouncer.store.secrets import Box
from bouncer.store.threaded import READERS, ThreadedStore
from bouncer.store.writer import Pace, Writer

T = TypeVar("T")


class ServerReader:
    """Answers questions out of one database. Connects when first asked, and again when the connection has ended."""

    def __init__(self, database: ServerDatabase) -> None:
        self._database = database
        self._server = database.server
        self._connection: Connection | None = None

    def removed(self) -> Removed:
        return self._ask(self._database.removed)

    def page(self, question: Page) -> Run:
        return self._ask(lambda connection: read_page(connection, question))

    def first_helping(self, network: int, lines: int, since: int) -> int:
        return self._ask(lambda connection: read_first_helping(connection, network, lines, since))

    def devices(self, network: int) -> Mapping[str, Seen]:
        return self._ask(lambda connection: read_devices(connection, network))

    def lines(self, question: Range) -> list[Kept]:
        return self._ask(lambda connection: read_lines(connection, question))

    def find(self, network: int, msgid: str) -> Mark | None:
        return self._ask(lambda connection: read_place(connection, network, msgid))

    def known(self, network: int, traces: Sequence[Trace]) -> frozenset[int]:
        return self._ask(lambda connection: read_known(connection, network, traces))

    def targets(self, network: int, after: int, before: int, limit: int) -> list[Talk]:
        return self._ask(lambda connection: read_targets(connection, network, after, before, limit))

    def markers(self, network: int) -> Mapping[str, int]:
        return self._ask(lambda connection: read_markers(connection, network))

    def weigh(self, network: int, target: str, before: Mark, lines: int) -> Weight:
        return self._ask(lambda connection: read_weight(connection, network, target, before, lines))

    def search(self, question: Search) -> list[Found]:
        return self._ask(lambda connection: self._in_one_picture(connection, question))

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()

    @staticmethod
    def _in_one_picture(connection: Connection, question: Search) -> list[Found]:
        with connection.transaction():  # the index and what is not in it yet belong together
            return read_search(connection, question)

    def _ask(self, ask: Callable[[Connection], T]) -> T:
        try:
            had = self._connection
            try:
                return ask(self._connected())
            except psycopg.OperationalError as error:
                if had is None or not had.ended_by(error) or isinstance(error, Silent):
                    raise
            return ask(self._connected())  # the server had ended that connection since the last question
        except psycopg.Error as error:
            raise Unavailable(self._server.explain(error)) from error

    def _connected(self) -> Connection:
        if self._connection is None or not self._connection.usable:
            self._connection = None
            connection = self._server.connect()
            connection.only_read()
            self._connection = connection
        return self._connection


class ServerStore(ThreadedStore):
    """The store in one schema of a PostgreSQL database."""

    def __init__(self, database: ServerDatabase, writer: Writer) -> None:
        """Over a database that is open; :meth:`open` is the usual way."""
        super().__init__(database.load, writer, [ServerReader(database) for _ in range(READERS)])

    @classmethod
    def open(
        cls,
        url: str,
        box: Box,
        *,
        now: Callable[[], float] = time.time,
        pace: Pace | None = None,
        block: int = BLOCK_LINES,
    ) -> ServerStore:
        """Open the database at ``url`` (as libpq has it); make its tables, or migrate them, if need be.

        ``now`` gives seconds since 1970; ``block`` is for tests. Raises Refused with one clear sentence if the
        database can't be reached, is none of ours or in use, was written by a newer program, or does not belong to
        the key in ``box``.
        """
        database = ServerDatabase(Server(url), box, now, block)
        return cls(database, Writer(database, pace))
