"""Searching: lines that have certain words, newest first.

Owns the questions to the word index, and to the lines that are not in it yet. Must not know threads, nor what a word
is.

Blocks that may have such lines are taken by the time of their newest line, and looked into, until so many lines are
found that no further block can have newer ones.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from bouncer.model.history import Search, Spot
from bouncer.model.ports import Found
from bouncer.store.conversations import LONGEST, bounded, clamped
from bouncer.store.finding import TAIL_ROWS
from bouncer.store.index_words import sender_mark, target_mark
from bouncer.store.postgresql.blocks import Wanted, query, wanted
from bouncer.store.postgresql.connection import Connection
from bouncer.store.postgresql.conversations import LINE, TEXT, UNINDEXED, kept, target_ids
from bouncer.store.values import Text
from bouncer.store.words import Term, ask, fold_sender, found, said

FIRST_BLOCKS = 8  # looked into together; doubled each time, for who finds few in these must look into many
MOST_BLOCKS = 256  # some 64 ms of the server's time

_BOUNDS = "m.time > :after AND m.time < :before AND (m.time, m.network, m.seq) < (:older, :older_network, :older_seq)"
_BLOCKS = (
    "SELECT network, first, last, newest FROM words WHERE document @@ CAST(:query AS tsquery) "
    "AND newest > :after AND oldest < :before ORDER BY newest DESC"
)
_TAIL = (
    f"SELECT {LINE} FROM (SELECT * FROM messages AS m WHERE m.network = :network "
    f"AND m.seq > coalesce(CAST(:from AS bigint), {UNINDEXED}) AND m.kind IN ({TEXT}) AND {_BOUNDS} "
    "AND (:target = 0 OR m.target = :target) ORDER BY m.seq LIMIT :rows) AS m "
    "LEFT JOIN targets AS t ON t.id = m.target ORDER BY m.seq"
)


class _Asked(NamedTuple):
    network: int
    target: int  # 0: any
    words: list[Wanted]


class _Collected:
    """The newest lines found so far."""

    def __init__(self, terms: tuple[Term, ...], sender: str, limit: int) -> None:
        self._terms = terms
        self._sender = sender
        self._limit = limit
        self._found: list[tuple[Spot, Found]] = []  # a heap

    def add(self, network: int, row: tuple[Any, ...]) -> None:
        """Look at a line of the columns in LINE, and keep it if it answers."""
        words, sender = said(row[6])
        if (self._sender and sender != self._sender) or not found(words, self._terms):
            return
        one = (Spot(row[1], network, row[0]), Found(network, kept(row)))
        if len(self._found) < self._limit:
            heapq.heappush(self._found, one)
        elif one[0] > self._found[0][0]:
            heapq.heapreplace(self._found, one)

    def complete(self, newest: int) -> bool:
        """True if lines that are no newer than this can change nothing."""
        return len(self._found) >= self._limit and self._found[0][0].time > newest

    def newest_first(self) -> list[Found]:
        return [line for _, line in sorted(self._found, reverse=True)]


def read_search(connection: Connection, question: Search) -> list[Found]:
    """What the question asks for, inside the caller's transaction."""
    terms = ask(question.text)
    limit = clamped(question.limit)
    if (question.text.strip() and not terms) or not (terms or question.sender or question.target) or not limit:
        return []
    sender = fold_sender(question.sender)
    asked = []
    for network in dict.fromkeys(question.networks):
        targets = target_ids(connection, network, (question.target,)) if question.target else [0]
        if targets:
            marks = [target_mark(targets[0])] if question.target else []
            marks += [sender_mark(sender)] if sender else []
            asked.append(_Asked(network, targets[0], wanted(network, terms, marks)))
    collected = _Collected(terms, sender, limit)
    bounds = _bounds(question)
    for each in asked:
        for row in _tail(connection, each, bounds):
            collected.add(each.network, row)
    if asked:
        _look_into_blocks(connection, asked, bounds, collected)
    return collected.newest_first()


def _bounds(question: Search) -> dict[str, Any]:
    older = question.older
    before = bounded(question.before if question.before is not None else LONGEST)
    return {
        "after": bounded(question.after if question.after is not None else -LONGEST),
        "before": before if older is None else min(before, bounded(older.time) + 1),
        "older": bounded(older.time if older else LONGEST),
        "older_network": older.network if older else 0,
        "older_seq": older.seq if older else 0,
    }


def _look_into_blocks(
    connection: Connection, asked: Sequence[_Asked], bounds: dict[str, Any], collected: _Collected
) -> None:
    by_network = {each.network: each for each in asked}
    either = " | ".join(f"({query(each.words)})" for each in asked)
    with connection.found(_BLOCKS, bounds | {"query": Text(either)}) as cursor:
        size = FIRST_BLOCKS
        while blocks := cursor.fetchmany(size):
            for network in dict.fromkeys(block[0] for block in blocks):
                firsts = [block[1] for block in blocks if block[0] == network]
                for row in _candidates(connection, by_network[network], firsts, bounds):
                    collected.add(network, row)
            if len(blocks) < size or collected.complete(blocks[-1][3]):
                return
            size = min(size * 2, MOST_BLOCKS)


def _candidates(
    connection: Connection, asked: _Asked, firsts: Sequence[int], bounds: dict[str, Any]
) -> Iterator[tuple[Any, ...]]:
    """The lines in these blocks that have all the words; those of one network."""
    conditions, values = [], {}
    for number, (word, prefix) in enumerate(asked.words):
        values[f"word{number}"] = Text(word)
        conditions.append(f"starts_with(lexeme, :word{number})" if prefix else f"lexeme = :word{number}")
    places = (
        "SELECT place FROM unnest(w.document) AS said (lexeme, positions, weights), unnest(positions) AS place "
        f"WHERE {' OR '.join(conditions)} GROUP BY place HAVING "
        + " AND ".join(f"bool_or({condition})" for condition in conditions)
    )
    return iter(
        connection.execute(
            f"SELECT {LINE} FROM (SELECT w.first + found.place - 1 AS seq FROM words AS w, LATERAL ({places}) AS found "
            "WHERE w.network = :network AND w.first = ANY(CAST(:firsts AS bigint[])) OFFSET 0) AS chosen "
            "JOIN messages AS m ON m.network = :network AND m.seq = chosen.seq "
            f"LEFT JOIN targets AS t ON t.id = m.target WHERE {_BOUNDS}",
            bounds | values | {"network": asked.network, "firsts": list(firsts)},
        )
    )


def _tail(connection: Connection, asked: _Asked, bounds: dict[str, Any]) -> Iterator[tuple[Any, ...]]:
    """The lines of text that are not indexed."""
    after: int | None = None
    while True:
        rows = connection.execute(
            _TAIL,
            bounds | {"network": asked.network, "target": asked.target, "from": after, "rows": TAIL_ROWS},
        ).fetchall()
        yield from rows
        if len(rows) < TAIL_ROWS:
            return
        after = rows[-1][0]
