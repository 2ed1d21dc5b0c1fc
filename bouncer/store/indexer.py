"""Filling the index behind the lines: by portions, so that no batch of lines waits long for one.

Owns the marks that say how far it is, and what is written when. Must not know threads, nor how lines are asked for.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import chain
from operator import itemgetter

from bouncer.irc.message import Message
from bouncer.model.entry import Entry, Kind
from bouncer.store.index_words import BLOCK_LINES, INDEX_FORM, LONG_AGO, Block, Line, block_of, parts, row_of
from bouncer.store.packed import packed, unpack
from bouncer.store.transaction import transaction

log = logging.getLogger(__name__)

# Lines that are written together, as a segment of FTS5 that must be merged: it costs a line less the more there are. So
# many hold up a batch of lines for 5 ms.
INDEX_ROWS = 3000
MOST_INDEX_ROWS = 4000
READ_ROWS = 500  # lines read and taken apart in one portion: 2 to 4 ms
# Lines taken apart as they are written, and kept for the index: some 4 MB, two seconds' worth of a very busy house.
# Where more wait, they are read from the database again, which costs four times as much.
AT_HAND_ROWS = 20_000
INSERT_ROWS = 500  # in one statement (see lines.INSERT_ROWS)
MERGE_PAGES = 64  # of FTS5 segments merged in one portion: 2 to 10 ms
# what is written is estimated: lines of which each page has words, and pages that are written for each merged one
LINES_PER_PAGE = 40
MERGED_PAGES = 4
# How often a damaged index is made anew in one life: it costs 8 us a line. What is damaged again and again has another
# cause than an index can mend.
MADE_ANEW_LIMIT = 3
MILESTONE_ROWS = 1000  # a question for a time looks at so many lines beyond its bounds

# What SQLite says of a damaged word index; FTS5 also that its version is wrong, or that a row is in it already.
_DAMAGED_WORDS = {sqlite3.SQLITE_CORRUPT_VTAB, sqlite3.SQLITE_ERROR, sqlite3.SQLITE_CONSTRAINT}

COLUMNS = ("seq", "time", "kind", "target", "hex(raw)")  # of what :func:`line_of` takes
_READ = packed(
    COLUMNS,
    "SELECT seq, time, kind, target, raw FROM messages WHERE network = :network AND seq > :after "
    "ORDER BY seq LIMIT :rows",
)
_LATEST = "UPDATE targets SET latest = ?1 WHERE id = ?2 AND (latest IS NULL OR latest < ?1)"
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
    """How far one network's index is, and what is at hand for the next transactions."""

    seq: int = 0
    newest: int = LONG_AGO
    lines: int = 0  # that are not indexed yet
    at_hand: list[Block] = field(default_factory=list)  # the first of them
    open: list[Line] = field(default_factory=list)  # the next ones, too few for a block
    held: int = 0  # lines of both
    read: int = 0  # the last of these, and the latest time in blocks
    read_newest: int = LONG_AGO
    latest: dict[int, int] = field(default_factory=dict)  # when something was said last in the conversations of these
    since_milestone: int = MILESTONE_ROWS

    def back(self) -> None:
        """What is at hand is to be read again."""
        self.read, self.read_newest = self.seq, self.newest
        self.held = 0
        self.at_hand, self.open, self.latest = [], [], {}

    def take(self, network: int, lines: Iterable[Line], *, rest: bool = False) -> None:
        """Have more lines at hand, in blocks as far as there are enough for one; with ``rest`` all of them."""
        waiting = self.open
        before = len(waiting)
        waiting.extend(lines)
        self.held += len(waiting) - before
        if not waiting:
            return
        self.read = waiting[-1][0].seq
        if len(waiting) < BLOCK_LINES and not rest:
            return
        self.open = []
        for part, late in parts(waiting, self.read_newest):
            if len(part) < BLOCK_LINES and not rest and part[-1] is waiting[-1]:
                self.open = list(part)
            else:
                block = block_of(network, part, late, self.latest, self.read_newest)
                self.read_newest = max(self.read_newest, block.newest)
                self.at_hand.append(block)


Run = tuple[int, Progress, list[Block]]  # of a network: the first that are at hand


class Indexer:
    """Writes the index, on the connection that writes everything."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._networks: dict[int, Progress] = {}
        self._at_hand = 0  # lines, of all networks
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
            connection.execute("DELETE FROM blocks")
            connection.execute("DELETE FROM late_weeks")
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
        in_turn = progress.lines == progress.held and entries[0].seq > progress.read
        self.counted(network, len(entries))
        if in_turn and self._at_hand + len(entries) <= AT_HAND_ROWS:
            progress.take(network, zip(entries, targets, strict=True))
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
                self._merging = True
                return self._write(self._choose())
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
            before = progress.held
            if progress.lines <= before:
                continue
            values = {"network": network, "after": progress.read, "rows": rows}
            progress.take(network, map(line_of, unpack(self._connection, _READ, values)))
            taken = progress.held - before
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
        waiting = [item for item in self._networks.items() if item[1].held]
        # who has most comes first, so that none is left behind for long
        for network, progress in sorted(waiting, key=lambda item: item[1].held, reverse=True):
            if progress.held <= room:
                progress.take(network, (), rest=True)
            blocks: list[Block] = []
            for block in progress.at_hand:
                if blocks and room < block.lines:
                    break
                blocks.append(block)
                room -= block.lines
            runs.append((network, progress, blocks))
            if room <= 0:
                break
        return sorted(runs, key=itemgetter(0))  # FTS5 wants rowids to rise within a transaction

    def _write(self, runs: list[Run]) -> int:
        connection = self._connection
        done = [
            (
                network,
                progress,
                sum(block.lines for block in blocks),
                blocks[-1].last,
                max(progress.newest, *(block.newest for block in blocks)),
            )
            for network, progress, blocks in runs
        ]
        with transaction(connection):
            put_blocks(connection, [block for _, _, blocks in runs for block in blocks])
            connection.executemany(
                "INSERT OR REPLACE INTO indexed (network, seq, newest) VALUES (?, ?, ?)",
                [(network, seq, newest) for network, _, _, seq, newest in done],
            )
            connection.executemany(
                "INSERT OR IGNORE INTO milestones (network, time, seq) VALUES (?, ?, ?)",
                [
                    (network, newest, seq)
                    for network, progress, lines, seq, newest in done
                    if progress.since_milestone + lines >= MILESTONE_ROWS
                ],
            )
            for _, progress, _ in runs:
                latest = [(time, target) for target, time in sorted(progress.latest.items())]
                connection.executemany(_LATEST, latest)
        for (_, progress, lines, seq, newest), (_, _, blocks) in zip(done, runs, strict=True):
            progress.since_milestone += lines
            if progress.since_milestone >= MILESTONE_ROWS:
                progress.since_milestone = 0
            progress.seq, progress.newest = seq, newest
            progress.latest = {}
            del progress.at_hand[: len(blocks)]
            progress.held -= lines
            progress.lines -= lines
            self._at_hand -= lines
            self._lines -= lines
            self._due -= lines
        return sum(lines for _, _, lines, _, _ in done) // LINES_PER_PAGE

    def _forget(self) -> None:
        """Read again what is at hand and not written."""
        for progress in self._networks.values():
            progress.back()
        self._at_hand = 0


def line_of(row: Sequence[str]) -> Line:
    """A line as it was read: of each of COLUMNS."""
    seq, time, kind, target, raw = row
    return Entry(int(seq), int(time), Message.parse(bytes.fromhex(raw)), Kind(int(kind))), int(target)


def put_blocks(connection: sqlite3.Connection, blocks: Iterable[Block]) -> None:
    """Add blocks to the index, inside the caller's transaction."""
    said = [block for block in blocks if block.document]
    extents = [(block.network, block.first, block.last, block.late, block.before, block.plain) for block in said]
    _insert(
        connection,
        "INSERT INTO blocks (network, first, last, late, before, plain) VALUES ",
        "(?, ?, ?, ?, ?, ?)",
        extents,
    )
    documents = [(row_of(block.network, block.first), block.document) for block in said]
    _insert(connection, "INSERT INTO words (rowid, said) VALUES ", "(?, ?)", documents)
    weeks = {(block.network, week) for block in said if block.late for week in block.weeks}
    connection.executemany("INSERT OR IGNORE INTO late_weeks (network, week) VALUES (?, ?)", sorted(weeks))


def drop_blocks(connection: sqlite3.Connection, blocks: Iterable[Block]) -> None:
    """Take blocks out of the index, inside the caller's transaction."""
    said = [block for block in blocks if block.document]
    extents = [(block.network, block.first) for block in said]
    connection.executemany("DELETE FROM blocks WHERE network = ? AND first = ?", extents)
    documents = [(row_of(block.network, block.first), block.document) for block in said]
    _insert(connection, "INSERT INTO words (words, rowid, said) VALUES ", "('delete', ?, ?)", documents)


def _insert(connection: sqlite3.Connection, statement: str, row: str, rows: Sequence[tuple[object, ...]]) -> None:
    """Insert many rows by few statements."""
    for start in range(0, len(rows), INSERT_ROWS):
        some = rows[start : start + INSERT_ROWS]
        connection.execute(f"{statement}{','.join([row] * len(some))}", list(chain.from_iterable(some)))
