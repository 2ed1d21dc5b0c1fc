"""From one store to another: all that is kept, in the same form from any kind into any kind, and held against it.

Owns which tables are copied, in what form their rows travel, and their checksums. Must not know any database: each kind
has its Source and its Target.

Names travel as bytes. What is made of the lines (the order of conversations, the word index) is not copied: the bouncer
makes it when it starts.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

PORTION = 2000  # rows read and written at once: half a megabyte of lines

Row = tuple[Any, ...]  # of numbers, texts, bytes and None


@dataclass(frozen=True, slots=True)
class Table:
    """A table that is copied: all its rows, in order of ``key``. ``names`` are columns of names, of IRC."""

    name: str
    columns: tuple[str, ...]
    key: tuple[str, ...]
    names: frozenset[str] = frozenset()


# The other conversations of lines. Each kind of store keeps them in its own way, with what it knows of the line.
LINKS = Table("links", ("network", "seq", "target"), ("network", "seq", "target"))
TABLES = (
    Table("users", ("id", "name", "settings", "secrets", "deleted_at"), ("id",), frozenset({"name"})),
    Table(
        "networks",
        ("id", "user", "place", "name", "settings", "secrets", "deleted_at"),
        ("id",),
        frozenset({"name"}),
    ),
    Table(
        "channels",
        ("network", "place", "name", "key", "detached", "settings"),
        ("network", "place"),
        frozenset({"name"}),
    ),
    Table("heads", ("network", "seq"), ("network",)),
    Table("positions", ("network", "device", "seq", "seen_at"), ("network", "device"), frozenset({"device"})),
    Table("markers", ("network", "folded", "name", "time"), ("network", "folded"), frozenset({"folded", "name"})),
    Table("targets", ("id", "network", "folded", "name"), ("id",), frozenset({"folded", "name"})),
    Table(
        "messages",
        ("network", "seq", "time", "kind", "target", "device", "boot", "msgid", "raw"),
        ("network", "seq"),
        frozenset({"device", "msgid"}),
    ),
    LINKS,
)
COUNTERS = ("boot", "next_user", "next_network")  # of the table meta, which has a form of its own in each kind


class Readable(Protocol):
    """A store whose rows can be read, as one picture."""

    def rows(self, table: Table) -> Iterator[Row]:
        """All rows of a table in order of its key."""

    def close(self) -> None:
        """The end. What a Target was given and was not told to keep is gone."""


class Source(Readable, Protocol):
    """A store that is copied."""

    def counters(self) -> dict[str, int]:
        """The COUNTERS."""

    def check(self) -> bytes:
        """The sealed value that tells the right key, empty if there is none yet."""

    def size(self) -> int:
        """How many lines there are."""


class Target(Readable, Protocol):
    """An empty store."""

    def begin(self, counters: Mapping[str, int], check: bytes) -> None:
        """Take over what is no row of a table."""

    def put(self, table: Table, rows: Sequence[Row]) -> None:
        """Add rows, in order of the table's key."""

    def keep(self) -> None:
        """All is as it should be: make it last."""


@dataclass(slots=True)
class Sums:
    """What tells whether two stores hold the same: by table, and of lines by network, how many rows and a checksum."""

    parts: dict[tuple[str, int], tuple[int, Any]] = field(default_factory=dict)

    def add(self, table: Table, row: Row) -> None:
        part = (table.name, int(row[0]) if table.name == "messages" else 0)
        count, checksum = self.parts.get(part) or (0, hashlib.sha256())
        checksum.update(_canonical(row))
        self.parts[part] = count + 1, checksum

    def found(self) -> dict[tuple[str, int], tuple[int, str]]:
        """Rows and checksum (hexadecimal) of each table, 0, and of the lines (``messages``) of each network."""
        return {part: (count, checksum.hexdigest()) for part, (count, checksum) in self.parts.items()}


def copy(source: Source, target: Target, told: Callable[[int], None]) -> Sums:
    """Copy everything; what was read. ``told`` is told how many lines more are copied."""
    target.begin(source.counters(), source.check())
    sums = Sums()
    for table in TABLES:
        portion: list[Row] = []
        for row in source.rows(table):
            sums.add(table, row)
            portion.append(row)
            if len(portion) == PORTION:
                _put(target, table, portion, told)
                portion = []
        if portion:
            _put(target, table, portion, told)
    return sums


def sums_of(side: Readable, told: Callable[[int], None]) -> Sums:
    """Read everything again, to hold it against what was copied."""
    sums = Sums()
    for table in TABLES:
        for row in side.rows(table):
            sums.add(table, row)
            if table.name == "messages":
                told(1)
    return sums


def _put(target: Target, table: Table, rows: list[Row], told: Callable[[int], None]) -> None:
    target.put(table, rows)
    if table.name == "messages":
        told(len(rows))


def _canonical(row: Row) -> bytes:
    """The same bytes for the same row, whichever database it came from: each value after its kind and length."""
    parts = []
    for value in row:
        if value is None:
            parts.append(b"-")
        elif isinstance(value, int):
            parts.append(b"%d;" % value)
        else:
            data = value.encode() if isinstance(value, str) else value
            parts.append(b"%d:%b" % (len(data), data))
    return b"".join(parts)
