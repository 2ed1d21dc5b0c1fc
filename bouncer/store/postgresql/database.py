"""A database on a PostgreSQL server: the backend that writes to it.

Owns the connection that writes, also over the server's restarts. Must not know threads or the event loop: one thread at
a time uses it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace

import psycopg
from psycopg.errors import UniqueViolation

from bouncer.model.errors import Refused, Unavailable
from bouncer.model.history import Expiry
from bouncer.model.ports import Removed, Snapshot
from bouncer.store import lines, records
from bouncer.store.batch import Batch
from bouncer.store.database import CHECK_CONTEXT, CHECK_VALUE
from bouncer.store.expiries import Expiries
from bouncer.store.expiry import newest_line
from bouncer.store.postgresql.blocks import BLOCK_LINES
from bouncer.store.postgresql.connection import Connection, Server
from bouncer.store.postgresql.conversations import target_ids
from bouncer.store.postgresql.expiry import expire_lines, expire_removed
from bouncer.store.postgresql.indexer import Indexer
from bouncer.store.postgresql.lines import Targets, put_lines
from bouncer.store.postgresql.migrations import migrate, read_scripts, take
from bouncer.store.postgresql.redacting import redact
from bouncer.store.secrets import Box, Unreadable

log = logging.getLogger(__name__)


class ServerDatabase:
    """The backend of the writer, on one schema of a PostgreSQL database."""

    def __init__(self, server: Server, box: Box, now: Callable[[], float], block: int = BLOCK_LINES) -> None:
        """Connect, make or migrate the tables. ``block``: lines in a block of the index. Raises Refused if the
        database can't be used, another process has it, or the key does not fit."""
        self.server = server
        self._box = box
        self._now = now
        self._boot = 0
        self._targets = Targets()
        self._indexer = Indexer(block)
        self._expiries = Expiries()
        self._unsure: Batch | None = None  # one that may be stored already: the answer to its commit was lost
        try:
            self._connection = server.connect()
        except psycopg.Error as error:
            raise Refused(server.explain(error)) from error
        try:
            take(self._connection)
            migrate(self._connection, server.name, read_scripts())
            self._check_key()
        except psycopg.Error as error:
            self._connection.close()
            raise Refused(server.explain(error)) from error
        except BaseException:
            self._connection.close()
            raise

    def _check_key(self) -> None:
        connection = self._connection
        found = connection.execute("SELECT sealed FROM meta WHERE name = 'check'").fetchone()
        if found is None:
            sealed = self._box.seal(CHECK_VALUE, CHECK_CONTEXT)
            connection.execute("INSERT INTO meta (name, value, sealed) VALUES ('check', 0, ?)", (sealed,))
            return
        try:
            self._box.open(found[0], CHECK_CONTEXT)
        except Unreadable as error:
            raise Refused(
                f"the key does not fit {self.server}: put back the secret.key that was made with it"
            ) from error

    def load(self) -> Snapshot:
        """Read all that is needed at start, and note that there was one. Raises Refused."""
        connection = self._connection
        try:
            with connection.transaction():
                self._boot = connection.one("UPDATE meta SET value = value + 1 WHERE name = 'boot' RETURNING value")[0]
                heads = lines.raise_heads(connection)
                users = records.load_users(connection, self._box)
                next_user, next_network = records.next_ids(connection)
            self._indexer.load(connection)
        except Unreadable as error:
            raise Refused(
                f"{self.server} is damaged: the secrets of {error} do not open; put back a backup of it"
            ) from error
        except psycopg.Error as error:
            raise Refused(self.server.explain(error)) from error
        return Snapshot(users, heads, next_user, next_network, self._boot)

    def removed(self, reader: Connection) -> Removed:
        """What was removed and is still kept, as a reader's connection sees it. Raises Unavailable."""
        try:
            with reader.transaction():
                return records.load_removed(reader, self._box)
        except Unreadable as error:
            raise Unavailable(f"the secrets of {error} in {self.server} do not open") from error

    def _connected(self) -> Connection:
        """The connection, made again if the last one has ended."""
        if not self._connection.usable:
            connection = self.server.connect()
            try:
                take(connection)  # another process may have come in between
                self._indexer.load(connection)
            except BaseException:
                connection.close()
                raise
            self._targets.forget()
            self._connection = connection
            log.info("connected to %s again", self.server)
        return self._connection

    def commit(self, batch: Batch) -> None:
        """Write a batch in one transaction."""
        connection = self._connected()
        try:
            try:
                left_out = self._write(connection, batch, careful=batch is self._unsure)
            except UniqueViolation:
                self._targets.forget()
                left_out = self._write(connection, batch, careful=True)
        except BaseException as error:
            self._targets.forget()  # some may have been made by the transaction that is gone
            if connection.ended_by(error):
                self._unsure = batch
            raise
        for network, entries in batch.lines.items():
            self._indexer.added(network, len(entries))
        if left_out:
            self._indexer.load(connection)
            if batch is self._unsure:
                log.info("%d lines had been stored when the connection was lost", left_out)
            else:
                log.error("%d lines had numbers that were in use, and were left out", left_out)
        self._unsure = None
        for expiry in batch.expiries:
            self._take_expiry(connection, expiry)

    def _write(self, connection: Connection, batch: Batch, *, careful: bool) -> int:
        """Returns how many lines were left out, for their numbers are in use."""
        now, left_out = int(self._now()), 0
        with connection.transaction():
            for user_id, versions in batch.users.items():
                for version in versions:
                    if version is None:
                        records.remove_user(connection, user_id, now)
                    else:
                        records.put_user(connection, self._box, version, now)
            if batch.lines:
                left_out = put_lines(connection, self._targets, batch.lines, self._boot, careful=careful)
            for network, target, msgid in batch.redactions:
                redact(connection, network, target, msgid)
            if batch.positions:
                lines.put_positions(connection, batch.positions, now)
            if batch.markers:
                lines.put_markers(connection, batch.markers)
        return left_out

    def sync(self) -> None:
        """Nothing: the server has written to its disk what it says is committed."""

    @property
    def unindexed(self) -> int:
        """How many lines wait to be indexed."""
        return self._indexer.lines

    def index(self) -> bool:
        """Index a portion of the lines. True if more is to be done soon."""
        connection = self._connected()
        try:
            return self._indexer.step(connection)
        except BaseException as error:
            connection.ended_by(error)
            raise

    def _take_expiry(self, connection: Connection, expiry: Expiry) -> None:
        """Note what is to be deleted, once, however often it is asked for before it is done."""
        if expiry.target:
            if not target_ids(connection, expiry.network, (expiry.target,)):
                return  # nothing was ever said there
            # what comes later into that conversation stays
            expiry = replace(expiry, upto=min(expiry.upto, newest_line(connection, expiry.network)))
        self._expiries.add(expiry)

    def expire(self) -> bool:
        """Delete a portion of what is not to be kept."""
        connection = self._connected()
        expiry = next(iter(self._expiries), None)
        try:
            with connection.transaction():
                if expiry is not None:
                    more = expire_lines(connection, self._indexer, expiry)
                else:
                    more = expire_removed(connection, self._indexer, int(self._now()))
        except BaseException as error:
            if not connection.ended_by(error):
                self._indexer.load(connection)  # it has been told of lines that are not gone
                if expiry is not None:
                    self._expiries.remove(expiry)  # it must not be in the way of others; it will be asked for again
            raise
        if expiry is None:
            if more:
                self._targets.forget()
            return more
        if not more:
            self._expiries.remove(expiry)
        return True

    def explain(self, error: Exception) -> str:
        """A clear sentence on an error of this database."""
        return self.server.explain(error)

    def close(self) -> None:
        """The end. May be called again."""
        self._connection.close()
