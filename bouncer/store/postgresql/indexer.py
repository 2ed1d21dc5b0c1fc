"""Filling the word index behind the lines: by portions, so that no batch of lines waits long for one.

Owns the marks that say how far it is, and what is written when. Must not know threads, nor how lines are asked for.

Whole blocks are written only. Lines that make none yet are looked at one by one by who asks, and are so few that they
do not count as unindexed.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from bouncer.model.entry import TEXT_KINDS
from bouncer.store.postgresql.blocks import BLOCKS_FORM, Block, Line, blocks
from bouncer.store.postgresql.connection import Connection
from bouncer.store.values import Text

PORTION_ROWS = 512  # lines read, taken apart and written in one portion: 5 ms

_TEXT = ",".join(str(int(kind)) for kind in sorted(TEXT_KINDS))
# every network that has lines, without looking at all lines
_NETWORKS = (
    "WITH RECURSIVE found (network) AS (SELECT (SELECT min(network) FROM messages) UNION ALL "
    "SELECT (SELECT min(network) FROM messages WHERE network > found.network) FROM found WHERE network IS NOT NULL) "
    "SELECT network, coalesce(seq, 0), "
    "(SELECT count(*) FROM messages AS m WHERE m.network = found.network AND m.seq > coalesce(indexed.seq, 0)) "
    "FROM found LEFT JOIN indexed USING (network) WHERE network IS NOT NULL"
)


@dataclass(slots=True)
class Progress:
    """How far one network's index is."""

    seq: int = 0
    lines: int = 0  # that are not indexed yet


class Indexer:
    """Writes the index, on the connection that writes everything."""

    def __init__(self, size: int) -> None:
        """``size``: lines in a block."""
        self._size = size
        self._networks: dict[int, Progress] = {}
        self._lines = 0  # of whole blocks

    @property
    def lines(self) -> int:
        """How many lines wait to be indexed."""
        return self._lines

    def load(self, connection: Connection) -> None:
        """Find out how far the index is. Makes it anew if words are derived in another way now."""
        with connection.transaction():
            form = connection.one("SELECT value FROM meta WHERE name = 'words_form'")[0]
            if form != BLOCKS_FORM:
                connection.script("TRUNCATE words; DELETE FROM indexed")
                connection.execute("UPDATE meta SET value = ? WHERE name = 'words_form'", (BLOCKS_FORM,))
            rows = connection.execute(_NETWORKS).fetchall()
        self._networks = {network: Progress(seq, lines) for network, seq, lines in rows}
        self._lines = sum(map(self._whole, self._networks.values()))

    def mark(self, network: int) -> int:
        """All lines of a network up to this number are indexed."""
        progress = self._networks.get(network)
        return progress.seq if progress is not None else 0

    def added(self, network: int, lines: int) -> None:
        """So many lines were written."""
        self._count(self._networks.setdefault(network, Progress()), lines)

    def removed(self, network: int, lines: int) -> None:
        """So many lines that were not indexed were deleted."""
        progress = self._networks.setdefault(network, Progress())
        self._count(progress, -min(lines, progress.lines))

    def forget(self, network: int) -> None:
        """A network is gone, with its lines."""
        progress = self._networks.pop(network, None)
        if progress is not None:
            self._lines -= self._whole(progress)

    def step(self, connection: Connection) -> bool:
        """Do one portion of what there is to do. True if more should be done soon."""
        for network, progress in self._networks.items():
            if progress.lines >= self._size:
                self._index(connection, network, progress)
                break
        return self._lines > 0

    def _index(self, connection: Connection, network: int, progress: Progress) -> None:
        rows = max(PORTION_ROWS, self._size)
        found = connection.execute(
            "SELECT seq, time, kind, target, msgid, raw FROM messages WHERE network = ? AND seq > ? "
            "ORDER BY seq LIMIT ?",
            (network, progress.seq, rows),
        )
        whole = list(blocks(network, map(Line._make, found), self._size))
        if whole and whole[-1].lines < self._size:
            del whole[-1]
        if not whole:  # the count was wrong: never try for ever
            self._count(progress, -progress.lines)
            return
        with connection.transaction():
            # what a crash of the server takes of this is done again; and lines never wait for this to be on the disk
            connection.script("SET LOCAL synchronous_commit = off")
            insert_blocks(connection, whole)
            _note_latest(connection, network, progress.seq, whole[-1].last)
            connection.execute(
                "INSERT INTO indexed (network, seq, newest) VALUES (?, ?, ?) ON CONFLICT (network) "
                "DO UPDATE SET seq = excluded.seq, newest = greatest(indexed.newest, excluded.newest)",
                (network, whole[-1].last, max(block.newest for block in whole)),
            )
        progress.seq = whole[-1].last
        self._count(progress, -min(progress.lines, sum(block.lines for block in whole)))

    def _count(self, progress: Progress, change: int) -> None:
        self._lines -= self._whole(progress)
        progress.lines += change
        self._lines += self._whole(progress)

    def _whole(self, progress: Progress) -> int:
        return progress.lines - progress.lines % self._size


def insert_blocks(connection: Connection, whole: Iterable[Block]) -> None:
    """Add blocks to the index, or write them anew, inside the caller's transaction."""
    columns = list(
        zip(
            *((b.network, b.first, b.last, b.oldest, b.newest, Text(b.document), _array(b.msgids)) for b in whole),
            strict=True,
        )
    )
    if not columns:
        return
    numbers, (documents, msgids) = columns[:5], columns[5:]
    connection.execute(
        "INSERT INTO words (network, first, last, oldest, newest, document, msgids) "
        "SELECT network, first, last, oldest, newest, CAST(document AS tsvector), CAST(msgids AS integer[]) "
        f"FROM unnest({', '.join(['CAST(? AS bigint[])'] * 5)}, CAST(? AS text[]), CAST(? AS text[])) "
        "AS new (network, first, last, oldest, newest, document, msgids) "
        "ON CONFLICT (network, first) DO UPDATE SET oldest = excluded.oldest, newest = excluded.newest, "
        "document = excluded.document, msgids = excluded.msgids",
        (*(_array(column) for column in numbers), list(documents), list(msgids)),
    )


def _array(numbers: Iterable[int]) -> Text:
    """As PostgreSQL spells an array; the driver takes far longer for a list."""
    return Text("{" + ",".join(map(str, numbers)) + "}")


def _note_latest(connection: Connection, network: int, after: int, upto: int) -> None:
    connection.execute(
        "UPDATE targets SET latest = greatest(latest, said.time) FROM "
        "(SELECT target, max(time) AS time FROM messages WHERE network = ? AND seq > ? AND seq <= ? "
        f"AND kind IN ({_TEXT}) AND target <> 0 GROUP BY target) AS said WHERE targets.id = said.target",
        (network, after, upto),
    )
