"""Finding out which lines of the past are kept already.

Owns the questions for what may be the same. Must not know how lines are compared, nor threads.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence

from bouncer.model.entry import Kind
from bouncer.model.history import LAST_SEQ, Mark, Range, Trace
from bouncer.store.index_words import msgid_mark, query, row_of
from bouncer.store.known import Candidate, by_msgid, by_words, spans
from bouncer.store.order import choose
from bouncer.store.packed import listed, name_of, packed, unpack
from bouncer.store.values import to_column

MSGIDS_AT_ONCE = 200  # in one question to the word index: its parser is slow with very long ones
# Kept lines that are compared with lines of the past: what was said in ten conversations at a line a second meanwhile.
CANDIDATES_LIMIT = 20_000
_CANDIDATES = packed(
    ("time", "own", "hex(raw)"),
    "SELECT m.time, m.device <> '' AS own, m.raw FROM json_each(:seqs) AS chosen "
    "CROSS JOIN messages AS m ON m.network = :network AND m.seq = chosen.value "
    "WHERE :all OR m.msgid = '' ORDER BY m.time, m.seq",
)
_KINDS = frozenset(Kind) - {Kind.NONE}


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
            "SELECT m.msgid FROM words CROSS JOIN blocks AS b ON b.network = ? AND b.first = words.rowid - ? "
            "CROSS JOIN messages AS m ON m.network = b.network AND m.seq BETWEEN b.first AND b.last "
            f"WHERE words MATCH ? AND words.rowid BETWEEN ? AND ? AND m.msgid IN ({asked}) "
            "UNION ALL SELECT msgid FROM messages WHERE network = ? "
            f"AND seq > coalesce((SELECT seq FROM indexed WHERE network = ?), 0) AND msgid IN ({asked})",
        ),
        (network, first, marks, first, row_of(network + 1, 0) - 1, *columns, network, network, *columns),
    )
    return {name_of(row[0]) for row in rows}


def _candidates(connection: sqlite3.Connection, network: int, traces: Sequence[Trace]) -> Iterator[Candidate]:
    """The kept lines that may be the same as some of these."""
    some = any(not trace.msgid for trace in traces)  # of two lines with msgids these alone tell
    left = CANDIDATES_LIMIT
    for folded, stretches in spans(traces).items():
        for low, high in stretches:
            between = Range(network, (folded,), LAST_SEQ, left, Mark(low, -1), Mark(high, LAST_SEQ), kinds=_KINDS)
            seqs = [seq for _, seq in choose(connection, between)]
            left -= len(seqs)
            rows = unpack(connection, _CANDIDATES, {"network": network, "seqs": listed(seqs), "all": some})
            for time, own, raw in rows:
                yield Candidate(int(time), folded, own == "1", bytes.fromhex(raw))
