"""Taking back what a line said.

Owns what of the tables changes. Must not know who may take a line back.
"""

from __future__ import annotations

from bouncer.irc.message import Message
from bouncer.model.entry import SAID_KINDS, Kind
from bouncer.model.redaction import redacted
from bouncer.store.postgresql.blocks import checksum
from bouncer.store.postgresql.connection import Connection
from bouncer.store.postgresql.conversations import UNINDEXED, target_ids
from bouncer.store.postgresql.expiry import blocks_of, index_anew, refresh_latest
from bouncer.store.postgresql.lines import encoded

_KINDS = ",".join(str(int(kind)) for kind in sorted(SAID_KINDS))


def redact(connection: Connection, network: int, target: str, msgid: str) -> None:
    """Leave of the lines of this conversation that have this msgid what a redaction leaves, inside the caller's
    transaction."""
    found = target_ids(connection, network, (target,))
    if not found or not msgid:
        return
    data = encoded(msgid)
    values = {"network": network, "target": found[0], "checksum": checksum(network, data), "msgid": data}
    rows = connection.execute(
        "SELECT m.seq, m.raw FROM (SELECT first, last FROM words WHERE network = :network "
        "AND msgids @> ARRAY[CAST(:checksum AS integer)] OFFSET 0) AS block "
        "JOIN messages AS m ON m.network = :network AND m.seq BETWEEN block.first AND block.last "
        f"WHERE m.msgid = :msgid AND m.target = :target AND m.kind IN ({_KINDS}) "
        f"UNION SELECT seq, raw FROM messages WHERE network = :network AND seq > {UNINDEXED} "
        f"AND msgid = :msgid AND target = :target AND kind IN ({_KINDS})",
        values,
    ).fetchall()
    for seq, raw in rows:
        connection.execute(
            "UPDATE messages SET kind = ?, raw = ? WHERE network = ? AND seq = ?",
            (int(Kind.REDACTED), redacted(Message.parse(raw)).raw, network, seq),
        )
    index_anew(connection, network, blocks_of(connection, network, [seq for seq, _ in rows]))
    refresh_latest(connection, "id = :target", {"target": found[0]})
