"""The end of lines: of what was removed 30 days ago, and of what is to be kept no longer; out of the index too.

Owns what is deleted, and in what portions. Must not know when a portion is due.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable

from bouncer.model.entry import LINKED_KINDS, TEXT_KINDS
from bouncer.model.history import LAST_SEQ, Expiry, Mark, Weight
from bouncer.model.records import REMOVED_DAYS
from bouncer.store.connection import Connection
from bouncer.store.conversations import LONGEST, bounded, target_ids
from bouncer.store.index_words import document, row_of
from bouncer.store.indexer import Indexer, insert_documents
from bouncer.store.packed import packed, unpack
from bouncer.store.words import said

EXPIRY_ROWS = 500  # deleted in one transaction: 5 ms, so that no batch of lines waits long

_TEXT = ",".join(str(int(kind)) for kind in sorted(TEXT_KINDS))
_COLUMNS = ("seq", "time", "kind", "target", "hex(msgid)", "hex(raw)")
_OF_NETWORK = packed(
    _COLUMNS,
    "SELECT * FROM messages WHERE network = :network AND seq <= :upto AND time < :before ORDER BY seq LIMIT :rows",
)
_OF_TARGET = packed(
    _COLUMNS,
    "SELECT m.seq, p.time, m.kind, m.target, m.msgid, m.raw FROM places AS p "
    "CROSS JOIN messages AS m ON m.network = :network AND m.seq = p.seq "
    "WHERE p.target = :target AND p.time < :before AND p.seq <= :upto ORDER BY p.time, p.seq LIMIT :rows",
)

_LATE = packed(
    ("target", "time", "seq"),
    "SELECT p.target, p.time, p.seq FROM targets AS t CROSS JOIN places AS p ON p.target = t.id "
    "WHERE t.network = :network AND p.time < :before AND p.seq <= :upto LIMIT :rows",
)
_EACH = packed(
    _COLUMNS,
    "SELECT m.seq, m.time, m.kind, m.target, m.msgid, m.raw FROM json_each(:seqs) AS chosen "
    "CROSS JOIN messages AS m ON m.network = :network AND m.seq = chosen.value",
)
_NEWEST_OF_NETWORK = "FROM messages WHERE network = :network AND seq < :seq ORDER BY seq DESC LIMIT"
_NETWORK = f"SELECT length(raw) AS size {_NEWEST_OF_NETWORK} :lines"
_NETWORK_END = f"SELECT time, seq {_NEWEST_OF_NETWORK} 1 OFFSET :last"
_BEFORE = (
    "p.target = :target AND p.time <= :time AND (p.time, p.seq) < (:time, :seq) ORDER BY p.time DESC, p.seq DESC LIMIT"
)
_CONVERSATION = (
    "SELECT length(m.raw) AS size FROM places AS p CROSS JOIN messages AS m "
    f"ON m.network = :network AND m.seq = p.seq WHERE {_BEFORE} :lines"
)
_CONVERSATION_END = (
    "SELECT p.time, p.seq FROM places AS p CROSS JOIN messages AS m "
    f"ON m.network = :network AND m.seq = p.seq WHERE {_BEFORE} 1 OFFSET :last"
)


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
        for table in ("channels", "heads", "positions", "targets", "links", "markers", "milestones", "indexed"):
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
    values = {"network": network, "time": bounded(before.time), "seq": bounded(before.seq), "lines": lines}
    if target:
        found = target_ids(connection, network, (target,))
        source, end = _CONVERSATION, _CONVERSATION_END
        values["target"] = found[0] if found else -1
    else:
        source, end = _NETWORK, _NETWORK_END
    count, size = connection.execute(f"SELECT count(*), coalesce(sum(size), 0) FROM ({source})", values).fetchone()
    if not count:
        return Weight(0, 0, before)
    return Weight(count, size, Mark(*connection.execute(end, values | {"last": count - 1}).fetchone()))


def _expire_network(connection: sqlite3.Connection, indexer: Indexer, expiry: Expiry) -> bool:
    network, before = expiry.network, bounded(expiry.before if expiry.before is not None else LONGEST)
    newer = connection.execute(
        "SELECT seq FROM milestones WHERE network = ? AND time >= ? ORDER BY time LIMIT 1", (network, before)
    ).fetchone()  # what came after that line is newer, or late: the latter goes when the milestones have passed it
    upto = min(bounded(expiry.upto), newer[0] if newer else LAST_SEQ)
    rows = list(
        unpack(connection, _OF_NETWORK, {"network": network, "upto": upto, "before": before, "rows": EXPIRY_ROWS})
    )
    last = max((int(row[0]) for row in rows), default=0)
    unindex(connection, indexer, network, rows)
    values = {
        "network": network,
        "last": last,
        "before": before,
        "newest": max((int(row[1]) for row in rows), default=0),
    }
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
    _refresh_latest(connection, "network = :network AND latest < :before", values)
    return False


def _expire_late(connection: sqlite3.Connection, indexer: Indexer, expiry: Expiry) -> bool:
    """Delete one portion of what is old though what was stored before it is not, as lines that were fetched or
    imported: the order of conversations knows them."""
    network = expiry.network
    values = {
        "network": network,
        "before": bounded(expiry.before or 0),
        "upto": bounded(expiry.upto),
        "rows": EXPIRY_ROWS,
    }
    places = [(int(target), int(time), int(seq)) for target, time, seq in unpack(connection, _LATE, values)]
    seqs = sorted({seq for _, _, seq in places})
    rows = list(unpack(connection, _EACH, {"network": network, "seqs": f"[{','.join(map(str, seqs))}]"}))
    unindex(connection, indexer, network, rows)
    connection.executemany("DELETE FROM messages WHERE network = ? AND seq = ?", [(network, seq) for seq in seqs])
    connection.executemany("DELETE FROM places WHERE target = ? AND time = ? AND seq = ?", places)
    connection.executemany("DELETE FROM links WHERE network = ? AND seq = ?", [(network, seq) for seq in seqs])
    raise_head(connection, network, max(seqs, default=0))
    return len(places) == EXPIRY_ROWS


def _expire_target(connection: sqlite3.Connection, indexer: Indexer, expiry: Expiry) -> bool:
    found = target_ids(connection, expiry.network, (expiry.target,))
    if not found:
        return False
    values = {
        "network": expiry.network,
        "target": found[0],
        "upto": bounded(expiry.upto),
        "before": bounded(expiry.before if expiry.before is not None else LONGEST),
        "rows": EXPIRY_ROWS,
    }
    rows = list(unpack(connection, _OF_TARGET, values))
    own = [row for row in rows if int(row[3]) == found[0]]  # of others, like a QUIT, only the link goes
    unindex(connection, indexer, expiry.network, own)
    connection.executemany(
        "DELETE FROM messages WHERE network = ? AND seq = ?", [(expiry.network, int(row[0])) for row in own]
    )
    connection.executemany(
        "DELETE FROM places WHERE target = ? AND time = ? AND seq = ?",
        [(found[0], int(row[1]), int(row[0])) for row in rows],
    )
    raise_head(connection, expiry.network, max((int(row[0]) for row in own), default=0))
    linked = [(expiry.network, int(row[0]), found[0]) for row in rows if int(row[3]) != found[0]]
    connection.executemany("DELETE FROM links WHERE network = ? AND seq = ? AND target = ?", linked)
    if len(rows) < EXPIRY_ROWS:
        _refresh_latest(connection, "id = :target", values)
    return len(rows) == EXPIRY_ROWS


def unindex(connection: sqlite3.Connection, indexer: Indexer, network: int, rows: Iterable[list[str]]) -> None:
    """Take lines out of the word index: by seq, time, kind, target, and in hexadecimal msgid and raw line."""
    mark = indexer.mark(network)
    documents = []
    unindexed = 0
    for seq, _, kind, target, msgid, raw in rows:
        if int(seq) > mark:
            unindexed += 1
            continue
        text = said(bytes.fromhex(raw)) if int(kind) in TEXT_KINDS else None
        # Whether it was late is not known any more. That mark stays and does no harm: no question is for it alone.
        # (FTS5 counts words: to take out one more than was put in is an error.)
        if gone := document(text, int(target), bytes.fromhex(msgid), late=""):
            documents.append((row_of(network, int(seq)), gone))
    insert_documents(connection, documents, delete=True)
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


def _refresh_latest(connection: sqlite3.Connection, where: str, values: dict[str, int]) -> None:
    connection.execute(
        f"UPDATE targets SET latest = (SELECT max(time) FROM places WHERE target = targets.id AND kind IN ({_TEXT})) "
        f"WHERE {where}",
        values,
    )
