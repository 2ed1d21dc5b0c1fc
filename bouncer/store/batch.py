"""What is to be written together.

Owns how waiting work is merged. Must not know how it is written.
"""

from __future__ import annotations

from asyncio import AbstractEventLoop, Future
from collections import deque
from collections.abc import Sequence

from bouncer.model.entry import Entry
from bouncer.model.history import Expiry
from bouncer.model.records import User

# Redactions kept while they can't be written, some 6 MB: a network may send them for ever. Of more, the oldest are
# given up, as lines are.
REDACTIONS_LIMIT = 20_000

# who waits, and for which network's lines above all; 0: for everything
Waiter = tuple[AbstractEventLoop, "Future[None]", int]


class Batch:
    """The contents of one transaction."""

    __slots__ = (
        "_earliest",
        "_measured",
        "_size",
        "_sized",
        "expiries",
        "finishers",
        "lines",
        "markers",
        "positions",
        "redactions",
        "rows",
        "users",
        "waiters",
    )

    def __init__(self) -> None:
        self.rows = 0  # of lines
        self.lines: dict[int, list[Entry]] = {}  # by network
        self.positions: dict[tuple[int, str], int | None] = {}  # by network and device; None: forget it
        self.markers: dict[tuple[int, str], int] = {}  # by network and conversation: read up to this time
        self.expiries: dict[Expiry, None] = {}  # in the order in which they came
        self.redactions: deque[tuple[int, str, str]] = deque(maxlen=REDACTIONS_LIMIT)  # network, conversation, msgid
        self.users: dict[int, list[User | None]] = {}  # by id, what each was to be, oldest first; None: removed
        self.waiters: list[Waiter] = []
        self.finishers: list[Waiter] = []  # who waits until all is deleted that is to be
        self._size = 0
        self._sized = 0
        self._earliest: dict[int, int] = {}
        self._measured = 0

    @property
    def empty(self) -> bool:
        """True if there is nothing to write."""
        return not (self.rows or self.positions or self.markers or self.expiries or self.redactions or self.users)

    @property
    def size(self) -> int:
        """Bytes of text in the lines. Counted when asked: only a store that fails has to know."""
        if self._sized != self.rows:
            self._size = sum(len(entry.message.raw) for entries in self.lines.values() for entry in entries)
            self._sized = self.rows
        return self._size

    @property
    def earliest(self) -> dict[int, int]:
        """The earliest time of a line, by network. Counted when asked, as the size is."""
        if self._measured != self.rows:
            self._earliest = {
                network: min(entry.time for entry in entries) for network, entries in self.lines.items() if entries
            }
            self._measured = self.rows
        return self._earliest

    @property
    def highest(self) -> dict[int, int]:
        """The last line's number, by network."""
        return {network: entries[-1].seq for network, entries in self.lines.items()}

    def add_lines(self, network: int, entries: Sequence[Entry]) -> None:
        self.lines.setdefault(network, []).extend(entries)
        self.rows += len(entries)

    def add_position(self, network: int, device: str, seq: int | None) -> None:
        self.positions[network, device] = seq

    def add_marker(self, network: int, target: str, time: int) -> None:
        known = self.markers.get((network, target))
        if known is None or known < time:
            self.markers[network, target] = time

    def add_expiry(self, expiry: Expiry) -> None:
        self.expiries[expiry] = None

    def add_redaction(self, network: int, target: str, msgid: str) -> None:
        self.redactions.append((network, target, msgid))

    def add_users(self, saved: Sequence[User], removed: Sequence[int]) -> None:
        for user in saved:
            self._add_user(user.id, user)
        for user_id in removed:
            self._add_user(user_id, None)

    def add_waiter(self, loop: AbstractEventLoop, future: Future[None], network: int) -> None:
        self.waiters.append((loop, future, network))

    def part(self, network: int) -> Batch:
        """Take the lines of one network out, as a batch of their own."""
        part = Batch()
        part.add_lines(network, self.lines.pop(network))
        self.rows -= part.rows
        return part

    def parts(self) -> list[Batch]:
        """This batch as several that do not depend on each other, in the order in which they are to be written; itself
        if it is one thing only. Who waits, waits for the settings."""
        pieces = bool(self.users or self.expiries) + len(self.lines) + bool(self.positions) + bool(self.markers)
        if pieces + len(self.redactions) < 2:
            return [self]
        first, positions, markers = Batch(), Batch(), Batch()
        first.users, first.expiries = self.users, self.expiries
        first.waiters, first.finishers = self.waiters, self.finishers
        positions.positions, markers.markers = self.positions, self.markers
        lines = [self.part(network) for network in list(self.lines)]
        return [first, *lines, *map(_one_redaction, self.redactions), positions, markers]

    def add_finisher(self, loop: AbstractEventLoop, future: Future[None]) -> None:
        self.finishers.append((loop, future, 0))

    def drop_lines(self) -> int:
        """Give up the lines; returns how many."""
        dropped = self.rows
        self.lines = {}
        self.rows = 0
        return dropped

    def follow(self, older: Batch) -> None:
        """Take in what an older batch without lines still has to write, before one's own."""
        self.positions = older.positions | self.positions
        for (network, target), time in older.markers.items():
            self.add_marker(network, target, time)
        self.expiries = older.expiries | self.expiries
        self.redactions = deque((*older.redactions, *self.redactions), REDACTIONS_LIMIT)
        mine, self.users = self.users, older.users
        for user_id, versions in mine.items():
            for version in versions:
                self._add_user(user_id, version)
        self.waiters[:0] = older.waiters
        self.finishers[:0] = older.finishers

    def _add_user(self, user_id: int, version: User | None) -> None:
        versions = self.users.setdefault(user_id, [])
        if versions and _covers(version, versions[-1]):
            versions[-1] = version
        else:
            versions.append(version)


def _one_redaction(redaction: tuple[int, str, str]) -> Batch:
    batch = Batch()
    batch.add_redaction(*redaction)
    return batch


def _covers(newer: User | None, older: User | None) -> bool:
    """True if nothing of the older version is seen once the newer is written. A network must have been written once
    to be known as removed, so a version that has one more may not be left out."""
    if newer is None or older is None:
        return newer is older
    return {network.id for network in older.networks} <= {network.id for network in newer.networks}
