"""The end of what was removed: its history is kept for 30 days, then deleted bit by bit.

Owns how long, and in what portions. Must not know when a portion is due.
"""

from __future__ import annotations

import sqlite3

KEEP_DAYS = 30  # time to notice a mistaken removal and to bring the network back
EXPIRY_ROWS = 1000  # deleted in one transaction: as long as a batch of lines takes to write, so that none waits long


def expire(connection: sqlite3.Connection, now: int) -> bool:
    """Delete one portion of what was removed more than KEEP_DAYS ago, inside the caller's transaction. Returns True
    if there may be more."""
    long_ago = now - KEEP_DAYS * 86_400
    found = connection.execute("SELECT id FROM networks WHERE deleted_at < ? LIMIT 1", (long_ago,)).fetchone()
    if found is None:
        connection.execute(
            "DELETE FROM users WHERE deleted_at < ? AND NOT EXISTS (SELECT 1 FROM networks WHERE user = users.id)",
            (long_ago,),
        )
        return False
    network = found[0]
    deleted = connection.execute(
        "DELETE FROM messages WHERE network = :network AND seq IN "
        "(SELECT seq FROM messages WHERE network = :network ORDER BY seq LIMIT :rows)",
        {"network": network, "rows": EXPIRY_ROWS},
    ).rowcount
    if deleted < EXPIRY_ROWS:
        for table in ("channels", "heads", "positions", "targets"):
            connection.execute(f"DELETE FROM {table} WHERE network = ?", (network,))
        connection.execute("DELETE FROM networks WHERE id = ?", (network,))
    return True
