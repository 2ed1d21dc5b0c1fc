"""Reading conversations: their lines in order of (time, seq), where a msgid stands, which there are, up to when they
were read.

Owns the questions to the order index, and to the lines that are not in it yet. Must not know threads.
"""

from __future__ import annotations

import json
import re
import sqlite3
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import replace

from bouncer.irc.casemap import DEFAULT_FOLD
from bouncer.model.entry import LINKED_KINDS, PAST_BOOT, TEXT_KINDS, Kind
from bouncer.model.history import LINES_LIMIT, Mark, Range, Trace
from bouncer.model.log import message_ids
from bouncer.model.ports import Heading, Kept, Page, Run, Talk
from bouncer.store.connection import Connection
from bouncer.store.index_words import msgid_mark, query, row_of
from bouncer.store.known import Candidate, by_msgid, by_words, spans
from bouncer.store.packed import name_of, packed, unpack
from bouncer.store.values import from_column, to_column

NAMES_LIMIT = 50  # names of one conversation: a nick that changes more often is nobody's friend
MSGIDS_AT_ONCE = 200  # in one question to the word index: its parser is slow with very long ones
# Kept lines that are compared with lines of the past: what was said in ten conversations at a line a second meanwhile.
CANDIDATES_LIMIT = 20_000
LONGEST = 1 << 62  # bounds beyond it are as good as none, and fit into the database

_TEXT = ",".join(str(int(kind)) for kind in sorted(TEXT_KINDS))
_LINKS = packed(
    ("seq", "hex(name)"),
    "SELECT l.seq, t.name FROM links AS l JOIN targets AS t ON t.id = l.target "
    "WHERE l.network = ? AND l.seq BETWEEN ? AND ? ORDER BY t.folded",
)
_NICKS = frozenset({Kind.NICK})
_NICK = f"kind = {int(Kind.NICK)}"
OURS = re.compile(r"bnc-([0-9a-f]{1,15})-([0-9a-f]{1,15})-([0-9a-f]{1,15})")
# the mark below which lines are in the index
UNINDEXED = "coalesce((SELECT seq FROM indexed WHERE network = :network), 0)"
_COLUMNS = ("seq", "time", "kind", "hex(name)", "hex(device)", "boot", "hex(raw)")
# What lines have in common comes as one number: fewer texts are made and read. Kinds are few, and neither conversations
# nor starts will be more than that: 4 billion and 8 million.
_OF_TARGET, _OF_BOOT = 1 << 8, 1 << 32
# The lines themselves stand below each other as they are: none has a line end in it.
_COLUMNS_OF = (
    "SELECT group_concat(seq, ' '), group_concat(time, ' '), "
    f"group_concat((boot * {_OF_BOOT} + target) * {_OF_TARGET} + kind, ' '), "
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


def read_lines(connection: sqlite3.Connection, question: Range) -> list[Kept]:
    """The lines that the question asks for, in one picture of the database."""
    targets = target_ids(connection, question.network, question.targets)
    kinds = ",".join(str(int(kind)) for kind in question.kinds)
    # changes of nick, few in a long conversation, have an index of their own; SQLite would not choose it
    places, of_kinds = (
        ("places AS each INDEXED BY nicks", _NICK)
        if question.kinds == _NICKS
        else ("places AS each", f"kind IN ({kinds})")
    )
    if not targets or not kinds or not clamped(question.limit):
        return []
    values = range_values(question)
    bounds = (
        "time >= :after AND time <= :before AND (time, seq) > (:after, :after_seq) "
        f"AND (time, seq) < (:before, :before_seq) AND seq <= :upto AND seq > :above AND {of_kinds}"
    )
    if not question.imported:
        bounds += (
            f" AND (SELECT boot FROM messages AS m WHERE m.network = :network AND m.seq = each.seq) <> {PAST_BOOT}"
        )
    order = "ORDER BY time DESC, seq DESC LIMIT :limit" if question.newest else "ORDER BY time, seq LIMIT :limit"
    from_index = f"SELECT * FROM (SELECT time, seq FROM {places} WHERE target = {{}} AND {{}} {{}})"
    parts = [from_index.format(target, bounds, order) for target in targets]
    parts.append(
        f"SELECT time, seq FROM messages AS each WHERE network = :network AND seq > {UNINDEXED} AND {bounds} "
        f"AND target IN ({','.join(map(str, targets))})"
    )
    source = f"(SELECT time, seq FROM ({' UNION '.join(parts)}) {order}) AS chosen"
    rows = unpack(connection, packed(_COLUMNS, _FROM_LINES.format(source=source)), values)
    return [_kept(row) for row in rows]


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
    found = {token: divmod(int(token), _OF_TARGET) for token in tokens}
    ids = ",".join({str(rest % _OF_BOOT) for rest, _ in found.values()})
    rows = unpack(connection, packed(("id", "hex(name)"), f"SELECT id, name FROM targets WHERE id IN ({ids})"), ())
    names = {int(number): name_of(name) for number, name in rows}
    return {
        token: Heading(kind, names.get(rest % _OF_BOOT, ""), "", rest // _OF_BOOT)
        for token, (rest, kind) in found.items()
    }


def read_each(connection: sqlite3.Connection, network: int, seqs: list[int]) -> dict[int, Kept]:
    """Lines by their numbers."""
    source = f"(SELECT value AS seq FROM json_each('[{','.join(map(str, seqs))}]')) AS chosen"
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
        "SELECT time, seq FROM (SELECT m.time, m.seq FROM words CROSS JOIN messages AS m "
        "ON m.network = :network AND m.seq = words.rowid - :first "
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


def read_known(connection: sqlite3.Connection, network: int, traces: Sequence[Trace]) -> frozenset[int]:
    """The places of those of these lines that are kept, or have the msgid of one before them."""
    msgids = list({trace.msgid for trace in traces} - {""})
    kept: set[str] = set()
    for start in range(0, len(msgids), MSGIDS_AT_ONCE):
        kept |= _kept_msgids(connection, network, msgids[start : start + MSGIDS_AT_ONCE])
    known = by_msgid(traces, kept)
    unknown = [trace for place, trace in enumerate(traces) if place not in known]
    return known | by_words(traces, known, _candidates(connection, network, unknown)) if unknown else known


def _kept_msgids(connection: sqlite3.Connection, network: int, msgids: Sequence[str]) -> set[str]:
    marks = " OR ".join(query((), [msgid_mark(each.encode("utf-8", "surrogateescape"))]) for each in msgids)
    asked = ",".join("?" * len(msgids))
    columns = [to_column(each) for each in msgids]
    first = row_of(network, 0)
    rows = unpack(
        connection,
        packed(
            ("hex(msgid)",),
            "SELECT m.msgid FROM words CROSS JOIN messages AS m ON m.network = ? AND m.seq = words.rowid - ? "
            f"WHERE words MATCH ? AND words.rowid BETWEEN ? AND ? AND m.msgid IN ({asked}) "
            "UNION ALL SELECT msgid FROM messages WHERE network = ? "
            f"AND seq > coalesce((SELECT seq FROM indexed WHERE network = ?), 0) AND msgid IN ({asked})",
        ),
        (network, first, marks, first, row_of(network + 1, 0) - 1, *columns, network, network, *columns),
    )
    return {name_of(row[0]) for row in rows}


def _candidates(connection: sqlite3.Connection, network: int, traces: Sequence[Trace]) -> Iterator[Candidate]:
    """The kept lines that may be the same as some of these."""
    targets: dict[int, str] = {}
    stretches = []
    for folded, each in spans(traces).items():
        for target in target_ids(connection, network, (folded,)):
            targets[target] = folded
            stretches += [[target, bounded(low), bounded(high)] for low, high in each]
    rows = unpack(
        connection,
        packed(
            ("time", "chosen", "own", "hex(raw)"),
            "WITH stretch AS (SELECT value ->> 0 AS target, value ->> 1 AS low, value ->> 2 AS high "
            "FROM json_each(:stretches)) "
            "SELECT m.time, chosen.target AS chosen, m.device <> '' AS own, m.raw FROM ("
            "SELECT p.target, p.seq FROM stretch CROSS JOIN places AS p "
            "ON p.target = stretch.target AND p.time BETWEEN stretch.low AND stretch.high "
            "UNION SELECT t.target, t.seq FROM messages AS t CROSS JOIN stretch "
            "ON t.target = stretch.target AND t.time BETWEEN stretch.low AND stretch.high "
            f"WHERE t.network = :network AND t.seq > {UNINDEXED} LIMIT :limit) AS chosen "
            "CROSS JOIN messages AS m ON m.network = :network AND m.seq = chosen.seq "
            "WHERE :all OR m.msgid = '' ORDER BY m.time, m.seq",
        ),
        {
            "network": network,
            "stretches": json.dumps(stretches),
            "limit": CANDIDATES_LIMIT,
            "all": any(not trace.msgid for trace in traces),  # of two lines with msgids these alone tell
        },
    )
    for time, chosen, own, raw in rows:
        yield Candidate(int(time), targets[int(chosen)], own == "1", bytes.fromhex(raw))


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
