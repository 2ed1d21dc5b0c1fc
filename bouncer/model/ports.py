"""What the core asks of the world: the clock, timers, the store, the sockets. Each is small and has a fake in tests.

Owns the shapes of these questions. Must not know who answers them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass
from types import MappingProxyType
from typing import NamedTuple, Protocol, overload

from bouncer.irc.message import Message
from bouncer.model.entry import TEXT_KINDS, Entry
from bouncer.model.history import Expiry, Mark, Range, Search, Spot, Trace, Weight
from bouncer.model.records import Network, User

NOTHING: Mapping[int, tuple[str, ...]] = MappingProxyType({})
BEHIND_LIMIT = 10_000  # lines that are counted for a device in a list; beyond that the number helps nobody


class Sink(Protocol):
    """The way to one attached client's socket. Writing never blocks and never raises, also after the end."""

    @property
    def full(self) -> bool:
        """True while the peer does not take what was written; whoever writes stays behind until it is False."""

    def write(self, data: bytes) -> None:
        """Hand over whole lines."""

    def close(self, last: bytes = b"") -> None:
        """Write ``last``, flush within a deadline, and close."""

    def hold(self, held: bool) -> None:
        """Stop or go on reading from this client."""


class Uplink(Protocol):
    """The way to one network's server."""

    @property
    def registered(self) -> bool:
        """True from 001 to the end of that connection."""

    def send(self, message: Message) -> bool:
        """Queue a line at the network's pace; False (and nothing sent) if there is no connection or no room."""


class Cancellable(Protocol):
    """A deadline that may be taken back."""

    def cancel(self) -> None: ...


class Timers(Protocol):
    """Deadlines. Times are seconds since 1970 UTC, as everywhere in the core."""

    def now(self) -> float: ...

    def at(self, when: float, act: Callable[[], None]) -> Cancellable: ...


@dataclass(frozen=True, slots=True)
class Head:
    """What the store knows of one network's log when the process starts."""

    seq: int  # the next line's number is above this: no number is given twice, also not after kill -9
    time: int  # milliseconds; the latest of any line kept, 0 if none
    positions: Mapping[str, int]  # device -> the last sequence number that it has confirmed


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All that is loaded at start."""

    users: tuple[User, ...]
    heads: Mapping[int, Head]  # network id -> Head; a network without history may be missing
    next_user_id: int
    next_network_id: int
    boot: int  # counts the starts of this database; part of the msgids that we give


class RemovedUser(NamedTuple):
    """A user as it was when it was removed, with the networks that went with it."""

    user: User
    at: int  # seconds since 1970 UTC


class RemovedNetwork(NamedTuple):
    """A network that was removed from its user: ``owner`` is the user's id."""

    owner: int
    network: Network
    at: int  # seconds since 1970 UTC


@dataclass(frozen=True, slots=True)
class Removed:
    """What was removed and is still kept, what went last first."""

    users: tuple[RemovedUser, ...] = ()
    networks: tuple[RemovedNetwork, ...] = ()


class Records(Protocol):
    """Where settings are kept. Everything put is committed in the order in which it was put."""

    def put_users(self, saved: Sequence[User], removed: Sequence[int] = ()) -> None:
        """Keep these users as they are now, with their networks and channels, and remove others by id, all in one
        transaction. Returns at once.

        What is removed, and a network that its user has no more, is kept for REMOVED_DAYS with its history; saved
        again in that time, it is there again."""

    async def removed(self) -> Removed:
        """What was removed and is still kept. Raises Unavailable if the store can't answer."""

    async def settled(self) -> None:
        """Return when all that was put before is durable. Raises Unavailable if it can't be stored."""


class Archive(Protocol):
    """Where lines are kept, and what each device has confirmed of them."""

    def append(self, network: int, entries: Sequence[Entry]) -> None:
        """Keep these lines (each of a kind that is kept, in order of seq). Returns at once; when they are durable the
        listener given to :meth:`listen` is called.

        With a RENAME, the conversation that it names in ``also`` goes on as its ``target``: all of it is found under
        the new name, and the old one begins anew. Where there is history under the new name already, each keeps its
        own, and the RENAME belongs to both."""

    def redact(self, network: int, target: str, msgid: str) -> None:
        """Take back what the line of this conversation said that has this msgid of the network's: of lines appended
        before, nothing of its text is kept, nor found (`model.redaction` says what is left). Returns at once."""

    def put_position(self, network: int, device: str, seq: int) -> None:
        """Keep a device's position: committed with or after the lines appended before, never before them."""

    def drop_position(self, network: int, device: str) -> None:
        """Forget a device's position: it will be as if it had never been there."""

    def put_marker(self, network: int, target: str, time: int) -> None:
        """The user has read this conversation up to ``time`` (milliseconds), on whichever device. Never goes back: an
        earlier time than the one kept changes nothing."""

    def expire(self, expiry: Expiry) -> None:
        """Delete these lines, portion by portion, behind all that was put before. Returns at once; what an end of the
        process leaves of it stays until it is asked for again."""

    async def expired(self) -> None:
        """Return when all is deleted that :meth:`expire` was asked for. Raises Unavailable if it can't be."""

    def listen(self, durable: Callable[[Mapping[int, int]], None]) -> None:
        """Have ``durable({network: highest durable seq})`` called on the loop after each commit."""

    @property
    def undurable(self) -> int:
        """How many lines wait to be committed."""

    @property
    def unindexed(self) -> int:
        """How many committed lines wait to be indexed. They are found all the same, but more slowly."""

    @property
    def failing(self) -> bool:
        """True while nothing can be committed."""


@dataclass(frozen=True, slots=True)
class Page:
    """A question to the history: the ``limit`` oldest lines of these kinds with ``after < seq <= upto``, without
    imported ones."""

    network: int
    after: int
    upto: int
    limit: int
    kinds: Set[int] = TEXT_KINDS


@dataclass(frozen=True, slots=True)
class Kept:
    """A line out of the store. ``also`` names the other conversations that it belongs to; only a Page tells them."""

    seq: int
    time: int  # milliseconds
    kind: int
    target: str
    device: str  # "" unless the user said it
    boot: int  # in which start of the process it came; PAST_BOOT if it was imported
    raw: bytes  # the line as it came, without line end
    also: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Heading:
    """What many lines of a run have in common; see :class:`Kept`."""

    kind: int
    target: str
    device: str
    boot: int


class Run(Sequence[Kept]):
    """Lines out of the store in order of seq, as columns of equal length: nothing has to be made for each of 20,000
    lines. Lines that are of one kind, conversation, device and boot have the same heading. ``also`` has those of the
    other conversations that are not empty, by seq."""

    __slots__ = ("also", "headings", "raws", "seqs", "times")

    def __init__(
        self,
        seqs: Sequence[int] = (),
        times: Sequence[int] = (),
        headings: Sequence[Heading] = (),
        raws: Sequence[bytes] = (),
        also: Mapping[int, tuple[str, ...]] = NOTHING,
    ) -> None:
        self.seqs = seqs
        self.times = times
        self.headings = headings
        self.raws = raws
        self.also = also

    @classmethod
    def of(cls, lines: Sequence[Kept]) -> Run:
        """These lines."""
        known: dict[tuple[int, str, str, int], Heading] = {}
        headings = []
        for line in lines:
            key = line.kind, line.target, line.device, line.boot
            headings.append(known.get(key) or known.setdefault(key, Heading(*key)))
        return cls(
            [line.seq for line in lines],
            [line.time for line in lines],
            headings,
            [line.raw for line in lines],
            {line.seq: line.also for line in lines if line.also},
        )

    def __len__(self) -> int:
        return len(self.seqs)

    @overload
    def __getitem__(self, place: int) -> Kept: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[Kept]: ...
    def __getitem__(self, place: int | slice) -> Kept | Sequence[Kept]:
        if isinstance(place, slice):
            return [self[each] for each in range(*place.indices(len(self)))]
        seq, of = self.seqs[place], self.headings[place]
        raw, also = self.raws[place], self.also.get(seq, ())
        return Kept(seq, self.times[place], of.kind, of.target, of.device, of.boot, raw, also)


@dataclass(frozen=True, slots=True)
class Seen:
    """A device as the store knows it: how many text lines of a network, imported ones aside, stand behind its position
    (BEHIND_LIMIT at most: that many or more), and when it last confirmed some (seconds since 1970, 0 if that is not
    known)."""

    behind: int
    at: int = 0


class Found(NamedTuple):
    """A line that a search found."""

    network: int
    line: Kept

    @property
    def spot(self) -> Spot:
        """Where it stands among all: what the next page begins after."""
        return Spot(self.line.time, self.network, self.line.seq)


class Talk(NamedTuple):
    """A conversation, and when its latest line of text was said."""

    target: str
    time: int  # milliseconds


class History(Protocol):
    """Reading what was kept. Each raises Unavailable if the store can't answer."""

    async def page(self, question: Page) -> Run:
        """Raises Unavailable if the store can't answer."""

    async def first_helping(self, network: int, lines: int, since: int) -> int:
        """The position (a seq) of a device that is to miss the last ``lines`` text lines that are not older than
        ``since`` (milliseconds), imported ones aside; 0 if nothing is kept."""

    async def devices(self, network: int) -> Mapping[str, Seen]:
        """All devices that have a position in a network's log. Raises Unavailable if the store can't answer."""

    async def lines(self, question: Range) -> list[Kept]:
        """The lines of a conversation, in order of (time, seq). A target that nobody ever saw has none."""

    async def find(self, network: int, msgid: str) -> Mark | None:
        """Where the line with this msgid stands, be it the network's or one of ours; the first, if several have it."""

    async def known(self, network: int, traces: Sequence[Trace]) -> frozenset[int]:
        """Which of these lines (by their places in ``traces``) are kept already, what was appended before included; or
        have the msgid of one before them. A line is known by its msgid; else, where not both have one, by the same
        words of the same sender in the same conversation in the same millisecond, or within OWN_SLACK_MS where the
        kept one was said by the user. No kept line makes two lines known but by its msgid."""

    async def targets(self, network: int, after: int, before: int, limit: int) -> list[Talk]:
        """The conversations whose latest line of text was said between two times (milliseconds, both excluded), the
        earliest first. At most ``limit``, and then the latest."""

    async def markers(self, network: int) -> Mapping[str, int]:
        """Up to when each conversation that has a marker was read (milliseconds), by its name as last put."""

    async def weigh(self, network: int, target: str, before: Mark, lines: int) -> Weight:
        """What the ``lines`` newest lines before that place weigh: of a network if ``target`` is "", in the order in
        which they were stored (the place's time means nothing then); else of a conversation, in order of (time, seq),
        without lines that are not indexed yet. If there are none, ``end`` is ``before``."""

    async def search(self, question: Search) -> list[Found]:
        """What was found, newest first: a page of at most ``limit``; fewer mean that there is no more."""


class IdentClaims(Protocol):
    """Whose a connection to a network is, for networks that ask by RFC 1413."""

    def claim(self, local: tuple[str, int], remote: tuple[str, int], name: str) -> Callable[[], None]:
        """Answer ``name`` for the connection between these two addresses (each a host's address as text and a port)
        until what is returned is called; calling that again does no harm. Never raises."""
