"""Searching: lines that have certain words, newest first.

Owns the questions for words, to the index and to the lines that are not in it yet. Must not know threads, nor what a
word is. The index tells in which blocks a line may be; each line is compared.
"""

from __future__ import annotations

import heapq
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from bouncer.model.entry import TEXT_KINDS
from bouncer.model.history import Search, Spot
from bouncer.model.ports import Found
from bouncer.store.blocks import Wanted, in_order, late
from bouncer.store.conversations import LONGEST, UNINDEXED, bounded, clamped, read_each, target_ids
from bouncer.store.index_words import is_simple, query, sender_mark, target_mark
from bouncer.store.packed import packed, unpack
from bouncer.store.words import Term, ask, fold_sender, found, said

TAIL_ROWS = 5000  # lines looked at together where none is indexed: 2 MB, however many there are after a migration

_TEXT = ",".join(str(int(kind)) for kind in sorted(TEXT_KINDS))
_COLUMNS = ("time", "seq", "hex(raw)")
_LINES = (
    "m.time > :after AND m.time < :before AND (m.time, m.network, m.seq) < (:older, :older_network, :older_seq) "
    f"AND m.kind IN ({_TEXT}) AND (:target = 0 OR m.target = :target)"
)
_TAIL = packed(
    _COLUMNS,
    f"SELECT * FROM messages AS m WHERE m.network = :network AND m.seq > :from AND m.seq <= :upto AND {_LINES}",
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
    best: list[int] = []  # the newest times so far, the least of them first
    for network in set(question.networks):
        targets = target_ids(connection, network, (question.target,)) if question.target else [0]
        if targets:
            asked = _Asked(terms, fold_sender(question.sender), targets[0])
            spots += _spots(connection, network, asked, question, limit, best)
    chosen = heapq.nlargest(limit, spots)
    lines = {
        network: read_each(connection, network, [spot.seq for spot in chosen if spot.network == network])
        for network in {spot.network for spot in chosen}
    }
    return [Found(spot.network, lines[spot.network][spot.seq]) for spot in chosen]


def _spots(
    connection: sqlite3.Connection, network: int, asked: _Asked, question: Search, limit: int, best: list[int]
) -> Iterator[Spot]:
    older = question.older
    after = bounded(question.after if question.after is not None else -LONGEST)
    before = bounded(question.before if question.before is not None else LONGEST)
    if older is not None:
        before = min(before, older.time + 1)
    values: dict[str, object] = {
        "network": network,
        "after": after,
        "before": before,
        "older": bounded(older.time if older else LONGEST),
        "older_network": older.network if older else 0,
        "older_seq": older.seq if older else 0,
        "target": asked.target,
    }
    marks = [target_mark(asked.target)] if asked.target else []
    marks += [sender_mark(asked.sender)] if asked.sender else []
    # most lines are left out without a look at them by Python
    words = sorted({word for term in asked.terms for word in term.words if word.isascii()})
    said_so = "".join(f" AND (NOT b.plain OR instr(lower(m.raw), :word{number}))" for number in range(len(words)))
    if is_simple(asked.sender):
        said_so += " AND instr(lower(m.raw), :sender)"
    within = values | {"sender": asked.sender} | {f"word{number}": word for number, word in enumerate(words)}
    wanted = Wanted(network, query(asked.terms, marks), _COLUMNS, _LINES + said_so, within, after, before)
    for steps in in_order(connection, wanted, newest=True), late(connection, wanted, newest=True):
        for rows, edge in steps:
            for spot in _compared(network, asked, rows):
                yield spot
                heapq.heappush(best, spot.time)
                if len(best) > limit:
                    heapq.heappop(best)
            if edge is not None and len(best) == limit and best[0] > edge:
                break
    for start, end in _tail(connection, network):
        yield from _compared(network, asked, unpack(connection, _TAIL, values | {"from": start, "upto": end}))


def _compared(network: int, asked: _Asked, rows: Iterable[Sequence[str]]) -> Iterator[Spot]:
    """Of these lines those that are looked for."""
    for time, seq, raw in rows:
        words, sender = said(bytes.fromhex(raw))
        if (not asked.sender or sender == asked.sender) and found(words, asked.terms):
            yield Spot(int(time), network, int(seq))


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
