"""The store on SQLite: settings, lines, positions and history in one file.

Owns the connections that read. Must not know what the lines mean, nor how the threads work together.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from bouncer.model.errors import Refused, Unavailable
from bouncer.model.history import Mark, Range, Search, Trace, Weight
from bouncer.model.ports import Found, Kept, Page, Removed, Run, Seen, Talk
from bouncer.store.conversations import read_markers, read_page, read_place, read_targets
from bouncer.store.database import ODD_ROWS, Database, connect, explain
from bouncer.store.expiry import read_weight
from bouncer.store.finding import read_search
from bouncer.store.knowing import read_known
from bouncer.store.lines import read_devices, read_first_helping
from bouncer.store.order import read_lines
from bouncer.store.secrets import Box
from bouncer.store.threaded import READERS, ThreadedStore
from bouncer.store.transaction import transaction
from bouncer.store.writer import Pace, Writer

# For each reader: the inner pages of very many lines. With SQLite's own 2 MiB a page of history took a third longer.
READER_CACHE_KIB = 8 << 10

T = TypeVar("T")


class FileReader:
    """Answers questions out of one SQLite file."""

    def __init__(self, database: Database) -> None:
        """Raises sqlite3.Error."""
        self._database = database
        self._connection = connect(database.path)

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
        return self._ask(lambda connection: read_search(connection, question))

    def close(self) -> None:
        self._connection.close()

    def _ask(self, ask: Callable[[sqlite3.Connection], T]) -> T:
        try:
            with transaction(self._connection, "DEFERRED"):  # the index and what is not in it yet belong together
                return ask(self._connection)
        except (sqlite3.Error, *ODD_ROWS) as error:
            raise Unavailable(explain(self._database.path, error)) from error


class Store(ThreadedStore):
    """The store in one SQLite file."""

    def __init__(self, database: Database, writer: Writer) -> None:
        """Over a database that is open; :meth:`open` is the usual way. Raises sqlite3.Error."""
        super().__init__(database.load, writer, [FileReader(database) for _ in range(READERS)])

    @classmethod
    def open(cls, path: Path, box: Box, *, now: Callable[[], float] = time.time, pace: Pace | None = None) -> Store:
        """Open the database at ``path``; make it, or migrate it, if need be.

        ``now`` gives seconds since 1970. Raises Refused with one clear sentence if the file is none of ours, was
        written by a newer program, can't be accessed, or does not belong to the key in ``box``.
        """
        database = Database(path, box, now)
        try:
            return cls(database, Writer(database, pace))
        except sqlite3.Error as error:
            database.close()
            raise Refused(explain(path, error)) from error
