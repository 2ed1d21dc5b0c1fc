"""Writing lines: many at once, in the binary form of COPY.

Owns that form, and the ids of conversations. Must not know when lines are written.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from struct import Struct

from bouncer.irc.casemap import DEFAULT_FOLD
from bouncer.model.entry import PAST_BOOT, Entry
from bouncer.store.lines import TARGET_CACHE
from bouncer.store.postgresql.connection import Connection

_COPY = "COPY messages (network, seq, time, target, boot, kind, device, msgid, raw) FROM STDIN (FORMAT binary)"
_HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)  # no flags, no extension
_TRAILER = b"\xff\xff"
# A row is the number of its columns and, for each, its length and value.
_PLAIN = Struct("!hiqiqiqiqiiihiii")  # of a line without device and msgid: all up to the line itself
_START = Struct("!hiqiqiqiqiiih")
_LENGTH = Struct("!i")


class Targets:
    """The ids of conversations, remembered. Spellings that differ only in case share one, which has the newest."""

    def __init__(self) -> None:
        self._ids: dict[tuple[int, bytes], int] = {}
        self._names: dict[int, bytes] = {}

    def learn(self, connection: Connection, names: dict[tuple[int, bytes], None]) -> None:
        """Find or make the rows of all these (network, name), inside the caller's transaction. Of the spellings of one
        conversation the last is kept."""
        unknown = [each for each in names if each not in self._ids]
        if unknown:
            if len(self._ids) + len(unknown) > TARGET_CACHE:
                self.forget()
                unknown = list(names)
            self._find_or_make(connection, unknown)
        spelled = {self._ids[each]: each[1] for each in names}
        changed = {found: name for found, name in spelled.items() if self._names.get(found) != name}
        if changed:
            connection.execute(
                "UPDATE targets SET name = new.name "
                "FROM unnest(CAST(? AS bigint[]), CAST(? AS bytea[])) AS new (id, name) WHERE targets.id = new.id",
                (list(changed), list(changed.values())),
            )
            self._names |= changed

    def rename(self, connection: Connection, network: int, old: str, new: str) -> bool:
        """Let a conversation go on under another name. False if there is one of that name already."""
        before, now = encoded(DEFAULT_FOLD(old)), encoded(DEFAULT_FOLD(new))
        if before == now:
            return True
        if connection.execute("SELECT 1 FROM targets WHERE network = ? AND folded = ?", (network, now)).fetchone():
            return False
        connection.execute(
            "UPDATE targets SET folded = ?, name = ? WHERE network = ? AND folded = ?",
            (now, encoded(new), network, before),
        )
        self.forget()
        return True

    def __getitem__(self, name: tuple[int, bytes]) -> int:
        """The id of what was learned."""
        return self._ids[name]

    def forget(self) -> None:
        """Remember nothing: a transaction was rolled back, or rows were deleted."""
        self._ids.clear()
        self._names.clear()

    def _find_or_make(self, connection: Connection, unknown: list[tuple[int, bytes]]) -> None:
        folded = [fold(name) for _, name in unknown]
        networks = [network for network, _ in unknown]
        asked = "unnest(CAST(? AS bigint[]), CAST(? AS bytea[]))"
        connection.execute(
            "INSERT INTO targets (network, folded, name) SELECT network, folded, name "
            "FROM unnest(CAST(? AS bigint[]), CAST(? AS bytea[]), CAST(? AS bytea[])) AS new (network, folded, name) "
            "ON CONFLICT DO NOTHING",
            (networks, folded, [name for _, name in unknown]),
        )
        rows = {
            (network, key): (found, name)
            for network, key, found, name in connection.execute(
                "SELECT network, folded, id, name FROM targets WHERE (network, folded) IN "
                f"(SELECT network, folded FROM {asked} AS asked (network, folded))",
                (networks, folded),
            )
        }
        for each, key in zip(unknown, folded, strict=True):
            found, name = rows[each[0], key]
            self._ids[each] = found
            self._names[found] = name


def fold(name: bytes) -> bytes:
    """A name's bytes as names are compared."""
    return encoded(DEFAULT_FOLD(name.decode("utf-8", "surrogateescape")))


def encoded(name: str) -> bytes:
    """A name as it is kept."""
    return name.encode("utf-8", "surrogateescape")


def put_lines(
    connection: Connection, targets: Targets, lines: Mapping[int, Sequence[Entry]], boot: int, *, careful: bool
) -> int:
    """Write lines, by network, inside the caller's transaction. Returns how many had a number that was in use already
    and were left out, if ``careful``; if not, such a line is a psycopg.errors.UniqueViolation."""
    left_out = 0
    if careful:
        lines, left_out = _without_known(connection, lines)
    for network, start, part in _parts(lines):
        renamed = start is not None and targets.rename(connection, network, start.also[0], start.target)
        _put_part(connection, targets, part, boot, start if renamed else None)
    return left_out


def _parts(
    lines: Mapping[int, Sequence[Entry]],
) -> Iterator[tuple[int, Entry | None, Mapping[int, Sequence[Entry]]]]:
    """The lines in parts between which no conversation changes its name: the network, and the RENAME that a part begins
    with, if it does."""
    if not any(entry.also and entry.renames for entries in lines.values() for entry in entries):
        yield 0, None, lines
        return
    for network, entries in lines.items():
        starts = [place for place, entry in enumerate(entries) if entry.also and entry.renames]
        for first, last in pairwise([0, *starts, len(entries)]):
            if first < last:
                yield network, entries[first] if first in starts else None, {network: entries[first:last]}


def _put_part(
    connection: Connection, targets: Targets, lines: Mapping[int, Sequence[Entry]], boot: int, renamed: Entry | None
) -> None:
    """``renamed``: the RENAME that belongs to one conversation, which has the new name now."""
    targets.learn(connection, dict.fromkeys(_names(lines, renamed)))
    rows = [_HEADER]
    also: dict[tuple[int, int, int], int] = {}
    for network, entries in lines.items():
        ids = {"": 0}
        for entry in entries:
            name, message = entry.target, entry.message
            target = ids.get(name)
            if target is None:
                target = ids[name] = targets[network, encoded(name)]
            if entry.also and entry is not renamed:
                linked = {targets[network, encoded(other)] for other in entry.also} - {target}
                also |= {(other, entry.time, entry.seq): int(entry.kind) for other in linked}
            raw, start = message.raw, PAST_BOOT if entry.imported else boot
            if entry.device or "msgid=" in message.tagtext:
                device, msgid = encoded(entry.device), encoded(message.tags.get("msgid", ""))
                rows += (
                    _START.pack(9, 8, network, 8, entry.seq, 8, entry.time, 8, target, 4, start, 2, entry.kind),
                    *(part for value in (device, msgid, raw) for part in (_LENGTH.pack(len(value)), value)),
                )
            else:
                rows += (
                    _PLAIN.pack(
                        9, 8, network, 8, entry.seq, 8, entry.time, 8, target, 4, start, 2, entry.kind, 0, 0, len(raw)
                    ),
                    raw,
                )
    rows.append(_TRAILER)
    connection.copy(_COPY, b"".join(rows))
    if also:
        _put_places(connection, also)


def _names(lines: Mapping[int, Sequence[Entry]], renamed: Entry | None) -> Iterator[tuple[int, bytes]]:
    """Every name in these lines, the last spelling of a conversation last."""
    for network, entries in lines.items():
        names: dict[str, None] = {}
        for entry in entries:
            name = entry.target
            names.pop(name, None)
            names[name] = None
            for other in entry.also if entry is not renamed else ():
                names.pop(other, None)
                names[other] = None
        names.pop("", None)
        yield from ((network, encoded(name)) for name in names)


def _without_known(
    connection: Connection, lines: Mapping[int, Sequence[Entry]]
) -> tuple[dict[int, Sequence[Entry]], int]:
    """The lines whose numbers are free, and how many others there were."""
    free: dict[int, Sequence[Entry]] = {}
    left_out = 0
    for network, entries in lines.items():
        taken = {
            row[0]
            for row in connection.execute(
                "SELECT seq FROM messages WHERE network = ? AND seq = ANY(CAST(? AS bigint[]))",
                (network, [entry.seq for entry in entries]),
            )
        }
        fresh: dict[int, Entry] = {}
        for entry in entries:
            if entry.seq not in taken:
                fresh.setdefault(entry.seq, entry)
        free[network] = list(fresh.values())
        left_out += len(entries) - len(fresh)
    return free, left_out


def _put_places(connection: Connection, also: Mapping[tuple[int, int, int], int]) -> None:
    targets, times, seqs = zip(*also, strict=True)
    connection.execute(
        "INSERT INTO places (target, time, seq, kind) SELECT * FROM unnest("
        "CAST(? AS bigint[]), CAST(? AS bigint[]), CAST(? AS bigint[]), CAST(? AS smallint[])) ON CONFLICT DO NOTHING",
        (list(targets), list(times), list(seqs), list(also.values())),
    )
