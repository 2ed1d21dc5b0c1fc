"""Reading conversations: pages as they came, where a msgid stands, which there are, up to when they were read.

Owns the questions for these, to the index and to the lines that are not in it yet, and what all questions share. Must
not know threads.
"""

from __future__ import annotations

import re
import sqlite3
from bisect import bisect_left
from collections.abc import Mapping, Set
from dataclasses import replace

from bouncer.irc.casemap import DEFAULT_FOLD
from bouncer.model.entry import LINKED_KINDS, PAST_BOOT, TEXT_KINDS
from bouncer.model.history import LINES_LIMIT, Mark, Range
from bouncer.model.log import message_ids
from bouncer.model.ports import Heading, Kept, Page, Run, Talk
from bouncer.store.connection import Connection
from bouncer.store.index_words import msgid_mark, query, row_of
from bouncer.store.packed import listed, name_of, packed, unpack
from bouncer.store.values import from_column, to_column

LONGEST = 1 << 62  # bounds beyond it are as good as none, and fit into the database
NAMES_LIMIT = 50  # names of one conversation: a nick that changes more often is nobody's friend

_TEXT = ",".join(str(int(kind)) for kind in sorted(TEXT_KINDS))
_LINKS = packed(
    ("seq", "hex(name)"),
    "SELECT l.seq, t.name FROM links AS l JOIN targets AS t ON t.id = l.target "
    "WHERE l.network = ? AND l.seq BETWEEN ? AND ? ORDER BY t.folded",
)
OURS = re.compile(r"bnc-([0-9a-f]{1,15})-([0-9a-f]{1,15})-([0-9a-f]{1,15})")
# the mark below which lines are in the index
UNINDEXED = "coalesce((SELECT seq FROM indexed WHERE network = :network), 0)"
_COLUMNS = ("seq", "time", "kind", "hex(name)", "hex(device)", "boot", "hex(raw)")
# The lines themselves stand below each other as they are: none has a line end in it.
_COLUMNS_OF = (
    "SELECT group_concat(seq, ' '), group_concat(time, ' '), "
    "group_concat(boot || ':' || target || ':' || kind, ' '), "  # what lines have in common, as one text
    "group_concat(CASE WHEN device <> '' THEN seq || ':' || hex(device) END, ' '), "
    "CAST(group_concat(raw, char(10)) AS BLOB) FROM"
)
_FROM_LINES = (
    "SELECT m.seq, m.time, m.kind, coalesce(t.name, '') AS name, m.device, m.boot, m.raw FROM {source} "
    "CROSS JOIN messages AS m ON m.network = :network AND m.seq = chosen.seq "
    "LEFT JOIN targets AS t ON t.id = m.target ORDER BY m.time, m.seq"
)


def clamped(limit: int) -> int:
    """A limit as it is granted."""
    return max(0, min(limit, LINES_LIMIT))


def bounded(value: int) -> int:
    """A number that the database can hold."""
    return max(-LONGEST, min(value, LONGEST))


def range_values(question: Range) -> dict[str, int]:
    """The network, the limit and the bounds of a range, by the names that statements have for them."""
    after, before = question.after or Mark(-LONGEST, 0), question.before or Mark(LONGEST, 0)
    return {
        "network": question.network,
        "upto": bounded(question.upto),
        "above": bounded(question.above),
        "limit": clamped(question.limit),
        "after": bounded(after.time),
        "after_seq": bounded(after.seq),
        "before": bounded(before.time),
        "before_seq": bounded(before.seq),
    }


def target_ids(connection: sqlite3.Connection, network: int, names: tuple[str, ...]) -> list[int]:
    """The rows of those of these targets that were ever seen."""
    folded = [to_column(name) for name in dict.fromkeys(DEFAULT_FOLD(name) for name in names[:NAMES_LIMIT])]
    rows = connection.execute(
        f"SELECT id FROM targets WHERE network = ? AND folded IN ({','.join('?' * len(folded))})", (network, *folded)
    )
    return [row[0] for row in rows]


def read_page(connection: sqlite3.Connection, question: Page) -> Run:
    """The lines that the question asks for, in order of seq."""
    kinds = ",".join(str(int(kind)) for kind in question.kinds)
    columns = connection.execute(
        f"{_COLUMNS_OF} (SELECT seq, time, kind, target, device, boot, raw FROM messages WHERE network = ? "
        f"AND seq > ? AND seq <= ? AND kind IN ({kinds}) AND boot <> {PAST_BOOT} ORDER BY seq LIMIT ?)",
        (question.network, question.after, question.upto, question.limit),
    ).fetchone()
    if columns[0] is None:
        return Run()
    seqs, times = (list(map(int, column.split(" "))) for column in columns[:2])
    tokens = columns[2].split(" ")
    known = _headings(connection, set(tokens))
    headings = [known[token] for token in tokens]
    for token in columns[3].split(" ") if columns[3] else ():
        seq, _, device = token.partition(":")
        place = bisect_left(seqs, int(seq))
        said = replace(headings[place], device=name_of(device))
        key = f"{tokens[place]}:{device}"
        headings[place] = known.setdefault(key, said)
    also: dict[int, tuple[str, ...]] = {}
    if not question.kinds.isdisjoint(LINKED_KINDS):
        for seq, name in unpack(connection, _LINKS, (question.network, seqs[0], seqs[-1])):
            also[int(seq)] = (*also.get(int(seq), ()), name_of(name))
    return Run(seqs, times, headings, columns[4].split(b"\n"), also)


def _headings(connection: sqlite3.Connection, tokens: Set[str]) -> dict[str, Heading]:
    """What lines have in common, by how it comes out of the database."""
    found = {token: tuple(map(int, token.split(":"))) for token in tokens}
    ids = ",".join({str(target) for _, target, _ in found.values()})
    rows = unpack(connection, packed(("id", "hex(name)"), f"SELECT id, name FROM targets WHERE id IN ({ids})"), ())
    names = {int(number): name_of(name) for number, name in rows}
    return {token: Heading(kind, names.get(target, ""), "", boot) for token, (boot, target, kind) in found.items()}


def read_each(connection: sqlite3.Connection, network: int, seqs: list[int]) -> dict[int, Kept]:
    """Lines by their numbers."""
    source = f"(SELECT value AS seq FROM json_each('{listed(seqs)}')) AS chosen"
    rows = unpack(connection, packed(_COLUMNS, _FROM_LINES.format(source=source)), {"network": network})
    return {line.seq: line for line in map(_kept, rows)}


def read_place(connection: sqlite3.Connection, network: int, msgid: str) -> Mark | None:
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
    data = msgid.encode("utf-8", "surrogateescape")
    found = connection.execute(
        "SELECT time, seq FROM (SELECT m.time, m.seq FROM words CROSS JOIN blocks AS b "
        "ON b.network = :network AND b.first = words.rowid - :first "
        "CROSS JOIN messages AS m ON m.network = :network AND m.seq BETWEEN b.first AND b.last "
        "WHERE words MATCH :query AND words.rowid BETWEEN :first AND :last AND m.msgid = :msgid "
        "UNION ALL SELECT time, seq FROM messages "
        f"WHERE network = :network AND seq > {UNINDEXED} AND msgid = :msgid) ORDER BY seq LIMIT 1",
        {
            "network": network,
            "first": row_of(network, 0),
            "last": row_of(network + 1, 0) - 1,
            "query": query((), [msgid_mark(data)]),
            "msgid": to_column(msgid),
        },
    ).fetchone()
    return None if found is None else Mark(*found)


def read_targets(connection: sqlite3.Connection, network: int, after: int, before: int, limit: int) -> list[Talk]:
    """The conversations whose latest line of text was said between two times, the earliest first."""
    rows = unpack(
        connection,
        packed(
            ("hex(name)", "latest"),
            "SELECT * FROM (SELECT t.name, max(coalesce(t.latest, tail.time), coalesce(tail.time, t.latest)) AS latest "
            "FROM targets AS t LEFT JOIN (SELECT target, max(time) AS time FROM messages "
            f"WHERE network = :network AND seq > {UNINDEXED} AND kind IN ({_TEXT}) GROUP BY target) AS tail "
            "ON tail.target = t.id WHERE t.network = :network) WHERE latest > :after AND latest < :before "
            "ORDER BY latest DESC, name DESC LIMIT :limit",
        ),
        {"network": network, "after": bounded(after), "before": bounded(before), "limit": clamped(limit)},
    )
    return [Talk(name_of(name), int(latest)) for name, latest in rows][::-1]


def read_markers(connection: Connection, network: int) -> Mapping[str, int]:
    """Up to when each conversation was read."""
    rows = connection.execute("SELECT name, time FROM markers WHERE network = ?", (network,))
    return {from_column(name): time for name, time in rows}


def _kept(row: list[str]) -> Kept:
    seq, time, kind, name, device, boot, raw = row
    return Kept(int(seq), int(time), int(kind), name_of(name), name_of(device), int(boot), bytes.fromhex(raw))
