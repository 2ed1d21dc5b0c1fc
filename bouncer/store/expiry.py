"""The end of lines: of what was removed 30 days ago, and of what is to be kept no longer; out of the index too.

Owns what is deleted, and in what portions. Must not know when a portion is due.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from bouncer.model.entry import LINKED_KINDS, TEXT_KINDS, Kind
from bouncer.model.history import LAST_SEQ, Expiry, Mark, Range, Weight
from bouncer.model.records import REMOVED_DAYS
from bouncer.store.blocks import late_before
from bouncer.store.connection import Connection
from bouncer.store.conversations import LONGEST, bounded, target_ids
from bouncer.store.index_words import LATE_MS
from bouncer.store.indexer import Indexer
from bouncer.store.order import choose
from bouncer.store.packed import listed, packed, unpack
from bouncer.store.reindexing import changing

EXPIRY_ROWS = 500  # deleted in one transaction: 5 ms, so that no batch of lines waits long

_OF_A_NETWORK = (
    "channels",
    "heads",
    "positions",
    "targets",
    "links",
    "markers",
    "milestones",
    "blocks",
    "late_weeks",
    "indexed",
)
_TEXT = ",".join(str(int(kind)) for kind in sorted(TEXT_KINDS))
_COLUMNS = ("seq", "time", "kind", "target")
_OF_NETWORK = packed(
    _COLUMNS,
    "SELECT * FROM messages WHERE network = :network AND seq <= :upto AND time < :before ORDER BY seq LIMIT :rows",
)
_EACH = packed(
    _COLUMNS,
    "SELECT m.seq, m.time, m.kind, m.target FROM json_each(:seqs) AS chosen "
    "CROSS JOIN messages AS m ON m.network = :network AND m.seq = chosen.value",
)
_NEWEST_OF_NETWORK = "FROM messages WHERE network = :network AND seq < :seq ORDER BY seq DESC LIMIT"
_NETWORK = f"SELECT length(raw) AS size {_NEWEST_OF_NETWORK} :lines"
_NETWORK_END = f"SELECT time, seq {_NEWEST_OF_NETWORK} 1 OFFSET :last"
_LATEST_LEFT = (
    "UPDATE targets SET latest = max(coalesce(latest, said.time), said.time) FROM (SELECT target, max(time) AS time "
    f"FROM messages WHERE network = :network AND seq > :upto AND kind IN ({_TEXT}) GROUP BY target) AS said "
    "WHERE targets.id = said.target"
)
_SIZES = (
    "SELECT length(m.raw) AS size FROM json_each(:seqs) AS chosen "
    "CROSS JOIN messages AS m ON m.network = :network AND m.seq = chosen.value"
)
_KEPT = frozenset(Kind) - {Kind.NONE}


def expire_removed(connection: sqlite3.Connection, indexer: Indexer, now: int) -> bool:
    """Delete one portion of what was removed more than REMOVED_DAYS ago, inside the caller's transaction. Returns True
    if there may be more."""
    long_ago = now - REMOVED_DAYS * 86_400
    found = connection.execute("SELECT id FROM networks WHERE deleted_at < ? LIMIT 1", (long_ago,)).fetchone()
    if found is None:
        connection.execute(
            "DELETE FROM users WHERE deleted_at < ? AND NOT EXISTS (SELECT 1 FROM networks WHERE user = users.id)",
            (long_ago,),
        )
        return False
    network = found[0]
    if not _expire_network(connection, indexer, Expiry(network)):
        for table in _OF_A_NETWORK:
            connection.execute(f"DELETE FROM {table} WHERE network = ?", (network,))
        connection.execute("DELETE FROM networks WHERE id = ?", (network,))
        indexer.forget(network)
    return True


def expire_lines(connection: sqlite3.Connection, indexer: Indexer, expiry: Expiry) -> bool:
    """Delete one portion of these lines, inside the caller's transaction. True if there may be more."""
    if expiry.target:
        return _expire_target(connection, indexer, expiry)
    return _expire_network(connection, indexer, expiry)


def read_weight(connection: sqlite3.Connection, network: int, target: str, before: Mark, lines: int) -> Weight:
    """What the newest lines before a place weigh."""
    if target:
        marks = choose(connection, Range(network, (target,), LAST_SEQ, lines, before=before, newest=True, kinds=_KEPT))
        if not marks:
            return Weight(0, 0, before)
        values: dict[str, object] = {"network": network, "seqs": listed([seq for _, seq in marks])}
        size = connection.execute(f"SELECT sum(size) FROM ({_SIZES})", values).fetchone()[0]
        return Weight(len(marks), size, Mark(*marks[-1]))
    values = {"network": network, "seq": bounded(before.seq), "lines": lines}
    count, size = connection.execute(f"SELECT count(*), coalesce(sum(size), 0) FROM ({_NETWORK})", values).fetchone()
    if not count:
        return Weight(0, 0, before)
    return Weight(count, size, Mark(*connection.execute(_NETWORK_END, values | {"last": count - 1}).fetchone()))


def _expire_network(connection: sqlite3.Connection, indexer: Indexer, expiry: Expiry) -> bool:
    network, before = expiry.network, bounded(expiry.before if expiry.before is not None else LONGEST)
    newer = connection.execute(
        "SELECT seq FROM milestones WHERE network = ? AND time >= ? ORDER BY time LIMIT 1", (network, before + LATE_MS)
    ).fetchone()  # what came after that line is newer, or late: the latter goes when the milestones have passed it
    upto = min(bounded(expiry.upto), newer[0] if newer else LAST_SEQ)
    rows = list(
        unpack(connection, _OF_NETWORK, {"network": network, "upto": upto, "before": before, "rows": EXPIRY_ROWS})
    )
    last = max((int(row[0]) for row in rows), default=0)
    values = {
        "network": network,
        "last": last,
        "before": before,
        "newest": max((int(row[1]) for row in rows), default=0),
    }
    with _deleting(connection, indexer, network, [int(row[0]) for row in rows]):
        connection.execute("DELETE FROM messages WHERE network = :network AND seq <= :last AND time < :before", values)
    connection.execute(
        "DELETE FROM places WHERE target IN (SELECT id FROM targets WHERE network = :network) "
        "AND time <= :newest AND time < :before AND seq <= :last",
        values,
    )
    linked = [(network, int(row[0])) for row in rows if int(row[2]) in LINKED_KINDS]
    connection.executemany("DELETE FROM links WHERE network = ? AND seq = ?", linked)
    connection.execute("DELETE FROM milestones WHERE network = :network AND seq <= :last AND time < :before", values)
    raise_head(connection, network, last)
    if len(rows) == EXPIRY_ROWS or (expiry.before is not None and _expire_late(connection, indexer, expiry)):
        return True
    connection.execute("UPDATE targets SET latest = NULL WHERE network = :network AND latest < :before", values)
    connection.execute(_LATEST_LEFT, values | {"upto": bounded(expiry.upto)})
    return False


def _expire_late(connection: sqlite3.Connection, indexer: Indexer, expiry: Expiry) -> bool:
    """Delete one portion of what is old though what was stored before it is not, as lines that were fetched or
    imported: they are in blocks of late lines."""
    network, before = expiry.network, bounded(expiry.before or 0)
    rows = late_before(connection, network, before, bounded(expiry.upto), EXPIRY_ROWS)
    seqs = [(network, seq) for _, seq, _ in rows]
    with _deleting(connection, indexer, network, [seq for _, seq in seqs]):
        connection.executemany("DELETE FROM messages WHERE network = ? AND seq = ?", seqs)
    linked = [(network, time, seq) for time, seq, kind in rows if kind in LINKED_KINDS]
    connection.executemany(
        "DELETE FROM places WHERE target IN (SELECT id FROM targets WHERE network = ?) AND time = ? AND seq = ?", linked
    )
    connection.executemany("DELETE FROM links WHERE network = ? AND seq = ?", seqs)
    raise_head(connection, network, max((seq for _, seq in seqs), default=0))
    return len(rows) == EXPIRY_ROWS


def _expire_target(connection: sqlite3.Connection, indexer: Indexer, expiry: Expiry) -> bool:
    found = target_ids(connection, expiry.network, (expiry.target,))
    if not found:
        return False
    before = Mark(bounded(expiry.before if expiry.before is not None else LONGEST), 0)
    marks = choose(
        connection, Range(expiry.network, (expiry.target,), expiry.upto, EXPIRY_ROWS, before=before, kinds=_KEPT)
    )
    seqs = listed([seq for _, seq in marks])
    rows = list(unpack(connection, _EACH, {"network": expiry.network, "seqs": seqs}))
    own = [int(row[0]) for row in rows if int(row[3]) == found[0]]  # of others, like a QUIT, only the link goes
    with _deleting(connection, indexer, expiry.network, own):
        connection.executemany(
            "DELETE FROM messages WHERE network = ? AND seq = ?", [(expiry.network, seq) for seq in own]
        )
    connection.executemany(
        "DELETE FROM places WHERE target = ? AND time = ? AND seq = ?",
        [(found[0], int(row[1]), int(row[0])) for row in rows],
    )
    raise_head(connection, expiry.network, max(own, default=0))
    linked = [(expiry.network, int(row[0]), found[0]) for row in rows if int(row[3]) != found[0]]
    connection.executemany("DELETE FROM links WHERE network = ? AND seq = ? AND target = ?", linked)
    if len(rows) == EXPIRY_ROWS:
        return True
    last = choose(connection, Range(expiry.network, (expiry.target,), LAST_SEQ, 1, newest=True))
    latest = last[0][0] if last else None
    connection.execute("UPDATE targets SET latest = ? WHERE id = ?", (latest, found[0]))
    return False


@contextmanager
def _deleting(connection: sqlite3.Connection, indexer: Indexer, network: int, seqs: Sequence[int]) -> Iterator[None]:
    """Let these lines be deleted within."""
    mark = indexer.mark(network)
    unindexed = sum(seq > mark for seq in seqs)
    with changing(connection, network, seqs):
        yield
    if unindexed:
        indexer.removed(network, unindexed)


def raise_head(connection: Connection, network: int, seq: int) -> None:
    """Lines up to this number are gone, and no longer tell that it was given."""
    if seq:
        connection.execute(
            "INSERT INTO heads (network, seq) VALUES (?, ?) "
            "ON CONFLICT (network) DO UPDATE SET seq = excluded.seq WHERE excluded.seq > heads.seq",
            (network, seq),
        )


def newest_line(connection: Connection, network: int) -> int:
    """The highest number of a network's lines, 0 if there are none."""
    found = connection.execute("SELECT max(seq) FROM messages WHERE network = ?", (network,)).fetchone()
    return found[0] or 0
