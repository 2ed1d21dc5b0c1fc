"""Filling the index behind the lines: by portions, so that no batch of lines waits long for one.

Owns the marks that say how far it is, and what is written when. Must not know threads, nor how lines are asked for.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from bouncer.model.entry import TEXT_KINDS
from bouncer.store.index_words import INDEX_FORM, document, row_of
from bouncer.store.packed import packed, unpack
from bouncer.store.transaction import transaction
from bouncer.store.words import said

log = logging.getLogger(__name__)

# Lines written to the index in one transaction. FTS5 makes a segment of each, and merging small ones costs more than
# writing them; so many hold up a batch of lines for some 10 ms.
INDEX_ROWS = 1500
READ_ROWS = 500  # lines read and taken apart in one portion: 2 to 4 ms
INSERT_ROWS = 500  # documents in one statement (see lines.INSERT_ROWS)
MERGE_PAGES = 64  # of FTS5 segments merged in one portion: 2 to 10 ms
LONG_AGO = -(1 << 62)  # before every time
MILESTONE_ROWS = 1000  # a question for a time looks at so many lines beyond its bounds

_TEXT = ",".join(str(int(kind)) for kind in sorted(TEXT_KINDS))
_COLUMNS = ("seq", "time", "kind", "target", "hex(msgid)", "hex(raw)")
_READ = packed(
    _COLUMNS,
    "SELECT seq, time, kind, target, msgid, raw FROM messages WHERE network = :network AND seq > :after "
    "ORDER BY seq LIMIT :rows",
)
# every network that has lines, without looking at all lines
_NETWORKS = (
    "WITH RECURSIVE found (network) AS (SELECT min(network) FROM messages UNION ALL "
    "SELECT (SELECT min(network) FROM messages WHERE network > found.network) FROM found WHERE network IS NOT NULL) "
    f"SELECT network, coalesce(seq, 0), coalesce(newest, {LONG_AGO}), "
    "(SELECT count(*) FROM messages AS m WHERE m.network = found.network AND m.seq > coalesce(indexed.seq, 0)) "
    "FROM found LEFT JOIN indexed USING (network) WHERE network IS NOT NULL"
)


@dataclass(slots=True)
class Progress:
    """How far one network's index is, and how far it is read for the next transaction."""

    seq: int = 0
    newest: int = LONG_AGO
    lines: int = 0  # that are not indexed yet
    read: int = 0
    read_newest: int = LONG_AGO
    pending: int = 0  # lines read
    since_milestone: int = MILESTONE_ROWS

    def back(self) -> None:
        """What was read and not written is to be read again."""
        self.read, self.read_newest, self.pending = self.seq, self.newest, 0


class Indexer:
    """Writes the index, on the connection that writes everything."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._networks: dict[int, Progress] = {}
        self._pending: list[tuple[int, str]] = []  # rowid and document
        self._pending_lines = 0
        self._lines = 0
        self._merging = True  # an earlier life may have left something to merge

    @property
    def lines(self) -> int:
        """How many lines are not indexed yet."""
        return self._lines

    def load(self) -> None:
        """Find out how far the index is. Makes it anew if words are derived in another way now."""
        form = self._connection.execute("SELECT value FROM meta WHERE name = 'words_form'").fetchone()[0]
        if form == INDEX_FORM:
            self._load_progress()
        else:
            self._make_anew()

    def _make_anew(self) -> None:
        connection = self._connection
        with transaction(connection):
            connection.execute("INSERT INTO words (words) VALUES ('delete-all')")
            connection.execute("DELETE FROM indexed")
            connection.execute("UPDATE meta SET value = ? WHERE name = 'words_form'", (INDEX_FORM,))
        self._load_progress()

    def _load_progress(self) -> None:
        self._networks = {}
        self._lines = 0
        for network, seq, newest, lines in self._connection.execute(_NETWORKS):
            self._networks[network] = Progress(seq, newest, lines, seq, newest)
            self._lines += lines
        self._forget()

    def mark(self, network: int) -> int:
        """All lines of a network up to this number are indexed."""
        progress = self._networks.get(network)
        return progress.seq if progress is not None else 0

    def added(self, network: int, lines: int) -> None:
        """So many lines were written."""
        self._networks.setdefault(network, Progress()).lines += lines
        self._lines += lines

    def removed(self, network: int, lines: int) -> None:
        """So many lines that were not indexed were deleted."""
        progress = self._networks.setdefault(network, Progress())
        self._lines -= min(lines, progress.lines)
        progress.lines = max(0, progress.lines - lines)
        self._forget()

    def step(self) -> bool:
        """Do one portion of what there is to do. True if more should be done soon."""
        try:
            return self._step()
        except sqlite3.DatabaseError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_CORRUPT_VTAB:
                raise
            log.error("the word index is damaged, and is made anew")
            self._make_anew()
            return True

    def _step(self) -> bool:
        unread = self._lines - self._pending_lines
        if unread > 0 and self._pending_lines < INDEX_ROWS:
            self._read(min(READ_ROWS, INDEX_ROWS - self._pending_lines))
            return True
        if self._pending_lines:
            try:
                self._write()
            except BaseException:
                self._forget()
                raise
            self._merging = True
            return True
        if self._merging:
            before = self._connection.total_changes
            self._connection.execute("INSERT INTO words (words, rank) VALUES ('merge', ?)", (MERGE_PAGES,))
            self._merging = self._connection.total_changes - before >= 2  # as FTS5 says that there is more
        return self._merging or self._lines >= INDEX_ROWS

    def forget(self, network: int) -> None:
        """A network is gone, with its lines."""
        progress = self._networks.pop(network, None)
        if progress is not None:
            self._lines -= progress.lines
            self._forget()

    def _read(self, rows: int) -> None:
        # in order of network: FTS5 wants rowids to rise within a transaction
        for network in sorted(self._networks):
            progress = self._networks[network]
            if progress.lines <= progress.pending:
                continue
            before = self._pending_lines
            values = {"network": network, "after": progress.read, "rows": rows}
            for seq, time, kind, target, msgid, raw in unpack(self._connection, _READ, values):
                self._take(network, progress, int(seq), int(time), int(kind), int(target), msgid, raw)
            taken = self._pending_lines - before
            if taken == 0:  # the count was wrong: never try for ever
                self._lines -= progress.lines - progress.pending
                progress.lines = progress.pending
            rows -= taken
            if rows <= 0:
                return

    def _take(
        self, network: int, progress: Progress, seq: int, time: int, kind: int, target: int, msgid: str, raw: str
    ) -> None:
        late = time < progress.read_newest
        if not late:
            progress.read_newest = time
        text = document(
            said(bytes.fromhex(raw)) if kind in TEXT_KINDS else None, target, bytes.fromhex(msgid), late=late
        )
        if text:
            self._pending.append((row_of(network, seq), text))
        progress.read = seq
        progress.pending += 1
        self._pending_lines += 1

    def _write(self) -> None:
        connection = self._connection
        read = {network: progress for network, progress in self._networks.items() if progress.pending}
        self._pending.sort()
        with transaction(connection):
            insert_documents(connection, self._pending)
            for network, progress in read.items():
                _order(connection, network, progress.seq, progress.read)
                connection.execute(
                    "INSERT OR REPLACE INTO indexed (network, seq, newest) VALUES (?, ?, ?)",
                    (network, progress.read, progress.read_newest),
                )
                if progress.since_milestone + progress.pending >= MILESTONE_ROWS:
                    connection.execute(
                        "INSERT OR IGNORE INTO milestones (network, time, seq) VALUES (?, ?, ?)",
                        (network, progress.read_newest, progress.read),
                    )
        for progress in read.values():
            progress.since_milestone += progress.pending
            if progress.since_milestone >= MILESTONE_ROWS:
                progress.since_milestone = 0
            progress.lines -= progress.pending
            progress.seq, progress.newest, progress.pending = progress.read, progress.read_newest, 0
        self._lines -= self._pending_lines
        self._pending = []
        self._pending_lines = 0

    def _forget(self) -> None:
        """Read again what was read and not written."""
        for progress in self._networks.values():
            progress.back()
        self._pending = []
        self._pending_lines = 0


def insert_documents(
    connection: sqlite3.Connection, documents: Iterable[tuple[int, str]], *, delete: bool = False
) -> None:
    """Add these rows to the index, or take them out, inside the caller's transaction."""
    flat: list[object] = [value for row in documents for value in row]
    what, row = ("words, rowid, said", "('delete', ?, ?)") if delete else ("rowid, said", "(?, ?)")
    for start in range(0, len(flat), 2 * INSERT_ROWS):
        values = flat[start : start + 2 * INSERT_ROWS]
        connection.execute(f"INSERT INTO words ({what}) VALUES {','.join([row] * (len(values) // 2))}", values)


def _order(connection: sqlite3.Connection, network: int, after: int, upto: int) -> None:
    values: Mapping[str, int] = {"network": network, "after": after, "upto": upto}
    connection.execute(
        "INSERT OR IGNORE INTO places (target, time, seq, kind) SELECT target, time, seq, kind FROM messages "
        "WHERE network = :network AND seq > :after AND seq <= :upto AND target <> 0 ORDER BY target, time, seq",
        values,
    )
    connection.execute(
        "UPDATE targets SET latest = max(coalesce(latest, said.time), said.time) FROM "
        "(SELECT target, max(time) AS time FROM messages WHERE network = :network AND seq > :after AND seq <= :upto "
        f"AND kind IN ({_TEXT}) AND target <> 0 GROUP BY target) AS said WHERE targets.id = said.target",
        values,
    )
