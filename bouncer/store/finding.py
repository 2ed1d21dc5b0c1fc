"""Searching: lines that have certain words, newest first.

Owns the questions to the word index, and to the lines that are not in it yet. Must not know threads, nor what a word
is.

The word index knows lines by number, and numbers follow times but for late lines (older than one before them). So both
are asked apart: the others are the newest where their numbers are the highest; of late ones, all are compared, or
all of some weeks.
"""

from __future__ import annotations

import heapq
import sqlite3
from collections.abc import Iterator
from typing import NamedTuple

from bouncer.model.entry import TEXT_KINDS
from bouncer.model.history import Search, Spot
from bouncer.model.ports import Found
from bouncer.store.conversations import LONGEST, UNINDEXED, bounded, clamped, read_each, target_ids
from bouncer.store.index_words import LATE, SEQ_MASK, query, row_of, sender_mark, target_mark, week_mark, week_of
from bouncer.store.packed import packed, unpack
from bouncer.store.words import Term, ask, fold_sender, found, said

TAIL_ROWS = 5000  # lines looked at together where none is indexed: 2 MB, however many there are after a migration

# Late lines that are compared as they come: 5 ms at most. More are looked at week by week.
LATE_ROWS = 2000
MOST_WEEKS = 128  # at once: FTS5 takes 256 parts of a question

_TEXT = ",".join(str(int(kind)) for kind in sorted(TEXT_KINDS))
_BOUNDS = "m.time > :after AND m.time < :before AND (m.time, m.network, m.seq) < (:older, :older_network, :older_seq)"
_INDEXED = packed(
    ("time", "seq"),
    "SELECT m.time, m.seq FROM words CROSS JOIN messages AS m ON m.network = :network AND m.seq = words.rowid - :base "
    f"WHERE words MATCH :query AND words.rowid BETWEEN :low AND :high AND {_BOUNDS} "
    "ORDER BY words.rowid DESC LIMIT :limit",
)
_LATE = packed(
    ("time", "seq"),
    "SELECT m.time, m.seq FROM words CROSS JOIN messages AS m ON m.network = :network AND m.seq = words.rowid - :base "
    f"WHERE words MATCH :query AND words.rowid BETWEEN :base AND :last AND {_BOUNDS} "
    "ORDER BY m.time DESC, m.seq DESC LIMIT :limit",
)
_COUNT_LATE = (
    "SELECT count(*) FROM (SELECT 1 FROM words WHERE words MATCH :query AND rowid BETWEEN :base AND :last "
    "LIMIT :most + 1)"
)
_TIMES = (
    "SELECT min((SELECT min(time) FROM places WHERE target = targets.id)), "
    "(SELECT newest FROM indexed WHERE network = :network) FROM targets WHERE network = :network"
)
_TAIL = packed(
    ("time", "seq", "hex(raw)"),
    "SELECT time, seq, raw FROM messages AS m WHERE network = :network AND seq > :from AND seq <= :upto "
    f"AND kind IN ({_TEXT}) AND {_BOUNDS} AND (:target = 0 OR target = :target)",
)


class _Asked(NamedTuple):
    terms: tuple[Term, ...]
    sender: str
    target: int  # 0: any


def read_search(connection: sqlite3.Connection, question: Search) -> list[Found]:
    """What the question asks for, in one picture of the database."""
    terms = ask(question.text)
    limit = clamped(question.limit)
    if (question.text.strip() and not terms) or not (terms or question.sender or question.target) or not limit:
        return []
    spots: list[Spot] = []
    for network in set(question.networks):
        targets = target_ids(connection, network, (question.target,)) if question.target else [0]
        if targets:
            asked = _Asked(terms, fold_sender(question.sender), targets[0])
            spots += _spots(connection, network, asked, question, limit)
    chosen = heapq.nlargest(limit, spots)
    lines = {
        network: read_each(connection, network, [spot.seq for spot in chosen if spot.network == network])
        for network in {spot.network for spot in chosen}
    }
    return [Found(spot.network, lines[spot.network][spot.seq]) for spot in chosen]


def _spots(connection: sqlite3.Connection, network: int, asked: _Asked, question: Search, limit: int) -> Iterator[Spot]:
    older = question.older
    base = row_of(network, 0)
    after = bounded(question.after if question.after is not None else -LONGEST)
    before = bounded(question.before if question.before is not None else LONGEST)
    if older is not None:
        before = min(before, older.time + 1)
    values = {
        "network": network,
        "base": base,
        "last": base + SEQ_MASK,
        "limit": limit,
        "after": after,
        "before": before,
        "older": bounded(older.time if older else LONGEST),
        "older_network": older.network if older else 0,
        "older_seq": older.seq if older else 0,
        "target": asked.target,
    }
    marks = [target_mark(asked.target)] if asked.target else []
    marks += [sender_mark(asked.sender)] if asked.sender else []
    low, high = _between(connection, network, after, before)
    expression = query(asked.terms, marks)
    for time, seq in unpack(
        connection,
        _INDEXED,
        values | {"query": f'({expression}) NOT "{LATE}"', "low": base + low, "high": base + high},
    ):
        yield Spot(int(time), network, int(seq))
    for when, number in _late(connection, query(asked.terms, [LATE, *marks]), values):
        yield Spot(when, network, number)
    for start, end in _tail(connection, network):
        for time, seq, raw in unpack(connection, _TAIL, values | {"from": start, "upto": end}):
            words, sender = said(bytes.fromhex(raw))
            if (not asked.sender or sender == asked.sender) and found(words, asked.terms):
                yield Spot(int(time), network, int(seq))


def _late(connection: sqlite3.Connection, expression: str, values: dict[str, int]) -> Iterator[tuple[int, int]]:
    """The newest late lines: (time, seq). Where many match, as after an import of years, weeks are looked at from the
    newest on, ever more of them at once."""
    many = connection.execute(_COUNT_LATE, values | {"query": expression, "most": LATE_ROWS}).fetchone()[0] > LATE_ROWS
    if not many:
        yield from _spots_of(connection, expression, values)
        return
    oldest, newest = connection.execute(_TIMES, values).fetchone()
    first = week_of(max(oldest or 0, values["after"]))
    week, width, left = week_of(min(newest or 0, values["before"])), 1, values["limit"]
    while week >= first and left > 0:
        weeks = " OR ".join(f'"{week_mark(each)}"' for each in range(max(first, week - width + 1), week + 1))
        for spot in _spots_of(connection, f"({expression}) AND ({weeks})", values):
            left -= 1
            yield spot
        week -= width
        width = min(2 * width, MOST_WEEKS)


def _spots_of(connection: sqlite3.Connection, expression: str, values: dict[str, int]) -> Iterator[tuple[int, int]]:
    for time, seq in unpack(connection, _LATE, values | {"query": expression}):
        yield int(time), int(seq)


def _tail(connection: sqlite3.Connection, network: int) -> Iterator[tuple[int, int]]:
    """The lines that are not indexed, as runs of numbers: (all above, up to)."""
    values = {"network": network, "rows": TAIL_ROWS}
    start = connection.execute(f"SELECT {UNINDEXED}", values).fetchone()[0]
    while True:
        end = connection.execute(
            "SELECT max(seq) FROM (SELECT seq FROM messages WHERE network = :network AND seq > :from "
            "ORDER BY seq LIMIT :rows)",
            values | {"from": start},
        ).fetchone()[0]
        if end is None:
            return
        yield start, end
        start = end


def _between(connection: sqlite3.Connection, network: int, after: int, before: int) -> tuple[int, int]:
    """The numbers between which all lines are that are not late and were said between these times."""
    low = connection.execute(
        "SELECT seq FROM milestones WHERE network = ? AND time <= ? ORDER BY time DESC LIMIT 1", (network, after)
    ).fetchone()
    high = connection.execute(
        "SELECT seq FROM milestones WHERE network = ? AND time >= ? ORDER BY time LIMIT 1", (network, before)
    ).fetchone()
    return (low[0] + 1 if low else 0), (high[0] if high else SEQ_MASK)
