"""Lines and positions as rows, and back.

Owns the SQL of the archive and of the history. Must not know when lines are written, or on which thread.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from bouncer.irc.casemap import DEFAULT_FOLD
from bouncer.model.entry import PAST_BOOT, TEXT_KINDS, Entry, Kind
from bouncer.model.ports import BEHIND_LIMIT, Head, Seen
from bouncer.store.connection import Connection
from bouncer.store.values import from_column, to_column

# Above the highest number that is kept when the process starts. More lines than may ever be waiting for the store, so
# that no number is given twice, also not those of lines that were shown but lost with the process.
SEQ_GAP = 1_000_000

# Rows in one INSERT. Each statement gives up the interpreter's lock once, and a busy loop takes long to give it back:
# 2,700 rows/s were measured with a row a statement, 41,000 with 500. A batch is cut into these sizes, largest first,
# so that ten prepared statements serve all.
INSERT_ROWS = tuple(1 << power for power in range(9, -1, -1))

# Spellings whose row is remembered. A network's channels and nicks in use fit; strangers' nicks would grow for ever.
TARGET_CACHE = 20_000

_COLUMNS = 9
_ROW = "(" + ",".join("?" * _COLUMNS) + ")"
_INSERTS = {
    rows: "INSERT OR IGNORE INTO messages (network, seq, time, kind, target, device, boot, msgid, raw) VALUES "
    + ",".join([_ROW] * rows)
    for rows in INSERT_ROWS
}
_TEXT = ",".join(str(int(kind)) for kind in sorted(TEXT_KINDS))


class Targets:
    """The ids of conversations, remembered. Spellings that differ only in case share one, which has the newest."""

    def __init__(self) -> None:
        self._ids: dict[tuple[int, str], int] = {}
        self._names: dict[int, str] = {}

    def id_of(self, connection: sqlite3.Connection, network: int, name: str) -> int:
        """The row of a target, made if it is not there."""
        if not name:
            return 0
        found = self._ids.get((network, name))
        if found is None:
            if len(self._ids) >= TARGET_CACHE:
                self.forget()
            found = self._ids[network, name] = self._find_or_make(connection, network, name)
        if self._names.get(found) != name:
            connection.execute("UPDATE targets SET name = ? WHERE id = ?", (to_column(name), found))
            self._names[found] = name
        return found

    def rename(self, connection: sqlite3.Connection, network: int, old: str, new: str) -> bool:
        """Let a conversation go on under another name. False if there is one of that name already."""
        before, now = to_column(DEFAULT_FOLD(old)), to_column(DEFAULT_FOLD(new))
        if before == now:
            return True
        if connection.execute("SELECT 1 FROM targets WHERE network = ? AND folded = ?", (network, now)).fetchone():
            return False
        connection.execute(
            "UPDATE targets SET folded = ?, name = ? WHERE network = ? AND folded = ?",
            (now, to_column(new), network, before),
        )
        self.forget()
        return True

    def forget(self) -> None:
        """Remember nothing: a transaction was rolled back, or rows were deleted or renamed."""
        self._ids.clear()
        self._names.clear()

    def _find_or_make(self, connection: sqlite3.Connection, network: int, name: str) -> int:
        folded = to_column(DEFAULT_FOLD(name))
        connection.execute(
            "INSERT OR IGNORE INTO targets (network, folded, name) VALUES (?, ?, ?)", (network, folded, to_column(name))
        )
        found, spelled = connection.execute(
            "SELECT id, name FROM targets WHERE network = ? AND folded = ?", (network, folded)
        ).fetchone()
        self._names[found] = from_column(spelled)
        return int(found)


class Put(NamedTuple):
    """What became of lines: by network, the conversation of each; how many were left out, for their number was in use
    already."""

    targets: Mapping[int, Sequence[int]]
    left_out: int


def put_lines(connection: sqlite3.Connection, targets: Targets, lines: Mapping[int, Sequence[Entry]], boot: int) -> Put:
    """Write lines, by network, inside the caller's transaction."""
    flat: list[object] = []
    found: dict[int, list[int]] = {}
    also: list[tuple[int, int, int, int]] = []
    links: list[tuple[int, int, int]] = []
    for network, entries in lines.items():
        ids: dict[str, int] = {}
        mine = found[network] = []
        for entry in entries:
            name, message, device, others = entry.target, entry.message, entry.device, entry.also
            if others and entry.renames and targets.rename(connection, network, others[0], name):
                ids.clear()
                others = ()
            target = ids.get(name)
            if target is None:
                target = ids[name] = targets.id_of(connection, network, name)
            mine.append(target)
            if others:
                linked = {targets.id_of(connection, network, other) for other in others} - {target}
                also += ((other, entry.time, entry.seq, int(entry.kind)) for other in linked)
                links += ((network, entry.seq, other) for other in linked)
            if target and entry.kind is Kind.NICK:
                also.append((target, entry.time, entry.seq, int(Kind.NICK)))
            flat += (
                network,
                entry.seq,
                entry.time,
                int(entry.kind),
                target,
                to_column(device) if device else "",
                PAST_BOOT if entry.imported else boot,
                to_column(message.tag("msgid")) if "msgid=" in message.tagtext else "",
                bytearray(message.raw),  # sqlite3 binds bytes five times slower: it first asks for an adapter
            )
    written = start = 0
    left = len(flat) // _COLUMNS
    for rows in INSERT_ROWS:
        while left >= rows:
            end = start + rows * _COLUMNS
            written += connection.execute(_INSERTS[rows], flat[start:end]).rowcount
            start = end
            left -= rows
    if also:
        connection.executemany("INSERT OR IGNORE INTO places (target, time, seq, kind) VALUES (?, ?, ?, ?)", also)
        connection.executemany("INSERT OR IGNORE INTO links (network, seq, target) VALUES (?, ?, ?)", links)
    return Put(found, len(flat) // _COLUMNS - written)


def put_markers(connection: Connection, markers: Mapping[tuple[int, str], int]) -> None:
    """Write up to when conversations were read, inside the caller's transaction. None goes back."""
    for (network, name), time in markers.items():
        connection.execute(
            "INSERT INTO markers (network, folded, name, time) VALUES (?, ?, ?, ?) "
            "ON CONFLICT (network, folded) DO UPDATE SET name = excluded.name, time = excluded.time "
            "WHERE excluded.time > markers.time",
            (network, to_column(DEFAULT_FOLD(name)), to_column(name), time),
        )


def put_positions(connection: Connection, positions: Mapping[tuple[int, str], int | None], now: int) -> None:
    """Write devices' positions, or forget those that are None, inside the caller's transaction."""
    for (network, device), seq in positions.items():
        if seq is None:
            connection.execute("DELETE FROM positions WHERE network = ? AND device = ?", (network, to_column(device)))
        else:
            connection.execute(
                "INSERT INTO positions (network, device, seq, seen_at) VALUES (?, ?, ?, ?) "
                "ON CONFLICT (network, device) DO UPDATE SET seq = excluded.seq, seen_at = excluded.seen_at",
                (network, to_column(device), seq, now),
            )


def raise_heads(connection: Connection) -> dict[int, Head]:
    """The heads for a new start: of every network, removed ones too, for they can be brought back. What is returned
    is also written, inside the caller's transaction, so that two starts without a line between them differ."""
    connection.execute(
        "INSERT INTO heads (network, seq) SELECT id, "
        "coalesce((SELECT max(seq) FROM messages WHERE network = networks.id), 0) + :gap FROM networks WHERE true "
        "ON CONFLICT (network) DO UPDATE SET "
        "seq = CASE WHEN excluded.seq > heads.seq + :gap THEN excluded.seq ELSE heads.seq + :gap END",
        {"gap": SEQ_GAP},
    )
    positions: dict[int, dict[str, int]] = {}
    for network, device, seq in connection.execute("SELECT network, device, seq FROM positions"):
        positions.setdefault(network, {})[from_column(device)] = seq
    return {
        network: Head(seq, max(newest, tail), positions.get(network, {}))
        for network, seq, newest, tail in connection.execute(
            # all that is indexed was said at that time or before; lines of the past come last, and are older
            "SELECT heads.network, heads.seq, coalesce(newest, 0), coalesce((SELECT max(time) FROM messages AS m "
            "WHERE m.network = heads.network AND m.seq > coalesce(indexed.seq, 0)), 0) "
            "FROM heads LEFT JOIN indexed ON indexed.network = heads.network"
        )
    }


def read_devices(connection: Connection, network: int) -> dict[str, Seen]:
    """The devices of a network."""
    rows = connection.execute(
        "SELECT device, seen_at, (SELECT count(*) FROM (SELECT 1 FROM messages WHERE network = positions.network "
        f"AND messages.seq > positions.seq AND kind IN ({_TEXT}) AND boot <> {PAST_BOOT} LIMIT {BEHIND_LIMIT}) "
        "AS few) "
        "FROM positions WHERE network = ?",
        (network,),
    )
    return {from_column(device): Seen(behind, seen_at) for device, seen_at, behind in rows}


def read_first_helping(connection: Connection, network: int, lines: int, since: int) -> int:
    """The number before the oldest of the last ``lines`` text lines that is not older than ``since``; the newest
    number of all if there is none such."""
    oldest = connection.execute(
        f"SELECT min(seq) FROM (SELECT seq, time FROM messages WHERE network = ? AND kind IN ({_TEXT}) "
        f"AND boot <> {PAST_BOOT} ORDER BY seq DESC LIMIT ?) AS last WHERE time >= ?",
        (network, lines, since),
    ).fetchone()[0]
    if oldest is not None:
        found: int = oldest - 1
        return found
    newest = connection.execute("SELECT max(seq) FROM messages WHERE network = ?", (network,)).fetchone()[0]
    return newest or 0
