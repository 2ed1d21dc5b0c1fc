"""Lines that go, or say something else from now on: the word index follows.

Owns how blocks are taken out and made anew. Must not know which lines, nor why.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import groupby
from operator import itemgetter

from bouncer.store.index_words import Block, block_of
from bouncer.store.indexer import COLUMNS, drop_blocks, line_of, put_blocks
from bouncer.store.packed import listed, packed, unpack

_EXTENTS = packed(
    ("first", "late", "before"),
    "SELECT DISTINCT b.first, b.late, b.before FROM json_each(:seqs) AS asked CROSS JOIN blocks AS b "
    "ON b.network = :network AND b.first = "
    "(SELECT max(first) FROM blocks WHERE network = :network AND first <= asked.value) "
    "WHERE b.last >= asked.value ORDER BY b.first",
)
_LINES = packed(
    ("first", *COLUMNS),
    "SELECT b.first, m.seq, m.time, m.kind, m.target, m.raw FROM json_each(:firsts) AS chosen "
    "CROSS JOIN blocks AS b ON b.network = :network AND b.first = chosen.value "
    "CROSS JOIN messages AS m ON m.network = :network AND m.seq BETWEEN b.first AND b.last ORDER BY m.seq",
)


@contextmanager
def changing(connection: sqlite3.Connection, network: int, seqs: Sequence[int]) -> Iterator[None]:
    """Let these lines be changed or deleted within, inside the caller's transaction. Those that are not indexed yet are
    none of its business."""
    extents = list(unpack(connection, _EXTENTS, {"network": network, "seqs": listed(seqs)}))
    known = {int(first): (late == "1", int(before)) for first, late, before in extents}
    was = _blocks(connection, network, known)
    yield
    left = _blocks(connection, network, known)
    drop_blocks(connection, was)
    put_blocks(connection, left)


def _blocks(connection: sqlite3.Connection, network: int, known: Mapping[int, tuple[bool, int]]) -> list[Block]:
    """What these blocks are made of at present, by their first lines' numbers as the database has them."""
    values = {"network": network, "firsts": listed(list(known))}
    found = []
    for first, rows in groupby(unpack(connection, _LINES, values), itemgetter(0)):
        late, before = known[int(first)]
        found.append(block_of(network, [line_of(row[1:]) for row in rows], late, {}, before))
    return found
