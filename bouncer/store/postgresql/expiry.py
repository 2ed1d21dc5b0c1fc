"""The end of lines: of what was removed 30 days ago, and of what is to be kept no longer; out of the index too.

Owns what is deleted, and in what portions. Must not know when a portion is due.

Lines go block by block, and what is left of a block is indexed anew.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from bouncer.model.history import Expiry, Mark, Weight
from bouncer.model.records import REMOVED_DAYS
from bouncer.store.conversations import LONGEST, bounded
from bouncer.store.expiry import EXPIRY_ROWS, raise_head
from bouncer.store.postgresql.blocks import BLOCK_LINES, Block, Line, blocks
from bouncer.store.postgresql.connection import Connection
from bouncer.store.postgresql.conversations import TEXT, target_ids
from bouncer.store.postgresql.indexer import Indexer, insert_blocks

EXPIRY_BLOCKS = EXPIRY_ROWS // BLOCK_LINES  # in one transaction: what is left of them is taken apart again


def expire_removed(connection: Connection, indexer: Indexer, now: int) -> bool:
    """Delete one portion of what was removed more than REMOVED_DAYS ago, inside the caller's transaction. Returns True
    if there may be more."""
    long_ago = now - REMOVED_DAYS * 86_400
    found = connection.execute("SELECT id FROM networks WHERE deleted_at < ? LIMIT 1", (long_ago,)).fetchone()
    if found is None:
        connection.execute(
            'DELETE FROM users WHERE deleted_at < ? AND NOT EXISTS (SELECT 1 FROM networks WHERE "user" = users.id)',
            (long_ago,),
        )
        return False
    network = found[0]
    if not _expire_network(connection, indexer, Expiry(network)):
        for table in ("channels", "heads", "positions", "targets", "markers", "indexed", "words"):
            connection.execute(f"DELETE FROM {table} WHERE network = ?", (network,))
        connection.execute("DELETE FROM networks WHERE id = ?", (network,))
        indexer.forget(network)
    return True


def expire_lines(connection: Connection, indexer: Indexer, expiry: Expiry) -> bool:
    """Delete one portion of these lines, inside the caller's transaction. True if there may be more."""
    if expiry.target:
        return _expire_target(connection, indexer, expiry)
    return _expire_network(connection, indexer, expiry)


def read_weight(connection: Connection, network: int, target: str, before: Mark, lines: int) -> Weight:
    """What the newest lines before a place weigh."""
    values: dict[str, int] = {"network": network, "seq": bounded(before.seq), "lines": lines}
    if target:
        found = target_ids(connection, network, (target,))
        values |= {"target": found[0] if found else -1, "time": bounded(before.time)}
        bounds = "WHERE target = :target AND (time, seq) < (:time, :seq) ORDER BY time DESC, seq DESC LIMIT :lines"
        chosen = (
            f"SELECT seq FROM ((SELECT time, seq FROM messages {bounds}) UNION (SELECT time, seq FROM places {bounds}) "
            "ORDER BY time DESC, seq DESC LIMIT :lines) AS mine"
        )
        oldest = "ORDER BY time, seq LIMIT 1"
    else:
        chosen = "SELECT seq FROM messages WHERE network = :network AND seq < :seq ORDER BY seq DESC LIMIT :lines"
        oldest = "ORDER BY seq LIMIT 1"
    row = connection.execute(
        f"WITH run AS MATERIALIZED (SELECT m.time, m.seq, octet_length(m.raw) AS size FROM ({chosen}) AS chosen "
        "JOIN messages AS m ON m.network = :network AND m.seq = chosen.seq) "
        "SELECT (SELECT count(*) FROM run), (SELECT CAST(sum(size) AS bigint) FROM run), time, seq "
        f"FROM run {oldest}",
        values,
    ).fetchone()
    return Weight(row[0], row[1], Mark(row[2], row[3])) if row else Weight(0, 0, before)


def _expire_network(connection: Connection, indexer: Indexer, expiry: Expiry) -> bool:
    values = _values(expiry) | {"mark": indexer.mark(expiry.network), "blocks": EXPIRY_BLOCKS, "rows": EXPIRY_ROWS}
    touched = connection.execute(
        "SELECT first, last FROM words WHERE network = :network AND oldest < :before AND first <= :upto "
        "ORDER BY first LIMIT :blocks",
        values,
    ).fetchall()
    seqs = [
        row[0]
        for first, last in touched
        for row in connection.execute(
            "DELETE FROM messages WHERE network = :network AND seq BETWEEN :first AND :last "
            "AND seq <= :upto AND time < :before RETURNING seq",
            values | {"first": first, "last": last},
        )
    ]
    index_anew(connection, expiry.network, touched)
    tail = connection.execute(
        "DELETE FROM messages WHERE network = :network AND seq IN (SELECT seq FROM messages WHERE network = :network "
        "AND seq > :mark AND seq <= :upto AND time < :before ORDER BY seq LIMIT :rows) RETURNING seq",
        values,
    ).fetchall()
    indexer.removed(expiry.network, len(tail))
    seqs += [row[0] for row in tail]
    raise_head(connection, expiry.network, max(seqs, default=0))
    connection.execute(
        "DELETE FROM places WHERE seq = ANY(CAST(:seqs AS bigint[])) "
        "AND target IN (SELECT id FROM targets WHERE network = :network)",
        values | {"seqs": seqs},
    )
    # a block whose end alone is beyond ``upto`` is touched each time, and nothing of it goes
    more = len(tail) == EXPIRY_ROWS or (len(touched) == EXPIRY_BLOCKS and bool(seqs))
    if not more:
        refresh_latest(connection, "network = :network AND latest < :before", values)
    return more


def _expire_target(connection: Connection, indexer: Indexer, expiry: Expiry) -> bool:
    found = target_ids(connection, expiry.network, (expiry.target,))
    if not found:
        return False
    values = _values(expiry) | {"target": found[0], "rows": EXPIRY_ROWS}
    bounds = "target = :target AND time < :before AND seq <= :upto ORDER BY time, seq LIMIT :rows"
    rows = [row[0] for row in connection.execute(f"SELECT seq FROM messages WHERE {bounds}", values)]
    touched = blocks_of(connection, expiry.network, rows)
    here, there = touched[:EXPIRY_BLOCKS], touched[EXPIRY_BLOCKS:]
    seqs = [seq for seq in rows if not any(first <= seq <= last for first, last in there)]
    connection.execute(
        "DELETE FROM messages WHERE network = :network AND seq = ANY(CAST(:seqs AS bigint[]))", values | {"seqs": seqs}
    )
    raise_head(connection, expiry.network, max(seqs, default=0))
    mark = indexer.mark(expiry.network)
    indexer.removed(expiry.network, sum(seq > mark for seq in seqs))
    index_anew(connection, expiry.network, here)
    # of lines of other conversations, like a QUIT, only the link goes
    links = connection.execute(
        f"DELETE FROM places WHERE (target, time, seq) IN (SELECT target, time, seq FROM places WHERE {bounds}) "
        "RETURNING seq",
        values,
    ).fetchall()
    connection.execute(
        "DELETE FROM places WHERE seq = ANY(CAST(:seqs AS bigint[])) "
        "AND target IN (SELECT id FROM targets WHERE network = :network)",
        values | {"seqs": seqs},
    )
    more = bool(there) or len(rows) == EXPIRY_ROWS or len(links) == EXPIRY_ROWS
    if not more:
        refresh_latest(connection, "id = :target", values)
    return more


def _values(expiry: Expiry) -> dict[str, int]:
    return {
        "network": expiry.network,
        "upto": bounded(expiry.upto),
        "before": bounded(expiry.before if expiry.before is not None else LONGEST),
    }


def blocks_of(connection: Connection, network: int, seqs: Sequence[int]) -> list[tuple[int, int]]:
    """The blocks that these lines are in: the first and the last number of each."""
    return connection.execute(
        "SELECT DISTINCT block.first, block.last FROM unnest(CAST(? AS bigint[])) AS asked (seq) CROSS JOIN LATERAL "
        "(SELECT first, last FROM words WHERE network = ? AND first <= asked.seq ORDER BY first DESC LIMIT 1) AS block "
        "WHERE block.last >= asked.seq ORDER BY block.first",
        (list(seqs), network),
    ).fetchall()


def index_anew(connection: Connection, network: int, touched: Iterable[tuple[int, int]]) -> None:
    """Make these blocks of the lines that are left in them."""
    left: list[Block] = []
    for first, last in touched:
        connection.execute("DELETE FROM words WHERE network = ? AND first = ?", (network, first))
        found = connection.execute(
            "SELECT seq, time, kind, target, msgid, raw FROM messages WHERE network = ? AND seq BETWEEN ? AND ? "
            "ORDER BY seq",
            (network, first, last),
        )
        left += blocks(network, map(Line._make, found), BLOCK_LINES)
    insert_blocks(connection, left)


def refresh_latest(connection: Connection, where: str, values: dict[str, int]) -> None:
    connection.execute(
        f"UPDATE targets SET latest = (SELECT max(time) FROM messages WHERE target = targets.id AND kind IN ({TEXT})) "
        f"WHERE {where}",
        values,
    )
