"""Taking back what a line said: out of the line, and out of the index.

Owns how such a line is found, and what is changed. Must not know when it is asked for.
"""

from __future__ import annotations

import sqlite3

from bouncer.irc.message import Message
from bouncer.model.entry import SAID_KINDS, Kind
from bouncer.model.redaction import redacted
from bouncer.store.conversations import target_ids
from bouncer.store.index_words import msgid_mark, query, row_of
from bouncer.store.indexer import Indexer
from bouncer.store.packed import packed, unpack
from bouncer.store.reindexing import changing
from bouncer.store.values import to_column

_KINDS = ",".join(str(int(kind)) for kind in sorted(SAID_KINDS | {Kind.REDACTED}))
_COLUMNS = ("seq", "time", "kind", "target", "hex(msgid)", "hex(raw)")
_INDEXED = packed(
    _COLUMNS,
    "SELECT m.* FROM words CROSS JOIN blocks AS b ON b.network = :network AND b.first = words.rowid - :first "
    "CROSS JOIN messages AS m ON m.network = :network AND m.seq BETWEEN b.first AND b.last WHERE words MATCH :query "
    f"AND words.rowid BETWEEN :first AND :last AND m.msgid = :msgid AND m.target = :target AND m.kind IN ({_KINDS})",
)
_TAIL = packed(
    _COLUMNS,
    "SELECT * FROM messages WHERE network = :network AND seq > :mark AND msgid = :msgid "
    f"AND target = :target AND kind IN ({_KINDS})",
)


def redact(connection: sqlite3.Connection, indexer: Indexer, network: int, target: str, msgid: str) -> bool:
    """Delete the text of the lines of a conversation with this msgid of the network's, inside the caller's
    transaction. True if some of them are not indexed yet: what the indexer has at hand of them is not to be used."""
    found = target_ids(connection, network, (target,))
    if not found or not msgid:
        return False
    data, mark = msgid.encode("utf-8", "surrogateescape"), indexer.mark(network)
    values = {
        "network": network,
        "first": row_of(network, 0),
        "last": row_of(network, mark),
        "mark": mark,
        "query": query((), [msgid_mark(data)]),
        "msgid": to_column(msgid),
        "target": found[0],
    }
    indexed, tail = (list(unpack(connection, statement, values)) for statement in (_INDEXED, _TAIL))
    with changing(connection, network, [int(row[0]) for row in indexed]):
        for seq, *_, raw in indexed + tail:
            connection.execute(
                "UPDATE messages SET kind = ?, raw = ? WHERE network = ? AND seq = ?",
                (int(Kind.REDACTED), redacted(Message.parse(bytes.fromhex(raw))).raw, network, int(seq)),
            )
    return bool(tail)
