"""Which lines may be meant: those in blocks of the index that have all the words and marks asked for.

Owns how blocks are gone through, from the newest or from the oldest on. Must not know what is done with the lines.

Blocks follow numbers, and numbers follow times but for late lines, which have blocks of their own. So both are asked
apart: the others come in order, and of late ones all are looked at, or those of some weeks.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from bouncer.store.conversations import LONGEST
from bouncer.store.index_words import LATE, LATE_MS, SEQ_MASK, WEEK, row_of, week_mark, week_of
from bouncer.store.packed import packed, rows_of

# Blocks that are gone through in one step: the first step has few, for often they are enough.
FIRST_STEP = 16
STEP_GROWTH = 2
LONGEST_STEP = 1024  # some 5 ms

LATE_BLOCKS = 128  # that are looked at as they come: 1 ms. More are looked at week by week
MOST_WEEKS = 64  # at once: FTS5 takes 256 parts of a question

_COUNT = (
    "SELECT count(*) FROM (SELECT 1 FROM words WHERE words MATCH :asked AND rowid BETWEEN :low AND :high LIMIT :most)"
)


class Wanted(NamedTuple):
    """A question. ``blocks``: what a block must have, as an expression of FTS5. ``columns`` of a line m, each a number
    or ``hex(...)``, that ``lines``, a condition, holds for: an ORDER BY and LIMIT may follow it, and b is the line's
    block. ``values`` are those that it names. Times in milliseconds, both included: no line beyond them is meant."""

    network: int
    blocks: str
    columns: Sequence[str]
    lines: str
    values: Mapping[str, object]
    after: int
    before: int


class Step(NamedTuple):
    """The lines of some blocks. ``edge``: no line of a later step is of a later time (of an earlier one, if asked from
    the oldest on); None if there is none."""

    rows: list[list[str]]
    edge: int | None


def in_order(connection: sqlite3.Connection, wanted: Wanted, *, newest: bool, blocks: int = 0) -> Iterator[Step]:
    """The lines that are not late, by steps, the first of which looks at so many blocks more than else."""
    low, high = _between(connection, wanted)
    step = min(FIRST_STEP + blocks, LONGEST_STEP)
    statement = _STATEMENTS[newest].format(_rows(wanted))
    values = {**wanted.values, "network": wanted.network, "base": row_of(wanted.network, 0)}
    values |= {"low": low, "high": high}
    while True:
        asked: dict[str, object] = {**values, "blocks": step, "asked": f'({wanted.blocks}) NOT "{LATE}"'}
        whole, count, lowest, highest, edge = connection.execute(statement, asked).fetchone()
        rows = list(rows_of(whole))
        if count < step:
            yield Step(rows, None)
            return
        if newest:
            values["high"] = lowest - 1
            yield Step(rows, edge)
        else:
            values["low"] = highest + 1
            yield Step(rows, -LONGEST if edge is None else edge - LATE_MS)
        step = min(step * STEP_GROWTH, LONGEST_STEP)


def late(connection: sqlite3.Connection, wanted: Wanted, *, newest: bool) -> Iterator[Step]:
    """The late lines, by steps of times."""
    asked = f'({wanted.blocks}) AND "{LATE}"'
    count = _count(connection, wanted.network, asked, LATE_BLOCKS + 1)
    if count == 0:
        return
    if count <= LATE_BLOCKS:
        yield Step(_late_rows(connection, wanted, asked), None)
        return
    weeks = _late_weeks(connection, wanted, newest)
    start, width = 0, 1
    while start < len(weeks):
        some = weeks[start : start + width]
        start += width
        width = min(2 * width, MOST_WEEKS)
        first, last = min(some), max(some)
        between = wanted._replace(
            after=max(wanted.after, first * WEEK) if first else wanted.after,
            before=min(wanted.before, (last + 1) * WEEK - 1),
        )
        of_weeks = " OR ".join(f'"{week_mark(week)}"' for week in some)
        rows = _late_rows(connection, between, f"{asked} AND ({of_weeks})")
        edge = between.after if newest else between.before
        yield Step(rows, edge if start < len(weeks) else None)


def late_before(
    connection: sqlite3.Connection, network: int, before: int, upto: int, limit: int
) -> list[tuple[int, int, int]]:
    """Late lines before a time with numbers up to ``upto``: time, number and kind of the first ``limit`` of them, in no
    order. Forgets the weeks in which there are none any more."""
    rows: list[tuple[int, int, int]] = []
    lines = Wanted(
        network,
        "",
        ("time", "seq", "kind"),
        "m.time < :before AND m.seq <= :upto LIMIT :limit",
        {"before": before, "upto": upto, "limit": limit},
        0,
        0,
    )
    weeks = connection.execute(
        "SELECT week FROM late_weeks WHERE network = ? AND week <= ? ORDER BY week", (network, week_of(before))
    ).fetchall()
    for (week,) in weeks:
        asked = f'"{week_mark(week)}"'
        within = lines._replace(after=week * WEEK if week else -LONGEST, before=(week + 1) * WEEK - 1)
        rows += ((int(time), int(seq), int(kind)) for time, seq, kind in _late_rows(connection, within, asked))
        if len(rows) >= limit:
            break
        if not _count(connection, network, asked, 1):
            connection.execute("DELETE FROM late_weeks WHERE network = ? AND week = ?", (network, week))
    return rows[:limit]


def _count(connection: sqlite3.Connection, network: int, asked: str, most: int) -> int:
    """How many blocks of a network have what is asked for; ``most`` if there are more."""
    base = row_of(network, 0)
    values = {"asked": asked, "low": base, "high": base + SEQ_MASK, "most": most}
    found: int = connection.execute(_COUNT, values).fetchone()[0]
    return found


def _late_rows(connection: sqlite3.Connection, wanted: Wanted, asked: str) -> list[list[str]]:
    base = row_of(wanted.network, 0)
    values = {**wanted.values, "network": wanted.network, "base": base, "low": base, "high": base + SEQ_MASK}
    values |= {"first_time": wanted.after, "last_time": wanted.before}
    within = wanted._replace(lines=f"m.time BETWEEN :first_time AND :last_time AND {wanted.lines}")
    statement = _STATEMENTS[True].format(_rows(within))
    whole = connection.execute(statement, {**values, "blocks": -1, "asked": asked}).fetchone()[0]
    return list(rows_of(whole))


def _late_weeks(connection: sqlite3.Connection, wanted: Wanted, newest: bool) -> list[int]:
    weeks = connection.execute(
        f"SELECT week FROM late_weeks WHERE network = ? AND week BETWEEN ? AND ? ORDER BY week{' DESC' * newest}",
        (wanted.network, week_of(wanted.after), week_of(wanted.before)),
    )
    return [week for (week,) in weeks]


def _between(connection: sqlite3.Connection, wanted: Wanted) -> tuple[int, int]:
    """Between which rows all blocks are that are not late and have lines between two times."""
    low = connection.execute(
        "SELECT max(first) FROM blocks WHERE network = ?1 AND first <= "
        "(SELECT seq + 1 FROM milestones WHERE network = ?1 AND time < ?2 ORDER BY time DESC LIMIT 1)",
        (wanted.network, wanted.after),
    ).fetchone()[0]
    high = connection.execute(
        "SELECT seq FROM milestones WHERE network = ? AND time > ? ORDER BY time LIMIT 1",
        (wanted.network, wanted.before + LATE_MS),
    ).fetchone()
    return row_of(wanted.network, low or 0), row_of(wanted.network, high[0] if high else SEQ_MASK)


def _rows(wanted: Wanted) -> str:
    """The lines of the chosen blocks, packed."""
    return packed(
        wanted.columns,
        "SELECT m.* FROM chosen CROSS JOIN blocks AS b ON b.network = :network AND b.first = chosen.id - :base "
        "CROSS JOIN messages AS m ON m.network = :network AND m.seq BETWEEN b.first AND b.last "
        f"WHERE {wanted.lines}",
    )


def _statement(order: str, edge: str) -> str:
    return (
        "WITH chosen (id) AS MATERIALIZED (SELECT rowid FROM words WHERE words MATCH :asked "
        f"AND rowid BETWEEN :low AND :high ORDER BY rowid {order} LIMIT :blocks) "
        f"SELECT ({{}}), count(*), min(id), max(id), ({edge}) FROM chosen"
    )


_STATEMENTS = {
    True: _statement(
        "DESC",
        "SELECT before FROM blocks WHERE network = :network AND first = (SELECT min(id) FROM chosen) - :base",
    ),
    False: _statement(
        "ASC",
        "SELECT m.time FROM blocks AS b JOIN messages AS m ON m.network = b.network AND m.seq = b.last "
        "WHERE b.network = :network AND b.first = (SELECT max(id) FROM chosen) - :base",
    ),
}
