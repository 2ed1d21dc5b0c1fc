"""A network's log: the one ordered stream that every reader follows from a place of its own.

Owns the order of lines and their numbers, and keeps in memory what is not yet durable or not yet read. Must not know
what a line says, who reads it, or where it is kept.

Places in the log are indices: how many entries had been appended before. They count every entry, so that a session's
place is exact, and live as long as the process. Sequence numbers count kept lines and live as long as the network.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from bouncer.irc.framing import UPSTREAM_TAG_LIMIT
from bouncer.irc.isupport import MAX_LINELEN
from bouncer.irc.message import Message, escape_tag_value
from bouncer.model.entry import NOBODY, PAST, SAID_KINDS, TEXT_KINDS, Entry, Kind
from bouncer.model.past import PastLine
from bouncer.model.redaction import redacted

# Memory for sessions that are behind, some 8,000 lines; who falls out of it reads on from the store.
WINDOW_BYTES = 4 << 20
# Memory for lines that the store has not taken. A working store is never so far behind (the network is not read any
# more at a fraction of this); one that fails long enough makes the oldest leave here as well (design 3.1).
UNDURABLE_BYTES = 32 << 20
# What one entry takes beside its text, measured on CPython 3.11.
ENTRY_OVERHEAD = 400
# No entry takes more. As long as so many entries as there are would fit, they are not measured one by one.
ENTRY_MOST = UPSTREAM_TAG_LIMIT + MAX_LINELEN + ENTRY_OVERHEAD


def message_ids(boot: int, network: int) -> str:
    """How the msgids begin that we give in this life of the process; the sequence number follows, hexadecimal.

    A number lost in a power cut may be given again, but never in the same life: so no msgid names two lines.
    """
    return f"bnc-{boot:x}-{network:x}-"


class Follower(Protocol):
    """Someone who reads a log."""

    @property
    def index(self) -> int:
        """The place up to which it has read."""

    def wake(self) -> None:
        """There is more to read. Called after the append, never inside it."""


class Log:
    """The lines of one network, in order."""

    __slots__ = (
        "_bytes",
        "_entries",
        "_lossy",
        "_measured",
        "durable",
        "followers",
        "forms",
        "ids",
        "last_time",
        "network",
        "past",
        "seq",
        "tail",
    )

    def __init__(self, network: int = 0, seq: int = 0, last_time: int = 0, ids: str = "") -> None:
        self.network = network  # whose history it is; 0 if nothing is kept
        self.seq = seq  # of the last kept line
        self.durable = seq  # the store has all up to here
        self.last_time = last_time  # our own stamps never go back
        self.ids = ids  # begins the msgids that we give to lines which have none of their network's
        self.followers: list[Follower] = []
        self.forms: dict[tuple[int, int, int], bytes] = {}  # renderings of the newest burst, shared by its readers
        self.tail = 0  # the place of the oldest entry still in memory
        self._entries: list[Entry] = []
        self._bytes = 0  # what the entries up to the place ``_measured`` take
        self._measured = 0
        self.past = 0  # the place after the last line of the past; behind it no reader has to look for one
        self._lossy = 0  # the place after the last entry that left memory and that no page of history can give back

    @property
    def head(self) -> int:
        """The place after the newest entry."""
        return self.tail + len(self._entries)

    def append(
        self,
        message: Message,
        time: int,
        kind: Kind = Kind.NONE,
        target: str = "",
        device: str = "",
        origin: object = None,
        only: object = None,
        also: tuple[str, ...] = (),
    ) -> Entry:
        """Add a line at the head; one of a kind that is kept takes the next sequence number."""
        if kind:
            self.seq += 1
        entry = Entry(self.seq, time, message, kind, target, device, origin, only, also)
        self._entries.append(entry)
        return entry

    def insert(self, line: PastLine) -> Entry:
        """Add a line that was said before; its number is new all the same."""
        message = Message.parse(line.raw)
        entry = self.append(message, line.time, line.kind, line.target, device=line.device, only=PAST, also=line.also)
        self.past = self.head
        return entry

    def take(self, count: int) -> int:
        """Give ``count`` numbers to lines that are kept but not shown as they come: those of the past. The first."""
        self.seq += count
        return self.seq - count + 1

    def redact(self, taken_back: Mapping[str, str], fold: Callable[[str], str], fresh: Sequence[Entry] = ()) -> None:
        """Take back what lines in memory said: by their msgid of the network's, in which conversation (folded). All but
        the ``fresh`` ones the store has been given, and takes back itself."""
        # of one, only lines with it somewhere in their tags are read: all of a store's outage take 100 ms, and room
        one = next(iter(taken_back)) if len(taken_back) == 1 else ""
        mark = one if one and escape_tag_value(one) == one else "msgid="
        for place, entry in enumerate(self._entries):
            message = entry.message
            if mark not in message.tagtext:
                continue
            target = taken_back.get(message.tags.get("msgid", ""))
            if target is None or fold(entry.target) != target or entry.kind not in SAID_KINDS:
                continue
            if all(
                entry is not each for each in fresh
            ):  # that one is the store's thread's, and must not change under its hands
                entry = Entry(entry.seq, entry.time, message, entry.kind, entry.target, entry.device, also=entry.also)
                self._entries[place] = entry
            entry.kind, entry.only, entry.message = Kind.REDACTED, NOBODY, redacted(message)
            if self.tail + place < self._measured:
                self._bytes += len(entry.message.raw) - len(message.raw)

    def wake(self) -> None:
        """Let the readers read, once per burst, then forget what nobody needs."""
        if self.forms:
            self.forms.clear()
        for follower in tuple(self.followers):
            follower.wake()
        self.trim()

    @property
    def tail_seq(self) -> int:
        """The last kept line that is no longer in memory; all up to here is in the store."""
        if not self._entries:
            return self.seq
        oldest = self._entries[0]
        return oldest.seq - 1 if oldest.kind else oldest.seq

    def slice(self, start: int, end: int) -> list[Entry]:
        """The entries from place ``start`` to ``end``; ``start`` must not be before :attr:`tail`."""
        return self._entries[start - self.tail : end - self.tail]

    def seq_at(self, index: int) -> int:
        """The last kept line before a place, which must be behind :attr:`tail`."""
        return self._entries[index - 1 - self.tail].seq

    def lost(self, index: int) -> bool:
        """True if a reader at ``index`` has missed something other than kept text that memory no longer holds."""
        return index < self._lossy

    def resume(self, seq: int) -> int:
        """The place of the first entry in memory that comes after the kept line ``seq``."""
        return self.tail + self._up_to(seq)

    def _up_to(self, seq: int) -> int:
        """How many entries in memory come no later than the kept line ``seq``."""
        entries = self._entries
        low, high = 0, len(entries)
        while low < high:
            middle = (low + high) // 2
            if entries[middle].seq > seq:
                high = middle
            else:
                low = middle + 1
        return low

    def settle(self, seq: int) -> None:
        """The store has all kept lines up to ``seq``."""
        self.durable = seq
        self.trim()

    def trim(self) -> None:
        """Let go of entries that are durable and that every reader has read, or that memory has no room for."""
        entries = self._entries
        if not entries:
            return
        count, durable = len(entries), self.durable
        if entries[0].seq > durable and count * ENTRY_MOST <= UNDURABLE_BYTES:
            return  # the common case of a burst
        head = least = self.tail + count
        for follower in self.followers:
            if follower.index < least:
                least = follower.index
        if least == head and entries[-1].seq <= durable:
            self._drop(count)  # the common case of a commit: nobody is behind
            return
        least = max(least - self.tail, 0)
        drop = min(least, self._up_to(durable))
        if count * ENTRY_MOST > WINDOW_BYTES:
            drop = self._crowded(drop)
        for place in range(drop - 1, least - 1, -1):
            if entries[place].kind not in TEXT_KINDS:
                self._lossy = self.tail + place + 1
                break
        self._drop(drop)

    def _crowded(self, drop: int) -> int:
        """How many entries have to go, if so many may: those beyond for which there is no room go, too."""
        entries, durable = self._entries, self.durable
        self._bytes += _size(entries[max(self._measured - self.tail, 0) :])
        self._measured = self.head
        size = self._bytes - _size(entries[:drop])
        while drop < len(entries) and size > (WINDOW_BYTES if entries[drop].seq <= durable else UNDURABLE_BYTES):
            size -= _size(entries[drop : drop + 1])
            drop += 1
        return drop

    def _drop(self, count: int) -> None:
        """Let go of so many of the oldest."""
        if not count:
            return
        entries = self._entries
        measured = min(self._measured - self.tail, count)
        if measured > 0:
            self._bytes -= _size(entries[:measured])
        if count == len(entries):
            entries.clear()
        else:
            del entries[:count]
        self.tail += count


def _size(entries: Sequence[Entry]) -> int:
    """The memory that they take."""
    size = len(entries) * ENTRY_OVERHEAD
    for entry in entries:
        size += len(entry.message.raw)
    return size
