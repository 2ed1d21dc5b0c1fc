"""Reading conversations: their lines in order of (time, seq), where a msgid stands, which there are.

Owns the questions to the tables. Must not know threads.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from bouncer.irc.casemap import DEFAULT_FOLD
from bouncer.model.entry import LINKED_KINDS, PAST_BOOT, TEXT_KINDS
from bouncer.model.history import Mark, Range, Trace
from bouncer.model.log import message_ids
from bouncer.model.ports import Kept, Page, Run, Talk
from bouncer.store.conversations import NAMES_LIMIT, OURS, bounded, clamped, range_values
from bouncer.store.knowing import CANDIDATES_LIMIT
from bouncer.store.known import Candidate, by_msgid, by_words, spans
from bouncer.store.postgresql.blocks import checksum
from bouncer.store.postgresql.connection import Connection
from bouncer.store.postgresql.lines import encoded
from bouncer.store.values import from_column

TEXT = ",".join(str(int(kind)) for kind in sorted(TEXT_KINDS))
# the mark below which lines are in the index
UNINDEXED = "coalesce((SELECT seq FROM indexed WHERE network = :network), 0)"
LINE = "m.seq, m.time, m.kind, coalesce(t.name, '') AS name, m.device, m.boot, m.raw"


def target_ids(connection: Connection, network: int, names: tuple[str, ...]) -> list[int]:
    """The rows of those of these targets that were ever seen."""
    folded = [encoded(name) for name in dict.fromkeys(DEFAULT_FOLD(name) for name in names[:NAMES_LIMIT])]
    rows = connection.execute(
        "SELECT id FROM targets WHERE network = ? AND folded = ANY(CAST(? AS bytea[]))", (network, folded)
    )
    return [row[0] for row in rows]


def read_lines(connection: Connection, question: Range) -> list[Kept]:
    """The lines that the question asks for."""
    targets = target_ids(connection, question.network, question.targets)
    kinds = ",".join(str(int(kind)) for kind in sorted(question.kinds))
    if not targets or not kinds or not clamped(question.limit):
        return []
    values = range_values(question) | {f"target{number}": target for number, target in enumerate(targets)}
    bounds = (
        "(time, seq) > (:after, :after_seq) AND (time, seq) < (:before, :before_seq) "
        f"AND seq <= :upto AND seq > :above AND kind IN ({kinds})"
    )
    if not question.imported:
        bounds += (
            f" AND (SELECT boot FROM messages AS m WHERE m.network = :network AND m.seq = each.seq) <> {PAST_BOOT}"
        )
    way = "DESC" if question.newest else "ASC"
    order = f"ORDER BY time {way}, seq {way} LIMIT :limit"
    parts = " UNION ".join(
        f"(SELECT time, seq FROM {table} AS each WHERE target = :target{number} AND {bounds} {order})"
        for number in range(len(targets))
        for table in ("messages", "places")
    )
    rows = connection.execute(
        f"SELECT {LINE} FROM (SELECT time, seq FROM ({parts}) AS found {order}) AS chosen "
        "JOIN messages AS m ON m.network = :network AND m.seq = chosen.seq "
        "LEFT JOIN targets AS t ON t.id = m.target ORDER BY m.time, m.seq",
        values,
    )
    return [kept(row) for row in rows]


def read_page(connection: Connection, question: Page) -> Run:
    """The lines that the question asks for, in order of seq."""
    kinds = ",".join(str(int(kind)) for kind in sorted(question.kinds))
    rows = connection.execute(
        f"SELECT {LINE} FROM (SELECT * FROM messages WHERE network = ? AND seq > ? AND seq <= ? "
        f"AND kind IN ({kinds}) AND boot <> {PAST_BOOT} ORDER BY seq LIMIT ?) AS m "
        "LEFT JOIN targets AS t ON t.id = m.target ORDER BY m.seq",
        (question.network, bounded(question.after), bounded(question.upto), question.limit),
    )
    lines = [kept(row) for row in rows]
    if not lines or question.kinds.isdisjoint(LINKED_KINDS):
        return Run.of(lines)
    also: dict[int, list[str]] = {}
    for seq, name in connection.execute(
        "SELECT p.seq, t.name FROM places AS p JOIN targets AS t ON t.id = p.target "
        "WHERE p.seq BETWEEN ? AND ? AND t.network = ? ORDER BY t.folded",
        (lines[0].seq, lines[-1].seq, question.network),
    ):
        also.setdefault(seq, []).append(from_column(name))
    return Run.of([replace(line, also=tuple(also[line.seq])) if line.seq in also else line for line in lines])


def read_place(connection: Connection, network: int, msgid: str) -> Mark | None:
    """Where the first line with this msgid stands."""
    ours = OURS.fullmatch(msgid)
    if ours is not None and msgid.startswith(message_ids(int(ours[1], 16), network)):
        found = connection.execute(
            "SELECT time, seq FROM messages WHERE network = ? AND seq = ? AND boot = ? AND msgid = ''",
            (network, int(ours[3], 16), int(ours[1], 16)),
        ).fetchone()
        if found is not None:
            return Mark(*found)
    if not msgid:
        return None
    data = encoded(msgid)
    found = connection.execute(
        "SELECT time, seq FROM ("
        "SELECT m.time, m.seq FROM (SELECT first, last FROM words WHERE network = :network "
        "AND msgids @> ARRAY[CAST(:checksum AS integer)] OFFSET 0) AS block "
        "JOIN messages AS m ON m.network = :network AND m.seq BETWEEN block.first AND block.last AND m.msgid = :msgid "
        "UNION ALL "
        f"SELECT time, seq FROM messages WHERE network = :network AND seq > {UNINDEXED} AND msgid = :msgid"
        ") AS found ORDER BY seq LIMIT 1",
        {"network": network, "checksum": checksum(network, data), "msgid": msgid},
    ).fetchone()
    return None if found is None else Mark(*found)


def read_known(connection: Connection, network: int, traces: Sequence[Trace]) -> frozenset[int]:
    """The places of those of these lines that are kept, or have the msgid of one before them."""
    msgids = list({trace.msgid for trace in traces} - {""})
    known = by_msgid(traces, _kept_msgids(connection, network, msgids) if msgids else set())
    unknown = [trace for place, trace in enumerate(traces) if place not in known]
    return known | by_words(traces, known, _candidates(connection, network, unknown)) if unknown else known


def _kept_msgids(connection: Connection, network: int, msgids: Sequence[str]) -> set[str]:
    asked = [encoded(each) for each in msgids]
    rows = connection.execute(
        "SELECT m.msgid FROM (SELECT first, last FROM words WHERE network = :network "
        "AND msgids && CAST(:checksums AS integer[]) OFFSET 0) AS block JOIN messages AS m "
        "ON m.network = :network AND m.seq BETWEEN block.first AND block.last AND m.msgid = ANY(:msgids) "
        "UNION SELECT msgid FROM messages "
        f"WHERE network = :network AND seq > {UNINDEXED} AND msgid = ANY(:msgids)",
        {"network": network, "checksums": [checksum(network, each) for each in asked], "msgids": asked},
    )
    return {from_column(row[0]) for row in rows}


def _candidates(connection: Connection, network: int, traces: Sequence[Trace]) -> Iterator[Candidate]:
    """The kept lines that may be the same as some of these."""
    targets: dict[int, str] = {}
    stretches: list[tuple[int, int, int]] = []
    for folded, each in spans(traces).items():
        for target in target_ids(connection, network, (folded,)):
            targets[target] = folded
            stretches += [(target, bounded(low), bounded(high)) for low, high in each]
    if not stretches:
        return
    within = "AS mine ON mine.target = stretch.target AND mine.time BETWEEN stretch.low AND stretch.high"
    rows = connection.execute(
        "WITH stretch AS (SELECT * FROM unnest(CAST(? AS bigint[]), CAST(? AS bigint[]), CAST(? AS bigint[])) "
        "AS given (target, low, high)) "
        "SELECT m.time, chosen.target, m.device <> '' AS own, m.raw FROM ("
        f"(SELECT mine.target, mine.seq FROM stretch JOIN messages {within} "
        f"UNION SELECT mine.target, mine.seq FROM stretch JOIN places {within}) LIMIT ?) AS chosen "
        "JOIN messages AS m ON m.network = ? AND m.seq = chosen.seq ORDER BY m.time, m.seq",
        (*map(list, zip(*stretches, strict=True)), CANDIDATES_LIMIT, network),
    )
    for time, target, own, raw in rows:
        yield Candidate(time, targets[target], own, raw)


def read_targets(connection: Connection, network: int, after: int, before: int, limit: int) -> list[Talk]:
    """The conversations whose latest line of text was said between two times, the earliest first."""
    rows = connection.execute(
        "SELECT name, latest FROM (SELECT t.name, greatest(t.latest, tail.time) AS latest "
        "FROM targets AS t LEFT JOIN (SELECT target, max(time) AS time FROM messages "
        f"WHERE network = :network AND seq > {UNINDEXED} AND kind IN ({TEXT}) GROUP BY target) AS tail "
        "ON tail.target = t.id WHERE t.network = :network) AS talks WHERE latest > :after AND latest < :before "
        "ORDER BY latest DESC, name DESC LIMIT :limit",
        {"network": network, "after": bounded(after), "before": bounded(before), "limit": clamped(limit)},
    ).fetchall()
    return [Talk(from_column(name), latest) for name, latest in reversed(rows)]


def kept(row: tuple[Any, ...]) -> Kept:
    """A line of the columns in LINE."""
    seq, time, kind, name, device, boot, raw = row
    return Kept(seq, time, kind, from_column(name), from_column(device), boot, raw)
