"""A SQLite file: opening it, what its errors mean, and the backend that writes to it.

Owns the connection that writes. Must not know threads or the event loop: one thread at a time uses it.
"""

from __future__ import annotations

import logging
import os
import sqlite3
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from bouncer.model.errors import Refused, Unavailable
from bouncer.model.history import Expiry
from bouncer.model.ports import Removed, Snapshot
from bouncer.store import lines, records
from bouncer.store.batch import Batch
from bouncer.store.conversations import target_ids
from bouncer.store.expiries import Expiries
from bouncer.store.expiry import expire_lines, expire_removed, newest_line
from bouncer.store.files import make_directory, make_empty
from bouncer.store.indexer import Indexer
from bouncer.store.migrations import migrate, read_scripts
from bouncer.store.redacting import redact
from bouncer.store.secrets import Box, Unreadable
from bouncer.store.transaction import transaction
from bouncer.store.writer import Damaged

BUSY_TIMEOUT = 1.0  # seconds to wait for another program's lock (a backup, a look at the file) before it is a failure
LOCKED_TIMEOUT = 0.05  # likewise, once it has been: questions wait meanwhile, and the next try comes soon
# After so many pages of the log, some 6 MiB, they are written back, in a portion of the index's work, so that no batch
# of lines waits for the disk and for something else as well. Twice as many cost as much, and hold up twice as long.
CHECKPOINT_PAGES = 1500
MOST_LOG_PAGES = 4000  # after so many SQLite itself does it: where the index stands still, or the count is far wrong
# what is written is estimated, in pages: of a commit, and of a line in one; then as the indexer says
COMMIT_PAGES = 4
LINES_PER_PAGE = 4
LOG_LIMIT = 64 << 20  # bytes that the log keeps on disk after a long reader or a burst made it grow

CACHE_KIB = 16 << 10  # a batch of the index touches a page or more of each conversation

CHECK_CONTEXT = "key check"
CHECK_VALUE = b"bouncer"

_force = getattr(os, "fdatasync", os.fsync)  # macOS has only fsync

log = logging.getLogger(__name__)

_PUT_BACK = "put back a backup of it with: bouncer restore FILE --force"
# what SQLite's primary result codes mean to whoever runs this, and what helps
_MEANINGS = {
    sqlite3.SQLITE_FULL: "its disk is full: make room there",
    sqlite3.SQLITE_BUSY: "another program holds it locked: end that program",
    sqlite3.SQLITE_LOCKED: "another program holds it locked: end that program",
    sqlite3.SQLITE_READONLY: "it may not be written: give this user write access to it and to its directory",
    sqlite3.SQLITE_PERM: "it may not be accessed: give this user access to it",
    sqlite3.SQLITE_CANTOPEN: "it can't be opened: see that its directory exists and that this user may write there",
    sqlite3.SQLITE_NOTADB: "it is not a database: name another home, or move the file away",
    sqlite3.SQLITE_CORRUPT: f"it is damaged: {_PUT_BACK}",
    sqlite3.SQLITE_IOERR: "its disk fails: look at the system's log",
}


# What SQLite may say of the whole file and another time not. Anything else is about what is at some place of it, or
# about what is to be written: the same will come of it again, and must be in nobody's way.
_PASSING = {
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_NOMEM,
    sqlite3.SQLITE_PROTOCOL,
}
# What Python says where rows are not what we have written, for damaged bytes are rows too.
ODD_ROWS = (ValueError, TypeError, LookupError, AttributeError)


def _passes(error: Exception) -> bool:
    return (isinstance(error, sqlite3.Error) and _code(error) in _PASSING) or isinstance(error, OSError | MemoryError)


def explain(path: Path, error: Exception) -> str:
    """One clear sentence: the file, the problem, the fix."""
    if isinstance(error, Damaged):
        return str(error)
    if isinstance(error, sqlite3.Error) and (meaning := _MEANINGS.get(_code(error))):
        return f"the database {path} can't be used, for {meaning}"
    if isinstance(error, ODD_ROWS):
        return f"the database {path} can't be used, for {_MEANINGS[sqlite3.SQLITE_CORRUPT]}"
    if isinstance(error, OSError) and error.strerror:
        return f"the database {path} can't be used: {error.strerror}"
    return f"the database {path} can't be used: {error}"


def _code(error: sqlite3.Error) -> int:
    """SQLite's primary result code; 0 if Python's module and not SQLite complains."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


def connect(path: Path) -> sqlite3.Connection:
    """A connection in autocommit mode, for whichever thread holds it."""
    return sqlite3.connect(path, timeout=BUSY_TIMEOUT, isolation_level=None, check_same_thread=False)


class Database:
    """The backend of the writer, on one SQLite file."""

    def __init__(self, path: Path, box: Box, now: Callable[[], float]) -> None:
        """Open, make or migrate the file. Raises Refused if it can't be used or the key does not fit."""
        self.path = path
        self._box = box
        self._now = now
        self._boot = 0
        self._lock_wait = BUSY_TIMEOUT
        self._targets = lines.Targets()
        self._log_pages = 0  # about so many are in the log
        self._log_synced = False  # it is to be written back next
        self._expiries = Expiries()
        if path.is_dir():
            raise Refused(f"{path} is a directory and not a database: name another home, or move it away")
        try:
            make_directory(path.parent)
            make_empty(path)
            self._connection = connect(path)
        except (sqlite3.Error, OSError) as error:
            raise Refused(explain(path, error)) from error
        self._indexer = Indexer(self._connection)
        try:
            self._prepare()
        except (sqlite3.Error, OSError, *ODD_ROWS) as error:
            self._connection.close()
            raise Refused(explain(path, error)) from error
        except BaseException:
            self._connection.close()
            raise

    def _prepare(self) -> None:
        connection = self._connection
        connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()  # reads the header: is it a database?
        migrate(connection, self.path, read_scripts())
        if connection.execute("PRAGMA journal_mode = WAL").fetchone()[0] != "wal":
            raise Refused(
                f"the database {self.path} can't be used, for its file system has no shared memory: "
                "keep the home on a local disk"
            )
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute(f"PRAGMA wal_autocheckpoint = {MOST_LOG_PAGES}")
        connection.execute(f"PRAGMA journal_size_limit = {LOG_LIMIT}")
        connection.execute(f"PRAGMA cache_size = {-CACHE_KIB}")
        self._check_key()

    def _check_key(self) -> None:
        found = self._connection.execute("SELECT value FROM meta WHERE name = 'check'").fetchone()
        if found is None:
            sealed = self._box.seal(CHECK_VALUE, CHECK_CONTEXT)
            self._connection.execute("INSERT INTO meta (name, value) VALUES ('check', ?)", (sealed,))
            return
        try:
            self._box.open(found[0], CHECK_CONTEXT)
        except Unreadable as error:
            raise Refused(
                f"the key does not fit the database {self.path}: put back the secret.key that was made with it"
            ) from error

    def load(self) -> Snapshot:
        """Read all that is needed at start, and note that there was one. Raises Refused."""
        connection = self._connection
        try:
            with transaction(connection):
                connection.execute("UPDATE meta SET value = value + 1 WHERE name = 'boot'")
                self._boot = connection.execute("SELECT value FROM meta WHERE name = 'boot'").fetchone()[0]
                heads = lines.raise_heads(connection)
                users = records.load_users(connection, self._box)
                next_user, next_network = records.next_ids(connection)
            self._indexer.load()
            self.sync()
        except Unreadable as error:
            raise Refused(
                f"the database {self.path} is damaged: the secrets of {error} do not open; {_PUT_BACK}"
            ) from error
        except (sqlite3.Error, OSError, *ODD_ROWS) as error:
            raise Refused(explain(self.path, error)) from error
        return Snapshot(users, heads, next_user, next_network, self._boot)

    def removed(self, reader: sqlite3.Connection) -> Removed:
        """What was removed and is still kept, as a reader's connection sees it. Raises Unavailable."""
        try:
            return records.load_removed(reader, self._box)
        except Unreadable as error:
            raise Unavailable(f"the secrets of {error} in the database {self.path} do not open") from error

    def commit(self, batch: Batch) -> None:
        """Write a batch in one transaction. Raises Damaged if a part of the file is."""
        connection, now = self._connection, int(self._now())
        put, changed = lines.Put({}, 0), False
        try:
            with transaction(connection):
                for user_id, versions in batch.users.items():
                    for version in versions:
                        if version is None:
                            records.remove_user(connection, user_id, now)
                        else:
                            records.put_user(connection, self._box, version, now)
                if batch.lines:
                    put = lines.put_lines(connection, self._targets, batch.lines, self._boot)
                for network, target, msgid in batch.redactions:
                    changed |= redact(connection, self._indexer, network, target, msgid)
                if batch.positions:
                    lines.put_positions(connection, batch.positions, now)
                if batch.markers:
                    lines.put_markers(connection, batch.markers)
        except BaseException as error:
            self._targets.forget()  # some may have been made by the transaction that is gone
            if isinstance(error, Exception) and not _passes(error):
                raise Damaged(explain(self.path, error)) from error
            if isinstance(error, sqlite3.Error) and _code(error) == sqlite3.SQLITE_BUSY:
                self._wait_for_locks(min(LOCKED_TIMEOUT, BUSY_TIMEOUT))
            raise
        self._log_pages += COMMIT_PAGES + batch.rows // LINES_PER_PAGE
        self._wait_for_locks(BUSY_TIMEOUT)
        for network, entries in batch.lines.items():
            if put.left_out:
                self._indexer.counted(network, len(entries))  # what is there may be another line
            else:
                self._indexer.added(network, entries, put.targets[network])
        if changed:
            self._indexer.changed()
        for expiry in batch.expiries:
            self._take_expiry(expiry)
        if put.left_out:
            log.error("%d lines had numbers that were in use, and were left out", put.left_out)

    def _wait_for_locks(self, seconds: float) -> None:
        if seconds != self._lock_wait:
            self._lock_wait = seconds
            self._connection.execute(f"PRAGMA busy_timeout = {round(seconds * 1000)}")

    def sync(self) -> None:
        """Force the write-ahead log to the disk: with synchronous=NORMAL a commit alone does not."""
        try:
            descriptor = os.open(f"{self.path}-wal", os.O_RDONLY)
        except FileNotFoundError:
            return  # nothing was written since the last checkpoint
        try:
            _force(descriptor)
        finally:
            os.close(descriptor)

    @property
    def unindexed(self) -> int:
        """How many lines are not in the index yet."""
        return self._indexer.lines

    def index(self) -> bool:
        """Index a portion of the lines, or write a portion of the log back. True if more is to be done soon."""
        if self._log_pages >= CHECKPOINT_PAGES and not self._log_synced:
            self.sync()  # or else SQLite does, in the middle of writing it back: it takes half of that time
            self._log_synced = True
        elif self._log_pages >= CHECKPOINT_PAGES:
            self._log_pages, self._log_synced = 0, False
            with suppress(sqlite3.Error):  # what can't be written back stays in the log, and nothing is lost
                self._connection.execute("PRAGMA wal_checkpoint(PASSIVE)")
        else:
            self._log_pages += self._indexer.step()
        return self._indexer.at_work or self._log_pages >= CHECKPOINT_PAGES

    def _take_expiry(self, expiry: Expiry) -> None:
        """Note what is to be deleted, once, however often it is asked for before it is done."""
        if expiry.target:
            if not target_ids(self._connection, expiry.network, (expiry.target,)):
                return  # nothing was ever said there
            # lines are found by conversation when they are indexed, which some still have to be
            expiry = replace(expiry, upto=min(expiry.upto, newest_line(self._connection, expiry.network)))
        self._expiries.add(expiry)

    def expire(self) -> bool:
        """Delete a portion of what is not to be kept. True as long as something is left of it, be it that it is not
        indexed yet."""
        ready = (each for each in self._expiries if not each.target or self._indexer.has_all(each.network, each.upto))
        expiry = next(ready, None)
        try:
            with transaction(self._connection):
                if expiry is not None:
                    more = expire_lines(self._connection, self._indexer, expiry)
                else:
                    more = expire_removed(self._connection, self._indexer, int(self._now()))
        except BaseException:
            self._indexer.load()  # it has been told of lines that are not gone
            if expiry is not None:
                self._expiries.remove(expiry)  # it must not be in the way of others; it will be asked for again
            raise
        if expiry is None:
            if more:
                self._targets.forget()
            return more or bool(self._expiries)
        if not more:
            self._expiries.remove(expiry)
        return True

    def explain(self, error: Exception) -> str:
        """A clear sentence on an error of this file."""
        return explain(self.path, error)

    def close(self) -> None:
        """Write the log back into the file and close it. Every reader must be closed before."""
        self._connection.close()
