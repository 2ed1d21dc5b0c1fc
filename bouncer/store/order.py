"""The order of a conversation: its lines between two places, by (time, seq).

Owns the questions for it, to the index and to what is not in it. Must not know threads.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence

from bouncer.model.entry import PAST_BOOT, Kind
from bouncer.model.history import Range
from bouncer.model.ports import Kept
from bouncer.store.blocks import Wanted, in_order, late
from bouncer.store.conversations import UNINDEXED, clamped, range_values, read_each, target_ids
from bouncer.store.index_words import any_target
from bouncer.store.packed import packed, unpack

_NICKS = frozenset({Kind.NICK})
_BOUNDS = (
    "{0}.time >= :after AND {0}.time <= :before AND ({0}.time, {0}.seq) > (:after, :after_seq) "
    "AND ({0}.time, {0}.seq) < (:before, :before_seq) AND {0}.seq <= :upto AND {0}.seq > :above AND {0}.kind {1}"
)
_OF_THE_PAST = f"(SELECT boot FROM messages AS m WHERE m.network = :network AND m.seq = each.seq) = {PAST_BOOT}"


def read_lines(connection: sqlite3.Connection, question: Range) -> list[Kept]:
    """The lines that the question asks for, in one picture of the database."""
    chosen = [seq for _, seq in choose(connection, question)]
    return list(read_each(connection, question.network, chosen).values()) if chosen else []


def choose(connection: sqlite3.Connection, question: Range) -> list[tuple[int, int]]:
    """Where the lines are that the question asks for, (time, seq), from the oldest or from the newest on."""
    limit, newest = clamped(question.limit), question.newest
    targets = target_ids(connection, question.network, question.targets)
    if not targets or not question.kinds or not limit:
        return []
    values = range_values(question)
    found = set(_listed_places(connection, question, targets, values))
    if question.kinds != _NICKS:  # these all have a place
        wanted = _own(question, targets, values)
        for steps in (
            in_order(connection, wanted, newest=newest, blocks=limit // 2),
            late(connection, wanted, newest=newest),
        ):
            for rows, edge in steps:
                found.update((int(time), int(seq)) for time, seq in rows)
                if len(found) > limit:
                    found = set(sorted(found, reverse=newest)[:limit])
                if edge is not None and len(found) == limit and _beyond(edge, found, newest):
                    break
    return sorted(found, reverse=newest)[:limit]


def _beyond(edge: int, found: set[tuple[int, int]], newest: bool) -> bool:
    """Whether all that is still to come is behind what was found."""
    return edge < min(found)[0] if newest else edge > max(found)[0]


def _own(question: Range, targets: Sequence[int], values: Mapping[str, int]) -> Wanted:
    """The lines that belong to these conversations alone."""
    boot = "" if question.imported else f" AND m.boot <> {PAST_BOOT}"
    order = "m.time DESC, m.seq DESC" if question.newest else "m.time, m.seq"
    return Wanted(
        question.network,
        any_target(targets),
        ("time", "seq"),
        f"m.target IN ({','.join(map(str, targets))}) AND {_BOUNDS.format('m', _kinds(question))}{boot} "
        f"ORDER BY {order} LIMIT :limit",
        values,
        values["after"],
        values["before"],
    )


def _listed_places(
    connection: sqlite3.Connection, question: Range, targets: Sequence[int], values: Mapping[str, int]
) -> Iterator[tuple[int, int]]:
    """Of these conversations the lines that belong to others as well, and those that are not indexed."""
    # changes of nick, few in a long conversation, have an index of their own; SQLite would not choose it
    places = "places AS each INDEXED BY nicks" if question.kinds == _NICKS else "places AS each"
    bounds = _BOUNDS.format("each", _kinds(question))
    live, ours = ("", "") if question.imported else (f" AND NOT {_OF_THE_PAST}", f" AND each.boot <> {PAST_BOOT}")
    order = "ORDER BY time DESC, seq DESC LIMIT :limit" if question.newest else "ORDER BY time, seq LIMIT :limit"
    parts = [
        f"SELECT * FROM (SELECT time, seq FROM {places} WHERE target = {target} AND {bounds}{live} {order})"
        for target in targets
    ]
    parts.append(
        f"SELECT time, seq FROM messages AS each WHERE network = :network AND seq > {UNINDEXED} AND {bounds} "
        f"AND target IN ({','.join(map(str, targets))}){ours}"
    )
    source = f"SELECT time, seq FROM ({' UNION '.join(parts)}) {order}"
    return ((int(time), int(seq)) for time, seq in unpack(connection, packed(("time", "seq"), source), values))


def _kinds(question: Range) -> str:
    if question.kinds == _NICKS:
        return f"= {int(Kind.NICK)}"
    return f"IN ({','.join(str(int(kind)) for kind in question.kinds)})"
