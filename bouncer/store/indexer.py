"""Filling the index behind the lines: by portions, so that no batch of lines waits long for one.

Owns the marks that say how far it is, and what is written when. Must not know threads, nor how lines are asked for.
"""

from __future__ import annotations

import json
import logging
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from operator import itemgetter

from bouncer.model.entry import TEXT_KINDS, Entry
from bouncer.store.index_words import INDEX_FORM, document, document_of, late_marks, msgid_mark, row_of
from bouncer.store.packed import packed, unpack
from bouncer.store.transaction import transaction
from bouncer.store.words import said

log = logging.getLogger(__name__)

# Lines that are written together: first into the order of their conversations, then into the word index, a transaction
# each. The former writes a page for nearly every conversation, the latter a segment that must be merged, and either
# costs a line less the more there are. So many hold up a batch of lines for 5 to 10 ms each.
INDEX_ROWS = 3000
MOST_INDEX_ROWS = 4000
READ_ROWS = 500  # lines read and taken apart in one portion: 2 to 4 ms
# Lines taken apart as they are written, and kept for the index: some 5 MB, two seconds' worth of a very busy house.
# Where more wait, they are read from the database again, which costs four times as much.
AT_HAND_ROWS = 20_000
INSERT_ROWS = 500  # documents in one statement (see lines.INSERT_ROWS)
MERGE_PAGES = 64  # of FTS5 segments merged in one portion: 2 to 10 ms
# what is written is estimated: lines of which each page has something, and pages that are written for each merged one
LINES_PER_PAGE = 5
DOCUMENTS_PER_PAGE = 8
MERGED_PAGES = 4
LONG_AGO = -(1 << 62)  # before every time
# How often a damaged index is made anew in one life: it costs 8 us a line. What is damaged again and again has another
# cause than an index can mend.
MADE_ANEW_LIMIT = 3
MILESTONE_ROWS = 1000  # a question for a time looks at so many lines beyond its bounds

# What SQLite says of a damaged word index; FTS5 also that its version is wrong, or that a row is in it already.
_DAMAGED_WORDS = {sqlite3.SQLITE_CORRUPT_VTAB, sqlite3.SQLITE_ERROR, sqlite3.SQLITE_CONSTRAINT}

_TEXT = ",".join(str(int(kind)) for kind in sorted(TEXT_KINDS))
_COLUMNS = ("seq", "time", "kind", "target", "hex(msgid)", "hex(raw)")
_READ = packed(
    _COLUMNS,
    "SELECT seq, time, kind, target, msgid, raw FROM messages WHERE network = :network AND seq > :after "
    "ORDER BY seq LIMIT :rows",
)
_RUNS = (
    "WITH run (network, after, upto) AS MATERIALIZED (SELECT value ->> 0, value ->> 1, value ->> 2 FROM json_each(?)), "
    "line AS (SELECT m.target, m.time, m.seq, m.kind FROM run CROSS JOIN messages AS m "
    "ON m.network = run.network AND m.seq > run.after AND m.seq <= run.upto WHERE m.target <> 0) "
)
_ORDER = f"{_RUNS} INSERT OR IGNORE INTO places (target, time, seq, kind) SELECT * FROM line ORDER BY target, time, seq"
_LATEST = (
    f"{_RUNS} UPDATE targets SET latest = max(coalesce(latest, said.time), said.time) FROM "
    f"(SELECT target, max(time) AS time FROM line WHERE kind IN ({_TEXT}) GROUP BY target) AS said "
    "WHERE targets.id = said.target"
)
# every network that has lines, without looking at all lines
_NETWORKS = (
    "WITH RECURSIVE found (network) AS (SELECT min(network) FROM messages UNION ALL "
    "SELECT (SELECT min(network) FROM messages WHERE network > found.network) FROM found WHERE network IS NOT NULL) "
    f"SELECT network, coalesce(seq, 0), coalesce(newest, {LONG_AGO}), "
    "(SELECT count(*) FROM messages AS m WHERE m.network = found.network AND m.seq > coalesce(indexed.seq, 0)) "
    "FROM found LEFT JOIN indexed USING (network) WHERE network IS NOT NULL"
)


# A line that is taken apart and not yet in the index: its number, the latest time up to it, and its document, empty if
# nothing of it is for the word index. (A plain tuple costs a third of a named one, and a line has few microseconds.)
Line = tuple[int, int, str]


@dataclass(slots=True)
class Progress:
    """How far one network's index is, and what is at hand for the next transactions."""

    seq: int = 0
    newest: int = LONG_AGO
    lines: int = 0  # that are not indexed yet
    at_hand: list[Line] = field(default_factory=list)  # the first of them
    read: int = 0  # the last of these, and its newest
    read_newest: int = LONG_AGO
    since_milestone: int = MILESTONE_ROWS

    def back(self) -> None:
        """What is at hand is to be read again."""
        self.read, self.read_newest = self.seq, self.newest
        self.at_hand = []


Run = tuple[int, Progress, list[Line]]  # of a network: the first lines that are at hand


class Indexer:
    """Writes the index, on the connection that writes everything."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._networks: dict[int, Progress] = {}
        self._at_hand = 0  # lines, of all networks
        self._runs: list[Run] = []  # of these, what is in its order already and comes next
        self._lines = 0
        self.at_work = False  # in the middle of a round: more should be done soon
        self._due = 0  # lines to be indexed in this round of steps; what comes meanwhile waits until they are many
        self._made_anew = 0
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
            self._networks[network] = Progress(seq, newest, lines, read=seq, read_newest=newest)
            self._lines += lines
        self._forget()

    def mark(self, network: int) -> int:
        """All lines of a network up to this number are indexed."""
        progress = self._networks.get(network)
        return progress.seq if progress is not None else 0

    def has_all(self, network: int, upto: int) -> bool:
        """Whether all lines of a network up to this number are indexed that there are."""
        progress = self._networks.get(network)
        return progress is None or progress.seq >= upto or not progress.lines

    def added(self, network: int, entries: Sequence[Entry], targets: Sequence[int]) -> None:
        """These lines were written, each of the conversation at its place in ``targets``. They are taken apart at once:
        to read them again would cost more than all the rest."""
        progress = self._networks.setdefault(network, Progress())
        in_turn = progress.lines == len(progress.at_hand) and entries[0].seq > progress.read
        self.counted(network, len(entries))
        if not in_turn or self._at_hand + len(entries) > AT_HAND_ROWS:
            return
        newest, take = progress.read_newest, progress.at_hand.append
        for entry, target in zip(entries, targets, strict=True):  # this is done for each line, so no calls of ours
            message = entry.message
            late = entry.time < newest
            if not late:
                newest = entry.time
            mark = ""
            if "msgid=" in message.tagtext and (msgid := message.tags.get("msgid", "")):
                mark = msgid_mark(msgid.encode("utf-8", "surrogateescape"))
            text = (
                document_of(message, target, mark, late=late_marks(entry.time) if late else "")
                if entry.kind in TEXT_KINDS
                else mark
            )
            take((entry.seq, newest, text))
        progress.read, progress.read_newest = entries[-1].seq, newest
        self._at_hand += len(entries)

    def counted(self, network: int, lines: int) -> None:
        """So many lines were written. They will be read again."""
        self._networks.setdefault(network, Progress()).lines += lines
        self._lines += lines

    def removed(self, network: int, lines: int) -> None:
        """So many lines that were not indexed were deleted."""
        progress = self._networks.setdefault(network, Progress())
        self._lines -= min(lines, progress.lines)
        progress.lines = max(0, progress.lines - lines)
        self._forget()

    def changed(self) -> None:
        """Lines that were not indexed are others now."""
        self._forget()

    def step(self) -> int:
        """Do one portion of what there is to do. Returns about how many pages were written."""
        if self._lines - self._due >= INDEX_ROWS or not self.at_work:
            self._due = self._lines
        try:
            written = self._step()
        except sqlite3.DatabaseError as error:
            damaged = error.sqlite_errorcode in _DAMAGED_WORDS
            if not damaged or self._made_anew >= MADE_ANEW_LIMIT:
                raise
            self._made_anew += 1
            log.error("the word index is damaged, and is made anew")
            self._make_anew()
            written, self._due = 0, self._lines
        self.at_work = self._due > 0 or self._merging
        return written

    def _step(self) -> int:
        self._due = min(self._due, self._lines)
        if self._due > self._at_hand < INDEX_ROWS:
            self._read(min(READ_ROWS, INDEX_ROWS - self._at_hand))
            return 0
        if self._due > 0:
            try:
                if not self._runs:
                    self._runs = self._choose()
                    return self._order()
                self._merging = True
                return self._write()
            except BaseException:
                self._forget()
                raise
        if self._merging:
            before = self._connection.total_changes
            self._connection.execute("INSERT INTO words (words, rank) VALUES ('merge', ?)", (MERGE_PAGES,))
            self._merging = self._connection.total_changes - before >= 2  # as FTS5 says that there is more
            return MERGE_PAGES * MERGED_PAGES
        return 0

    def forget(self, network: int) -> None:
        """A network is gone, with its lines."""
        progress = self._networks.pop(network, None)
        if progress is not None:
            self._lines -= progress.lines
            self._forget()

    def _read(self, rows: int) -> None:
        """Have more lines at hand, out of the database."""
        for network, progress in self._networks.items():
            if progress.lines <= len(progress.at_hand):
                continue
            before = len(progress.at_hand)
            values = {"network": network, "after": progress.read, "rows": rows}
            for seq, time, kind, target, msgid, raw in unpack(self._connection, _READ, values):
                text = said(bytes.fromhex(raw)) if int(kind) in TEXT_KINDS else None
                late = late_marks(int(time)) if int(time) < progress.read_newest else ""
                progress.read_newest = max(int(time), progress.read_newest)
                progress.read = int(seq)
                progress.at_hand.append(
                    (int(seq), progress.read_newest, document(text, int(target), bytes.fromhex(msgid), late=late))
                )
            taken = len(progress.at_hand) - before
            if taken == 0:  # the count was wrong: never try for ever
                self._lines -= progress.lines - before
                progress.lines = before
            self._at_hand += taken
            rows -= taken
            if rows <= 0:
                return

    def _choose(self) -> list[Run]:
        """What is written next, in order of network."""
        runs: list[Run] = []
        # what would be a small segment of its own comes along
        room = INDEX_ROWS if self._at_hand > MOST_INDEX_ROWS else MOST_INDEX_ROWS
        waiting = [item for item in self._networks.items() if item[1].at_hand]
        # who has most comes first, so that none is left behind for long
        for network, progress in sorted(waiting, key=lambda item: len(item[1].at_hand), reverse=True):
            runs.append((network, progress, progress.at_hand[:room]))
            room -= len(runs[-1][2])
            if room == 0:
                break
        return sorted(runs, key=itemgetter(0))  # FTS5 wants rowids to rise within a transaction

    def _order(self) -> int:
        """Put lines into the order of their conversations. They are still above the mark: who asks finds them there
        as well, and counts them once."""
        values = (json.dumps([(network, progress.seq, run[-1][0]) for network, progress, run in self._runs]),)
        with transaction(self._connection):
            self._connection.execute(_ORDER, values)
            self._connection.execute(_LATEST, values)
        return sum(len(run) for _, _, run in self._runs) // LINES_PER_PAGE

    def _write(self) -> int:
        connection, runs = self._connection, self._runs
        documents = [(row_of(network, seq), text) for network, _, run in runs for seq, _, text in run if text]
        with transaction(connection):
            insert_documents(connection, documents)
            connection.executemany(
                "INSERT OR REPLACE INTO indexed (network, seq, newest) VALUES (?, ?, ?)",
                [(network, run[-1][0], run[-1][1]) for network, _, run in runs],
            )
            connection.executemany(
                "INSERT OR IGNORE INTO milestones (network, time, seq) VALUES (?, ?, ?)",
                [
                    (network, run[-1][1], run[-1][0])
                    for network, progress, run in runs
                    if progress.since_milestone + len(run) >= MILESTONE_ROWS
                ],
            )
        self._runs = []
        for _, progress, run in runs:
            progress.since_milestone += len(run)
            if progress.since_milestone >= MILESTONE_ROWS:
                progress.since_milestone = 0
            progress.seq, progress.newest = run[-1][0], run[-1][1]
            del progress.at_hand[: len(run)]
            progress.lines -= len(run)
            self._at_hand -= len(run)
            self._lines -= len(run)
            self._due -= len(run)
        return len(documents) // DOCUMENTS_PER_PAGE

    def _forget(self) -> None:
        """Read again what is at hand and not written."""
        for progress in self._networks.values():
            progress.back()
        self._at_hand = 0
        self._runs = []


def insert_documents(
    connection: sqlite3.Connection, documents: Iterable[tuple[int, str]], *, delete: bool = False
) -> None:
    """Add these rows to the index, or take them out, inside the caller's transaction."""
    flat: list[object] = [value for row in documents for value in row]
    what, row = ("words, rowid, said", "('delete', ?, ?)") if delete else ("rowid, said", "(?, ?)")
    for start in range(0, len(flat), 2 * INSERT_ROWS):
        values = flat[start : start + 2 * INSERT_ROWS]
        connection.execute(f"INSERT INTO words ({what}) VALUES {','.join([row] * (len(values) // 2))}", values)
